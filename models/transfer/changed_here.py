"""What people changed here since it was loaded: a later load leaves it as it is.

Whoever retracts, merges, rejects or corrects a record has decided; a file that does not know of it
must not undo that unseen.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, tuple_

from models.records.record_types import RecordType
from models.records.revision import Revision, is_of_any
from models.records.serializers import table

# Under these names files are loaded; see `access.api_keys.RESERVED_NAMES`.
SEED_ACTOR, IMPORT_ACTOR = "seed", "import"
LOADERS = frozenset({SEED_ACTOR, IMPORT_ACTOR})
_READ_AT_ONCE = 500
# Of more records the names are not told.
MAX_NAMES = 20
revision = table(Revision)


@dataclass(frozen=True)
class ChangedHere:
    """The last change of a record, made by somebody else than those who load files.

    `record` is its type and id.
    """

    record: str
    action: str
    actor: str
    at: str
    serial: int

    def __str__(self) -> str:
        return (
            f"{self.record} was changed here since: {self.action} by {self.actor} on"
            f" {self.at[:10]} (revision {self.serial}). It is left as it is."
        )


@dataclass(frozen=True)
class StoredAlone:
    """Records that were loaded once and are not in the files any more, by their type and id."""

    records: list[str]

    def __str__(self) -> str:
        names = ", ".join(self.records[:MAX_NAMES])
        more = len(self.records) - MAX_NAMES
        return (
            f"Stored here alone, no longer in the files: {len(self.records)}: {names}"
            + (f" and {more} more" if more > 0 else "")
            + ". They stay."
        )


def changed_here(
    connection: Connection,
    kind: RecordType,
    ids: Iterable[str],
    loaders: Collection[str] = LOADERS,
) -> dict[str, ChangedHere]:
    """Return those of the records whose last change was not made by a load, by their ids.

    Records that were purged are among them.
    """
    records = [f"{kind.name}/{record_id}" for record_id in ids]
    found: dict[str, ChangedHere] = {}
    for start in range(0, len(records), _READ_AT_ONCE):
        last = (
            select(revision.c.root, revision.c.record, func.max(revision.c.serial))
            .where(is_of_any(records[start : start + _READ_AT_ONCE]))
            # What follows from another record's change is nobody's decision on this one.
            .where(revision.c.action != "derive")
            .group_by(revision.c.root, revision.c.record)
        )
        of_last = tuple_(revision.c.root, revision.c.record, revision.c.serial).in_(last)
        columns = (revision.c[name] for name in ChangedHere.__dataclass_fields__)
        for row in connection.execute(select(*columns).where(of_last)):
            change = ChangedHere(*row)
            if change.actor not in loaders:
                found[change.record.partition("/")[2]] = change
    return found


def stored_alone(connection: Connection, loader: str, loaded: Collection[str]) -> list[str]:
    """Return the records that one loader stored and nobody changed since, and that are not in the
    files now, by their type and id.
    """
    mine = select(revision.c.record).where(revision.c.actor == loader).distinct()
    others = select(revision.c.record).where(
        revision.c.actor != loader, revision.c.action != "derive"
    )
    return sorted(set(connection.scalars(mine.except_(others))) - set(loaded))
