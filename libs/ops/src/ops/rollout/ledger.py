"""Where a rollout's moves are written down for good: an audit row and an event for each."""

from collections.abc import Sequence
from typing import Protocol

from ops.rollout.state import Record


class Ledger(Protocol):
    """The audit, and the events beside it."""

    async def write(self, records: Sequence[Record]) -> None:
        """Write those that aren't written yet; OpsError when that can't be done now."""
        ...
