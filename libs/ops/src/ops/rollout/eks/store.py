"""What a rollout remembers in a cluster: a ConfigMap, written only over what was read."""

from contextlib import AbstractAsyncContextManager

from pydantic import ValidationError

from ops.errors import OpsError
from ops.rollout import store
from ops.rollout.eks.kubectl import CONFIG_MAPS, Absent, Conflict, Kubectl, Object
from ops.rollout.eks.lease import Leases
from ops.rollout.state import Rollout

NAME = "ubertruck-rollout"
KEY = "rollout.json"


class ClusterStore:
    """The rollout of one environment, and the right to drive it."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._leases = Leases(kubectl=kubectl)

    async def load(self) -> Rollout | None:
        """See `Store`."""
        found = await self._found()
        return None if found is None else _read(found)

    async def save(self, rollout: Rollout, *, after: Rollout | None) -> None:
        """See `Store`."""
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
