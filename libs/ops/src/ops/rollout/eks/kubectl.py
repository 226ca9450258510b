"""Objects of the cluster, read and written whole by way of kubectl, which knows how to log in.

Everything is asked by its path, so that no list of kinds has to be fetched first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ops.errors import OpsError
from ops.releases import NAMESPACE
from ops.rollout.eks.programs import ProgramFailed, program, run

Object = dict[str, Any]
AUTOSCALERS = "/apis/autoscaling/v2", "horizontalpodautoscalers"
CONFIG_MAPS = "/api/v1", "configmaps"
DEPLOYMENTS = "/apis/apps/v1", "deployments"
PODS = "/api/v1", "pods"
LEASES = "/apis/coordination.k8s.io/v1", "leases"
SECRETS = "/api/v1", "secrets"
VIRTUAL_ROUTERS = "/apis/appmesh.k8s.aws/v1beta2", "virtualrouters"
VIRTUAL_SERVICES = "/apis/networking.istio.io/v1", "virtualservices"
SECONDS = 15.0


class Absent(OpsError):
    """There is no such object."""


class Conflict(OpsError):
    """Somebody else changed the object meanwhile, or made one of this name."""


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """The cluster that kubectl's configuration points to. `seconds` bounds each call."""

    seconds: float = SECONDS

    async def get(self, kind: tuple[str, str], name: str) -> Object:
        """An object as the cluster has it; Absent without one."""
        return await self._do("get", _path(kind, name))

    async def select(self, kind: tuple[str, str], labels: Mapping[str, str]) -> list[Object]:
        """All objects with these labels."""
        selector = quote(",".join(f"{name}={value}" for name, value in labels.items()))
        return (await self._do("get", f"{_path(kind)}?labelSelector={selector}"))["items"]

    async def create(self, kind: tuple[str, str], content: Object) -> Object:
        """A new object; Conflict when there is one of its name."""
        return await self._do("create", _path(kind), content)

    async def replace(self, kind: tuple[str, str], content: Object) -> Object:
        """Put an object in the place of what was read.

        Conflict when its `resourceVersion` is no longer that in the cluster; Absent when it is
        gone.
        """
        return await self._do("replace", _path(kind, content["metadata"]["name"]), content)

    async def delete(self, kind: tuple[str, str], name: str) -> None:
        """Take an object away; Absent when it is gone."""
        await self._do("delete", _path(kind, name))

    async def _do(self, verb: str, path: str, content: Object | None = None) -> Object:
        command = [program("kubectl"), verb, f"--raw={path}"]
        if content is not None:
            command.append("--filename=-")
        try:
            output = await run(
                command, stdin=json.dumps(content) if content else "", seconds=self.seconds
            )
        except ProgramFailed as error:
            raise _named(error, path) from error
        return json.loads(output)


def _path(kind: tuple[str, str], name: str = "") -> str:
    api, plural = kind
    return f"{api}/namespaces/{NAMESPACE}/{plural}/{name}".rstrip("/")


def _named(error: ProgramFailed, path: str) -> OpsError:
    said = str(error)
    if "(NotFound)" in said:
        return Absent(f"The cluster has no {path}.")
    if "(Conflict)" in said or "(AlreadyExists)" in said:
        return Conflict(f"{path} was changed by somebody else meanwhile.")
    return OpsError(f"The cluster refused {path}: {said}")
