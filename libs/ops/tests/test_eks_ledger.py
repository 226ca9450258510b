"""What a cluster's rollout writes down, as the process there reads it."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from chassis.recording import Deed
from contracts.rollout import ROLLOUT_MOVED
from ops.errors import OpsError
from ops.rollout.eks.ledger import ClusterLedger
from ops.rollout.eks.site import EksSite
from ops.rollout.plan import Change, Plan
from ops.rollout.ports import Colour
from ops.rollout.state import Before, Rollout, advance, begin

KUBECTL = """#!/bin/sh
echo "$*" > {folder}/asked
cat > {folder}/sent
{end}
"""


class Site:
    """A cluster in which booking's green is active."""

    async def active(self, service: str) -> Colour:
        assert service == "booking-service"
        return Colour.GREEN


LEDGER = ClusterLedger(site=cast(EksSite, Site()))


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL.format(folder=folder, end=end))
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
