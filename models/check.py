"""Proves that what is stored agrees with itself: revisions, tables and read model."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from models import document, migrations
from models.claim import Claim
from models.database import unenforced_keys
from models.kinds import KINDS, stored
from models.known import normal
from models.records import table
from models.relation import Relation
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
    yield from _targets(connection)
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


def _targets(connection: Connection) -> Iterator[str]:
    relation, claim = table(Relation), table(Claim)
    lost = select(relation.c.claim, relation.c.type, relation.c.target).where(
        relation.c.target.not_in(select(claim.c.id))
    )
    for start, kind, target in connection.execute(lost):
        yield f"{start} {kind} {target}, which is not a claim."
