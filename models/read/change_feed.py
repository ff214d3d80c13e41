"""Following what changes: the revisions after a serial, in the order in which they were committed, none left out.

Serials have no gap and run in commit order, since each writer holds the one row of the serial until its transaction ends
(`revision.hold`). So whoever has read up to a serial, and asks for what comes after it, misses nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from models.core import vocabularies as v
from models.core.errors import ClaimbaseError, Fault, InvalidRecord
from models.core.types import Slug
from models.core.vocabulary import OneOf
from models.read.filters import NONE, Filters, Many
from models.read.listings import document, revision, serial, topic
from models.read.references import unknown_value
from models.records.revision import PUBLIC_STATES, Revision, RevisionOut, withhold_private
from models.records.serializers import Row, table

# How many serials one request looks at, however few of them its filters let through.
WINDOW = 5000
PUBLIC_REVISIONS = revision.c.state.in_(PUBLIC_STATES)
"""The revisions that everybody may see."""


class ChangeFilters(Filters):
    """Which changes. What is withheld meets a filter by its kind alone, so that no filter tells more of it than that."""

    kind: Many[Annotated[str, OneOf(v.RECORD_KINDS)]] = Field(NONE, description="Kind of record.")
    claim: Many[Slug] = Field(NONE, description="The claim itself and what hangs on it (slug).")
    topic: Many[Slug] = Field(
        NONE,
        description="The topic itself (slug), and claims with what hangs on them as they were filed at that change; "
        "also the change that took a claim out of it.",
    )


class Ahead(ClaimbaseError):
    """Somebody asks for what comes after a change that was never made here."""

    code = "invalid_parameter"


@dataclass(frozen=True)
class Batch:
    """Some revisions, the serial to go on from, and the newest serial that there was when they were read.

    `next` moves on past what the filters did not let through; where it is `last`, there is no more yet.
    """

    rows: list[Row]
    next: int
    last: int


def changes_after(
    connection: Connection,
    since: int,
    limit: int,
    parameters: Mapping[str, Sequence[str]],
    *,
    body: bool = False,
    may_see: ColumnElement[bool] = PUBLIC_REVISIONS,
) -> Batch:
    """Return up to `limit` revisions after a serial that meet the filters; looks at no more than `WINDOW` serials.

    `may_see` is the condition on a revision that the asker may see it whole; others come withheld, in their place.
    Raises `Ahead` where the serial has not come.
    """
    last = require_serial(connection, since, "since")
    end = min(since + WINDOW, last)
    columns = [
        revision.c[name] for name in (*RevisionOut.model_fields, *(["body"] if body else []))
    ]
    found = connection.execute(
        select(*columns, may_see.label("may_see"))
        .where(
            revision.c.serial > since, revision.c.serial <= end, *_conditions(parameters, may_see)
        )
        .order_by(revision.c.serial)
        .limit(limit)
    ).mappings()
    rows = [_shown(dict(row)) for row in found]
    return Batch(rows, rows[-1]["serial"] if len(rows) == limit else end, last)


def _shown(row: Row) -> Row:
    may_see = bool(row.pop("may_see"))
    return withhold_private(row, may_see=may_see)


def require_serial(connection: Connection, since: int, at: str) -> int:
    """Return the newest serial; raises `Ahead`, naming the parameter `at`, where it has not come to this one."""
    last = serial(connection)
    if since > last:
        detail = f"There is no revision {since} yet; the last one is {last}."
        raise Ahead(detail, [Fault(at=at, code="future_serial", detail=detail)])
    return last


def require_known(
    connection: Connection, parameters: Mapping[str, Sequence[str]], may_see: ColumnElement[bool]
) -> None:
    """Refuse a claim or topic of which no revision can be seen: it is most likely mistyped, and would be followed in vain."""
    faults = []
    for name, ids in (("claim", document.c.claim), ("topic", topic.c.id)):
        where = [topic.c.state == "accepted"] if name == "topic" else []
        for slug in parameters.get(name, ()):
            seen = (
                select(revision.c.serial)
                .where(revision.c.record == f"{name}/{slug}", may_see)
                .limit(1)
            )
            if connection.scalar(seen) is None:
                faults.append(unknown_value(connection, name, slug, ids, *where))
    if faults:
        raise InvalidRecord(faults[0].detail, faults, code="unknown_value")


def revision_etag(row: Mapping[str, Any]) -> str:
    """Return the tag of one revision as it is shown: it never changes, but that it is withheld or was purged."""
    how = "-withheld" if row["record"] is None else "" if row["body"] else "-purged"
    return f'"{row["serial"]}{how}"'


def _conditions(
    parameters: Mapping[str, Sequence[str]], may_see: ColumnElement[bool]
) -> list[ColumnElement[bool]]:
    made: list[ColumnElement[bool]] = []
    if kinds := parameters.get("kind"):
        made.append(revision.c.kind.in_(kinds))
    if claims := parameters.get("claim"):
        made.append(and_(may_see, revision.c.claim.in_(claims)))
    if topics := parameters.get("topic"):
        made.append(and_(may_see, _about(topics)))
    return made


def _about(topics: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a revision is of one of these topics, or of a claim that was filed under one.

    The claim's own revisions tell what it was filed under, so that the same is found whenever it is asked for: a filter by
    what is filed now would let a follower miss the change by which a claim left.
    """
    return or_(
        revision.c.record.in_([f"topic/{slug}" for slug in topics]),
        _filed(topics, before=False),
        and_(revision.c.kind == "claim", _filed(topics, before=True)),
    )


def _filed(topics: Sequence[str], *, before: bool) -> ColumnElement[bool]:
    """Return the condition on what the claim was filed under at a revision, or just before it."""
    head = table(Revision).alias()
    by_then = head.c.serial < revision.c.serial if before else head.c.serial <= revision.c.serial
    newest = (
        select(head.c.body["topics"].as_string())
        .where(head.c.record == "claim/" + revision.c.claim, by_then)
        .order_by(head.c.serial.desc())
        .limit(1)
        .correlate(revision)
        .scalar_subquery()
    )
    # A JSON array of slugs, as text: no slug holds a quotation mark.
    return or_(*(func.coalesce(newest, "").contains(f'"{slug}"') for slug in topics))
