"""Proves that what is stored agrees with itself: revisions, tables and read model."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, func, select

from models import document, migrations
from models.changes import STANDING
from models.database import unenforced_keys
from models.kinds import KINDS, refers, stored
from models.known import normal
from models.records import Row, table
from models.revision import Revision, Serial


def check(connection: Connection) -> Iterator[str]:
    """Yield one plain sentence for each disagreement; nothing where all is well."""
    at = migrations.current(connection)
    if at != migrations.HEAD:
        yield f"The database is at migration {at}, this program at {migrations.HEAD}; run claimbase migrate."
        return
    if not document.is_current(connection):
        yield "The read model was derived by other rules than this program's; run claimbase rebuild."
    yield from (f"A row points nowhere: {row}" for row in unenforced_keys(connection))
    yield from _serials(connection)
    yield from _revisions(connection)
    yield from document.differences(connection)


def _serials(connection: Connection) -> Iterator[str]:
    revision = table(Revision)
    numbers = (
        func.count(),
        func.count(revision.c.serial.distinct()),
        func.min(revision.c.serial),
        func.max(revision.c.serial),
    )
    total, distinct, first, last = connection.execute(select(*numbers)).one()
    last = last or 0
    value = connection.scalar(select(table(Serial).c.value))
    if total and (total != distinct or first != 1 or last != total):
        yield f"The serials of {total} revisions run from {first} to {last} with {distinct} distinct ones: gap or repetition."
    if last != value:
        yield f"The serial stands at {value}, the last revision at {last}."


def _revisions(connection: Connection) -> Iterator[str]:
    """Compare the last revision of each record with the record in the tables."""
    revision = table(Revision)
    last = select(revision.c.record, func.max(revision.c.serial).label("serial")).group_by(revision.c.record).subquery()
    joined = revision.join(last, (last.c.record == revision.c.record) & (last.c.serial == revision.c.serial))
    bodies = select(revision.c.record, revision.c.body).select_from(joined).where(revision.c.action != "purge")
    recorded = {row.record: row.body for row in connection.execute(bodies)}
    there = {f"{kind.name}/{each}": body for kind in KINDS.values() for each, body in stored(connection, kind)}
    for record in sorted(recorded.keys() | there.keys()):
        if record not in there:
            yield f"{record} has revisions but is not in the tables."
        elif record not in recorded:
            yield f"{record} is in the tables without a revision."
        elif normal(record.partition("/")[0], recorded[record]) != there[record]:
            yield f"{record} differs from its last revision."
    yield from _references(there)


def _references(there: Mapping[str, Row]) -> Iterator[str]:
    """Tell what refers to a record that is not there, or that does not stand as it must; see `docs/architecture.md`."""
    for record, body in there.items():
        kind = KINDS[record.partition("/")[0]]
        named = [(f"{other.name}/{other_id}", body["state"]) for _, other, other_id in refers(kind, body)]
        if body["state"] == "merged":
            named.append((f"{kind.name}/{body['replaced_by']}", ""))
        for other_name, needed in named:
            found = there.get(other_name)
            if found is None:
                yield f"{record} refers to {other_name}, which is not there."
            elif (needed == "accepted" != found["state"]) or (needed == "submitted" and found["state"] not in STANDING):
                yield f"{record} is {body['state']} and refers to {other_name}, which is {found['state']}."
