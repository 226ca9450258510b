"""A ledger in a cluster, whose database is reached by a process there and by nobody outside."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.errors import OpsError
from ops.releases import NAMESPACE
from ops.rollout.deeds import deed_of
from ops.rollout.eks.programs import ProgramFailed, program, run
from ops.rollout.eks.site import EksSite
from ops.rollout.state import Record

# Who has both an audit and an outbox.
SERVICE = "booking-service"
SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class ClusterLedger:
    """A `Ledger` in the database of booking, by its active worker."""

    site: EksSite
    seconds: float = SECONDS

    async def write(self, records: Sequence[Record]) -> None:
        """See `Ledger`."""
        colour = await self.site.active(SERVICE)
        command = [
            program("kubectl"),
            "exec",
            "--stdin",
            f"--namespace={NAMESPACE}",
            f"deployment/{SERVICE}-{colour}-worker",
            "--container=worker",
            "--",
            *("/app/bin/python", "-m", "chassis.recording"),
        ]
        lines = "".join(f"{deed_of(record).model_dump_json()}\n" for record in records)
        try:
            await run(command, stdin=lines, seconds=self.seconds)
        except ProgramFailed as error:
            raise OpsError(f"{SERVICE}-{colour}-worker can't write it down: {error}") from error
