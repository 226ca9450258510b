"""Which releases an environment has: each chart with its values files, in the order of install."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HELM = Path(__file__).parents[2]
VALUES = HELM / "values"
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
    """All releases of an environment; `settings` are set in each."""
    common = [VALUES / "global.yaml", VALUES / environment / "global.yaml"]

    def release(name: str, chart: str, *values: Path) -> Release:
        return Release(name=name, chart=HELM / chart, values=[*common, *values], settings=settings)

    yield release("platform", "platform", HELM / "platform" / f"values-{environment}.yaml")
    for name in SERVICES:
        yield release(name, "service", *service_values(environment, name))
    yield release("routing", "routing", HELM / "routing" / f"values-{environment}.yaml")


def service_values(environment: str, name: str) -> list[Path]:
    """The values files of a service besides those that all releases share."""
    return [
        VALUES / "unreleased.yaml",
        VALUES / f"{name}.yaml",
        VALUES / environment / f"{name}.yaml",
    ]
