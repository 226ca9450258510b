import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from booking.trips.evidence import (
    Entry,
    Fault,
    NotEvidence,
    export,
    genesis,
    next_entry,
    spelled,
    verify,
)
from chassis.canonical import NotCanonical, canonical_json, checksum

TRIP = UUID("01938e6b-10aa-7d3e-8c5f-5a6b7c8d9e0f")
OTHER = UUID("01938e6b-10aa-7d3e-8c5f-000000000000")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
STEPS: list[tuple[str, dict[str, JsonValue]]] = [
    ("accepted", {}),
    ("loaded", {"tare_kg": 9200, "gross_kg": 34700, "note": 'wét "ore"\n'}),
    ("delivered", {"net_kg": 25100, "proof": "ab" * 32, "photos": [1, 2], "sealed": True}),
]


def chain(steps: list[tuple[str, dict[str, JsonValue]]] = STEPS, trip: UUID = TRIP) -> list[Entry]:
    entries: list[Entry] = []
    for hour, (kind, data) in enumerate(steps):
        last = entries[-1] if entries else None
        at = NOON + timedelta(hours=hour)
        entries.append(next_entry(trip, last, kind=kind, at=at, by="driver", data=data))
    return entries


DOCUMENT = export(TRIP, chain())


def rewritten(entries: list[Entry], *, head: str | None = None, trip: UUID = TRIP) -> bytes:
    """A document as a forger would write it: well spelled."""
    document = json.loads(export(trip, entries))
    return canonical_json({**document, "head": head or document["head"]})


def fault_of(document: bytes, *, known: str | None = None) -> Fault | None:
    return verify(document, known=known).fault


def test_what_was_written_is_whole() -> None:
    verdict = verify(DOCUMENT)
    assert verdict.fault is None
    assert (verdict.trip_id, verdict.entries) == (str(TRIP), 3)
    assert verdict.head == chain()[-1].digest
    assert fault_of(DOCUMENT + b"\n") is None


def test_a_trip_without_a_step_has_its_genesis_as_head() -> None:
    verdict = verify(export(TRIP, []))
    assert (verdict.fault, verdict.entries, verdict.head) == (None, 0, genesis(TRIP))


@given(position=st.integers(0, len(DOCUMENT) - 1), byte=st.integers(0, 255))
def test_one_byte_changed_anywhere_is_refused(position: int, byte: int) -> None:
    changed = DOCUMENT[:position] + bytes([byte]) + DOCUMENT[position + 1 :]
    if changed == DOCUMENT:
        return
    try:
        verdict = verify(changed)
    except NotEvidence:
        return
    assert verdict.fault is not None


@pytest.mark.untraced
def test_one_bit_changed_in_every_byte_is_refused() -> None:
    for position, byte in enumerate(DOCUMENT):
        changed = DOCUMENT[:position] + bytes([byte ^ 1]) + DOCUMENT[position + 1 :]
        try:
            verdict = verify(changed)
        except NotEvidence:
            continue
        assert verdict.fault is not None, changed[position - 20 : position + 20]


@given(cut=st.integers(0, len(DOCUMENT) - 1), again=st.booleans())
def test_a_byte_lost_or_doubled_is_refused(cut: int, again: bool) -> None:
    kept = DOCUMENT[:cut] + (DOCUMENT[cut : cut + 1] * 2 if again else b"") + DOCUMENT[cut + 1 :]
    try:
        verdict = verify(kept)
    except NotEvidence:
        return
    assert verdict.fault is not None


def test_the_entry_is_named_and_why() -> None:
    first, second, third = chain()
    changed = second.model_copy(update={"data": {**second.data, "gross_kg": 34000}})
    assert fault_of(rewritten([first, changed, third])) == Fault(
        seq=2, problem="its content is not what its digest was made from"
    )
    content = changed.model_dump(mode="json", exclude={"digest"})
    sealed = changed.model_copy(update={"digest": checksum(content)})
    assert fault_of(rewritten([first, sealed, third])) == Fault(
        seq=3, problem="it doesn't follow on what stands before it"
    )


def test_dropped_added_and_moved_entries_are_found() -> None:
    first, second, third = chain()
    for entries, seq in (
        ([second, third], 1),
        ([first, third], 2),
        ([first, first, second], 2),
        ([first, third, second], 2),
    ):
        fault = fault_of(rewritten(entries))
        assert fault is not None
        assert fault.seq == seq
        assert "dropped, added or moved" in fault.problem


def test_the_end_cut_off_is_found_by_the_head() -> None:
    first, second, third = chain()
    assert fault_of(rewritten([first, second], head=third.digest)) == Fault(
        seq=None, problem="head is not the digest of the last entry"
    )


def test_another_trips_entries_are_found() -> None:
    fault = fault_of(rewritten(chain(), trip=OTHER))
    assert fault == Fault(seq=1, problem="it doesn't follow on what stands before it")


def test_all_written_anew_is_found_by_a_digest_that_was_kept() -> None:
    kept = chain()[1].digest
    assert fault_of(DOCUMENT, known=kept) is None
    forged = export(TRIP, chain([STEPS[0], ("loaded", {"gross_kg": 1}), STEPS[2]]))
    assert fault_of(forged) is None
    assert fault_of(forged, known=kept) == Fault(
        seq=None, problem=f"no entry has the digest {kept}"
    )


def test_another_spelling_is_no_evidence() -> None:
    pretty = json.dumps(json.loads(DOCUMENT), indent=1).encode()
    twice = DOCUMENT.replace(b'"by":"driver"', b'"by":"x","by":"driver"', 1)
    for document in (pretty, twice, b" " + DOCUMENT):
        assert fault_of(document) == Fault(seq=None, problem="its spelling was changed")


def test_a_time_that_is_spelled_otherwise_is_found() -> None:
    content = {**chain()[0].model_dump(mode="json", exclude={"digest"}), "at": "24 November"}
    forged = Entry.model_validate({**content, "digest": checksum(content)})
    fault = fault_of(rewritten([forged]))
    assert fault == Fault(seq=1, problem="its time is not written as evidence writes times")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"format":"ubertruck.trip-evidence"}',
        DOCUMENT.replace(b'"version":1', b'"version":2'),
        DOCUMENT.replace(b'"seq":2', b'"seq":"2"'),
        DOCUMENT.replace(b'"seq":2', b'"seq":true'),
        DOCUMENT.replace(b'"by"', b'"who"', 1),
        DOCUMENT.replace(b'"about"', b'"extra":1,"about"', 1),
        b"[" * 100_000,
    ],
)
def test_nonsense_is_not_evidence(document: bytes) -> None:
    with pytest.raises(NotEvidence):
        verify(document)


@pytest.mark.parametrize(
    "number", [b"1e400", b"123456789012345678901234567890", b"9007199254740993"]
)
def test_numbers_beyond_json_are_refused(number: bytes) -> None:
    changed = DOCUMENT.replace(b"9200", number)
    try:
        assert fault_of(changed) is not None
    except NotEvidence:
        return


def test_what_json_cannot_spell_is_never_written() -> None:
    with pytest.raises(NotCanonical):
        next_entry(TRIP, None, kind="loaded", at=NOON, by="driver", data={"kg": float("nan")})


def test_times_are_spelled_in_utc_to_the_microsecond() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert spelled(datetime(2026, 11, 24, 17, 30, tzinfo=india)) == "2026-11-24T12:00:00.000000Z"
