"""What a line of JSON holds: one record, or a claim with all that hangs on it, taken apart and validated.

A line is an object with `record` saying of which kind it is, and the fields of the kind's input class; what the API adds
in its answers (status, counts, citation …) may stand beside them and is not read, since it follows from the rest.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from models.core.errors import Fault, validation_faults
from models.core.errors import join_path as place_in
from models.core.types import is_slug
from models.records.assessment import AssessmentOut
from models.records.claim import OccurrenceOut, TopicOut
from models.records.evidence import EvidenceOut
from models.records.record_types import RECORD_TYPES, RecordType
from models.records.relation import RelationOut
from models.records.serializers import Row
from models.records.source import SourceOut
from models.status.claim_aggregate import ClaimWhole
from models.transfer.export import STAMPS

# The parts that stand in a claim's line, in the order in which they are stored.
PART_FIELDS = {kind.plural: kind for kind in RECORD_TYPES.values() if kind.part}
OUTPUT_CLASSES: dict[str, Any] = {
    "topic": TopicOut,
    "source": SourceOut,
    "claim": ClaimWhole,
    "occurrence": OccurrenceOut,
    "relation": RelationOut,
    "evidence": EvidenceOut,
    "assessment": AssessmentOut,
}
# What may stand in a line and is not validated as a field of the record.
IGNORED_FIELDS = {
    name: frozenset(
        {
            *OUTPUT_CLASSES[name].model_fields,
            *STAMPS,
            "record",
            *(("claim", "id") if kind.part else ()),
        }
    )
    - frozenset(kind.fields.model_fields)
    for name, kind in RECORD_TYPES.items()
}
EXPORTED_STAMPS = {
    name: tuple(each for each in STAMPS if each in kind.model.model_fields)
    for name, kind in RECORD_TYPES.items()
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(slots=True)
class Record:
    """A record that was read: where it stands, what a revision of it holds, and the stamps that its line gives."""

    place: str
    pointer: str
    kind: RecordType
    id: str
    body: Row
    stamps: Row

    def problem(self, fault: Fault) -> "Problem":
        """Return what is wrong with this record, with its place in the line."""
        return Problem(
            self.place, fault.model_copy(update={"at": place_in(self.pointer, fault.at)})
        )


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a line; the fault's `at` is a path into it."""

    place: str
    fault: Fault


def parse_line(place: str, given: Any) -> Iterator[Record | list[Problem]]:
    """Yield each record of a line or, where it is a bad one, what is wrong with it."""
    name = given.get("record") if isinstance(given, dict) else None
    kind = RECORD_TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        detail = "A line is an object whose 'record' says of which kind it is."
        yield [
            Problem(
                place,
                Fault(
                    at="record",
                    code="unknown_term",
                    detail=detail,
                    allowed=[*RECORD_TYPES, "revision"],
                ),
            )
        ]
        return
    if kind.name != "claim":
        yield _validated(place, "", kind, given, given.get("claim"))
        return
    claim = given.get("id")
    yield _validated(place, "", kind, given, None)
    for plural, part in PART_FIELDS.items():
        yield from _nested(place, plural, part, given.get(plural, []), claim)


def _nested(
    place: str, at: str, kind: RecordType, given: Any, claim: Any
) -> Iterator[Record | list[Problem]]:
    if not isinstance(given, list):
        yield [Problem(place, Fault(at=at, code="not_a_list", detail="This is a list of records."))]
        return
    for number, part in enumerate(given):
        pointer = f"{at}/{number}"
        if isinstance(part, dict) and part.get("claim", claim) != claim:
            fault = Fault(
                at=f"{pointer}/claim",
                code="other_claim",
                detail=f"It stands in the line of '{claim}'.",
            )
            yield [Problem(place, fault)]
            continue
        yield _validated(place, pointer, kind, part, claim)
        if kind.name == "relation" and isinstance(part, dict):
            yield from _nested(
                place,
                f"{pointer}/evidence",
                RECORD_TYPES["evidence"],
                part.get("evidence", []),
                claim,
            )


def _validated(
    place: str, pointer: str, kind: RecordType, given: Any, claim: Any
) -> Record | list[Problem]:
    if not isinstance(given, dict):
        return [
            Problem(place, Fault(at=pointer, code="not_a_record", detail="A record is an object."))
        ]
    if kind.part and not is_slug(claim):
        detail = f"The slug of the claim that this {kind.name} belongs to."
        return [
            Problem(
                place, Fault(at=place_in(pointer, "claim"), code="malformed_slug", detail=detail)
            )
        ]
    try:
        body = validate_fields(kind, given)
    except ValidationError as error:
        faults = validation_faults(error.errors(), kind.fields.model_fields)
        return [
            Problem(place, fault.model_copy(update={"at": place_in(pointer, fault.at)}))
            for fault in faults
        ]
    if kind.part:
        body = {"claim": claim, **body}
    stamps = {name: given[name] for name in STAMPS if name in given}
    return Record(place, pointer, kind, kind.id_of(body), body, stamps)


def validate_fields(kind: RecordType, given: Mapping[str, Any]) -> Row:
    """Return a record's fields as they are stored; raises Pydantic's ValidationError where they break a rule."""
    beside = IGNORED_FIELDS[kind.name]
    return kind.validated({name: value for name, value in given.items() if name not in beside})


def check_stamps(record: Record, kind: RecordType) -> Problem | None:
    """Return what is wrong with the stamps that a record was exported with, if anything is."""
    for name in EXPORTED_STAMPS[kind.name]:
        value = record.stamps.get(name)
        if not (type(value) is int and value > 0 if name == "revision" else is_timestamp(value)):
            return record.problem(
                Fault(at=name, code="bad_stamp", detail=f"An exported record has its '{name}'.")
            )
    return None


def is_timestamp(value: Any) -> bool:
    """Say whether this is a time as this program writes it."""
    return isinstance(value, str) and _TIME.fullmatch(value) is not None
