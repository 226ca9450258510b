"""The evidence of a trip: what was done, when and by whom, each entry bound to the one before.

An entry's digest is the SHA-256 of the canonical JSON (RFC 8785) of its content and of the digest
before it; before the first stands the digest of the trip's id. So nobody can change, drop, insert
or reorder an entry without changing every digest behind it, up to the head, which stands on the
lorry receipt and in events: whoever has one of those needn't trust whoever exported the evidence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, cast
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from chassis.canonical import NotCanonical, canonical_json, checksum

FORMAT: Final = "ubertruck.trip-evidence"
VERSION: Final = 1
ABOUT: Final = (
    "Evidence of one trip, as one line of canonical JSON (RFC 8785). genesis is the SHA-256 of the "
    'canonical JSON of {"format", "trip_id", "version"}. The digest of an entry is the SHA-256 of '
    "the canonical JSON of the entry without its digest. before is the digest of the entry before, "
    "or genesis. head is the digest of the last entry, or genesis."
)
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Entry(BaseModel):
    """One step: `at` is RFC 3339 in UTC to the microsecond, `by` the subject of who did it.

    `data` holds text, integers and booleans: weights in kilograms, money in paise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seq: int = Field(ge=1)
    kind: str
    at: str
    by: str
    data: dict[str, JsonValue]
    before: Hex
    digest: Hex


class Export(BaseModel):
    """The evidence as it is handed out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["ubertruck.trip-evidence"] = FORMAT
    version: Literal[1] = VERSION
    about: str = ABOUT
    trip_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
    entries: list[Entry]
    head: Hex


class NotEvidence(Exception):
    """It can't be read as evidence at all; the message is one sentence for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What isn't as it was written; `seq` is the entry's, None for the document as a whole."""

    seq: int | None
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What verification found: no fault, or the first one."""

    trip_id: str
    entries: int
    head: str
    fault: Fault | None


def genesis(trip_id: UUID | str) -> str:
    """What stands before the first entry of a trip."""
    return checksum({"format": FORMAT, "version": VERSION, "trip_id": str(trip_id)})


def next_entry(
    trip_id: UUID,
    last: Entry | None,
    *,
    kind: str,
    at: datetime,
    by: str,
    data: dict[str, JsonValue],
) -> Entry:
    """The entry that follows `last`; raises `NotCanonical` for data that JSON can't spell."""
    content: dict[str, JsonValue] = {
        "seq": 1 if last is None else last.seq + 1,
        "kind": kind,
        "at": spelled(at),
        "by": by,
        "data": data,
        "before": genesis(trip_id) if last is None else last.digest,
    }
    return Entry.model_validate({**content, "digest": checksum(content)})


def export(trip_id: UUID, entries: Sequence[Entry]) -> bytes:
    """The document that `verify` reads."""
    head = entries[-1].digest if entries else genesis(trip_id)
    document = Export(trip_id=str(trip_id), entries=list(entries), head=head)
    return canonical_json(document.model_dump(mode="json"))


def verify(document: bytes, *, known: str | None = None) -> Verdict:
    """Recompute a document that `export` made; raises `NotEvidence` when it isn't one.

    `known` is a digest that somebody kept, as on a lorry receipt: the chain has to contain it, or
    all of it may have been written anew.
    """
    exported = _read(document)
    return Verdict(
        trip_id=exported.trip_id,
        entries=len(exported.entries),
        head=exported.head,
        fault=_document_fault(document, exported) or _chain_fault(exported, known),
    )


def spelled(at: datetime) -> str:
    """A time as entries spell it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_SPELLED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def _read(document: bytes) -> Export:
    try:
        content: object = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise NotEvidence("It is not JSON.") from error
    members = cast("dict[str, object]", content) if isinstance(content, dict) else {}
    if members.get("format") != FORMAT:
        raise NotEvidence(f'It is not evidence of a trip: "format" is not "{FORMAT}".')
    if members.get("version") != VERSION:
        raise NotEvidence(f"It is of a version other than {VERSION}, the only one known here.")
    try:
        return Export.model_validate(members)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise NotEvidence(f"It lacks the shape of evidence at {place}: {first['msg']}.") from error


def _document_fault(document: bytes, exported: Export) -> Fault | None:
    try:
        written = canonical_json(exported.model_dump(mode="json"))
    except NotCanonical:
        return Fault(seq=None, problem="it holds a value that evidence can't hold")
    # What the digests don't see: blanks, a member given twice, another spelling of a number.
    if document.removesuffix(b"\n") != written:
        return Fault(seq=None, problem="its spelling was changed")
    if exported.about != ABOUT:
        return Fault(seq=None, problem="its description of itself was changed")
    return None


def _chain_fault(exported: Export, known: str | None) -> Fault | None:
    before = genesis(exported.trip_id)
    seen = {before}
    for position, entry in enumerate(exported.entries, start=1):
        problem = _entry_problem(entry, position, before)
        if problem is not None:
            return Fault(seq=position, problem=problem)
        before = entry.digest
        seen.add(before)
    if exported.head != before:
        return Fault(seq=None, problem="head is not the digest of the last entry")
    if known is not None and known not in seen:
        return Fault(seq=None, problem=f"no entry has the digest {known}")
    return None


def _entry_problem(entry: Entry, position: int, before: str) -> str | None:
    if entry.seq != position:
        return f"it is numbered {entry.seq}, so that an entry was dropped, added or moved"
    if entry.before != before:
        return "it doesn't follow on what stands before it"
    if entry.digest != checksum(entry.model_dump(mode="json", exclude={"digest"})):
        return "its content is not what its digest was made from"
    if not _SPELLED.fullmatch(entry.at):
        return "its time is not written as evidence writes times"
    return None
