"""What rows measure on: a running platform, tokens, and how long and how often to measure."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import platform, tokens
from bench.ledger import Ledger, require_durable
from bench.platform import Platform
from bench.requests import BookingRequests
from bench.tokens import Token
from ops.services import BOOKING, Layout

ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often and how long to measure; `seconds` None leaves that to each row."""

    rounds: int = ROUNDS
    seconds: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether the figures are worth keeping: shorter runs are for trying out."""
        return self.rounds >= ROUNDS and self.seconds is None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that a row needs. `folder` is on a disk and goes away with the run."""

    platform: Platform
    tokens: Sequence[Token]
    folder: Path
    pace: Pace
    say: Callable[[str], None]

    @property
    def layout(self) -> Layout:
        """Where everything of the platform is."""
        return self.platform.layout

    @property
    def rounds(self) -> range:
        """One number a round."""
        return range(self.pace.rounds)

    def seconds(self, usual: float) -> float:
        """How long a round lasts that `usual`ly lasts so long."""
        return usual if self.pace.seconds is None else self.pace.seconds

    def bookings(self) -> BookingRequests:
        """Requests that nobody has sent yet, of all clients in turn."""
        return BookingRequests(tokens=self.tokens)

    def ledger(self, database: str = BOOKING.name) -> AbstractAsyncContextManager[Ledger]:
        """The books of one database, from now on."""
        return Ledger.of(self.platform.server.superuser_url(), database)


@asynccontextmanager
async def raised(folder: Path, pace: Pace, say: Callable[[str], None]) -> AsyncGenerator[Stage]:
    """A stage over an empty folder, until the body ends."""
    say("Starting the platform")
    async with platform.running(folder / "platform") as up:
        await require_durable(up.server.superuser_url())
        yield Stage(
            platform=up,
            tokens=await tokens.mint(up.layout),
            folder=folder,
            pace=pace,
            say=say,
        )
