"""The demo without a platform: what is shown, and what is said when it can't go on."""

from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from ops import api
from ops.console import Screen
from ops.demo import story
from ops.demo.facts import STEPS, Facts, TruckFacts, rupees
from ops.demo.people import People, log_in
from ops.demo.run import demo
from ops.demo.stages import PlainStage, picture
from ops.errors import OpsError
from ops.state import StateFolder

URL = "http://edge:8080"


@pytest.mark.parametrize(
    ("paise", "text"),
    [
        (0, "₹ 0.00"),
        (5, "₹ 0.05"),
        (99_999, "₹ 999.99"),
        (100_000, "₹ 1,000.00"),
        (12_390_000, "₹ 1,23,900.00"),
        (123_456_789_00, "₹ 12,34,56,789.00"),
        (-1_000_00, "-₹ 1,000.00"),
    ],
)
def test_rupees_are_grouped_as_in_india(paise: int, text: str) -> None:
    assert rupees(paise) == text


def truck(number: int, status: str) -> TruckFacts:
    return TruckFacts(
        registration=f"JH10WX000{number}",
        truck_id="t",
        driver_id="d",
        tenant_id="f",
        load_mt=25,
        trip_id="p",
        status=status,
        km=225,
        loaded_kg=24_980,
        delivered_kg=24_620,
        lorry_receipt="LR/2026-27/000001",
        eway_bill="181955374032",
        eway_bill_until="26 Nov",
        transit_pass="JH-5374032",
        claim_paise=162_000,
        evidence="7 whole",
    )


def drawn(facts: Facts) -> list[str]:
    paper = StringIO()
    Console(width=80, file=paper).print(picture(facts))
    return paper.getvalue().splitlines()


def test_a_small_terminal_holds_all_of_it() -> None:
    facts = Facts(booking_id="b" * 36, status="in_progress", about="75 t coal", paise=12_390_000)
    facts.km, facts.trucks = 300, [truck(1, "in_transit"), truck(2, "closed"), truck(3, "")]
    for number in range(20):
        facts.lines.append(f"line {number} " + "x" * number * 10)
    lines = drawn(facts)
    assert len(lines) <= 23
    text = "\n".join(lines)
    assert ("in transit" in text, "■■■■■□□□" in text, "225/300" in text) == (True, True, True)
    assert text.count("₹ 1,620.00") == text.count("JH-5374032") == text.count("7 whole") == 3
    assert "line 12 " not in text
    assert "line 19 " in text


def test_the_picture_keeps_its_height() -> None:
    facts = Facts(booking_id="b", status="assigned", trucks=[truck(n, STEPS[0]) for n in range(3)])
    assert len(drawn(Facts())) == len(drawn(facts))


def test_who_is_not_there_is_named_in_a_sentence(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with pytest.raises(OpsError, match=r"^The platform at http://127.0.0.1:1 doesn't answer"):
        demo(folder, "http://127.0.0.1:1", plain=True)
    with pytest.raises(OpsError, match=r"^The platform at http://\[ doesn't answer"):
        demo(folder, "http://[", plain=True)


def play(answer: Callable[[httpx.Request], httpx.Response], folder: Path) -> None:
    """The story elsewhere, where nobody stands in for anybody."""
    with api.client(URL, httpx.MockTransport(answer)) as client:
        story.Story(
            people=People(client, partial(log_in, client)),
            stage=PlainStage(Screen()),
            facts=Facts(),
            folder=folder,
            stand_ins=None,
        ).run()


def test_elsewhere_somebody_else_has_to_answer_for_payment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(story, "ANSWER_SECONDS", 0)
    booking = {"booking_id": "b1", "status": "requested", "price": {"amount": 100}}
    answers: dict[str, object] = {
        "/auth/login": {"access_token": "t"},
        "/v1/quotes": {"quote_id": "q1", "distance_m": 300_000, "price": {"amount": 100}},
        "/v1/booking": booking,
        "/v1/booking/b1": booking,
    }
    with pytest.raises(OpsError, match="still waits for payment's answer"):
        play(lambda request: httpx.Response(200, json=answers[request.url.path]), tmp_path)
    assert "b1 is requested" in capsys.readouterr().out


def test_some_other_server_is_no_platform(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"brought no token: is http://edge:8080 a platform"):
        play(lambda _: httpx.Response(200, text="<html>"), tmp_path)
