"""A ledger in a cluster, whose database is reached by a process there and by nobody outside."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.catalogue import EVENTS
from contracts.rollout import ROLLOUT_MOVED, RolloutMoved
from ops.errors import OpsError
from ops.releases import NAMESPACE
from ops.rollout.eks.programs import ProgramFailed, program, run
from ops.rollout.eks.site import EksSite
from ops.rollout.state import Record

ACTION = "rollout.move"
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
        lines = "".join(f"{json.dumps(_deed(record))}\n" for record in records)
        try:
            await run(command, stdin=lines, seconds=self.seconds)
        except ProgramFailed as error:
            raise OpsError(f"{SERVICE}-{colour}-worker can't write it down: {error}") from error


def _deed(record: Record) -> dict[str, object]:
    """The form that `chassis.recording` reads."""
    moved = RolloutMoved.model_validate(
        {**record.model_dump(), "moved_at": record.at}, strict=False
    )
    details = record.model_dump(mode="json", exclude={"rollout", "actor", "ticket", "number"})
    return {
        "actor": record.actor,
        "action": ACTION,
        "target": f"rollout/{record.rollout}",
        "number": record.number,
        "ticket": record.ticket,
        "details": details,
        "source": EVENTS[ROLLOUT_MOVED].source,
        "type": ROLLOUT_MOVED,
        "subject": str(record.rollout),
        "data": moved.model_dump(mode="json"),
        "at": record.at.isoformat(),
    }
