"""A ledger in a cluster, whose database is reached by a process there and by nobody outside."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.errors import OpsError
from ops.releases import NAMESPACE
from ops.rollout.deeds import deed_of
from ops.rollout.eks.kubectl import DEPLOYMENTS, Absent, Kubectl
from ops.rollout.eks.programs import program, run
from ops.rollout.ports import Colour
from ops.rollout.state import Record

# Who has both an audit and an outbox.
SERVICE = "booking-service"
SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class ClusterLedger:
    """A `Ledger` in the database of booking, by any worker of it that can."""

    kubectl: Kubectl
    seconds: float = SECONDS

    async def write(self, records: Sequence[Record]) -> None:
        """See `Ledger`."""
        lines = "".join(f"{deed_of(record).model_dump_json()}\n" for record in records)
        failed: OpsError | None = None
        for worker in [f"{SERVICE}-{colour}-worker" for colour in Colour]:
            if await self._is_ready(worker):
                try:
                    await self._write(worker, lines)
                    return
                except OpsError as error:
                    failed = OpsError(f"{worker} can't write it down: {error}")
        raise failed or OpsError(f"No worker of {SERVICE} is ready to write it down.")

    async def _is_ready(self, worker: str) -> bool:
        try:
            deployment = await self.kubectl.get(DEPLOYMENTS, worker)
        except Absent:
            return False
        return deployment.get("status", {}).get("readyReplicas", 0) > 0

    async def _write(self, worker: str, lines: str) -> None:
        command = [
            program("kubectl"),
            "exec",
            "--stdin",
            f"--namespace={NAMESPACE}",
            f"deployment/{worker}",
            "--container=worker",
            "--",
            *("/app/bin/python", "-m", "chassis.recording"),
        ]
        await run(command, stdin=lines, seconds=self.seconds)
