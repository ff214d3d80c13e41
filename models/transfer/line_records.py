"""Reading the records in a line of JSON: one record, or a claim with all its parts.

A line is an object. Its field `record` says of which type the record is, the others are those of
the type's input class. What the API adds in its answers (status, counts, citation …) may be there
too and is ignored, since it follows from the rest.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from models.core.errors import Fault, InvalidRecord, join_path, record_faults
from models.core.types import is_slug
from models.database.compressed import pack_json
from models.records.assessment import AssessmentOut
from models.records.claim import OccurrenceOut, TopicOut
from models.records.collection import CollectionOut
from models.records.evidence import EvidenceOut
from models.records.record_types import DISCUSSION_TYPES, RECORD_TYPES, RecordType
from models.records.relation import RelationOut
from models.records.serializers import Row
from models.records.source import SourceOut
from models.status.claim_aggregate import ClaimWhole
from models.transfer.export import STAMPS, TEXT_RECORD
from models.transfer.jsonl_reader import TextLine, location, parse_json

# The lists of parts in a claim's line, in the order in which they are stored.
PART_FIELDS = {kind.plural: kind for kind in RECORD_TYPES.values() if kind.part}
OUTPUT_CLASSES: dict[str, Any] = {
    "collection": CollectionOut,
    "topic": TopicOut,
    "source": SourceOut,
    "claim": ClaimWhole,
    "occurrence": OccurrenceOut,
    "relation": RelationOut,
    "evidence": EvidenceOut,
    "assessment": AssessmentOut,
    **{kind.name: kind.fields for kind in DISCUSSION_TYPES},
}


def _ignored_fields(kind: RecordType) -> frozenset[str]:
    """Return the fields that may be in a line and are not fields of the record."""
    shown = {*OUTPUT_CLASSES[kind.name].model_fields, *STAMPS, "record"}
    if kind.part:
        shown |= {"claim", "id"}
    return frozenset(shown - set(kind.fields.model_fields))


def _exported_stamps(kind: RecordType) -> tuple[str, ...]:
    return tuple(name for name in STAMPS if name in kind.model.model_fields)


IGNORED_FIELDS = {name: _ignored_fields(kind) for name, kind in RECORD_TYPES.items()}
EXPORTED_STAMPS = {name: _exported_stamps(kind) for name, kind in RECORD_TYPES.items()}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(slots=True)
class Record:
    """A record that was read from a line.

    `location` is the file and line, `pointer` the path of the record in the line, `body` what a
    revision of it holds, `packed` that as it is stored, if it is known already, and `stamps` its
    revision and times, if the line has them.
    """

    location: str
    pointer: str
    kind: RecordType
    id: str
    body: Row
    stamps: Row
    packed: bytes | None = None

    def problem(self, fault: Fault) -> "Problem":
        """Return a fault of this record as a problem of its line."""
        return _problem(self.location, self.pointer, fault)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a line. The fault's `at` is a path in the line."""

    location: str
    fault: Fault


def _problem(location: str, pointer: str, fault: Fault) -> Problem:
    """Return a fault of the record at a path in a line as a problem of the line."""
    return Problem(location, fault.model_copy(update={"at": join_path(pointer, fault.at)}))


@dataclass(frozen=True)
class Proposed:
    """One of the records to be proposed, with its path in what was sent."""

    place: str
    record: Any


def proposed_records(place: str, content: Any) -> Iterator[Proposed]:
    """Yield the records in what is to be proposed: one, or a claim with its parts.

    What an export adds is left out where it is one of an export, which its `revision` shows; so is
    that it is accepted there. Raises InvalidRecord where the parts are no lists of objects.
    """
    name = content.get("record") if isinstance(content, dict) else None
    if not isinstance(name, str) or name not in RECORD_TYPES:
        yield Proposed(place, content)
        return
    exported = "revision" in content
    plurals = PART_FIELDS if name == "claim" else {}
    alone = {field: value for field, value in content.items() if field not in plurals}
    yield Proposed(place, _as_proposed(name, alone, exported=exported))
    for plural, part in plurals.items():
        pointer = f"{place}/{plural}"
        yield from _proposed_parts(pointer, part.name, content.get(plural, []), content, exported)


def _proposed_parts(
    pointer: str, name: str, parts: Any, claim: Row, exported: bool
) -> Iterator[Proposed]:
    """Yield the records of a list of a claim's parts, relations with the evidence on them."""
    if not isinstance(parts, list):
        raise _no_records(pointer, "not_a_list", "This is a list of records.")
    slug = claim.get("id")
    for number, part in enumerate(parts):
        place = f"{pointer}/{number}"
        if not isinstance(part, dict):
            raise _no_records(place, "not_a_record", "A record is an object.")
        if part.get("claim", slug) != slug:
            raise _no_records(f"{place}/claim", "other_claim", f"It stands in '{slug}'.")
        on_relation = part.get("evidence") if name == "relation" else None
        record = {"record": name, **part, "claim": slug}
        if on_relation is not None:
            del record["evidence"]
        yield Proposed(place, _as_proposed(name, record, exported=exported))
        if on_relation is not None:
            yield from _proposed_parts(
                f"{place}/evidence", "evidence", on_relation, claim, exported
            )


def _as_proposed(name: str, record: Row, *, exported: bool) -> Row:
    if not exported:
        return record
    ignored = IGNORED_FIELDS[name] - {"record", "claim"}
    if record.get("state") == "accepted":
        ignored |= {"state", "replaced_by"}
    return {field: value for field, value in record.items() if field not in ignored}


def _no_records(place: str, code: str, detail: str) -> InvalidRecord:
    return InvalidRecord(detail, [Fault(at=place, code=code, detail=detail)])


@dataclass(slots=True)
class ParsedLine:
    """What a line holds: the type of its record, and its records, each with what is wrong if it is
    not valid. Of a line that makes no records here, such as a revision, it is the content.
    """

    name: Any
    records: Sequence[Record | list[Problem]] = ()
    content: Any = None

    @property
    def claim(self) -> str | None:
        """The slug of the claim that is here with all its parts, if it is one and is valid."""
        first = self.records[0] if self.name == "claim" else None
        return first.id if isinstance(first, Record) else None


def parse_lines(lines: Sequence[TextLine], *, pack: bool) -> list[ParsedLine]:
    """Return what each of these lines holds; with `pack` revisions will be made of the records."""
    return [_parsed(line, pack) for line in lines]


def _parsed(line: TextLine, pack: bool) -> ParsedLine:
    where = location(line)
    try:
        content = parse_json(line[2])
    except ValueError as error:
        fault = Fault(at="", code="not_json", detail=f"This is not JSON: {error}.")
        return ParsedLine(None, [[Problem(where, fault)]])
    name = content.get("record") if isinstance(content, dict) else None
    if name in ("revision", TEXT_RECORD):
        return ParsedLine(name, content=content)
    records = list(parse_line(where, content))
    for record in records if pack else ():
        if isinstance(record, Record):
            record.packed = pack_json(record.body)
    return ParsedLine(name, records)


def parse_line(location: str, content: Any) -> Iterator[Record | list[Problem]]:
    """Yield each record in the content of a line, or the problems if the record is not valid."""
    name = content.get("record") if isinstance(content, dict) else None
    kind = RECORD_TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        fault = Fault(
            at="record",
            code="unknown_term",
            detail="A line is an object whose 'record' says of which kind it is.",
            allowed=[*RECORD_TYPES, TEXT_RECORD, "revision"],
        )
        yield [Problem(location, fault)]
    elif kind.name != "claim":
        yield _parse_record(location, "", kind, content, content.get("claim"))
    else:
        claim = content.get("id")
        yield _parse_record(location, "", kind, content, None)
        for plural, part in PART_FIELDS.items():
            yield from _parse_parts(location, plural, part, content.get(plural, []), claim)


def _parse_parts(
    location: str, pointer: str, kind: RecordType, parts: Any, claim: Any
) -> Iterator[Record | list[Problem]]:
    """Yield the records of a list of a claim's parts, relations with the evidence on them."""
    if not isinstance(parts, list):
        fault = Fault(at="", code="not_a_list", detail="This is a list of records.")
        yield [_problem(location, pointer, fault)]
        return
    for number, part in enumerate(parts):
        part_pointer = f"{pointer}/{number}"
        if isinstance(part, dict) and part.get("claim", claim) != claim:
            detail = f"It stands in the line of '{claim}'."
            fault = Fault(at="claim", code="other_claim", detail=detail)
            yield [_problem(location, part_pointer, fault)]
            continue
        yield _parse_record(location, part_pointer, kind, part, claim)
        if kind.name == "relation" and isinstance(part, dict):
            evidence = RECORD_TYPES["evidence"]
            lines = part.get("evidence", [])
            yield from _parse_parts(location, f"{part_pointer}/evidence", evidence, lines, claim)


def _parse_record(
    location: str, pointer: str, kind: RecordType, content: Any, claim: Any
) -> Record | list[Problem]:
    if not isinstance(content, dict):
        fault = Fault(at="", code="not_a_record", detail="A record is an object.")
        return [_problem(location, pointer, fault)]
    if kind.part and not is_slug(claim):
        detail = f"The slug of the claim that this {kind.name} belongs to."
        fault = Fault(at="claim", code="malformed_slug", detail=detail)
        return [_problem(location, pointer, fault)]
    try:
        body = validate_fields(kind, content)
    except ValidationError as error:
        faults = record_faults(error, kind.fields.model_fields)
        return [_problem(location, pointer, fault) for fault in faults]
    if kind.part:
        body = {"claim": claim, **body}
    stamps = {name: content[name] for name in STAMPS if name in content}
    return Record(location, pointer, kind, kind.id_of(body), body, stamps)


def validate_fields(kind: RecordType, content: Mapping[str, Any]) -> Row:
    """Return a record's fields as they are stored.

    Raises Pydantic's ValidationError if they break a rule.
    """
    ignored = IGNORED_FIELDS[kind.name]
    return kind.validated({name: value for name, value in content.items() if name not in ignored})


def check_stamps(record: Record, kind: RecordType) -> Problem | None:
    """Return what is wrong with the stamps of an exported record, or None."""
    for name in EXPORTED_STAMPS[kind.name]:
        value = record.stamps.get(name)
        is_valid = _is_serial(value) if name == "revision" else is_timestamp(value)
        if not is_valid:
            detail = f"An exported record has its '{name}'."
            return record.problem(Fault(at=name, code="bad_stamp", detail=detail))
    return None


def _is_serial(value: Any) -> bool:
    return type(value) is int and value > 0


def is_timestamp(value: Any) -> bool:
    """Return whether a value is a timestamp as this program writes it."""
    return isinstance(value, str) and _TIMESTAMP.fullmatch(value) is not None
