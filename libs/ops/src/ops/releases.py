"""Which releases an environment has: each chart with its values files, in the order of install."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[4]
HELM = ROOT / "helm"
VALUES = HELM / "values"
# Stands where a release says versions: for manifests that are only looked at.
UNRELEASED = VALUES / "unreleased.yaml"
ENVIRONMENTS = ("dev", "staging", "production")
NAMESPACE = "ubertruck"
SERVICES = ("auth-service", "booking-service", "config-service")


@dataclass(frozen=True, kw_only=True)
class Release:
    """One `helm install`: later values files win over earlier ones, and `settings` over all."""

    name: str
    chart: Path
    values: Sequence[Path]
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def arguments(self) -> list[str]:
        """What helm is told besides its verb."""
        files = [f"--values={path}" for path in self.values]
        settings = [f"--set={name}={value}" for name, value in self.settings.items()]
        return [self.name, str(self.chart), f"--namespace={NAMESPACE}", *files, *settings]


def releases(environment: str, **settings: str) -> Iterator[Release]:
    """All releases of an environment, with `settings` in each, of no version."""
    yield release(environment, "platform", settings=settings)
    for name in SERVICES:
        yield release(environment, name, UNRELEASED, settings=settings)
    yield release(environment, "routing", settings=settings)


def release(
    environment: str, name: str, *more: Path, settings: Mapping[str, str] | None = None
) -> Release:
    """One release of an environment; `more` are values files that win over its own."""
    if name in ("platform", "routing"):
        chart = HELM / name
        own = [chart / f"values-{environment}.yaml"]
    else:
        chart = HELM / "service"
        own = [VALUES / f"{name}.yaml", VALUES / environment / f"{name}.yaml"]
    common = [VALUES / "global.yaml", VALUES / environment / "global.yaml"]
    return Release(name=name, chart=chart, values=[*common, *own, *more], settings=settings or {})
