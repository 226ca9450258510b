"""Where a rollout's state is kept: one rollout at a time, changed by whoever saw the latest."""

import fcntl
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from ops.errors import OpsError
from ops.rollout.state import Rollout
from ops.state import write_atomically


class Conflict(OpsError):
    """Somebody else changed the rollout in between: look again."""


class AlreadyDriven(OpsError):
    """Another process drives the rollout."""


class Store(Protocol):
    """A file on a laptop, a ConfigMap in a cluster. Errors: OpsError, in words."""

    async def load(self) -> Rollout | None:
        """The present rollout, or the last one; None when there never was any."""
        ...

    async def save(self, rollout: Rollout, *, after: Rollout | None) -> None:
        """Put `rollout` in the place of `after`; `Conflict` unless that is still what is there."""
        ...

    def driving(self) -> AbstractAsyncContextManager[None]:
        """Be the only driver; `AlreadyDriven` when there is one. A dead one's place is free."""
        ...


class FileStore:
    """A rollout in `folder`: `rollout.json`, replaced in one step, and locks beside it.

    The kernel lets go of a lock when its holder dies.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "rollout.json"
        self._changing = folder / "rollout.changing"
        self._driving = folder / "rollout.driver"

    async def load(self) -> Rollout | None:
        """See `Store`."""
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OpsError(f"{self._file} can't be read ({error.strerror}).") from error
        try:
            return Rollout.model_validate_json(content)
        except ValidationError as error:
            raise OpsError(
                f"{self._file} isn't a rollout that this version understands. Look at it, set the "
                "weights by hand if need be, and remove it."
            ) from error

    async def save(self, rollout: Rollout, *, after: Rollout | None) -> None:
        """See `Store`."""
        # Held for the two lines below only: whoever waits does so for milliseconds.
        with _locked(self._changing, fcntl.LOCK_EX):
            found = await self.load()
            if _mark(found) != _mark(after):
                raise Conflict("Somebody else changed the rollout at the same time.")
            try:
                write_atomically(
                    self._file, rollout.model_dump_json(indent=1, by_alias=True).encode()
                )
            except OSError as error:
                raise OpsError(f"{self._file} can't be written ({error.strerror}).") from error

    @asynccontextmanager
    async def driving(self) -> AsyncGenerator[None]:
        """See `Store`."""
        with ExitStack() as held:
            try:
                held.enter_context(_locked(self._driving, fcntl.LOCK_EX | fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise AlreadyDriven("Another process drives the rollout already.") from error
            yield


@contextmanager
def _locked(path: Path, how: int) -> Generator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OpsError(f"{path} can't be written ({error.strerror}).") from error
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _mark(rollout: Rollout | None) -> object:
    return None if rollout is None else (rollout.id, rollout.revision)
