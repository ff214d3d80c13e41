"""Merging two records into one, without losing what either says."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from models.access.api_keys import Key
from models.core.errors import Conflict, Fault, InvalidRecord
from models.core.types import REVIEW_FIELDS, SLUG_LENGTH
from models.records import source_text
from models.records.evidence import Evidence
from models.records.record_types import RECORD_TYPES, RecordType, read_record, read_records
from models.records.retired import STANDING
from models.records.serializers import Row, table
from models.write import changes
from models.write.changes import Change
from models.write.review import (
    find_visible,
    parts_of_claim,
    require_role,
    require_second_person,
)

# What a merger combines by itself, and what says nothing of the other record.
_NOT_TAKEN = {
    "claim": {"id", *REVIEW_FIELDS, "collection", "topics", "external_ids", "topic_roles"},
    "source": {
        *("id", *REVIEW_FIELDS, "collection", "integrity"),
        *("identifiers", "versions", "cites", "text"),
    },
}
# Fields that say something of another one go where it goes.
_GOING_WITH = {
    "title": ("title_status",),
    "authors": ("authors_complete",),
    "issued": ("issued_inferred",),
    "url": ("accessed",),
}
_BLANK: tuple[Any, ...] = (None, "", [])


@dataclass(frozen=True)
class Difference:
    """A field in which two merged records differed: the value that stays, and the other's."""

    field: str
    kept: Any
    other: Any


@dataclass
class Merged:
    """What became of the fields of the merged record.

    `filled` names those that the other record lacked and has now. `taken` are the values of these
    and of those that were to be taken.
    """

    taken: Row = field(default_factory=dict)
    filled: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


def merge(
    change: Change,
    caller: Key,
    kind: RecordType,
    old: str,
    into: str,
    take: Sequence[str] = (),
) -> Merged:
    """Merge a claim or source into another one.

    Whatever refers to `old` refers to `into` afterwards, and a request for `old` is redirected
    there. What `into` has already (the same source cited the same way, the same relation) is not
    doubled. Fields that `into` lacks are filled from `old`; where both have one, that of `into`
    stays, unless it is among the fields to `take`.
    """
    if kind.name not in MERGERS:
        raise InvalidRecord(f"Only {' and '.join(MERGERS)} can be merged, not a {kind.name}.")
    require_role(caller, "curator", "merge records")
    _require_fields(kind, take)
    old_body = find_visible(change.connection, caller, kind, old)
    into_body = find_visible(change.connection, caller, kind, into)
    if old == into:
        fault = Fault(at="into", code="same", detail="The same record.")
        raise InvalidRecord(f"'{old}' cannot be merged into itself.", [fault])
    for record_id, body in ((old, old_body), (into, into_body)):
        if body["state"] != "accepted":
            raise Conflict(
                f"The {kind.name} '{record_id}' is {body['state']};"
                " only accepted ones can be merged."
            )
        require_second_person(change, caller, [(kind, record_id)], "merge")
    merged = _combine(kind, old_body, into_body, take)
    MERGERS[kind.name](change, caller, old_body, into_body, merged.taken)
    return merged


def _fields_to_take(kind: RecordType) -> list[str]:
    """Return the fields of which a merger may take either record's value."""
    going = {name for names in _GOING_WITH.values() for name in names}
    left_out = _NOT_TAKEN[kind.name] | going
    return [name for name in kind.fields.model_fields if name not in left_out]


def _require_fields(kind: RecordType, take: Sequence[str]) -> None:
    allowed = _fields_to_take(kind)
    faults = [
        Fault(
            at=f"take/{place}",
            code="unknown_field",
            detail=f"'{name}' is no field that a merger can take.",
            given=name,
            allowed=allowed,
        )
        for place, name in enumerate(take)
        if name not in allowed
    ]
    if faults:
        raise InvalidRecord(faults[0].detail, faults)


def _combine(kind: RecordType, old: Row, into: Row, take: Sequence[str]) -> Merged:
    merged = Merged()
    for name in _fields_to_take(kind):
        if old[name] in _BLANK or old[name] == into[name]:
            continue
        is_blank = into[name] in _BLANK
        if is_blank:
            merged.filled.append(name)
        if is_blank or name in take:
            merged.taken |= {each: old[each] for each in (name, *_GOING_WITH.get(name, ()))}
        if not is_blank:
            sides = (old, into) if name in take else (into, old)
            merged.differences.append(Difference(name, *(side[name] for side in sides)))
    return merged


def _merge_claims(change: Change, caller: Key, old: Row, into: Row, taken: Row) -> None:
    """Move the claim's parts, then the relations that point to it, then the claim itself.

    What it is filed under, in which roles, and what others call it are the other's, too.

    Proposals on the claim are rejected.
    """
    claim = RECORD_TYPES["claim"]
    both = {
        **taken,
        "topics": sorted({*old["topics"], *into["topics"]}),
        **{
            name: [*into[name], *(each for each in old[name] if each not in into[name])]
            for name in ("external_ids", "topic_roles")
        },
    }
    if any(into[name] != value for name, value in both.items()):
        _put(change, claim, {**into, **both})
    for kind, body in parts_of_claim(change.connection, old["id"], "submitted"):
        _put(change, kind, {**body, "state": "rejected"})
    _move_parts(change, caller, old["id"], into["id"])
    _retarget(change, caller, old["id"], into["id"])
    _put(change, claim, {**old, "state": "merged", "replaced_by": into["id"]})


def _put(change: Change, kind: RecordType, body: Row) -> None:
    changes.put(change, kind, body, "merge")


def _move_parts(change: Change, caller: Key, old: str, into: str) -> None:
    """Copy the accepted parts of a claim to another claim, and mark the old ones as merged."""
    parts = parts_of_claim(change.connection, old, "accepted")
    for kind, body in parts:
        _refuse_own(change, caller, kind, body)
    new_ids: list[str | None] = []
    # A part comes before those that it refers to, which must be copied first.
    for kind, body in reversed(parts):
        new_ids.append(_move(change, kind, {**body, "claim": into}))
    for (kind, body), new_id in zip(parts, reversed(new_ids), strict=True):
        _put(change, kind, {**body, **_retired_as(new_id)})


def _refuse_own(change: Change, caller: Key, kind: RecordType, body: Row) -> None:
    """Refuse to merge an accepted record that the caller proposed."""
    if body["state"] == "accepted":
        record = (kind, kind.id_of(body))
        require_second_person(change, caller, [record], "merge")


def _retired_as(new_id: str | None) -> Row:
    """Return the state of a part that was merged into another one, or that has no place there."""
    return {"state": "merged" if new_id else "retracted", "replaced_by": new_id}


def _move(change: Change, kind: RecordType, body: Row) -> str | None:
    """Store a part under its new claim, unless the same part is there already.

    Returns the part's id, or None if it cannot be there: a claim is not related to itself.
    """
    if kind.name == "relation" and body["target"] == body["claim"]:
        return None
    if kind.name == "evidence" and body["relation_target"] == body["claim"]:
        return None
    if kind.name == "relation":
        return _move_relation(change, kind, body)
    first_key = body["key"]
    number = 1
    while True:
        record_id = kind.id_of(body)
        existing = read_record(change.connection, kind, record_id)
        if existing is None or existing["state"] in ("rejected", "withdrawn"):
            _put(change, kind, body)
            return record_id
        if {**existing, "key": first_key} == {**body, "key": first_key}:
            return record_id
        number += 1
        body = {**body, "key": f"{first_key[: SLUG_LENGTH - 5].rstrip('-')}-{number}"}


def _move_relation(change: Change, kind: RecordType, body: Row) -> str:
    """Store a relation under its new claim: a new one, or again one that was taken back."""
    record_id = kind.id_of(body)
    existing = read_record(change.connection, kind, record_id)
    if existing is None or existing["state"] != "accepted":
        _put(change, kind, body)
    return record_id


def _retarget(change: Change, caller: Key, old: str, into: str) -> None:
    """Let other claims' relations to `old` point to `into`, with the evidence on them."""
    relation = RECORD_TYPES["relation"]
    # The parts of `old` are retired by now, so what refers to it are relations of other claims, and
    # documents that are about it.
    dependents = _standing_dependents(change, RECORD_TYPES["claim"], old)
    pointing = [record_id for kind, record_id in dependents if kind.name == "relation"]
    documents = [record_id for kind, record_id in dependents if kind.name == "source"]
    source = RECORD_TYPES["source"]
    for _, body in list(read_records(change.connection, source, documents)):
        _refuse_own(change, caller, source, body)
        _put(change, source, {**body, "main_claim": into})
    for relation_id, body in list(read_records(change.connection, relation, pointing)):
        _refuse_own(change, caller, relation, body)
        if body["state"] == "accepted":
            new_id = _move(change, relation, {**body, "target": into})
            retired = _retired_as(new_id)
        else:
            new_id = None
            retired = {"state": "rejected"}
        _retarget_evidence(change, caller, relation_id, into if new_id else None)
        _put(change, relation, {**body, **retired})


def _retarget_evidence(
    change: Change, caller: Key, relation_id: str, new_target: str | None
) -> None:
    """Let the evidence on a relation bear on the relation to another target, or take it back."""
    evidence = RECORD_TYPES["evidence"]
    dependents = _standing_dependents(change, RECORD_TYPES["relation"], relation_id)
    on_relation = [record_id for _, record_id in dependents]
    for _, line in list(read_records(change.connection, evidence, on_relation)):
        _refuse_own(change, caller, evidence, line)
        if new_target is not None:
            altered = {"relation_target": new_target}
        else:
            altered = {"state": "retracted" if line["state"] == "accepted" else "rejected"}
        _put(change, evidence, {**line, **altered})


def _standing_dependents(
    change: Change, kind: RecordType, record_id: str
) -> list[tuple[RecordType, str]]:
    """Return the type and id of all submitted and accepted records that refer to a record."""
    return changes.find_dependents(change.connection, kind, record_id, STANDING, limit=None)


def _merge_sources(change: Change, caller: Key, old: Row, into: Row, taken: Row) -> None:
    """Let whatever rests on `old` rest on `into`, and move the identifiers that `into` lacks."""
    source = RECORD_TYPES["source"]
    if old["integrity"] != into["integrity"]:
        detail = (
            f"One is marked {old['integrity']}, the other {into['integrity']};"
            " say of both the same first."
        )
        raise Conflict(detail, [Fault(at="into", code="integrity", detail=detail)])
    _refuse_to_split_groups(change.connection, old["id"], into["id"])
    for kind, record_id in _standing_dependents(change, source, old["id"]):
        body = read_record(change.connection, kind, record_id)
        assert body is not None, "it was read in this transaction"
        _refuse_own(change, caller, kind, body)
        _put(change, kind, _renamed(kind, body, old["id"], into["id"]))
    # It may have been tied to the old source itself.
    into = read_record(change.connection, source, into["id"]) or into
    versions = [version for version in old["versions"] if version["source"] != into["id"]]
    known = {version["source"] for version in into["versions"]}
    into_versions = [*into["versions"], *(each for each in versions if each["source"] not in known)]
    schemes = {identifier["scheme"] for identifier in into["identifiers"]}
    moved = [identifier for identifier in old["identifiers"] if identifier["scheme"] not in schemes]
    kept = [identifier for identifier in old["identifiers"] if identifier["scheme"] in schemes]
    retired = {"state": "merged", "replaced_by": into["id"], "identifiers": kept}
    _put(change, source, {**old, **retired})
    altered = {
        **taken,
        "identifiers": [*into["identifiers"], *moved],
        "versions": into_versions,
        "cites": [*into["cites"], *_missing_citations(old, into)],
        "text": into["text"] or _move_text(change, old, into["id"]),
    }
    if any(altered[name] != into[name] for name in altered):
        _put(change, source, {**into, **altered})


def _move_text(change: Change, old: Row, into: str) -> Row | None:
    """Store the text of a source for another one, too. Return what a source says of it."""
    said: Row | None = old["text"]
    if said is not None:
        text = source_text.read_text_of(change.connection, old["id"], said["sha256"])
        assert text is not None, "a source names only a text that is stored"
        source_text.store_text(change.connection, into, text)
    return said


def _missing_citations(old: Row, into: Row) -> list[Row]:
    """Return what `old` cites and `into` does not.

    Where it stands is kept if the two have the same text.
    """
    known = {into["id"], *(cited["source"] for cited in into["cites"])}
    missing = [cited for cited in old["cites"] if cited["source"] not in known]
    if old["text_sha256"] != into["text_sha256"]:
        missing = [{**cited, "start": None, "end": None} for cited in missing]
    return missing


def _renamed(kind: RecordType, body: Row, old: str, into: str) -> Row:
    """Return a record that names the source `into` wherever it named the source `old`."""
    body = {
        name: into if name == "source" and value == old else value for name, value in body.items()
    }
    if kind.name == "source":
        ties = {
            into if tie["source"] == old else tie["source"]: tie["type"] for tie in body["versions"]
        }
        ties.pop(body["id"], None)
        versions = [{"type": type_, "source": other} for other, type_ in ties.items()]
        cites = {into if c["source"] == old else c["source"]: c for c in body["cites"]}
        cites.pop(body["id"], None)
        cited = [{**c, "source": other} for other, c in cites.items()]
        return {**body, "versions": versions, "cites": cited}
    if kind.name == "evidence" and old in body["pools"]:
        pools = list(dict.fromkeys(into if slug == old else slug for slug in body["pools"]))
        body = {**body, "pools": pools}
    if kind.name == "evidence" and body["source"] in body["pools"]:
        detail = f"The line {kind.id_of(body)} would pool itself; take the source out of its pools."
        raise Conflict(detail, [Fault(at="into", code="pools_itself", detail=detail)])
    return body


def _refuse_to_split_groups(connection: Connection, old: str, into: str) -> None:
    """Refuse a merger after which one work would count as two independent ones.

    Both works' lines on a claim, or on a relation, must be of the same independence group.
    """
    rows = table(Evidence)
    lines = select(rows).where(rows.c.source.in_((old, into)), rows.c.state == "accepted")
    sources: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    groups: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    for line in connection.execute(lines).mappings():
        subject = (line["claim"], line["relation_type"], line["relation_target"])
        sources[subject].add(line["source"])
        groups[subject].add(line["independence_group"])
    for subject in sources:
        if len(sources[subject]) == 2 and len(groups[subject]) > 1:
            detail = (
                f"Both have lines on '{subject[0]}', of different independence groups;"
                " give them one group first."
            )
            raise Conflict(detail, [Fault(at="into", code="independence_group", detail=detail)])


MERGERS = {"claim": _merge_claims, "source": _merge_sources}
