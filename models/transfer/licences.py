"""Under which licences exported records stand.

What is in no collection was written here, unless it was imported by somebody who did not say where
it comes from: then its licence is not known.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, Select, and_, literal, select

from models.database.sharding import is_distributed
from models.records.collection import OWN_LICENCE, Collection
from models.records.record_types import IN_COLLECTIONS, RecordType
from models.records.revision import Revision
from models.records.serializers import table

# Who brings records in from elsewhere.
IMPORT_ACTORS = ("import", "scifact")
EXPORTED_STATES = ("accepted", "retracted", "merged")
# Some records: their type, and the condition for them.
Some = tuple[RecordType, ColumnElement[bool]]

revision = table(Revision)
_is_import = and_(revision.c.actor.in_(IMPORT_ACTORS), revision.c.action == "create")


def all_records() -> list[Some]:
    """Return the condition for all records of each type that an export holds."""
    return [(kind, table(kind.model).c.state.in_(EXPORTED_STATES)) for kind in IN_COLLECTIONS]


def licences_of(connection: Connection, records: Iterable[Some]) -> list[str | None]:
    """Return the licences of records, in order; None is last where that of some is not known."""
    anything_imported = _any(connection, select(revision.c.serial).where(_is_import))
    collections: set[str] = set()
    found: set[str | None] = set()
    for kind, condition in records:
        rows = table(kind.model)
        named = select(rows.c.collection).where(condition, rows.c.collection.is_not(None))
        collections.update(connection.scalars(named.distinct()))
        alone = select(rows.c.collection).where(condition, rows.c.collection.is_(None))
        imported = _is_imported(connection, kind)
        if _any(connection, alone.where(~imported)):
            found.add(OWN_LICENCE)
        if anything_imported and _any(connection, alone.where(imported)):
            found.add(None)
    stored = table(Collection)
    for slug, licence in connection.execute(select(stored.c.id, stored.c.licence)):
        if slug in collections:
            found.add(licence)
    return sorted(found, key=lambda licence: (licence is None, licence or ""))


def _is_imported(connection: Connection, kind: RecordType) -> ColumnElement[bool]:
    """Return the condition that a record of a type was imported."""
    rows, name = table(kind.model), _name(kind)
    if kind.part or kind.name == "claim":
        same = and_(revision.c.record == name, revision.c.root == rows.c[kind.columns[0]])
    elif is_distributed(connection):
        # A table that is whole on every node cannot be asked of each row whether a shard has one.
        made = select(revision.c.record).where(_is_import, revision.c.kind == kind.name)
        return name.in_(made)
    else:
        same = revision.c.record == name
    return select(revision.c.serial).where(same, _is_import).exists()


def _any(connection: Connection, statement: Select[tuple[object]]) -> bool:
    return connection.execute(statement.limit(1)).first() is not None


def _name(kind: RecordType) -> ColumnElement[str]:
    """Return what revisions call the record in a row."""
    columns = table(kind.model).c
    name: ColumnElement[str] = literal(f"{kind.name}/") + columns[kind.columns[0]]
    for column in kind.columns[1:]:
        name = name + ":" + columns[column]
    return name
