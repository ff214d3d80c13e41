"""Proves that what is stored agrees with itself: revisions, tables and read model."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from sqlalchemy import Connection, and_, func, literal, select

from models.core.progress import Counts, Report, no_counts, no_report
from models.database import schema_version
from models.database.connections import unenforced_keys
from models.projection import compare, rebuild
from models.records.record_types import (
    BATCH_SIZE,
    LISTS_OF,
    RECORD_TYPES,
    ListReference,
    RecordType,
    read_records,
    read_states,
    references_in,
)
from models.records.recorded_body import with_current_fields
from models.records.retired import may_refer
from models.records.revision import (
    WITHHELD,
    Revision,
    about,
    is_of_same,
    last_change,
    revision_time,
)
from models.records.serializers import Row, table
from models.records.source import SourceVersion
from models.records.source_text import wrong_texts


def check(connection: Connection, counts: Counts = no_counts) -> Iterator[str]:
    """Yield one plain sentence for each disagreement; nothing where all is well.

    `counts` begins a count of the records, and one of the claims.
    """
    at = schema_version.current(connection)
    if at != schema_version.HEAD:
        yield (
            f"The database is at migration {at}, this program at {schema_version.HEAD};"
            " run claimbase migrate."
        )
        return
    if not rebuild.is_current(connection):
        yield (
            "The read model was derived by other rules than this program's; run claimbase rebuild."
        )
    with counts("Records checked") as report:
        yield from check_records(connection, report)
    with counts("Claims checked") as report:
        yield from compare.differences(connection, report)


def check_records(connection: Connection, report: Report = no_report) -> Iterator[str]:
    """Yield one plain sentence for each disagreement between the tables and the revisions."""
    yield from (f"A row points nowhere: {row}" for row in unenforced_keys(connection))
    yield from _serials(connection)
    yield from _revisions(connection, report)
    yield from _cycles(connection)
    for slug in wrong_texts(connection):
        yield f"source/{slug} has a text that is not stored as it says."


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
    value, at = last_change(connection)
    if total and (total != distinct or first != 1 or last != total):
        yield (
            f"The serials of {total} revisions run from {first} to {last} with {distinct} distinct"
            " ones: gap or repetition."
        )
    if last != value:
        yield f"The serial stands at {value}, the last revision at {last}."
    elif at != revision_time(connection, value):
        yield f"The serial says that the last revision was made at {at}, which it was not."


def _revisions(connection: Connection, report: Report) -> Iterator[str]:
    """Compare the last revision of each record with the record in the tables, so many at a time."""
    revision = table(Revision)
    nameless = [f"{name}/{WITHHELD}" for name in RECORD_TYPES]
    last = (
        select(revision.c.root, revision.c.record, func.max(revision.c.serial).label("serial"))
        .where(revision.c.record.not_in(nameless))
        .group_by(revision.c.root, revision.c.record)
        .subquery()
    )
    joined = revision.join(
        last, and_(is_of_same(last, revision), last.c.serial == revision.c.serial)
    )
    bodies = (
        select(revision.c.record, revision.c.about, revision.c.body)
        .select_from(joined)
        .where(revision.c.action != "purge")
    )
    total = connection.scalar(select(func.count()).select_from(bodies.subquery()))
    result = connection.execution_options(yield_per=BATCH_SIZE).execute(
        bodies.order_by(revision.c.record)
    )
    for rows in result.partitions():
        recorded: dict[str, dict[str, Row]] = {name: {} for name in RECORD_TYPES}
        for record, filed, body in rows:
            name, _, record_id = record.partition("/")
            if filed != about(name, body):
                yield f"The last revision of {record} is not filed under what it is about."
            # It is empty in a restore where the record had been taken back before the export.
            if body:
                recorded[name][record_id] = body
        for name, found in recorded.items():
            there = dict(read_records(connection, RECORD_TYPES[name], list(found)))
            for record_id, body in found.items():
                if record_id not in there:
                    yield f"{name}/{record_id} has revisions but is not in the tables."
                elif with_current_fields(name, body) != there[record_id]:
                    yield f"{name}/{record_id} differs from its last revision."
            yield from _references(connection, RECORD_TYPES[name], there)
            yield from _lists(connection, name, there)
        report(len(rows), total)
    yield from _unrecorded(connection)


def _unrecorded(connection: Connection) -> Iterator[str]:
    """Yield the records that have no revision."""
    revision = table(Revision)
    for kind in RECORD_TYPES.values():
        key = [table(kind.model).c[name] for name in kind.columns]
        record = literal(f"{kind.name}/") + key[0]
        for column in key[1:]:
            record = record + ":" + column
        # The revisions stand in the join's own subquery, so that a sharded store asks them once.
        names = select(revision.c.record).where(revision.c.kind == kind.name).distinct()
        known = names.subquery("known")
        joined = table(kind.model).outerjoin(known, known.c.record == record)
        without = select(*key).select_from(joined).where(known.c.record.is_(None))
        for values in connection.execute(without.order_by(*key)):
            yield f"{kind.name}/{':'.join(values)} is in the tables without a revision."


def _lists(connection: Connection, name: str, there: Mapping[str, Row]) -> Iterator[str]:
    for listed in LISTS_OF[name]:
        yield from _list_rows(connection, listed, there)


def _list_rows(
    connection: Connection, listed: ListReference, there: Mapping[str, Row]
) -> Iterator[str]:
    """Yield the records whose list is not what the rows by which it is found say."""
    rows = table(listed.model)
    columns = [rows.c[name] for name in (*listed.own, listed.other)]
    wanted: dict[tuple[str, ...], set[str]] = {}
    for body in there.values():
        slugs = {slug for _, slug in listed.items(body)}
        wanted[tuple(listed.key(body).values())] = slugs
    found: dict[tuple[str, ...], set[str]] = {key: set() for key in wanted}
    first = sorted({key[0] for key in wanted})
    for *own, slug in connection.execute(select(*columns).where(columns[0].in_(first))):
        found.get(tuple(own), set()).add(slug)
    for key, slugs in wanted.items():
        if found[key] != slugs:
            yield f"{listed.kind}/{':'.join(key)} is not found by its {listed.field}."


def _cycles(connection: Connection) -> Iterator[str]:
    """Yield a sentence for a source that is, through others, a version of itself."""
    rows = table(SourceVersion)
    ties = TopologicalSorter[str]()
    for source, other in connection.execute(select(rows.c.source, rows.c.other)):
        ties.add(source, other)
    try:
        ties.prepare()
    except CycleError as error:
        yield f"source/{error.args[1][0]} is a version of itself, through others."


def _references(
    connection: Connection, kind: RecordType, there: Mapping[str, Row]
) -> Iterator[str]:
    """Yield references to records that are missing or in a state that may not be referred to."""
    named = [
        (record_id, body["state"], body["state"], (other.name, other_id))
        for record_id, body in there.items()
        for _, other, other_id in references_in(kind, body)
    ]
    named += [
        (record_id, "merged", "", (kind.name, str(body["replaced_by"])))
        for record_id, body in there.items()
        if body["state"] == "merged"
    ]
    found = read_states(connection, {reference for *_, reference in named})
    for record_id, state, needed, reference in named:
        other, known = "/".join(reference), found.get(reference)
        if known is None:
            yield f"{kind.name}/{record_id} refers to {other}, which is not there."
        elif not may_refer(needed, known):
            yield f"{kind.name}/{record_id} is {state} and refers to {other}, which is {known}."
