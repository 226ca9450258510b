"""Everything that a rollout needs, by the place where it happens."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ops import plane
from ops.rollout.database_ledger import DatabaseLedger
from ops.rollout.driver import ATTENTION_SECONDS, Validate
from ops.rollout.laptop import LaptopSite
from ops.rollout.laptop_health import LaptopHealth
from ops.rollout.ledger import Ledger
from ops.rollout.metrics.envoy import watching
from ops.rollout.plan import calls_of
from ops.rollout.ports import Colour, Metrics, Site
from ops.rollout.store import FileStore, Store
from ops.rollout.validator import Validator
from ops.services import BOOKING, Layout
from ops.state import StateFolder
from ops.versions import ROOT, find

POLICIES = ROOT / "k8s" / "rollout"


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What is seen of versions while somebody looks."""

    metrics: Metrics
    validate: Validate


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place of rollouts.

    `calls` says who calls whom; `named` gives a version the name by which it is the same tomorrow;
    `seeing` looks until it is left.
    """

    site: Site
    store: Store
    ledger: Ledger
    calls: Mapping[str, Set[str]]
    policy: Path
    named: Callable[[str], str]
    seeing: Callable[[], AbstractAsyncContextManager[Sight]]
    attention: float = ATTENTION_SECONDS


def laptop(folder: StateFolder) -> Place:
    """The platform that runs on `folder`; OpsError when none ever did."""
    layout = Layout.remembered(folder)
    site = LaptopSite(folder)

    @asynccontextmanager
    async def seeing() -> AsyncGenerator[Sight]:
        async with watching(plane.admin_socket(folder)) as metrics:
            validator = Validator(site=site, metrics=metrics, health=LaptopHealth(folder))
            yield Sight(metrics=metrics, validate=in_words(validator))

    return Place(
        site=site,
        store=FileStore(folder.run),
        ledger=DatabaseLedger(layout.database_url(BOOKING)),
        calls=calls_of(plane.read_manifests()),
        policy=POLICIES / "dev.toml",
        named=lambda version: find(folder, version, BOOKING.package).version,
        seeing=seeing,
    )


def in_words(validator: Validator) -> Validate:
    """What a validator finds, each finding a sentence."""

    async def validate(service: str, colour: Colour) -> Sequence[str]:
        return [f"{finding}." for finding in await validator.findings(service, colour)]

    return validate
