"""Proves that what is stored agrees with itself: revisions, tables and read model."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from models import document, migrations
from models.assessment import Assessment, AssessmentIn
from models.claim import Claim, ClaimFields, ClaimTopic, Occurrence, OccurrenceIn, Topic, TopicIn, part_id
from models.database import unenforced_keys
from models.evidence import Evidence, EvidenceIn
from models.known import normal
from models.records import Row, columns_of, sources_by_id, table
from models.relation import Relation, RelationIn
from models.revision import Revision, Serial
from models.source import Source, SourceIn

PARTS: tuple[tuple[str, Any, Any, tuple[str, ...]], ...] = (
    ("occurrence", Occurrence, OccurrenceIn, ("key",)),
    ("evidence", Evidence, EvidenceIn, ("key",)),
    ("relation", Relation, RelationIn, ("type", "target")),
    ("assessment", Assessment, AssessmentIn, ("key",)),
)


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
    bodies = select(revision.c.record, revision.c.body).select_from(joined)
    recorded = {row.record: row.body for row in connection.execute(bodies)}
    stored = dict(_stored(connection))
    for record in sorted(recorded.keys() | stored.keys()):
        if record not in stored:
            yield f"{record} has revisions but is not in the tables."
        elif record not in recorded:
            yield f"{record} is in the tables without a revision."
        elif normal(record.partition("/")[0], recorded[record]) != stored[record]:
            yield f"{record} differs from its last revision."


def _stored(connection: Connection) -> Iterator[tuple[str, Row]]:
    for row in connection.execute(select(table(Topic))).mappings():
        yield f"topic/{row['id']}", columns_of(row, TopicIn)
    ids = connection.scalars(select(table(Source).c.id)).all()
    for start in range(0, len(ids), document.BATCH):
        for slug, source in sources_by_id(connection, ids[start : start + document.BATCH]).items():
            yield f"source/{slug}", columns_of(source, SourceIn)
    topics: dict[str, list[str]] = {}
    filed = table(ClaimTopic)
    for claim, topic in connection.execute(select(filed.c.claim, filed.c.topic).order_by(filed.c.topic)):
        topics.setdefault(claim, []).append(topic)
    for row in connection.execute(select(table(Claim))).mappings():
        yield f"claim/{row['id']}", {**columns_of(row, ClaimFields), "topics": topics.get(row["id"], [])}
    for kind, model, fields, key in PARTS:
        for row in connection.execute(select(table(model))).mappings():
            record = part_id(row["claim"], ":".join(row[name] for name in key))
            yield f"{kind}/{record}", {"claim": row["claim"], **columns_of(row, fields)}


def _targets(connection: Connection) -> Iterator[str]:
    relation, claim = table(Relation), table(Claim)
    lost = select(relation.c.claim, relation.c.type, relation.c.target).where(
        relation.c.target.not_in(select(claim.c.id))
    )
    for start, kind, target in connection.execute(lost):
        yield f"{start} {kind} {target}, which is not a claim."
