"""Releases: what they were told, and told anew, by way of helm."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ops.errors import OpsError
from ops.releases import NAMESPACE, release
from ops.rollout.eks.kubectl import SECRETS, Absent, Kubectl
from ops.rollout.eks.programs import ProgramFailed, program, run

Values = dict[str, Any]
HISTORY = 20
PAUSE = 1.0
# A kill between helm's last two writes leaves the release before as superseded, and none deployed.
_DONE = ("deployed", "superseded")
_BUSY = "another operation (install/upgrade/rollback) is in progress"


@dataclass(frozen=True, slots=True)
class Told:
    """All that a release went by when helm last did what it was told to the end.

    `settled` says that this is also what helm was told last. Otherwise an upgrade failed or was
    killed, and the cluster has any part of it.
    """

    values: Values
    settled: bool


@dataclass(frozen=True, kw_only=True)
class Helm:
    """The releases of one environment. `seconds` bounds each call, and what a crash may leave."""

    environment: str
    kubectl: Kubectl
    seconds: float = 120.0

    async def told(self, name: str) -> Told:
        """What a release goes by.

        OpsError when it isn't installed, or this is another environment's cluster.
        """
        try:
            history = json.loads(await self._helm("history", name, "--output=json"))
        except ProgramFailed as error:
            if "not found" in str(error):
                raise OpsError(f"The release {name} isn't installed in the cluster.") from error
            raise
        done = [one["revision"] for one in history if one["status"] in _DONE]
        if not done:
            raise OpsError(f"The release {name} was never installed to the end.")
        revision = max(done)
        text = await self._helm(
            "get", "values", name, "--all", f"--revision={revision}", "--output=json"
        )
        values: Values = json.loads(text)
        require_environment(self.environment, values["global"]["environment"])
        last = max(history, key=lambda one: one["revision"])
        return Told(values, settled=last["status"] == "deployed")

    async def upgrade(self, name: str, changes: Mapping[str, Any]) -> None:
        """Tell a release anew: the environment's values files, and `changes` over them.

        Returns when the cluster has taken it, not when pods are ready. OpsError in helm's words.
        Whoever is cancelled meanwhile waits for helm's end: half an upgrade helps nobody.
        """
        with TemporaryDirectory(prefix="ubertruck-helm-") as folder:
            path = Path(folder) / "changes.json"
            path.write_text(json.dumps(changes))
            told = release(self.environment, name, path)
            await self._when_free(
                name,
                "upgrade",
                *told.arguments,
                f"--history-max={HISTORY}",
                f"--timeout={self.seconds:g}s",
                # Weights that were taken back without helm are helm's again.
                "--server-side=true",
                "--force-conflicts",
            )

    async def _when_free(self, name: str, *arguments: str) -> None:
        deadline = asyncio.get_running_loop().time() + 2 * self.seconds
        while True:
            try:
                await _to_the_end(self._helm(*arguments))
                return
            except ProgramFailed as error:
                if _BUSY not in str(error):
                    raise OpsError(f"helm can't upgrade {name}: {error}") from error
                if asyncio.get_running_loop().time() > deadline:
                    raise OpsError(f"Somebody else upgrades {name} for too long.") from error
            await self._clear(name)
            await asyncio.sleep(PAUSE)

    async def _clear(self, name: str) -> None:
        """Forget an upgrade that was never ended, as a killed one leaves it: helm never would."""
        found = json.loads(await self._helm("status", name, "--output=json"))
        began = datetime.fromisoformat(found["info"]["last_deployed"])
        age = (datetime.now(UTC) - began).total_seconds()
        if found["info"]["status"].startswith("pending-") and age > self.seconds:
            try:
                secret = f"sh.helm.release.v1.{name}.v{found['version']}"
                await self.kubectl.delete(SECRETS, secret)
            except Absent:
                return

    async def _helm(self, *arguments: str) -> str:
        command = [program("helm"), *arguments]
        if not any(one.startswith("--namespace") for one in arguments):
            command.append(f"--namespace={NAMESPACE}")
        # helm bounds itself; this is for one that hangs nevertheless.
        return await run(command, seconds=self.seconds + 10)


def require_environment(meant: str, here: str) -> None:
    """OpsError when the cluster that answers is another environment's."""
    if here != meant:
        raise OpsError(f"kubectl points to the cluster of {here}, not of {meant}.", code=2)


async def _to_the_end(work: Coroutine[Any, Any, str]) -> None:
    """Wait for it; when cancelled, too, before that is passed on. Who is cancelled twice leaves."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        raise
