"""What is exported of one collection: its records, and all that they refer to, so that it loads
into an empty database.
"""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, select

from models.read.references import resolve_references
from models.records.record_types import (
    IN_COLLECTIONS,
    PART_TYPES,
    RECORD_TYPES,
    RecordType,
    batches,
    record_bodies,
    references_in,
)
from models.records.serializers import Row, table
from models.transfer.licences import Some

# A claim is exported with all its parts, so these are what is chosen.
WHOLE_TYPES = tuple(kind for kind in RECORD_TYPES.values() if not kind.part)
Ids = Mapping[str, set[str]]


def find_part(connection: Connection, collection: str) -> Ids:
    """Return the ids of the records that an export of a collection holds, by type.

    These are the accepted records of it, whole claims where a part of them is of it, and all that
    these refer to, and so on. Raises `InvalidRecord` if there is no such collection.
    """
    (slug,) = resolve_references(connection, {"collection": [collection]})["collection"]
    found: dict[str, set[str]] = {kind.name: set() for kind in WHOLE_TYPES}
    ahead = {"collection": {slug}, **_own(connection, slug)}
    while any(ahead.values()):
        referred: dict[str, set[str]] = {kind.name: set() for kind in WHOLE_TYPES}
        for name, ids in ahead.items():
            found[name] |= ids
        for name, ids in ahead.items():
            for kind, record_id in _references(connection, RECORD_TYPES[name], sorted(ids)):
                referred[kind].add(record_id)
        ahead = {name: ids - found[name] for name, ids in referred.items()}
    return found


def records_in(ids: Ids) -> Iterator[Some]:
    """Yield the condition for the records with these ids and the parts of the claims among them, in
    batches.
    """
    for name in ids:
        for batch in batches(sorted(ids[name])):
            for kind in _with_parts(RECORD_TYPES[name]):
                if kind in IN_COLLECTIONS:
                    yield kind, _accepted(kind, batch)


def _own(connection: Connection, collection: str) -> dict[str, set[str]]:
    """Return the records of a collection, and the claims with a part that is of it."""
    own: dict[str, set[str]] = {}
    for kind in IN_COLLECTIONS:
        rows = table(kind.model)
        of_it = rows.c.collection == collection, rows.c.state == "accepted"
        ids = connection.scalars(select(rows.c[kind.columns[0]]).where(*of_it).distinct())
        own.setdefault("claim" if kind.part else kind.name, set()).update(ids)
    return own


def _references(
    connection: Connection, kind: RecordType, ids: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the type and id of what these records and their parts refer to."""
    for batch in batches(ids):
        for each in _with_parts(kind):
            for body in _bodies(connection, each, batch):
                for _, other, record_id in references_in(each, body):
                    if not other.part:
                        yield other.name, record_id


def _with_parts(kind: RecordType) -> tuple[RecordType, ...]:
    return (kind, *PART_TYPES) if kind.name == "claim" else (kind,)


def _accepted(kind: RecordType, ids: Sequence[str]) -> ColumnElement[bool]:
    rows = table(kind.model)
    return rows.c[kind.columns[0]].in_(ids) & (rows.c.state == "accepted")


def _bodies(connection: Connection, kind: RecordType, ids: Sequence[str]) -> Iterator[Row]:
    rows = connection.execute(select(table(kind.model)).where(_accepted(kind, ids)))
    return record_bodies(connection, kind, rows.mappings().all())
