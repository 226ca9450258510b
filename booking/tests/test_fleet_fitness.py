from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import Range

from booking.fleets.fitness import Load, Window, against_driver, against_truck
from booking.fleets.kinds import AbsenceReason, DocumentKind
from booking.fleets.models import Absence
from contracts.values import Material

from .fleets import driver_row, truck_row

BEGIN = datetime(2026, 11, 24, 6, tzinfo=UTC)
WINDOW = Window(begin=BEGIN, until=BEGIN + timedelta(days=3))
LAST_DAY = date(2026, 11, 27)


def load(**changes: Any) -> Load:
    values: dict[str, Any] = {"material": Material.COAL, "tons": Decimal(20), "states": ["JH"]}
    return Load(**{**values, **changes})


def away(begin: datetime, until: datetime) -> Absence:
    return Absence(reason=AbsenceReason.OFF_DUTY, period=Range(begin, until))


def test_a_good_truck_and_driver_have_nothing_against_them() -> None:
    assert against_truck(truck_row(), WINDOW, load=load()) == []
    assert against_driver(driver_row(), WINDOW) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tons": Decimal("25.501")}, "carries 25.5 t at most"),
        ({"material": Material.IRON_ORE}, "doesn't carry iron ore"),
        (
            {"tons": Decimal("26.776"), "tolerance_percent": Decimal(5)},
            "carries 26.775 t at most",
        ),
        ({"states": ["JH", "WB", "OD"]}, "has no permit for OD, WB"),
        ({"states": []}, "has no national permit: say which states the way leads through"),
    ],
)
def test_against_a_load(changes: dict[str, Any], reason: str) -> None:
    assert against_truck(truck_row(states=["JH"]), WINDOW, load=load(**changes)) == [reason]


def test_a_load_on_the_weighbridge_may_be_above_the_capacity() -> None:
    weighed = load(tons=Decimal("26.775"), tolerance_percent=Decimal(5))
    assert against_truck(truck_row(), WINDOW, load=weighed) == []


def test_a_national_permit_holds_everywhere() -> None:
    assert against_truck(truck_row(states=[]), WINDOW, load=load(states=["JH", "TN"])) == []


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_each_document_counts(kind: DocumentKind) -> None:
    truck = truck_row()
    paper = next(document for document in truck.documents if document.kind == kind)
    paper.expires_on = date(2026, 10, 1)
    assert against_truck(truck, WINDOW) == [f"{kind} expired on 2026-10-01"]
    paper.expires_on = LAST_DAY - timedelta(days=1)
    assert against_truck(truck, WINDOW) == [f"{kind} expires on 2026-11-26, before the end"]
    truck.documents.remove(paper)
    assert against_truck(truck, WINDOW) == [f"{kind} is missing"]


@pytest.mark.parametrize(
    ("until", "good"),
    [
        # Midnight in India is 18:30 of the day before in UTC.
        (datetime(2026, 11, 27, 18, 30, tzinfo=UTC), True),
        (datetime(2026, 11, 27, 18, 30, 1, tzinfo=UTC), False),
    ],
)
def test_documents_are_good_through_their_last_day_in_india(until: datetime, good: bool) -> None:
    window = Window(begin=BEGIN, until=until)
    assert (against_truck(truck_row(expires_on=LAST_DAY), window) == []) == good
    assert (against_driver(driver_row(licence_expires_on=LAST_DAY), window) == []) == good


@given(st.dates(date(2026, 11, 1), date(2026, 12, 31)))
def test_fit_means_every_document_covers_the_window(expires_on: date) -> None:
    fit = against_truck(truck_row(expires_on=expires_on), WINDOW) == []
    assert fit == (expires_on >= LAST_DAY)


@pytest.mark.parametrize(
    ("classes", "fit"),
    [(["LMV-TR"], False), (["LMV-TR", "MGV"], False), (["HGMV"], True), (["MGV", "TRANS"], True)],
)
def test_a_licence_must_be_for_heavy_goods(classes: list[str], fit: bool) -> None:
    expected = [] if fit else ["licence is not for heavy goods vehicles"]
    assert against_driver(driver_row(licence_classes=classes), WINDOW) == expected


def test_absences_that_touch_the_window_speak_against() -> None:
    before = away(BEGIN - timedelta(hours=8), BEGIN)
    after = away(WINDOW.until, WINDOW.until + timedelta(hours=8))
    assert against_truck(truck_row(), WINDOW, absences=[before, after]) == []
    within = away(BEGIN - timedelta(hours=8), BEGIN + timedelta(hours=1))
    reason = "off duty until 2026-11-24 12:30 IST"
    assert against_truck(truck_row(), WINDOW, absences=[within]) == [reason]
    assert against_driver(driver_row(), WINDOW, absences=[within]) == [reason]


def test_who_left_the_fleet() -> None:
    gone = datetime(2026, 11, 1, tzinfo=UTC)
    assert against_truck(truck_row(retired_at=gone), WINDOW) == ["left the fleet on 2026-11-01"]
    assert against_driver(driver_row(retired_at=gone), WINDOW) == ["left the fleet on 2026-11-01"]
