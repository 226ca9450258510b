"""The file of a backup: a tar of named members, with a manifest of their digests in front."""

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from ops.errors import OpsError

FORMAT = 1
MANIFEST = "manifest.json"
MEMBER = re.compile(r"[a-z]+(/[A-Za-z0-9][A-Za-z0-9._-]*)+")
CHUNK = 1024 * 1024


class BadArchive(OpsError):
    """The file isn't a backup of this kind, or not a whole one."""


def write(target: Path, members: Mapping[str, Path]) -> int:
    """Write the files `members`, by their names in the archive, in one step; the size in bytes.

    Only the owner can read the result. OpsError when it can't be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise OpsError(f"{target} can't be written ({error.strerror}).") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(file, members)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except OSError as error:
        raise OpsError(f"{target} can't be written ({error.strerror}).") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
    return target.stat().st_size


def read(source: Path, target: Path) -> list[str]:
    """Unpack a whole and unchanged archive below `target`; the names of its members.

    BadArchive when anything is missing, changed, or besides what the manifest names.
    """
    try:
        with tarfile.open(source, "r:") as tar:
            files = _read_manifest(tar)
            for name, digest in files.items():
                _unpack(tar, name, digest, target)
            if tar.next() is not None:
                raise BadArchive(f"{source} holds more than its manifest names.")
    except OSError as error:
        raise OpsError(f"{source} can't be read ({error.strerror or error}).") from error
    except tarfile.TarError as error:
        raise BadArchive(f"{source} is no backup, or a damaged one ({error}).") from error
    return list(files)


def _write(file: IO[bytes], members: Mapping[str, Path]) -> None:
    manifest = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {name: _digest(path) for name, path in members.items()},
    }
    with tarfile.open(fileobj=file, mode="w") as tar:
        content = json.dumps(manifest, indent=1).encode()
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(content)
        tar.addfile(head, io.BytesIO(content))
        for name, path in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            with path.open("rb") as member:
                tar.addfile(entry, member)


def _read_manifest(tar: tarfile.TarFile) -> dict[str, str]:
    entry = tar.next()
    content = tar.extractfile(entry) if entry is not None and entry.name == MANIFEST else None
    try:
        manifest: object = json.load(content) if content is not None else None
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise BadArchive(f"{tar.name!s} is no backup of Ubertruck.")
    described = cast("dict[str, object]", manifest)
    if described.get("format") != FORMAT:
        raise BadArchive(f"{tar.name!s} is a backup of another format than {FORMAT}.")
    files = cast("dict[str, str]", described.get("files", {}))
    if not all(MEMBER.fullmatch(name) and ".." not in name for name in files):
        raise BadArchive(f"{tar.name!s} names files outside of a backup.")
    return files


def _unpack(tar: tarfile.TarFile, name: str, digest: str, target: Path) -> None:
    entry = tar.next()
    content = tar.extractfile(entry) if entry is not None and entry.name == name else None
    if content is None:
        raise BadArchive(f"{tar.name!s} is damaged: {name} is missing.")
    path = target / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file, CHUNK)
    if _digest(path) != digest:
        raise BadArchive(f"{tar.name!s} is damaged: {name} has another digest.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
