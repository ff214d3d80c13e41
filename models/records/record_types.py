"""The kinds of record as a table: where each is stored, its fields, its key, and how its id is written."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, tuple_
from sqlmodel import SQLModel

from models.core.errors import NotFound
from models.database.prepared_statements import first
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
from models.records.evidence import Evidence, EvidenceIn
from models.records.relation import Relation, RelationIn
from models.records.serializers import Row, columns_of, sources_by_id, table
from models.records.source import Source, SourceIn

BATCH = 500


@dataclass(frozen=True)
class Reference:
    """Records of a kind name another record: the columns that hold its key, and of which kind it is."""

    kind: str
    columns: tuple[str, ...]
    to: str


@dataclass(frozen=True)
class RecordType:
    """A kind of record: its name in the vocabulary record-kinds and in paths, its table, its input class, its key.

    A part of a claim has the claim's slug before its key, in the table and in its id: `ccsvi-causes-ms:cochrane-2019`.
    """

    name: str
    plural: str
    model: type[SQLModel]
    fields: Any
    key: tuple[str, ...]
    part: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the table's key, in the order in which the id names them."""
        return ("claim", *self.key) if self.part else self.key

    def id_of(self, body: Any) -> str:
        """Return the public id of a record."""
        return ":".join(body[name] for name in self.columns)

    def claim_of(self, body: Any) -> str | None:
        """Return the claim that a record is, or is a part of."""
        return body["claim"] if self.part else body["id"] if self.name == "claim" else None

    def validated(self, fields: Row) -> Row:
        """Return a record's own fields (of a part without its claim) as they are stored, with every default.

        Raises Pydantic's ValidationError where they break a rule.
        """
        # By Pydantic's own validator, since SQLModel's way around it takes longer than the validation itself.
        record = self.fields.__new__(self.fields)
        self.fields.__pydantic_validator__.validate_python(fields, self_instance=record)
        if self.name == "source":
            record.identifiers.sort(key=lambda identifier: identifier.scheme)
            body: Row = record.model_dump()
            return body
        if self.name == "claim":
            record.topics = sorted(set(record.topics))
        return dict(record.__dict__)

    def place(self, record_id: str) -> Row:
        """Return the key of the row with a public id; raises `NotFound` where no such id can be."""
        values = record_id.split(":")
        if len(values) != len(self.columns):
            raise NotFound(
                f"There is no {self.name} '{record_id}'; an id is {':'.join(self.columns)}."
            )
        return dict(zip(self.columns, values, strict=True))


# In this order everything that a record refers to comes before it.
RECORD_TYPES = {
    kind.name: kind
    for kind in (
        RecordType("topic", "topics", Topic, TopicIn, ("id",)),
        RecordType("source", "sources", Source, SourceIn, ("id",)),
        RecordType("claim", "claims", Claim, ClaimIn, ("id",)),
        RecordType("occurrence", "occurrences", Occurrence, OccurrenceIn, ("key",), part=True),
        RecordType("relation", "relations", Relation, RelationIn, ("type", "target"), part=True),
        RecordType("evidence", "evidence", Evidence, EvidenceIn, ("key",), part=True),
        RecordType("assessment", "assessments", Assessment, AssessmentIn, ("key",), part=True),
    )
}
PART_TYPES = tuple(kind for kind in RECORD_TYPES.values() if kind.part)
# What refers to what, but for the topics of a claim, which are many.
REFERENCES = (
    *(Reference(part.name, ("claim",), "claim") for part in PART_TYPES),
    *(Reference(name, ("source",), "source") for name in ("occurrence", "evidence", "assessment")),
    Reference("evidence", ("claim", "relation_type", "relation_target"), "relation"),
    Reference("relation", ("target",), "claim"),
)
_REFERENCES_OF = {
    name: tuple(each for each in REFERENCES if each.kind == name) for name in RECORD_TYPES
}


def references_in(kind: RecordType, body: Row) -> Iterator[tuple[str, RecordType, str]]:
    """Yield the records that a record names: the field that does, their kind, their id."""
    if kind.name == "claim":
        yield from (("topics", RECORD_TYPES["topic"], topic) for topic in body["topics"])
    for reference in _REFERENCES_OF[kind.name]:
        if body[reference.columns[-1]] is not None:
            yield (
                reference.columns[-1],
                RECORD_TYPES[reference.to],
                ":".join(body[column] for column in reference.columns),
            )


def read_states(
    connection: Connection, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Return the state of each of these records, which are named by kind and id; absent ones are left out."""
    ids: dict[str, list[str]] = {}
    for name, record_id in wanted:
        ids.setdefault(name, []).append(record_id)
    found: dict[tuple[str, str], str] = {}
    for name, named in ids.items():
        kind = RECORD_TYPES[name]
        rows = table(kind.model)
        key = [rows.c[column] for column in kind.columns]
        for start in range(0, len(named), BATCH):
            places = [tuple(kind.place(each).values()) for each in named[start : start + BATCH]]
            among = (
                tuple_(*key).in_(places)
                if len(key) > 1
                else key[0].in_([place[0] for place in places])
            )
            for *values, state in connection.execute(select(*key, rows.c.state).where(among)):
                found[name, ":".join(values)] = state
    return found


def read_records(
    connection: Connection, kind: RecordType, ids: Sequence[str] | None = None
) -> Iterator[tuple[str, Row]]:
    """Yield the id and the record, as a revision holds it, of these records (or of all); absent ones are left out."""
    rows = table(kind.model)
    key = [rows.c[name] for name in kind.columns]
    wanted = None if ids is None else [tuple(kind.place(each).values()) for each in ids]
    for chosen in (
        [None]
        if wanted is None
        else [wanted[at : at + BATCH] for at in range(0, len(wanted), BATCH)]
    ):
        statement = select(rows).order_by(*key)
        if chosen is not None:
            statement = statement.where(tuple_(*key).in_(chosen))
        found = connection.execute(statement).mappings().all()
        yield from (
            (kind.id_of(row), body)
            for row, body in zip(found, record_bodies(connection, kind, found), strict=True)
        )


def read_record(connection: Connection, kind: RecordType, record_id: str) -> Row | None:
    """Return a record as a revision holds it, in whatever state, or None."""
    row = first(connection, ("one", kind.name), lambda: _there(kind), kind.place(record_id))
    return None if row is None else next(record_bodies(connection, kind, [row]))


def read_state(connection: Connection, kind: RecordType, record_id: str) -> str | None:
    """Return the state of a record, or None where there is none."""
    found: str | None = read_column(connection, kind, record_id, "state")
    return found


def read_column(connection: Connection, kind: RecordType, record_id: str, name: str) -> Any:
    """Return one column of a record, or None where there is no such record."""
    found = first(
        connection, ("column", name, kind.name), lambda: _there(kind, name), kind.place(record_id)
    )
    return None if found is None else found[name]


def _there(kind: RecordType, *names: str) -> Select[Any]:
    """Return the statement that reads these columns (or all) of the record at a place."""
    rows = table(kind.model)
    chosen = [rows.c[name] for name in names or rows.c.keys()]
    return select(*chosen).where(*(rows.c[name] == bindparam(name) for name in kind.columns))


def current_id(connection: Connection, kind: RecordType, record_id: str) -> str:
    """Return the id of what a record was merged into, through mergers in a row, or its own where it was not merged."""
    passed: set[str] = set()
    while record_id not in passed:
        passed.add(record_id)
        body = read_record(connection, kind, record_id)
        if body is not None and body["state"] == "merged":
            record_id = body["replaced_by"]
    return record_id


def record_bodies(connection: Connection, kind: RecordType, rows: Sequence[Any]) -> Iterator[Row]:
    """Yield the records, as revisions hold them, of these rows of a kind's table, in their order."""
    slugs = [row["id"] for row in rows] if not kind.part else []
    for start in range(0, len(rows), BATCH):
        batch, named = rows[start : start + BATCH], slugs[start : start + BATCH]
        if kind.name == "source":
            sources = sources_by_id(connection, named)
            yield from (columns_of(sources[slug], SourceIn) for slug in named)
        elif kind.name == "claim":
            topics = topics_by_claim(connection, named)
            yield from (
                {**columns_of(row, ClaimFields), "topics": topics[row["id"]]} for row in batch
            )
        else:
            claim = ("claim",) if kind.part else ()
            yield from (
                {name: row[name] for name in (*claim, *kind.fields.model_fields)} for row in batch
            )


def topics_by_claim(connection: Connection, claims: Sequence[str]) -> dict[str, list[str]]:
    """Return what each of these claims is filed under, in order."""
    filed = table(ClaimTopic)
    statement = (
        select(filed.c.claim, filed.c.topic)
        .where(filed.c.claim.in_(claims))
        .order_by(filed.c.topic)
    )
    found: dict[str, list[str]] = {claim: [] for claim in claims}
    for claim, topic in connection.execute(statement):
        found[claim].append(topic)
    return found
