import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.releases import release
from ops.rollout.eks.programs import program
from ops.rollout.eks.site import schema_revision

from .cluster import OLD, Cluster, Object, running


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Object]:
    """The objects of a cluster in which booking was installed by helm."""
    folder = tmp_path_factory.mktemp("install")
    cluster = Cluster()
    first = folder / "first.json"
    slot = {"version": OLD, "schemaRevision": schema_revision("booking")}
    first.write_text(json.dumps({"colours": {"blue": slot}}))
    with running(cluster, folder) as environment:
        for told in (release("dev", "routing"), release("dev", "booking-service", first)):
            subprocess.run(  # noqa: S603 - helm with arguments of ours
                [program("helm"), "install", *told.arguments, "--server-side=true"],
                env={**os.environ, **environment},
                check=True,
                capture_output=True,
            )
    return cluster.objects


@pytest.fixture
def booking_cluster(
    installed: dict[tuple[str, str], Object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """One in which booking runs in blue, and that kubectl and helm go to."""
    found = Cluster(installed)
    with running(found, tmp_path) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield found
