"""Claims as recorded by a moment of database time, built from the revisions alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select, tuple_

from models.core.errors import NotFound
from models.records.record_types import DISCUSSION_TYPES, RECORD_TYPES
from models.records.recorded_body import with_current_fields
from models.records.retired import require_body_not_retired
from models.records.revision import PUBLIC_STATES, Revision, is_of, is_of_any, is_of_same
from models.records.serializers import Row, line_out, source_out, table
from models.records.source import SourceIn, publication_date
from models.records.works import versions_of, works_by
from models.status.claim_aggregate import ClaimAggregate, named_sources

# Shown for a source whose content was purged since.
SAID = [kind.name for kind in DISCUSSION_TYPES]
PURGED = {
    "type": "document",
    "title": "[purged]",
    "authors_complete": False,
    "study_design": "not_recorded",
}


def load_as_recorded(connection: Connection, claim: str, moment: str) -> ClaimAggregate:
    """Return a claim with its parts at a moment (UTC; the beginning of a time means all of it).

    Raises `Moved` or `Gone` if it was merged or retracted by then, and `NotFound` if it was not
    recorded by then.
    """
    records = _last(connection, moment, is_of(f"claim/{claim}"))
    if not records or records[0]["state"] not in PUBLIC_STATES:
        raise NotFound(f"'{claim}' was not recorded here by {moment}.", code="not_yet_recorded")
    require_body_not_retired(
        RECORD_TYPES["claim"], claim, records[0]["body"], records[0]["comment"]
    )
    (found,) = claims_as_recorded(connection, [claim], moment)
    # The first day of a target follows from what was recorded of it by then, too.
    tied = claims_as_recorded(connection, {row["target"] for row in found.relations}, moment)
    return replace(found, targets={other.claim["id"]: other.exists_from for other in tied})


def claims_as_recorded(
    connection: Connection, claims: Collection[str], moment: str
) -> list[ClaimAggregate]:
    """Return the claims accepted at a moment, without the targets of their relations."""
    if not claims:
        return []
    by_claim: dict[str, dict[str, list[Row]]] = {
        slug: {kind: [] for kind in RECORD_TYPES} for slug in claims
    }
    of_claims = table(Revision).c.root.in_(sorted(claims))
    for record in _last(connection, moment, of_claims):
        # Other states were not public; the explanation needs evidence in every state.
        if record["state"] == "accepted" or record["kind"] == "evidence":
            body = {**record["body"], "created": record["created"], "updated": record["at"]}
            by_claim[record["claim"]][record["kind"]].append(body)
    standing = {slug: kinds for slug, kinds in by_claim.items() if kinds["claim"]}
    cited = named_sources(
        row
        for kinds in standing.values()
        for kind in ("occurrence", "evidence", "assessment")
        for row in kinds[kind]
    )
    # Through which other sources two of them are versions of one work, is known of those that are
    # tied today.
    sources = _sources(connection, versions_of(connection, cited), moment)
    works = works_by(sources.values())
    sources = {slug: sources[slug] for slug in sorted(cited)}
    return [
        _whole(connection, slug, kinds, sources, works, moment) for slug, kinds in standing.items()
    ]


def _whole(
    connection: Connection,
    slug: str,
    kinds: Mapping[str, list[Row]],
    sources: dict[str, Row],
    works: Mapping[str, str],
    moment: str,
) -> ClaimAggregate:
    serial, updated = _last_seen(connection, slug, moment)
    return ClaimAggregate(
        {**kinds["claim"][0], "revision": serial, "updated": updated},
        _sorted(_unstamped(kinds["occurrence"]), "key"),
        [line_out(line, sources, works) for line in _sorted(kinds["evidence"], "key")],
        _sorted(_unstamped(kinds["relation"]), "type", "target"),
        _sorted(_unstamped(kinds["assessment"]), "key"),
        sources,
        {},
    )


def _unstamped(rows: list[Row]) -> list[Row]:
    return [
        {name: value for name, value in row.items() if name not in ("created", "updated")}
        for row in rows
    ]


def _sources(connection: Connection, slugs: Collection[str], moment: str) -> dict[str, Row]:
    """Return these sources as recorded by a moment.

    A purged source stays as a placeholder without a date, since what cites it was not purged.
    """
    if not slugs:
        return {}
    revision = table(Revision)
    named = is_of_any([f"source/{slug}" for slug in sorted(slugs)])
    found = {record["body"]["id"]: _source(record) for record in _last(connection, moment, named)}
    times = func.max(revision.c.serial).label("serial"), func.max(revision.c.at).label("at")
    every = select(revision.c.record, *times, func.min(revision.c.at).label("created"))
    for row in connection.execute(
        every.where(named, revision.c.at <= f"{moment}~").group_by(revision.c.record)
    ):
        slug = row.record.partition("/")[2]
        if slug not in found:
            found[slug] = _source(
                {**row._mapping, "body": with_current_fields("source", {**PURGED, "id": slug})}
            )
    return found


def _last_seen(connection: Connection, claim: str, moment: str) -> tuple[int, str]:
    """Return serial and time of the last revision by then with a public effect on a claim."""
    steps = _steps_of(claim, moment).subquery()
    seen = or_(steps.c.state == "accepted", steps.c.before == "accepted")
    newest = select(steps.c.serial, steps.c.at).where(seen).order_by(steps.c.serial.desc()).limit(1)
    row = connection.execute(newest).one()
    return row.serial, row.at


def _steps_of(claim: str, moment: str) -> Select[Any]:
    """Return the statement of a claim's revisions by a moment, each with the state of its record
    `before` it.
    """
    revision = table(Revision)
    before = func.lag(revision.c.state).over(
        partition_by=revision.c.record, order_by=revision.c.serial
    )
    columns = [revision.c[name] for name in ("serial", "at", "state")]
    # A «~» sorts after whatever may follow the beginning of a time.
    by_then = revision.c.at <= f"{moment}~"
    # What is said of a claim is not in its document.
    of_it = and_(revision.c.root == claim, revision.c.kind.not_in(SAID), by_then)
    return select(*columns, before.label("before")).where(of_it)


def _last(connection: Connection, moment: str, which: Any) -> list[Row]:
    """Return the last revision of each record by then, with its body in today's shape and its
    creation.
    """
    revision = table(Revision)
    known = select(
        revision.c.root,
        revision.c.record,
        func.max(revision.c.serial).label("serial"),
        func.min(revision.c.at).label("created"),
    )
    # Purged revisions are gone at every moment; later ones under the same id begin anew.
    purge = revision.alias("purge")
    purged = select(func.max(purge.c.serial)).where(
        is_of_same(purge, revision), purge.c.action == "purge"
    )
    after = revision.c.serial > func.coalesce(purged.correlate(revision).scalar_subquery(), 0)
    # «~» sorts after whatever may follow the beginning of a time.
    last = (
        known.where(which, after, revision.c.at <= f"{moment}~")
        .group_by(revision.c.root, revision.c.record)
        .subquery()
    )
    joined = revision.join(
        last, and_(is_of_same(last, revision), last.c.serial == revision.c.serial)
    )
    rows = connection.execute(select(revision, last.c.created).select_from(joined)).mappings().all()
    created = _first_made(connection, rows)
    return [
        {
            **row,
            "body": with_current_fields(row["kind"], row["body"]),
            "created": created.get(row["record"], row["created"]),
        }
        for row in rows
        # Of what was taken back before an export, its restore has the name alone.
        if row["body"]
    ]


def _first_made(connection: Connection, rows: Sequence[Any]) -> dict[str, str]:
    """Return the creation times of stored records, which never change.

    The first revision lacks it if the proposal was withheld from the restored export.
    """
    found: dict[str, str] = {}
    for kind in RECORD_TYPES.values():
        stored = table(kind.model)
        ids = [row["record"].partition("/")[2] for row in rows if row["kind"] == kind.name]
        if ids and "created" in stored.c:
            key = [stored.c[name] for name in kind.columns]
            places = [tuple(kind.key_of(each).values()) for each in ids]
            for *values, created in connection.execute(
                select(*key, stored.c.created).where(tuple_(*key).in_(places))
            ):
                found[f"{kind.name}/{':'.join(values)}"] = created
    return found


def _source(record: Row) -> Row:
    published, year = publication_date(
        SourceIn.model_construct(**record["body"]), record["created"]
    )
    stamp = {"published": published, "year": year, "revision": record["serial"]}
    return source_out(
        record["body"], {**stamp, "created": record["created"], "updated": record["at"]}
    )


def _sorted(rows: list[Row], *key: str) -> list[Row]:
    return sorted(rows, key=lambda row: [row[name] for name in key])
