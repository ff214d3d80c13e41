"""Database time: what this knowledge base had recorded by a moment, made from the revisions alone."""

from typing import Any

from sqlalchemy import Connection, func, or_, select

from models.base import NotFound
from models.kinds import KINDS
from models.records import Row, line_out, source_out, table
from models.revision import Revision
from models.source import SourceIn, publication
from models.whole import Whole, first_days


def normal(kind: str, body: Row) -> Row:
    """Return a recorded body with the fields that its class has now: one that came later has its default.

    It is not validated again: what was recorded under older rules is what was known.
    """
    fields = KINDS[kind].fields.model_fields.items()
    now = {name: body[name] if name in body else field.get_default(call_default_factory=True) for name, field in fields}
    return {**({"claim": body["claim"]} if "claim" in body else {}), **now}


def whole_at(connection: Connection, claim: str, moment: str) -> Whole:
    """Return a claim with everything that hung on it at a moment (UTC, the beginning of a time means all of it).

    Raises `NotFound` where the claim was not recorded by then.
    """
    revision = table(Revision)
    records = _last(connection, moment, revision.c.claim == claim)
    by_kind: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    for record in records:
        # What was proposed or taken back is no part of what was known; of evidence, the explanation tells.
        if record["state"] == "accepted" or record["kind"] == "evidence":
            by_kind[record["kind"]].append(record)
    if not by_kind["claim"]:
        raise NotFound(f"'{claim}' was not recorded here by {moment}.", code="not_yet_recorded")
    bodies = {kind: [record["body"] for record in found] for kind, found in by_kind.items()}
    cited = {
        body["source"] for kind in ("occurrence", "evidence", "assessment") for body in bodies[kind] if body["source"]
    }
    names = [f"source/{slug}" for slug in sorted(cited)]
    source_records = _last(connection, moment, revision.c.record.in_(names)) if names else []
    sources = {record["body"]["id"]: _source(record) for record in source_records}
    head = by_kind["claim"][0]
    serial, updated = _last_seen(connection, claim, moment)
    stamps = {"revision": serial, "created": head["created"], "updated": updated}
    lines = [
        {**record["body"], "created": record["created"], "updated": record["at"]} for record in by_kind["evidence"]
    ]
    return Whole(
        {**head["body"], **stamps},
        _sorted(bodies["occurrence"], "key"),
        [line_out(line, sources[line["source"]]) for line in _sorted(lines, "key")],
        _sorted(bodies["relation"], "type", "target"),
        _sorted(bodies["assessment"], "key"),
        sources,
        first_days(connection, {body["target"] for body in bodies["relation"]}),
    )


def _last_seen(connection: Connection, claim: str, moment: str) -> tuple[int, str]:
    """Return serial and time of the last revision by then that altered what everybody sees of a claim (as `changes` tells)."""
    revision = table(Revision)
    before = func.lag(revision.c.state).over(partition_by=revision.c.record, order_by=revision.c.serial)
    steps = select(revision.c.serial, revision.c.at, revision.c.state, before.label("before"))
    by_then = steps.where(revision.c.claim == claim, revision.c.at <= f"{moment}~").subquery()
    seen = or_(by_then.c.state == "accepted", by_then.c.before == "accepted")
    newest = select(by_then.c.serial, by_then.c.at).where(seen).order_by(by_then.c.serial.desc()).limit(1)
    row = connection.execute(newest).one()
    return row.serial, row.at


def _last(connection: Connection, moment: str, which: Any) -> list[Row]:
    """Return the last revision by then of each record, its body as it would be written now, and when it was first made."""
    revision = table(Revision)
    known = select(
        revision.c.record, func.max(revision.c.serial).label("serial"), func.min(revision.c.at).label("created")
    )
    # What was purged cannot be told any more, whenever it was known; what came after it under that id begins anew.
    purge = revision.alias("purge")
    purged = select(func.max(purge.c.serial)).where(purge.c.record == revision.c.record, purge.c.action == "purge")
    after = revision.c.serial > func.coalesce(purged.correlate(revision).scalar_subquery(), 0)
    # «~» sorts after whatever may follow the beginning of a time.
    last = known.where(which, after, revision.c.at <= f"{moment}~").group_by(revision.c.record).subquery()
    joined = revision.join(last, (last.c.record == revision.c.record) & (last.c.serial == revision.c.serial))
    rows = connection.execute(select(revision, last.c.created).select_from(joined)).mappings()
    return [{**row, "body": normal(row["kind"], row["body"])} for row in rows]


def _source(record: Row) -> Row:
    published, year = publication(SourceIn.model_construct(**record["body"]), record["created"])
    stamp = {"published": published, "year": year, "revision": record["serial"]}
    return source_out(record["body"], {**stamp, "created": record["created"], "updated": record["at"]})


def _sorted(rows: list[Row], *key: str) -> list[Row]:
    return sorted(rows, key=lambda row: [row[name] for name in key])
