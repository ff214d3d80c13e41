"""Proves that what is stored agrees with itself: revisions, tables and read model."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, func, literal, select

from models.database import schema_version
from models.database.connections import unenforced_keys
from models.projection import compare, rebuild
from models.records.record_types import (
    BATCH_SIZE,
    RECORD_TYPES,
    RecordType,
    read_records,
    read_states,
    references_in,
)
from models.records.recorded_body import with_current_fields
from models.records.retired import may_refer
from models.records.revision import WITHHELD, Revision, Serial
from models.records.serializers import Row, table


def check(connection: Connection) -> Iterator[str]:
    """Yield one plain sentence for each disagreement; nothing where all is well."""
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
    yield from check_records(connection)
    yield from compare.differences(connection)


def check_records(connection: Connection) -> Iterator[str]:
    """Yield one plain sentence for each disagreement between the tables and the revisions."""
    yield from (f"A row points nowhere: {row}" for row in unenforced_keys(connection))
    yield from _serials(connection)
    yield from _revisions(connection)


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
        yield (
            f"The serials of {total} revisions run from {first} to {last} with {distinct} distinct"
            " ones: gap or repetition."
        )
    if last != value:
        yield f"The serial stands at {value}, the last revision at {last}."


def _revisions(connection: Connection) -> Iterator[str]:
    """Compare the last revision of each record with the record in the tables, so many at a time."""
    revision = table(Revision)
    nameless = [f"{name}/{WITHHELD}" for name in RECORD_TYPES]
    last = (
        select(revision.c.record, func.max(revision.c.serial).label("serial"))
        .where(revision.c.record.not_in(nameless))
        .group_by(revision.c.record)
        .subquery()
    )
    joined = revision.join(
        last, (last.c.record == revision.c.record) & (last.c.serial == revision.c.serial)
    )
    bodies = (
        select(revision.c.record, revision.c.body)
        .select_from(joined)
        .where(revision.c.action != "purge")
    )
    result = connection.execution_options(yield_per=BATCH_SIZE).execute(
        bodies.order_by(revision.c.record)
    )
    for rows in result.partitions():
        recorded: dict[str, dict[str, Row]] = {name: {} for name in RECORD_TYPES}
        for record, body in rows:
            name, _, record_id = record.partition("/")
            recorded[name][record_id] = body
        for name, found in recorded.items():
            there = dict(read_records(connection, RECORD_TYPES[name], list(found)))
            for record_id, body in found.items():
                if record_id not in there:
                    yield f"{name}/{record_id} has revisions but is not in the tables."
                elif with_current_fields(name, body) != there[record_id]:
                    yield f"{name}/{record_id} differs from its last revision."
            yield from _references(connection, RECORD_TYPES[name], there)
    for kind in RECORD_TYPES.values():
        key = [table(kind.model).c[name] for name in kind.columns]
        record = literal(f"{kind.name}/") + key[0]
        for column in key[1:]:
            record = record + ":" + column
        without = ~select(revision.c.serial).where(revision.c.record == record).exists()
        for values in connection.execute(select(*key).where(without).order_by(*key)):
            yield f"{kind.name}/{':'.join(values)} is in the tables without a revision."


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
