"""The read side: filters and sorts become statements; each function takes a connection and returns plain rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import PydanticCustomError, from_json
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    true,
)

from models import filters as f
from models import known, review, whole
from models.base import Fault, InvalidRecord, NotFound, near
from models.claim import Occurrence, Topic
from models.document import NO_LEVEL, ClaimDocument, ClaimTerm
from models.evidence import Evidence
from models.filters import REFERENCES
from models.kinds import KINDS
from models.records import Row, evidence_out, evidence_statement, nearest, sources_by_id, table
from models.review import Moved, not_found, tell_if_taken_back
from models.revision import PUBLIC, Revision, Serial
from models.source import IDENTIFIERS, Source, SourceIdentifier, normal_identifier
from models.vocabularies import CERTAINTIES, STATUSES
from models.whole import Whole

document, evidence, source, topic = table(ClaimDocument), table(Evidence), table(Source), table(Topic)
term, occurrence, revision = table(ClaimTerm), table(Occurrence), table(Revision)

FACET_TERMS = 100


@dataclass(frozen=True)
class Listing:
    """What can be listed: from where, its conditions, its sorts by name, the columns that make its id, its own order."""

    rows: FromClause
    conditions: Callable[[Mapping[str, Any]], list[ColumnElement[bool]]]
    sorts: Mapping[str, ColumnElement[Any]]
    id: tuple[ColumnElement[Any], ...]
    default: tuple[str, ...] = ()


CLAIMS = Listing(
    document,
    f.claim_conditions,
    {
        "updated": document.c.updated,
        "status": document.c.status_rank,
        "certainty": document.c.certainty_rank,
        "evidence_level": document.c.evidence_level,
        "evidence_count": document.c.evidence_count,
    },
    (document.c.claim,),
)
EVIDENCE = Listing(
    evidence.join(source, source.c.id == evidence.c.source),
    f.evidence_conditions,
    {
        "level": evidence.c.level,
        "published": source.c.published,
        "sample_size": func.coalesce(evidence.c.sample_size, 0),
        "updated": evidence.c.updated,
    },
    (evidence.c.claim, evidence.c.key),
)
SOURCES = Listing(
    source,
    f.source_conditions,
    {"published": source.c.published, "title": source.c.title, "updated": source.c.updated},
    (source.c.id,),
)


def claims_as_of(day: str) -> Listing:
    """Return the listing of claims with what had been published by a day: each beside its period of that day."""
    lines = select(func.count()).select_from(evidence).where(*f.lines_of_claim(day))
    takes_side = evidence.c.direction != "inconclusive"
    level = select(func.min(evidence.c.level)).where(*f.lines_of_claim(day), takes_side)
    return Listing(
        document.join(f.period, f.period.c.claim == document.c.claim),
        f.claim_conditions_as_of,
        {
            "updated": document.c.updated,
            "status": _rank(f.period.c.status, STATUSES.ids),
            "certainty": _rank(f.period.c.certainty, CERTAINTIES.ids),
            "evidence_level": func.coalesce(level.correlate(document).scalar_subquery(), NO_LEVEL),
            "evidence_count": lines.correlate(document).scalar_subquery(),
        },
        (document.c.claim,),
    )


def _rank(of: ColumnElement[Any], ids: Sequence[str]) -> ColumnElement[Any]:
    """Return the place of a term in its vocabulary, -1 where there is none: what the documents hold in a column."""
    return case({found: place for place, found in enumerate(ids)}, value=of, else_=-1)


REVISIONS = Listing(revision, lambda _parameters: [], {}, (revision.c.serial,))
TOPICS = Listing(topic, lambda _parameters: [topic.c.state == "accepted"], {}, (topic.c.id,))


def ordering(listing: Listing, sort: Sequence[str]) -> list[tuple[ColumnElement[Any], bool]]:
    """Return the columns to sort by, each with whether it descends. No two have the same id, so nothing comes after it."""
    columns: list[tuple[ColumnElement[Any], bool]] = []
    for name in (*sort, "id"):
        descending = name.startswith("-")
        if name.removeprefix("-") == "id":
            return columns + [(part, descending) for part in listing.id]
        columns.append((listing.sorts[name.removeprefix("-")], descending))
    raise AssertionError("the id ends every sort")


def page(
    connection: Connection,
    listing: Listing,
    statement: Select[Any],
    parameters: Mapping[str, Any],
    sort: Sequence[str],
    after: Sequence[Any] | None,
    limit: int,
) -> tuple[list[Row], list[Any] | None]:
    """Return one page of rows, and where the next one starts (the sort values of the last row), or None at the end.

    Reads one row more than asked for; never an offset, so that each page costs the same.
    """
    columns = ordering(listing, sort)
    statement = statement.where(*listing.conditions(parameters))
    if after is not None:
        statement = statement.where(_beyond(columns, after))
    statement = statement.order_by(*(part.desc() if down else part.asc() for part, down in columns)).limit(limit + 1)
    marks = [part.label(f"mark_{place}") for place, (part, _) in enumerate(columns)]
    rows = [dict(row) for row in connection.execute(statement.add_columns(*marks)).mappings()]
    more = len(rows) > limit
    found = rows[:limit]
    return found, [found[-1][mark.name] for mark in marks] if more else None


def _beyond(columns: Sequence[tuple[ColumnElement[Any], bool]], after: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a row comes after these values in this order."""
    (first, down), *rest = columns
    value, *others = after
    passed = first < value if down else first > value
    return or_(passed, and_(first == value, _beyond(rest, others))) if rest else passed


def count(connection: Connection, listing: Listing, parameters: Mapping[str, Any]) -> int:
    """Return how many rows meet the conditions."""
    counted = select(func.count()).select_from(listing.rows).where(*listing.conditions(parameters))
    return int(connection.scalar(counted) or 0)


def narrowed(listing: Listing, *also: ColumnElement[bool]) -> Listing:
    """Return the listing with conditions that always hold, such as «of this claim»."""
    return replace(listing, conditions=lambda parameters: [*also, *listing.conditions(parameters)])


def sources_statement() -> Select[Any]:
    """Return the statement that reads which sources there are; `records.sources_out` reads them whole."""
    return select(source.c.id)


def claims_statement(parts: Sequence[str]) -> Select[Any]:
    """Return the statement that reads documents: the core, and only those parts that are asked for."""
    return select(document.c.claim, document.c.revision, document.c.core, *(document.c[part] for part in parts))


def linked_to(slug: str, day: str | None = None) -> ColumnElement[bool]:
    """Return the condition that a claim rests on a source, or is stated in it; by a day, where it was published by then."""
    published = true() if day is None else exists().where(source.c.id == slug, source.c.published <= day)
    linked = or_(
        exists().where(evidence.c.claim == document.c.claim, evidence.c.source == slug, evidence.c.state == "accepted"),
        exists().where(
            occurrence.c.claim == document.c.claim, occurrence.c.source == slug, occurrence.c.state == "accepted"
        ),
    )
    return and_(published, linked)


def whole_claim(connection: Connection, slug: str, day: str | None, moment: str | None) -> Whole:
    """Return a claim with all that hangs on it: as recorded by a moment, as published by a day, or both, or as it is.

    Raises `NotFound` where there is no such claim, or was none by then.
    """
    told = select(revision.c.serial).where(revision.c.record == f"claim/{slug}", revision.c.state.in_(PUBLIC)).limit(1)
    if moment is None or connection.scalar(told) is None:
        claim(connection, slug, ())
    # What was recorded by then is told whatever became of it since.
    found = known.whole_at(connection, slug, moment) if moment else whole.load(connection, [slug])[0]
    return whole.as_of(found, day) if day else found


def claim(connection: Connection, slug: str, parts: Sequence[str]) -> Row:
    """Return one document with these parts; raises `NotFound` with near matches."""
    found = connection.execute(claims_statement(parts).where(document.c.claim == slug)).mappings().first()
    if found is None:
        raise missing(connection, "claim", slug)
    return dict(found)


def evidence_line(connection: Connection, public_id: str) -> Row:
    """Return one accepted line of evidence by its public id, `<claim>:<key>`."""
    claim_slug, _, key = public_id.partition(":")
    statement = evidence_statement().where(
        evidence.c.claim == claim_slug, evidence.c.key == key, evidence.c.state == "accepted"
    )
    if rows := connection.execute(statement).mappings().all():
        return evidence_out(connection, rows)[0]
    tell_if_taken_back(connection, KINDS["evidence"], public_id)
    keys = connection.scalars(
        select(evidence.c.key).where(evidence.c.claim == claim_slug, evidence.c.state == "accepted")
    )
    close = [f"{claim_slug}:{other}" for other in near(key, keys)]
    raise not_found(KINDS["evidence"], public_id, close)


def part(connection: Connection, kind: str, public_id: str) -> tuple[Row, int]:
    """Return an accepted part of a claim as the claim's document shows it, and the claim's revision."""
    place = KINDS[kind].place(public_id)
    plural = KINDS[kind].plural
    row = connection.execute(claims_statement([plural]).where(document.c.claim == place["claim"])).mappings().first()
    for found in from_json(row[plural]) if row else ():
        if {name: found[name] for name in place} == place:
            assert row is not None
            return found, row["revision"]
    tell_if_taken_back(connection, KINDS[kind], public_id)
    raise NotFound(f"There is no {kind} '{public_id}'.")


def one_topic(connection: Connection, slug: str) -> Row:
    """Return one accepted topic."""
    found = connection.execute(select(topic).where(topic.c.id == slug, topic.c.state == "accepted")).mappings().first()
    if found is None:
        raise missing(connection, "topic", slug)
    return dict(found)


def source_slug(connection: Connection, reference: str) -> str:
    """Return the slug of a source given as slug, `doi:…`, `pmid:…`, `pmcid:…` or `isbn:…`; raises where there is none."""
    slug = find_source(connection, reference, "source")
    if slug is None:
        # A work that was merged keeps an identifier that its successor has another of: who knows it by that is led on.
        if ":" in reference and (merged := find_source(connection, reference, "source", "merged")):
            raise Moved(KINDS["source"], reference, one_source(connection, merged)["replaced_by"])
        raise missing(connection, "source", reference)
    return slug


def find_source(connection: Connection, reference: str, at: str, state: str = "accepted") -> str | None:
    """Return the slug of a source, or None; a malformed identifier or an unknown scheme is a fault of the parameter `at`."""
    scheme, colon, value = reference.partition(":")
    if not colon:
        by_slug = select(source.c.id).where(source.c.id == reference, source.c.state == state)
        found: str | None = connection.scalar(by_slug)
        return found
    scheme = scheme.lower()
    if scheme not in IDENTIFIERS:
        allowed = [f"{known}:" for known in IDENTIFIERS]
        fault = Fault(at=at, code="unknown_scheme", detail=f"'{scheme}:' is not a scheme.", allowed=allowed)
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier")
    try:
        value = normal_identifier(scheme, value)
    except PydanticCustomError as error:
        fault = Fault(at=at, code="malformed_identifier", detail=error.message())
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier") from None
    owner = table(SourceIdentifier)
    joined = select(owner.c.source).join(source, source.c.id == owner.c.source)
    meant = (owner.c.scheme == scheme, owner.c.value == value, source.c.state == state)
    named: str | None = connection.scalar(joined.where(*meant))
    return named


def one_source(connection: Connection, slug: str) -> Row:
    """Return one source that is known to be stored."""
    return sources_by_id(connection, [slug])[slug]


def one_revision(connection: Connection, number: int) -> Row:
    """Return the revision with a serial."""
    found = connection.execute(select(revision).where(revision.c.serial == number)).mappings().first()
    if found is None:
        raise NotFound(f"There is no revision {number}; the last one is {serial(connection)}.")
    return dict(found)


def missing(connection: Connection, kind: str, given: str) -> NotFound:
    """Return the error that says so and offers what comes near; raise where it was there and was taken back."""
    tell_if_taken_back(connection, KINDS[kind], given)
    return review.missing(connection, KINDS[kind], given)


def resolve(connection: Connection, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with every reference checked and turned into a slug.

    A slug that is not stored is an error, since it is most likely mistyped, and an empty answer would look like
    absence. An identifier that nobody has recorded is a true «nothing».
    """
    resolved = dict(parameters)
    faults: list[Fault] = []
    for parameter, values in parameters.items():
        name = parameter.partition(".")[0]
        if name == "asserted_by":
            faults += _unknown(connection, parameter, values, term.c.value, term.c.field == name)
        elif name in REFERENCES and isinstance(values, list):
            slugs = [value for value in values if ":" not in value]
            ids = REFERENCES[name]
            shown = [ids.table.c.state == "accepted"] if "state" in ids.table.c else []
            faults += _unknown(connection, parameter, slugs, ids, *shown)
            found = {value: find_source(connection, value, parameter) for value in values if ":" in value}
            resolved[parameter] = slugs + [slug for slug in found.values() if slug is not None]
            for value in (value for value, slug in found.items() if slug is None and "," in value):
                # It may be one DOI or two references in one; an empty answer would hide which.
                detail = f"There is no source '{value}'; give the parameter again for each reference."
                faults.append(Fault(at=parameter, code="unknown_value", detail=detail))
    if faults:
        raise InvalidRecord(faults[0].detail, faults, code="unknown_value")
    return resolved


def _unknown(
    connection: Connection, parameter: str, values: Sequence[str], ids: ColumnElement[str], *where: ColumnElement[bool]
) -> list[Fault]:
    return [
        unknown(connection, parameter, value, ids, *where)
        for value in values
        if connection.scalar(select(ids).where(ids == value, *where).limit(1)) is None
    ]


def unknown(
    connection: Connection, parameter: str, value: str, ids: ColumnElement[str], *where: ColumnElement[bool]
) -> Fault:
    """Return the fault that a parameter names what is not there, with what comes near."""
    close = nearest(connection, ids, value, *where)
    detail = f"There is no {parameter.partition('.')[0]} '{value}'."
    return Fault(at=parameter, code="unknown_value", detail=detail, suggestion=close[0] if close else None)


FACETS = ("status", "kind", "topic", "evidence_level", "direction", "certainty", "asserted_by")


def facets(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], by: Sequence[str]
) -> dict[str, Row]:
    """Return for each name how many claims have each term: the top 100, the claims under `other` terms, and `missing`.

    A claim with several values of a field counts under each of them.
    """
    wanted = listing.conditions(parameters)
    total = count(connection, listing, parameters)
    answer = {}
    for name in by:
        value, joined, having = _facet(name, listing.rows, parameters.get("as_of"))
        number = func.count(document.c.claim.distinct())
        counted = select(value, number).select_from(joined).where(having, value.is_not(None), *wanted).group_by(value)
        rows = connection.execute(counted.order_by(number.desc(), value)).all()
        present = connection.scalar(select(number).select_from(joined).where(having, value.is_not(None), *wanted)) or 0
        answer[name] = {
            "terms": [{"term": found, "count": times} for found, times in rows[:FACET_TERMS]],
            "other": sum(times for _, times in rows[FACET_TERMS:]),
            "missing": total - present,
        }
    return answer


def _facet(name: str, rows: FromClause, day: str | None) -> tuple[ColumnElement[Any], FromClause, ColumnElement[bool]]:
    """Return the column that holds a facet's terms, where it stands, and which rows are meant."""
    if name in ("status", "certainty"):
        return (document.c if day is None else f.period.c)[name], rows, true()
    if name == "kind":
        return document.c.kind, rows, true()
    by_then = true() if day is None else term.c.since <= day
    return term.c.value, rows.join(term, term.c.claim == document.c.claim), and_(term.c.field == name, by_then)


def serial(connection: Connection) -> int:
    """Return the number of the last revision: everything that a list depends on."""
    return int(connection.scalar(select(table(Serial).c.value)) or 0)


def status_history(connection: Connection, topics: Sequence[str], until: int) -> list[Row]:
    """Return for the end of each year, from the first claim's to `until`, how many claims had each status."""
    period = f.period
    filed = [f.has_term("topic")("", topics)] if topics else []
    rows = period.join(document, document.c.claim == period.c.claim)
    begun, over = (
        _by_year(connection, day, select(period.c.status).select_from(rows).where(day.is_not(None), *filed))
        for day in (period.c.starts, period.c.ends)
    )
    standing = dict.fromkeys(STATUSES.ids, 0)
    history = []
    for year in range(min(begun, default=until + 1), until + 1):
        for status_id in STATUSES.ids:
            standing[status_id] += begun.get(year, {}).get(status_id, 0) - over.get(year, {}).get(status_id, 0)
        history.append({"year": year, "counts": dict(standing)})
    return history


def _by_year(connection: Connection, day: ColumnElement[Any], statuses: Select[Any]) -> dict[int, dict[str, int]]:
    """Return how many periods of each status have this day of theirs in each year."""
    year = func.substr(day, 1, 4)
    found: dict[int, dict[str, int]] = {}
    for status_id, when, times in connection.execute(
        statuses.add_columns(year, func.count()).group_by(f.period.c.status, year)
    ):
        found.setdefault(int(when), {})[status_id] = times
    return found
