"""The read side: filters and sorts become statements; each function takes a connection and returns plain rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, exists, func, or_, select, true

from models import filters as f
from models.base import Fault, InvalidRecord, NotFound, near
from models.claim import Claim, Occurrence, Topic
from models.document import ClaimDocument, ClaimTerm
from models.evidence import Evidence
from models.filters import REFERENCES
from models.records import Row, evidence_out, evidence_statement, nearest, sources_by_id, table
from models.relation import Relation
from models.revision import Serial
from models.source import IDENTIFIERS, Source, SourceIdentifier, normal_identifier

document, evidence, source, topic = table(ClaimDocument), table(Evidence), table(Source), table(Topic)
term, relation, occurrence = table(ClaimTerm), table(Relation), table(Occurrence)

FACET_TERMS = 100
MOST_STEPS = 10
MOST_NODES = 500


@dataclass(frozen=True)
class Listing:
    """What can be listed: from where, its conditions, its sorts by name, and the columns that make its id."""

    rows: FromClause
    conditions: Callable[[Mapping[str, Any]], list[ColumnElement[bool]]]
    sorts: Mapping[str, ColumnElement[Any]]
    id: tuple[ColumnElement[Any], ...]


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
TOPICS = Listing(topic, lambda _parameters: [], {}, (topic.c.id,))


def ordering(listing: Listing, sort: Sequence[str]) -> list[tuple[ColumnElement[Any], bool]]:
    """Return the columns to sort by, each with whether it descends; the id comes last, in the direction asked for."""
    columns: list[tuple[ColumnElement[Any], bool]] = []
    descending_id = False
    for name in sort:
        descending = name.startswith("-")
        if name.removeprefix("-") == "id":
            descending_id = descending
        else:
            columns.append((listing.sorts[name.removeprefix("-")], descending))
    return columns + [(part, descending_id) for part in listing.id]


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


def claims_statement(parts: Sequence[str]) -> Select[Any]:
    """Return the statement that reads documents: the core, and only those parts that are asked for."""
    return select(document.c.claim, document.c.revision, document.c.core, *(document.c[part] for part in parts))


def linked_to(slug: str) -> ColumnElement[bool]:
    """Return the condition that a claim rests on a source, or is stated in it."""
    return or_(
        exists().where(evidence.c.claim == document.c.claim, evidence.c.source == slug, evidence.c.state == "accepted"),
        exists().where(occurrence.c.claim == document.c.claim, occurrence.c.source == slug),
    )


def claim(connection: Connection, slug: str, parts: Sequence[str]) -> Row:
    """Return one document with these parts; raises `NotFound` with near matches."""
    found = connection.execute(claims_statement(parts).where(document.c.claim == slug)).mappings().first()
    if found is None:
        raise missing(connection, "claim", slug, table(Claim).c.id)
    return dict(found)


def evidence_line(connection: Connection, public_id: str) -> Row:
    """Return one accepted line of evidence by its public id, `<claim>:<key>`."""
    claim_slug, _, key = public_id.partition(":")
    statement = evidence_statement().where(
        evidence.c.claim == claim_slug, evidence.c.key == key, evidence.c.state == "accepted"
    )
    if rows := connection.execute(statement).mappings().all():
        return evidence_out(connection, rows)[0]
    keys = connection.scalars(select(evidence.c.key).where(evidence.c.claim == claim_slug))
    close = [f"{claim_slug}:{other}" for other in near(key, keys)]
    raise NotFound(f"There is no evidence '{public_id}'.", _offer("evidence", close))


def source_slug(connection: Connection, reference: str) -> str:
    """Return the slug of a source given as slug, `doi:…`, `pmid:…`, `pmcid:…` or `isbn:…`; raises where there is none."""
    slug = find_source(connection, reference)
    if slug is None:
        raise missing(connection, "source", reference, source.c.id)
    return slug


def find_source(connection: Connection, reference: str) -> str | None:
    """Return the slug of a source, or None; a malformed identifier or an unknown scheme raises `InvalidRecord`."""
    scheme, colon, value = reference.partition(":")
    if not colon:
        found: str | None = connection.scalar(select(source.c.id).where(source.c.id == reference))
        return found
    if scheme not in IDENTIFIERS:
        allowed = [f"{known}:" for known in IDENTIFIERS]
        fault = Fault(at="source", code="unknown_scheme", detail=f"'{scheme}:' is not a scheme.", allowed=allowed)
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier")
    try:
        value = normal_identifier(scheme, value)
    except PydanticCustomError as error:
        fault = Fault(at="source", code="malformed_identifier", detail=error.message())
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier") from None
    owner = table(SourceIdentifier)
    named: str | None = connection.scalar(
        select(owner.c.source).where(owner.c.scheme == scheme, owner.c.value == value)
    )
    return named


def one_source(connection: Connection, slug: str) -> Row:
    """Return one source that is known to be stored."""
    return sources_by_id(connection, [slug])[slug]


def missing(connection: Connection, kind: str, given: str, ids: ColumnElement[str]) -> NotFound:
    """Return the error that says so and offers what comes near."""
    return NotFound(f"There is no {kind} '{given}'.", _offer(kind, nearest(connection, ids, given)))


def _offer(kind: str, close: list[str]) -> list[Fault]:
    if not close:
        return []
    return [Fault(at=kind, code="not_found", detail="Nearest: " + ", ".join(close), suggestion=close[0])]


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
        elif name in REFERENCES:
            slugs = [value for value in values if ":" not in value]
            faults += _unknown(connection, parameter, slugs, REFERENCES[name])
            found = [find_source(connection, value) for value in values if ":" in value]
            resolved[parameter] = slugs + [slug for slug in found if slug is not None]
    if faults:
        raise InvalidRecord(faults[0].detail, faults, code="unknown_value")
    return resolved


def _unknown(
    connection: Connection, parameter: str, values: Sequence[str], ids: ColumnElement[str], *where: ColumnElement[bool]
) -> list[Fault]:
    faults = []
    name = parameter.partition(".")[0]
    for value in values:
        if connection.scalar(select(ids).where(ids == value, *where).limit(1)) is None:
            close = nearest(connection, ids, value)
            detail = f"There is no {name} '{value}'."
            suggestion = close[0] if close else None
            faults.append(Fault(at=parameter, code="unknown_value", detail=detail, suggestion=suggestion))
    return faults


FACETS = ("status", "kind", "topic", "evidence_level", "direction", "certainty", "asserted_by")


def facets(connection: Connection, parameters: Mapping[str, Any], by: Sequence[str]) -> dict[str, Row]:
    """Return for each name how many claims have each term: the top 100, the claims under `other` terms, and `missing`.

    A claim with several values of a field counts under each of them.
    """
    wanted = CLAIMS.conditions(parameters)
    total = count(connection, CLAIMS, parameters)
    answer = {}
    for name in by:
        value, joined, having = _facet(name)
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


def _facet(name: str) -> tuple[ColumnElement[Any], FromClause, ColumnElement[bool]]:
    """Return the column that holds a facet's terms, where it stands, and which rows are meant."""
    if name in ("status", "kind", "certainty"):
        return document.c[name], document, true()
    return term.c.value, document.join(term, term.c.claim == document.c.claim), term.c.field == name


def walk(connection: Connection, start: str, depth: int, direction: str, types: Sequence[str]) -> Row:
    """Walk the relations from a claim, breadth first, at most `depth` steps; cycles end, and what was cut is said.

    Returns the claims reached (with their distance), the relations walked, and whether more lay beyond.
    """
    nodes: dict[str, int] = {start: 0}
    edges: dict[tuple[str, str, str], Row] = {}
    frontier, cut = [start], False
    for step in range(1, depth + 1):
        found = _ties(connection, frontier, direction, types)
        frontier = []
        for tie in found:
            for end in (tie["claim"], tie["target"]):
                if end not in nodes and len(nodes) < MOST_NODES:
                    nodes[end] = step
                    frontier.append(end)
            if tie["claim"] in nodes and tie["target"] in nodes:
                edges[tie["claim"], tie["type"], tie["target"]] = tie
            else:
                cut = True
        if not frontier:
            break
    else:
        known = set(edges)
        beyond = _ties(connection, frontier, direction, types)
        cut |= any((tie["claim"], tie["type"], tie["target"]) not in known for tie in beyond)
    described = select(document.c.claim, document.c.statement, document.c.kind, document.c.status, document.c.certainty)
    rows = connection.execute(described.where(document.c.claim.in_(nodes))).mappings()
    claims = [{"id": row["claim"], "distance": nodes[row["claim"]], **dict(row)} for row in rows]
    for node in claims:
        del node["claim"]
    return {
        "claims": sorted(claims, key=lambda node: (node["distance"], node["id"])),
        "relations": [edges[key] for key in sorted(edges)],
        "truncated": cut,
    }


def _ties(connection: Connection, claims: Sequence[str], direction: str, types: Sequence[str]) -> list[Row]:
    ends = {"outgoing": [relation.c.claim], "incoming": [relation.c.target]}
    at = [end.in_(claims) for end in ends.get(direction, [relation.c.claim, relation.c.target])]
    statement = select(relation).where(or_(*at)).order_by(*relation.primary_key.columns)
    if types:
        statement = statement.where(relation.c.type.in_(types))
    return [dict(row) for row in connection.execute(statement).mappings()]


def serial(connection: Connection) -> int:
    """Return the number of the last revision: everything that a list depends on."""
    return int(connection.scalar(select(table(Serial).c.value)) or 0)
