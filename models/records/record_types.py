"""The types of record as a table: where each is stored, its fields, its key and its id."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, select, tuple_
from sqlmodel import SQLModel

from models.core.errors import NotFound
from models.database.prepared_statements import fetch_first, select_rows
from models.records.assessment import Assessment, AssessmentIn
from models.records.claim import (
    Claim,
    ClaimFields,
    ClaimIn,
    ClaimTopic,
    Occurrence,
    OccurrenceIn,
    Topic,
    TopicIn,
)
from models.records.collection import Collection, CollectionIn
from models.records.discussion import Comment, CommentIn, Suggestion, SuggestionIn
from models.records.evidence import Evidence, EvidenceIn, PooledSource
from models.records.relation import Relation, RelationIn
from models.records.serializers import Row, columns_of, sources_by_id, table
from models.records.source import Source, SourceCitation, SourceIn, SourceVersion

BATCH_SIZE = 500
# The fields of records that are objects, or lists of them.
NESTED = {
    "topic": ("external_ids",),
    "claim": ("external_ids", "topic_roles"),
    "evidence": ("effects", "groups", "risk_of_bias", "ratings", "external_ids"),
    "assessment": ("ratings",),
}


@dataclass(frozen=True)
class Reference:
    """Records of the type `kind` refer to records of the type `to`.

    `columns` of the former hold the key of the latter.
    """

    kind: str
    columns: tuple[str, ...]
    to: str


@dataclass(frozen=True)
class ListReference:
    """Records of the type `kind` refer to records of the type `to` by a list, the field `field`.

    `model` is the table that has a row for each item: `own` are its columns for the key of the
    record that refers, `other` is its column for the key of the other one. An item is a slug, or an
    object that has it under `name`.
    """

    kind: str
    field: str
    to: str
    model: type[SQLModel]
    own: tuple[str, ...]
    other: str
    name: str | None = None

    def items(self, body: Row) -> Iterator[tuple[str, str]]:
        """Yield the place and the slug of each item in a record."""
        for number, item in enumerate(body[self.field]):
            if self.name is None:
                yield self.field, item
            else:
                yield f"{self.field}/{number}/{self.name}", item[self.name]

    def rows(self, body: Row) -> list[Row]:
        """Return the rows of the table for a record."""
        key = self.key(body)
        return [{**key, self.other: slug} for _, slug in self.items(body)]

    def key(self, body: Row) -> Row:
        """Return the columns of the table that hold the key of the record that refers."""
        values = (body[name] for name in RECORD_TYPES[self.kind].columns)
        return dict(zip(self.own, values, strict=True))


@dataclass(frozen=True)
class RecordType:
    """A type of record: its name in the vocabulary record-kinds and its plural in paths.

    `model` is its table class, `fields` its input class, `key` the columns of its key. A part of a
    claim has the claim's slug before its own key, in the table as in its id:
    `ccsvi-causes-ms:cochrane-2019`. What belongs to the `discussion` is about another record.
    """

    name: str
    plural: str
    model: type[SQLModel]
    fields: Any
    key: tuple[str, ...]
    part: bool = False
    discussion: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process has the same types, so a record is sent there with the name of its own.
        return _type_named, (self.name,)

    @property
    def parameter(self) -> str:
        """The name of its id in an address: not `comment`, which is the reason of a change."""
        return "comment_id" if self.name == "comment" else self.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table's key, in the order in which the id names them."""
        return ("claim", *self.key) if self.part else self.key

    def id_of(self, body: Any) -> str:
        """Return the public id of a record."""
        return ":".join(body[name] for name in self.columns)

    def claim_of(self, body: Any) -> str | None:
        """Return the slug of the claim that a record is, or is part of, or that it is about such a
        record of; None for other records.
        """
        if self.part:
            return str(body["claim"])
        if self.discussion:
            return _claim_named(body["about"])
        return str(body["id"]) if self.name == "claim" else None

    def validated(self, fields: Row) -> Row:
        """Return a record's fields as they are stored, with every default.

        The fields of a part do not include its claim. Raises Pydantic's ValidationError if they
        break a rule.
        """
        # This calls Pydantic's validator directly: SQLModel's wrapper takes longer than the
        # validation itself.
        record = self.fields.__new__(self.fields)
        given = {**_empty_lists(self.fields), **fields}
        self.fields.__pydantic_validator__.validate_python(given, self_instance=record)
        if self.name == "source":
            record.identifiers.sort(key=lambda identifier: identifier.scheme)
            body: Row = record.model_dump()
            return body
        if self.name == "claim":
            record.topics = sorted(set(record.topics))
        body = dict(record.__dict__)
        for name in NESTED.get(self.name, ()):
            body[name] = _plain(body[name])
        return body

    def key_of(self, record_id: str) -> Row:
        """Return the key of the row with a public id. Raises `NotFound` if the id is malformed."""
        values = record_id.split(":")
        if len(values) != len(self.columns):
            raise NotFound(
                f"There is no {self.name} '{record_id}'; an id is {':'.join(self.columns)}."
            )
        return dict(zip(self.columns, values, strict=True))


@cache
def _empty_lists(fields: Any) -> Row:
    """Return the fields of a class that are empty lists by default, with an empty list.

    Pydantic makes a deep copy of such a default, which takes longer than to validate an empty list.
    """
    return {name: [] for name, each in fields.model_fields.items() if each.default == []}


def _type_named(name: str) -> RecordType:
    return RECORD_TYPES[name]


def split_name(name: str) -> tuple[RecordType, str]:
    """Return the type and the id in a record's name, such as `source/doepp-2010`.

    Raises `NotFound` if there is no such type.
    """
    kind, _, record_id = name.partition("/")
    if kind not in RECORD_TYPES:
        raise NotFound(f"'{kind}' is not a kind of record.")
    return RECORD_TYPES[kind], record_id


def _claim_named(name: str) -> str | None:
    """Return the claim in the name of a claim or of a part of one, None for other records."""
    kind, record_id = split_name(name)
    if kind.part or kind.name == "claim":
        return record_id.partition(":")[0]
    return None


def _plain(value: Any) -> Any:
    """Return an object, or a list of them, as it is stored."""
    if isinstance(value, list):
        return [item.model_dump() for item in value]
    return None if value is None else value.model_dump()


# Everything that a record refers to comes before it in this order, but another of its own type.
_IN_ORDER = (
    RecordType("collection", "collections", Collection, CollectionIn, ("id",)),
    RecordType("topic", "topics", Topic, TopicIn, ("id",)),
    RecordType("claim", "claims", Claim, ClaimIn, ("id",)),
    RecordType("source", "sources", Source, SourceIn, ("id",)),
    RecordType("occurrence", "occurrences", Occurrence, OccurrenceIn, ("key",), part=True),
    RecordType("relation", "relations", Relation, RelationIn, ("type", "target"), part=True),
    RecordType("evidence", "evidence", Evidence, EvidenceIn, ("key",), part=True),
    RecordType("assessment", "assessments", Assessment, AssessmentIn, ("key",), part=True),
    RecordType("suggestion", "suggestions", Suggestion, SuggestionIn, ("id",), discussion=True),
    RecordType("comment", "comments", Comment, CommentIn, ("id",), discussion=True),
)
RECORD_TYPES = {kind.name: kind for kind in _IN_ORDER}
DISCUSSION_TYPES = tuple(kind for kind in _IN_ORDER if kind.discussion)
# What a knowledge base is about; the rest is said of these records.
CONTENT_TYPES = tuple(kind for kind in _IN_ORDER if not kind.discussion)
# The types of records that may come from a collection.
IN_COLLECTIONS = tuple(kind for kind in CONTENT_TYPES if kind.name != "collection")
PART_TYPES = tuple(kind for kind in _IN_ORDER if kind.part)
# The references by one field; those by lists follow.
REFERENCES = (
    *(Reference(each.name, ("collection",), "collection") for each in IN_COLLECTIONS),
    *(Reference(part.name, ("claim",), "claim") for part in PART_TYPES),
    *(Reference(name, ("source",), "source") for name in ("occurrence", "evidence", "assessment")),
    Reference("evidence", ("claim", "relation_type", "relation_target"), "relation"),
    Reference("relation", ("target",), "claim"),
    Reference("source", ("main_claim",), "claim"),
)
LIST_REFERENCES = (
    ListReference("claim", "topics", "topic", ClaimTopic, ("claim",), "topic"),
    ListReference("evidence", "pools", "source", PooledSource, ("claim", "key"), "source"),
    ListReference(
        "source", "versions", "source", SourceVersion, ("source",), "other", name="source"
    ),
    ListReference("source", "cites", "source", SourceCitation, ("source",), "other", name="source"),
)
_REFERENCES_OF: dict[str, list[Reference]] = {name: [] for name in RECORD_TYPES}
for _reference in REFERENCES:
    _REFERENCES_OF[_reference.kind].append(_reference)
LISTS_OF = {
    name: tuple(each for each in LIST_REFERENCES if each.kind == name) for name in RECORD_TYPES
}


def references_in(kind: RecordType, body: Row) -> Iterator[tuple[str, RecordType, str]]:
    """Yield the references of a record: the field, and the type and id of the other record."""
    for listed in LISTS_OF[kind.name]:
        for field, other_id in listed.items(body):
            yield field, RECORD_TYPES[listed.to], other_id
    for reference in _REFERENCES_OF[kind.name]:
        field = reference.columns[-1]
        if body[field] is not None:
            other_id = ":".join(body[column] for column in reference.columns)
            yield field, RECORD_TYPES[reference.to], other_id


def order_by_references(records: Sequence[tuple[RecordType, Row]]) -> list[int]:
    """Return the places of records in an order in which each comes after those among them that it
    refers to, and otherwise as they are. In a circle some record comes before one of its own. What
    is said of records comes last.
    """
    places: dict[tuple[str, str], int] = {}
    for place, (kind, body) in enumerate(records):
        places.setdefault((kind.name, kind.id_of(body)), place)
    opened: set[int] = set()
    ordered: dict[int, None] = {}
    for first in range(len(records)):
        waiting = [first]
        while waiting:
            place = waiting[-1]
            if place in opened:
                ordered.setdefault(waiting.pop())
                continue
            opened.add(place)
            found = references_in(*records[place])
            others = (places.get((kind.name, record_id)) for _, kind, record_id in found)
            waiting += [other for other in others if other is not None and other not in opened]
    return sorted(ordered, key=lambda place: records[place][0].discussion)


def read_states(
    connection: Connection, records: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Return the state of each of these records, given by type and id. Absent ones are left out."""
    ids: dict[str, list[str]] = {}
    for name, record_id in records:
        ids.setdefault(name, []).append(record_id)
    states: dict[tuple[str, str], str] = {}
    for name, ids_of_type in ids.items():
        kind = RECORD_TYPES[name]
        rows = table(kind.model)
        key = [rows.c[column] for column in kind.columns]
        for batch in batches(ids_of_type):
            statement = select(*key, rows.c.state).where(_has_id(kind, batch))
            for *values, state in connection.execute(statement):
                states[name, ":".join(values)] = state
    return states


def batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield items, so many at a time as a statement takes."""
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]


def _has_id(kind: RecordType, ids: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that a row is one of these records."""
    rows = table(kind.model)
    columns = [rows.c[name] for name in kind.columns]
    keys = [tuple(kind.key_of(record_id).values()) for record_id in ids]
    if len(columns) == 1:
        return columns[0].in_([value for (value,) in keys])
    return tuple_(*columns).in_(keys)


def read_records(
    connection: Connection, kind: RecordType, ids: Sequence[str] | None = None
) -> Iterator[tuple[str, Row]]:
    """Yield the id and the body of each of these records, or of all.

    A body is what a revision of the record holds. Absent records are left out.
    """
    rows = table(kind.model)
    statement = select(rows).order_by(*(rows.c[name] for name in kind.columns))
    if ids is None:
        yield from _records_found(connection, kind, statement)
        return
    for batch in batches(ids):
        yield from _records_found(connection, kind, statement.where(_has_id(kind, batch)))


def _records_found(
    connection: Connection, kind: RecordType, statement: Select[Any]
) -> Iterator[tuple[str, Row]]:
    rows = connection.execute(statement).mappings().all()
    bodies = record_bodies(connection, kind, rows)
    for row, body in zip(rows, bodies, strict=True):
        yield kind.id_of(row), body


def read_record(connection: Connection, kind: RecordType, record_id: str) -> Row | None:
    """Return the body of a record, in whatever state, or None if there is no such record."""
    row = fetch_first(
        connection,
        ("one", kind.name),
        lambda: _select_by_key(kind),
        kind.key_of(record_id),
    )
    return None if row is None else next(record_bodies(connection, kind, [row]))


def read_state(connection: Connection, kind: RecordType, record_id: str) -> str | None:
    """Return the state of a record, or None if there is no such record."""
    state: str | None = read_column(connection, kind, record_id, "state")
    return state


def read_column(connection: Connection, kind: RecordType, record_id: str, name: str) -> Any:
    """Return one column of a record, or None if there is no such record."""
    row = read_columns(connection, kind, record_id, name)
    return None if row is None else row[name]


def read_columns(
    connection: Connection, kind: RecordType, record_id: str, *names: str
) -> Row | None:
    """Return some columns of a record, or None if there is no such record."""
    return fetch_first(
        connection,
        ("columns", kind.name, *names),
        lambda: _select_by_key(kind, *names),
        kind.key_of(record_id),
    )


def _select_by_key(kind: RecordType, *names: str) -> Select[Any]:
    """Return the statement that reads these columns (or all) of the record with a key."""
    rows = table(kind.model)
    columns = [rows.c[name] for name in names or rows.c.keys()]
    return select(*columns).where(*(rows.c[name] == bindparam(name) for name in kind.columns))


def current_id(connection: Connection, kind: RecordType, record_id: str) -> str:
    """Return the id of the record that a record was merged into, following mergers in a row.

    Returns the record's own id if it was not merged.
    """
    passed: set[str] = set()
    while record_id not in passed:
        passed.add(record_id)
        body = read_record(connection, kind, record_id)
        if body is not None and body["state"] == "merged":
            record_id = body["replaced_by"]
    return record_id


def record_bodies(connection: Connection, kind: RecordType, rows: Sequence[Any]) -> Iterator[Row]:
    """Yield the bodies of the records in these rows of their table, in the rows' order."""
    for batch in batches(rows):
        if kind.name == "source":
            yield from _source_bodies(connection, batch)
        elif kind.name == "claim":
            yield from _claim_bodies(connection, batch)
        else:
            names = (*(("claim",) if kind.part else ()), *kind.fields.model_fields)
            for row in batch:
                yield {name: row[name] for name in names}


def _source_bodies(connection: Connection, rows: Sequence[Any]) -> Iterator[Row]:
    slugs = [row["id"] for row in rows]
    sources = sources_by_id(connection, slugs)
    for slug in slugs:
        yield columns_of(sources[slug], SourceIn)


def _claim_bodies(connection: Connection, rows: Sequence[Any]) -> Iterator[Row]:
    topics = topics_by_claim(connection, [row["id"] for row in rows])
    for row in rows:
        yield {**columns_of(row, ClaimFields), "topics": topics[row["id"]]}


def topics_by_claim(connection: Connection, claims: Sequence[str]) -> dict[str, list[str]]:
    """Return the topics that each of these claims is filed under, in order."""
    topics: dict[str, list[str]] = {claim: [] for claim in claims}
    for row in select_rows(connection, table(ClaimTopic), "claim", claims):
        topics[row["claim"]].append(row["topic"])
    return {claim: sorted(of_claim) for claim, of_claim in topics.items()}
