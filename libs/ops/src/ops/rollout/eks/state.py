"""What a rollout remembers: one text in a ConfigMap, written only over what was read."""

from dataclasses import dataclass

from ops.rollout.eks.kubectl import CONFIG_MAPS, Absent, Kubectl

NAME = "ubertruck-rollout"
KEY = "state.json"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A text, and the mark of the moment at which it was that."""

    text: str
    version: str


@dataclass(frozen=True, kw_only=True)
class ConfigMapState:
    """The state of one environment's rollout."""

    kubectl: Kubectl
    name: str = NAME

    async def read(self) -> Remembered | None:
        """The latest text, if there was ever one."""
        try:
            found = await self.kubectl.get(CONFIG_MAPS, self.name)
        except Absent:
            return None
        return Remembered(found["data"][KEY], found["metadata"]["resourceVersion"])

    async def write(self, text: str, over: Remembered | None) -> Remembered:
        """Put a text over what was read; Conflict when that is no longer the latest."""
        metadata = {"name": self.name}
        if over is not None:
            metadata["resourceVersion"] = over.version
        content = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {KEY: text},
        }
        write = self.kubectl.create if over is None else self.kubectl.replace
        done = await write(CONFIG_MAPS, content)
        return Remembered(text, done["metadata"]["resourceVersion"])
