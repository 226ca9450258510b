"""The last good configuration on disk: one file a path, whole or not at all.

Several processes of a service may share the folder: each file is written beside and moved into its
place, readable by its owner only. A file that was damaged, or belongs to something else, counts as
none.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError, model_validator

from chassis.canonical import NotCanonical, checksum

logger = logging.getLogger(__name__)

_READABLE = 100


class ConfigValue(BaseModel):
    """One version of a configuration; its checksum is that of its content, or it can't be made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    data: Mapping[str, Any]
    version: int
    checksum: str
    last_modified: AwareDatetime

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        try:
            actual = checksum(dict(self.data))
        except NotCanonical as error:
            raise ValueError("the content has no canonical form") from error
        if actual != self.checksum:
            raise ValueError("the checksum is not that of the content")
        return self


class Kept(BaseModel):
    """What a file holds: a value, whose it is, and when config-service last said it is right."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    service: str
    environment: str
    path: str
    etag: str | None
    confirmed_at: AwareDatetime
    value: ConfigValue


class ConfigCache:
    """The files of one service and environment in a folder. Its methods block."""

    def __init__(self, folder: Path, *, service: str, environment: str) -> None:
        self._folder = folder
        self._service = service
        self._environment = environment

    def load(self, path: str) -> Kept | None:
        """The last good value of `path`; None when there is none that can be believed."""
        file = self.file(path)
        try:
            kept = Kept.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            # Not the error itself: pydantic's repeats what the file holds.
            reason = type(error).__name__
            logger.warning(
                "kept configuration ignored", extra={"file": str(file), "reason": reason}
            )
            return None
        if (kept.service, kept.environment, kept.path) != (self._service, self._environment, path):
            logger.warning("kept configuration is another's", extra={"file": str(file)})
            return None
        return kept

    def save(self, kept: Kept) -> None:
        """Replace the file of `kept.path`; on the disk when this returns. Raises `OSError`."""
        target = self.file(kept.path)
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=f".{target.stem}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(kept.model_dump_json().encode())
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync(self._folder)

    def file(self, path: str) -> Path:
        """Where the value of `path` is kept; the digest tells `a/b` from `a-b`."""
        digest = hashlib.sha256(path.encode()).hexdigest()[:16]
        readable = path.replace("/", "-")[:_READABLE]
        return self._folder / f"{self._service}-{self._environment}-{readable}-{digest}.json"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
