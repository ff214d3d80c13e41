"""The change feed: the revisions after a serial, in the order of their commits, without gaps.

Each writer locks the one row of the serial until its transaction ends (`revision.lock_serial`), so
serials have no gap and run in commit order. A reader that has read up to a serial and asks for what
comes after it misses nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select

from models.access.api_keys import same_person
from models.core import vocabularies as v
from models.core.errors import ClaimbaseError, Fault
from models.core.types import Slug
from models.database.sharding import is_distributed
from models.read.filters import NO_VALUES, Filters, Many, Names
from models.read.listings import current_serial, revision
from models.read.references import refuse_unknown, unknown_value
from models.records.revision import (
    PUBLIC_STATES,
    TOOK_BACK,
    Revision,
    RevisionOut,
    RevisionWhole,
    is_of_any,
    withhold_private,
)
from models.records.serializers import Row, table

# How many serials one request looks at, however few of them meet its filters.
WINDOW = 5000
PUBLIC_REVISIONS = revision.c.state.in_(PUBLIC_STATES)
"""The revisions that everybody may see."""
NAMED_REVISIONS = or_(PUBLIC_REVISIONS, TOOK_BACK)
"""The revisions that everybody is told of by the record's name: also those that took it back."""


class ChangeFilters(Filters):
    """Which changes to return.

    A withheld change meets a filter only by its kind, so that no filter discloses more of it.
    """

    kind: Many[v.RecordKind] = Field(NO_VALUES, description="Kind of record.")
    claim: Many[Slug] = Field(
        NO_VALUES, description="The claim itself and what hangs on it (slug)."
    )
    topic: Many[Slug] = Field(
        NO_VALUES,
        description="The topic itself (slug), and claims with what hangs on them as they were "
        "filed at that change; "
        "also the change that took a claim out of it.",
    )
    actor: Names = Field(
        NO_VALUES,
        description="Who made the change, however the name is spelled (case, blanks); repeat the "
        "parameter for several people.",
    )


class Ahead(ClaimbaseError):
    """The serial after which changes are wanted has not been reached here."""

    code = "invalid_parameter"


@dataclass(frozen=True)
class Batch:
    """Some revisions, the serial to continue after, and the newest serial when they were read.

    `next` is past revisions that do not meet the filters. If it is `last`, there are no more yet.
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
    """Return up to `limit` revisions that meet the filters, of the `WINDOW` serials after `since`.

    `may_see` is the condition that the reader may see a revision; others are returned withheld,
    or without their body where they took back what was public.
    Raises `Ahead` if `since` has not been reached.
    """
    last = require_serial(connection, since, "since")
    end = min(since + WINDOW, last)
    if is_distributed(connection):
        end = _complete_until(connection, since, end)
    names = (*RevisionOut.model_fields, *(("body",) if body else ()))
    columns = [revision.c[name] for name in names]
    statement = (
        select(*columns, may_see.label("may_see"), TOOK_BACK.label("took_back"))
        .where(revision.c.serial > since, revision.c.serial <= end)
        .where(*_conditions(parameters, or_(may_see, TOOK_BACK)))
        .where(*_of_actors(connection, parameters, or_(may_see, TOOK_BACK), since, end))
        .order_by(revision.c.serial)
        .limit(limit)
    )
    rows = [_visible(dict(row)) for row in connection.execute(statement).mappings()]
    return Batch(rows, rows[-1]["serial"] if len(rows) == limit else end, last)


def _complete_until(connection: Connection, since: int, end: int) -> int:
    """Return the serial up to which all revisions after `since` are seen.

    On a distributed store the serial may be seen before them. Who went on from it would miss them.
    """
    within = revision.c.serial > since, revision.c.serial <= end
    seen = set(connection.scalars(select(revision.c.serial).where(*within)))
    return next((number - 1 for number in range(since + 1, end + 1) if number not in seen), end)


def changes_before(
    connection: Connection,
    before: int | None,
    limit: int,
    parameters: Mapping[str, Sequence[str]],
) -> tuple[list[Row], int | None]:
    """Return the newest public revisions that meet the filters, the newest first and each with its
    body, and the serial to go on before; None at the beginning of all. Those that took a record
    back have no body.

    Like `changes_after` it looks at `WINDOW` serials, those before `before` or the last ones; only
    those of named claims are found however old they are.
    """
    end = current_serial(connection) + 1 if before is None else before
    begin = 1 if parameters.get("claim") else max(end - WINDOW, 1)
    columns = [revision.c[name] for name in RevisionWhole.model_fields]
    statement = (
        select(*columns, TOOK_BACK.label("took_back"))
        .where(revision.c.serial >= begin, revision.c.serial < end, NAMED_REVISIONS)
        .where(*_conditions(parameters, NAMED_REVISIONS))
        .where(*_of_actors(connection, parameters, NAMED_REVISIONS, begin - 1, end - 1))
        .order_by(revision.c.serial.desc())
        .limit(limit)
    )
    rows = [withhold_private(dict(row)) for row in connection.execute(statement).mappings()]
    goes_on = rows[-1]["serial"] if len(rows) == limit else begin
    return rows, goes_on if goes_on > 1 else None


def _visible(row: Row) -> Row:
    may_see = bool(row.pop("may_see"))
    return withhold_private(row, may_see=may_see)


def require_serial(connection: Connection, since: int, at: str) -> int:
    """Return the newest serial. Raises `Ahead`, for the parameter `at`, if it is before `since`."""
    last = current_serial(connection)
    if since > last:
        detail = f"There is no revision {since} yet; the last one is {last}."
        raise Ahead(detail, [Fault(at=at, code="future_serial", detail=detail)])
    return last


def require_known(
    connection: Connection, parameters: Mapping[str, Sequence[str]], may_see: ColumnElement[bool]
) -> None:
    """Refuse claims and topics of which no revision can be seen: most likely they are mistyped."""
    faults = []
    for name in ("claim", "topic"):
        slugs = parameters.get(name, ())
        # An empty IN would read every revision.
        if not slugs:
            continue
        records = [f"{name}/{slug}" for slug in slugs]
        visible = select(revision.c.record).where(is_of_any(records), may_see)
        known = set(connection.scalars(visible.distinct()))
        faults += [unknown_value(name, slug) for slug in slugs if f"{name}/{slug}" not in known]
    refuse_unknown(connection, faults)


def revision_etag(row: Mapping[str, Any]) -> str:
    """Return the ETag of a revision as shown. It changes only if the revision is purged."""
    suffix = ""
    if row["body"] is None:
        suffix = "-withheld"
    elif not row["body"]:
        suffix = "-purged"
    return f'"{row["serial"]}{suffix}"'


def _conditions(
    parameters: Mapping[str, Sequence[str]], may_see: ColumnElement[bool]
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if kinds := parameters.get("kind"):
        conditions.append(revision.c.kind.in_(kinds))
    if claims := parameters.get("claim"):
        conditions.append(and_(may_see, revision.c.root.in_(claims)))
    if topics := parameters.get("topic"):
        conditions.append(and_(may_see, _on_topics(topics)))
    return conditions


def _of_actors(
    connection: Connection,
    parameters: Mapping[str, Sequence[str]],
    may_see: ColumnElement[bool],
    since: int,
    end: int,
) -> list[ColumnElement[bool]]:
    """Return the condition that one of these people made a revision after `since`, up to `end`.

    Their names are looked for there alone, since nothing lists all that were ever written.
    """
    people = parameters.get("actor")
    if not people:
        return []
    within = [revision.c.serial > since, revision.c.serial <= end]
    if claims := parameters.get("claim"):
        within.append(revision.c.root.in_(claims))
    names = connection.scalars(select(revision.c.actor).where(*within).distinct())
    spelled = [name for name in names if any(same_person(name, other) for other in people)]
    return [and_(may_see, revision.c.actor.in_(spelled)) if spelled else false()]


def _on_topics(topics: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a revision is of one of these topics or of a claim under one.

    The claim's own revisions say under which topics it was filed at that time. With today's topics,
    a reader would miss the change by which a claim leaves a topic.
    """
    return or_(
        revision.c.record.in_([f"topic/{slug}" for slug in topics]),
        _filed_under(topics, before=False),
        and_(revision.c.kind == "claim", _filed_under(topics, before=True)),
    )


def _filed_under(topics: Sequence[str], *, before: bool) -> ColumnElement[bool]:
    """Return the condition that the claim was filed under a topic at a revision, or before it."""
    claim_revision = table(Revision).alias()
    serial_column = claim_revision.c.serial
    by_then = serial_column < revision.c.serial if before else serial_column <= revision.c.serial
    topics_of_claim = (
        select(claim_revision.c.about)
        .where(claim_revision.c.record == "claim/" + revision.c.claim)
        .where(claim_revision.c.root == revision.c.root, by_then)
        .order_by(claim_revision.c.serial.desc())
        .limit(1)
        .correlate(revision)
        .scalar_subquery()
    )
    filed = func.coalesce(topics_of_claim, "")
    return or_(*(filed.contains(f",{slug},") for slug in topics))
