"""What a rollout remembers in a cluster: a ConfigMap, written only over what was read."""

import time
from contextlib import AbstractAsyncContextManager

from pydantic import ValidationError

from ops.errors import OpsError
from ops.rollout import store
from ops.rollout.eks.kubectl import CONFIG_MAPS, Absent, Conflict, Kubectl, Object
from ops.rollout.eks.lease import Leases
from ops.rollout.state import Rollout

NAME = "ubertruck-rollout"
KEY = "rollout.json"
# A driver looks five times a second, and each look is a process that logs in to the cluster.
REST_SECONDS = 2.0


class ClusterStore:
    """The rollout of one environment, and the right to drive it.

    What others write is seen `rest` seconds later at most.
    """

    def __init__(self, kubectl: Kubectl, *, rest: float = REST_SECONDS) -> None:
        self._kubectl = kubectl
        self._leases = Leases(kubectl=kubectl)
        self._rest = rest
        self._seen: tuple[float, Rollout | None] | None = None

    async def load(self) -> Rollout | None:
        """See `Store`."""
        if self._seen is None or time.monotonic() - self._seen[0] > self._rest:
            found = await self._found()
            self._seen = (time.monotonic(), None if found is None else _read(found))
        return self._seen[1]

    async def save(self, rollout: Rollout, *, after: Rollout | None) -> None:
        """See `Store`."""
        self._seen = None
        found = await self._found()
        present = None if found is None else _read(found)
        metadata = {"name": NAME} if found is None else found["metadata"]
        content = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {KEY: rollout.model_dump_json(indent=1, by_alias=True)},
        }
        write = self._kubectl.create if found is None else self._kubectl.replace
        try:
            if _mark(present) != _mark(after):
                raise Conflict(f"{NAME} is not what was read.")
            await write(CONFIG_MAPS, content)
        except (Absent, Conflict) as error:
            raise store.Conflict("Somebody else changed the rollout at the same time.") from error

    def driving(self) -> AbstractAsyncContextManager[None]:
        """See `Store`."""
        return self._leases.held()

    async def _found(self) -> Object | None:
        try:
            return await self._kubectl.get(CONFIG_MAPS, NAME)
        except Absent:
            return None


def _read(config_map: Object) -> Rollout:
    try:
        return Rollout.model_validate_json(config_map["data"][KEY])
    except (KeyError, ValidationError) as error:
        raise OpsError(
            f"The ConfigMap {NAME} isn't a rollout that this version understands. Look at it, set "
            "the weights by hand if need be, and remove it."
        ) from error


def _mark(rollout: Rollout | None) -> object:
    return None if rollout is None else (rollout.id, rollout.revision)
