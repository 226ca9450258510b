"""What a cluster's rollout writes down, as the process there reads it."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis.recording import Deed
from contracts.rollout import ROLLOUT_MOVED
from ops.errors import OpsError
from ops.rollout.eks.kubectl import Kubectl
from ops.rollout.eks.ledger import ClusterLedger
from ops.rollout.plan import Change, Plan
from ops.rollout.ports import Colour
from ops.rollout.state import Before, Rollout, advance, begin

# Of the two workers, those that are ready are told as "blue" or "green".
KUBECTL = """#!/bin/sh
if [ "$1" = get ]; then
    for colour in {ready}; do
        case "$*" in */deployments/booking-service-$colour-worker)
            echo '{{"status": {{"readyReplicas": 1}}}}'; exit ;;
        esac
    done
    echo '{{"status": {{"observedGeneration": 1}}}}'; exit
fi
echo "$*" >> {folder}/asked
cat > {folder}/sent
{end}
"""
LEDGER = ClusterLedger(kubectl=Kubectl())


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, end: str, ready: str = "green") -> None:
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL.format(folder=folder, end=end, ready=ready))
    kubectl.chmod(0o755)
    # Programs stand beside the interpreter.
    monkeypatch.setattr(sys, "executable", str(folder / "python"))


def rollout() -> Rollout:
    plan = Plan(changes=(Change(service="auth-service", version="2" * 40),))
    before = {"auth-service": Before(colour=Colour.BLUE, version="1" * 40, replicas=2)}
    begun = begin(plan, before, actor="nadia", at=datetime.now(UTC), ticket="CHG-7")
    return advance(begun, datetime.now(UTC))


async def test_records_are_sent_in_the_form_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "")
    made = rollout()
    await LEDGER.write(made.unwritten)
    asked = (tmp_path / "asked").read_text()
    assert "deployment/booking-service-green-worker --container=worker -- " in asked
    lines = (tmp_path / "sent").read_text().splitlines()
    deeds = [Deed.model_validate_json(line) for line in lines]
    assert [deed.number for deed in deeds] == [1, 2]
    assert {deed.target for deed in deeds} == {f"rollout/{made.id}"}
    assert {(deed.actor, deed.ticket, deed.type) for deed in deeds} == {
        ("nadia", "CHG-7", ROLLOUT_MOVED)
    }
    assert [deed.data["phase"] for deed in deeds] == ["pending", "bringing up"]


async def test_what_was_not_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, 'echo "Postgres doesn\'t answer." >&2; exit 1')
    with pytest.raises(OpsError, match=r"green-worker can't write it down: Postgres doesn't"):
        await LEDGER.write(rollout().unwritten)


async def test_any_worker_that_can_writes_it_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, 'case "$*" in *blue*) exit 1 ;; esac', ready="blue green")
    await LEDGER.write(rollout().unwritten)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert ["blue" in asked[0], "green" in asked[1], len(asked)] == [True, True, 2]
    assert len((tmp_path / "sent").read_text().splitlines()) == 2


async def test_without_a_worker_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "", ready="")
    with pytest.raises(OpsError, match="No worker of booking-service is ready"):
        await LEDGER.write(rollout().unwritten)
    assert not (tmp_path / "asked").exists()
