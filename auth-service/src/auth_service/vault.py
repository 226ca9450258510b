"""Secrets at rest: AES-256-GCM under a master key that stands in a file of its own.

A sealed secret is bound to its purpose and its row, so that it can't be moved to another row. Its
first bytes name the master key, and a file may hold several (one a line): the first one seals, all
of them open.
"""

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES: Final = 32
_NAME_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_FOREIGN_BITS: Final = stat.S_IRWXG | stat.S_IRWXO


class VaultError(Exception):
    """The master key can't be used, or a secret isn't what it claims to be."""


class Vault:
    """Seals and opens secrets."""

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        if not master_keys or any(len(key) != _KEY_BYTES for key in master_keys):
            raise VaultError("A master key has exactly 32 bytes.")
        self._sealing = _name(master_keys[0])
        self._ciphers = {_name(key): AESGCM(key) for key in master_keys}
        self._deriving = master_keys[0]

    def __repr__(self) -> str:
        return "Vault(...)"

    @classmethod
    def from_file(cls, path: Path) -> "Vault":
        """Read the master keys: lines of base64 in a file that only its owner may read."""
        try:
            status = path.stat()
            lines = path.read_text("ascii").split()
            keys = [base64.b64decode(line, validate=True) for line in lines]
        except (OSError, UnicodeDecodeError, binascii.Error) as error:
            raise VaultError(f"The master key file {path} can't be read: {error}") from error
        if is_open_to_others(status, us=os.geteuid()):
            raise VaultError(
                f"The master key file {path} must be readable by its owner only (0600)."
            )
        return cls(keys)

    def seal(self, secret: bytes, *, purpose: str, owner: str) -> bytes:
        """Encrypt; `owner` is the id of the row that keeps it."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._sealing].encrypt(nonce, secret, _bound_to(purpose, owner))
        return self._sealing + nonce + sealed

    def open(self, sealed: bytes, *, purpose: str, owner: str) -> bytes:
        """Decrypt; raises VaultError when key, purpose or row are others, or a bit differs."""
        name, rest = sealed[:_NAME_BYTES], sealed[_NAME_BYTES:]
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise VaultError(f"No master key here sealed this {purpose}.")
        try:
            return cipher.decrypt(
                rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound_to(purpose, owner)
            )
        except InvalidTag as error:
            raise VaultError(f"This {purpose} was changed, or belongs to another row.") from error

    def derive(self, message: bytes, *, purpose: str) -> bytes:
        """32 bytes that only a holder of the master key can make of the message."""
        key = HKDF(hashes.SHA256(), _KEY_BYTES, None, purpose.encode()).derive(self._deriving)
        return hmac.digest(key, message, hashlib.sha256)


def is_open_to_others(status: os.stat_result, *, us: int) -> bool:
    """Whether anybody but the user `us` may do something with a file of this status.

    A file that root hands to a user's own group for reading is that user's alone: so Kubernetes
    mounts secrets.
    """
    handed = stat.S_IRGRP if status.st_uid == 0 and us != 0 else 0
    return bool(status.st_mode & _FOREIGN_BITS & ~handed)


def new_master_key() -> str:
    """A fresh line for the master key file."""
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"ubertruck master key\0" + key).digest()[:_NAME_BYTES]


def _bound_to(purpose: str, owner: str) -> bytes:
    return f"{purpose}\0{owner}".encode()
