"""What the processes of a slot answer on their health ports, and who isn't there."""

import json
from pathlib import Path

from ops.rollout.laptop_health import LaptopHealth
from ops.rollout.ports import Colour
from ops.rollout.validator import HealthAnswer
from ops.state import StateFolder

from .colours import App

GREEN = Colour.GREEN


async def test_each_process_of_the_slot_is_asked_and_the_silent_are_left_out(
    tmp_path: Path,
) -> None:
    folder = StateFolder(tmp_path)
    health = LaptopHealth(folder)
    assert await health.health("booking-service", GREEN, "/readyz") == {}
    first, second, other = App(), App(), App()
    async with first.listening(), second.listening(), other.listening():
        first.answers["/readyz"] = (200, b"ready\n")
        second.answers["/readyz"] = (503, b"not ready: starting\n")
        ports = {"booking-green-1": first, "booking-green-2": second, "booking-blue-1": other}
        allotted = {f"{name}-health": app.port for name, app in ports.items()}
        gone = {"booking-green-3": 1, "booking-green-3-health": 9}
        folder.ports_file.parent.mkdir(parents=True, exist_ok=True)
        folder.ports_file.write_text(json.dumps({**dict.fromkeys(ports, 1), **allotted, **gone}))
        found = await health.health("booking-service", GREEN, "/readyz")
    assert found == {
        "booking-green-1": HealthAnswer(200, "ready\n"),
        "booking-green-2": HealthAnswer(503, "not ready: starting\n"),
    }
    assert (first.seen, second.seen, other.seen) == (1, 1, 0)
