"""What a newer version of a collection lacks: records that are stored and no longer in the file.

Nothing is removed by itself; people decide what to do with them.
"""

from array import array
from dataclasses import dataclass, field
from hashlib import blake2b

from sqlalchemy import Connection, select

from models.records.record_types import IN_COLLECTIONS, RecordType, read_record
from models.records.serializers import Row, table

# Whoever wants to see more of them lists the collection.
MAX_NAMES = 20
_READ_AT_ONCE = 1000


@dataclass(frozen=True)
class MissingRecords:
    """Stored records of a collection that a file with another version of it does not hold.

    `before` and `after` say in words which version was stored and which one is in the file; `names`
    are the first of them, by type and id.
    """

    collection: str
    before: str
    after: str
    number: int
    names: list[str]

    def __str__(self) -> str:
        told = f"{self.collection}: stored was {self.before}, the file has {self.after}."
        if not self.number:
            return f"{told} It lacks no stored record."
        more = self.number - len(self.names)
        names = ", ".join(self.names) + (f" and {more} more" if more else "")
        return f"{told} Stored records that it lacks, which stay: {self.number}: {names}."


@dataclass
class HeldRecords:
    """Which records a file holds, and of which collections it holds another version than is stored.

    Of each record there are eight bytes, so that a file may hold many millions.
    """

    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    seen: "array[int]" = field(default_factory=lambda: array("Q"))

    def add(self, connection: Connection, kind: RecordType, body: Row) -> None:
        """Note a record of the file, before it is stored."""
        record_id = kind.id_of(body)
        if kind.name != "collection":
            self.seen.append(_digest(f"{kind.name}/{record_id}"))
            return
        stored = read_record(connection, kind, record_id)
        if stored is not None and _version(stored) != _version(body):
            self.changed[record_id] = _version(stored), _version(body)

    def missing(self, connection: Connection) -> list[MissingRecords]:
        """Return what the file does not hold of each collection of which it has another version."""
        if not self.changed:
            return []
        seen = frozenset(self.seen)
        return [
            _missing(connection, collection, versions, seen)
            for collection, versions in sorted(self.changed.items())
        ]


def _missing(
    connection: Connection, collection: str, versions: tuple[str, str], seen: frozenset[int]
) -> MissingRecords:
    number = 0
    names: list[str] = []
    for kind in IN_COLLECTIONS:
        rows = table(kind.model)
        key = [rows.c[column] for column in kind.columns]
        of_it = rows.c.collection == collection, rows.c.state == "accepted"
        statement = select(*key).where(*of_it).order_by(*key)
        with connection.execution_options(yield_per=_READ_AT_ONCE).execute(statement) as found:
            for values in found:
                name = f"{kind.name}/{':'.join(values)}"
                if _digest(name) not in seen:
                    number += 1
                    if len(names) < MAX_NAMES:
                        names.append(name)
    return MissingRecords(collection, *versions, number, names)


def _version(collection: Row) -> str:
    """Return in words which version of a collection this is."""
    version, retrieved = collection["version"], collection["retrieved"]
    words = [f"version {version}" if version else "", f"retrieved {retrieved}" if retrieved else ""]
    return ", ".join(filter(None, words)) or "no version"


def _digest(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
