"""Secrets of this installation: made once, kept in files that only their owner reads."""

import base64
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.state import StateFolder, read_json, write_atomically, write_json

SECRET_BYTES = 32
TOTP_BYTES = 20


@dataclass(frozen=True)
class Credentials:
    """`database` has a password a database role, `client_secret_files` a file a client."""

    database: Mapping[str, str]
    master_key_file: Path
    client_secret_files: Mapping[str, Path]


def ensure(folder: StateFolder, *, roles: Iterable[str], clients: Iterable[str]) -> Credentials:
    """The installation's secrets; those that are missing are made now."""
    return Credentials(
        database=_ensure_texts(folder.secrets / "database.json", roles, _new_password),
        master_key_file=_ensure_file(folder.secrets / "auth-master-key", _new_master_key),
        client_secret_files={
            client: _ensure_file(folder.secrets / f"client-{client}", _new_password)
            for client in clients
        },
    )


def ensure_totp(folder: StateFolder, usernames: Iterable[str]) -> dict[str, str]:
    """The base32 secret of each user's second factor; those that are missing are made now."""
    return _ensure_texts(folder.secrets / "totp.json", usernames, _new_totp)


def ensure_device(folder: StateFolder) -> str:
    """The name by which this command line is known as a device."""
    return _ensure_file(folder.secrets / "device", _new_device).read_text().strip()


def _ensure_texts(path: Path, names: Iterable[str], make: Callable[[], str]) -> dict[str, str]:
    before = {name: str(text) for name, text in read_json(path).items()}
    texts = {name: make() for name in names} | before
    if texts != before:
        write_json(path, texts)
    return texts


def _ensure_file(path: Path, make: Callable[[], str]) -> Path:
    if not path.exists():
        write_atomically(path, make().encode() + b"\n")
    return path


def _new_password() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def _new_totp() -> str:
    return base64.b32encode(secrets.token_bytes(TOTP_BYTES)).decode()


def _new_device() -> str:
    return f"ubertruck-{secrets.token_hex(8)}"


def _new_master_key() -> str:
    return base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
