"""What the charts render: k8s/rendered/dev as it stands, and two services of the same charts.

payment-service has its own values file, with the numbers of the specification. quick-service has
numbers that a test can wait for.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from charts.helm import template
from charts.render import RENDERED
from mesh.appmesh.manifests import Manifests
from mesh.appmesh.reading import read_texts
from mesh.appmesh.rules import require_sound
from ops.releases import HELM, VALUES, Release

CALLER = "edge"
SERVICES = ("auth-service", "booking-service", "config-service", "payment-service", "quick-service")
# Without platform.yaml, whose edge doesn't call the two.
KEPT = (*SERVICES[:3], "routing")
QUICK: dict[str, Any] = {
    "database": {"name": "quick"},
    "mesh": {
        "timeoutSeconds": 0,
        "connectionPool": {"maxConnections": 1000, "maxPendingRequests": 1000},
        "outlierDetection": {
            "maxServerErrors": 5,
            "intervalSeconds": 1,
            "baseEjectionSeconds": 1,
            "maxEjectionPercent": 50,
        },
    },
}
ROUTING: dict[str, Any] = {
    "services": {
        "payment-service": {"active": "blue"},
        "quick-service": {
            "active": "blue",
            "weights": {"blue": 90, "green": 10},
            "timeoutSeconds": 3,
            "retries": {
                "safe": {"max": 3, "perTrySeconds": 1},
                "keyed": {"max": 1, "perTrySeconds": 1},
            },
            "streams": ["/stream"],
        },
    }
}


@cache
def platform() -> Manifests:
    """All of it, sound by the rules of App Mesh."""
    texts = {name: (RENDERED / "dev" / f"{name}.yaml").read_text() for name in KEPT}
    with TemporaryDirectory() as folder:
        return require_sound(read_texts(texts | dict(_more(Path(folder)))))


def _more(folder: Path) -> Iterable[tuple[str, str]]:
    calls = {"edge": [*SERVICES], "payment-service": [], "quick-service": []}
    common = [VALUES / "global.yaml", VALUES / "dev" / "global.yaml"]
    unreleased = VALUES / "unreleased.yaml"
    releases = {
        "platform": [HELM / "platform" / "values-dev.yaml"],
        "payment-service": [unreleased, VALUES / "payment-service.yaml"],
        "quick-service": [unreleased, _values(folder / "quick.yaml", QUICK)],
        "routing": [_values(folder / "routing.yaml", ROUTING)],
    }
    common.append(_values(folder / "calls.yaml", {"global": {"calls": calls}}))
    for name, values in releases.items():
        chart = HELM / (name if name in ("platform", "routing") else "service")
        release = Release(name=name, chart=chart, values=[*common, *values])
        yield f"helm/{name}", template(release)


def _values(path: Path, values: Any) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path
