"""Statements for lists and single records, built from filters and sorts."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cache
from operator import itemgetter
from types import MappingProxyType
from typing import Any, TypeVar, cast

from pydantic_core import from_json
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
    true,
)

from models.core.errors import NotFound
from models.database.join_order import prepend_to_join
from models.database.prepared_statements import fetch, fetch_first
from models.projection import claim_loader
from models.projection.derive import NO_CERTAINTY
from models.projection.tables import NO_LEVEL, SUMMARY, ClaimDocument, ClaimTerm, EvidenceDocument
from models.read import as_recorded
from models.read import filters as f
from models.read.references import find_source
from models.records import retired
from models.records.assessment import Assessment
from models.records.claim import Occurrence, Topic
from models.records.collection import Collection
from models.records.identifiers import as_reference
from models.records.near_matches import nearest
from models.records.record_types import RECORD_TYPES, RecordType
from models.records.retired import Moved, not_found, require_not_retired
from models.records.revision import PUBLIC_STATES, TOOK_BACK, Revision, is_of
from models.records.revision import current_serial as current_serial
from models.records.revision import last_change as last_change
from models.records.serializers import Row, sources_by_id, table
from models.records.source import Source
from models.status import claim_aggregate
from models.status.claim_aggregate import ClaimAggregate

Item = TypeVar("Item")

document, line, source, topic = (
    table(ClaimDocument),
    table(EvidenceDocument),
    table(Source),
    table(Topic),
)
term, occurrence, revision = table(ClaimTerm), table(Occurrence), table(Revision)
assessment = table(Assessment)


@dataclass(frozen=True)
class Listing:
    """Rows that can be listed, with their conditions, sorts by name, and id columns.

    Statements of a listing with a `name` are cached; `extra_values` are its values that differ from
    request to request. `index_id` is the id as columns of an index that has the rows in order.
    `default` is the default sort. `absent` has, by the name of a sort, the value of rows without
    one, and whether it sorts last upwards: such rows come last, upwards or downwards. `summary` is
    the table with the columns of `tables.SUMMARY`, if they are of the requested time. `rank`
    reads a page of it by relevance, as `read_page` does. `beside` are columns that are the same in
    a row of the page: with them a sharded store knows where it is.
    """

    rows: FromClause
    conditions: Callable[[Mapping[str, Any]], list[ColumnElement[bool]]]
    sorts: Mapping[str, ColumnElement[Any]]
    id: tuple[ColumnElement[Any], ...]
    name: str | None = None
    index_id: tuple[ColumnElement[Any], ...] | None = None
    default: tuple[str, ...] = ()
    absent: Mapping[str, tuple[Any, bool]] = field(default_factory=dict)
    extra_values: Mapping[str, Any] = field(default_factory=dict)
    summary: FromClause | None = None
    rank: "RankedPages | None" = None
    beside: tuple[ColumnElement[Any], ...] = ()


# A page of rows, and the sort values of the last one, or None if no page follows.
RowsAndMark = tuple[list[Row], list[Any] | None]
RankedPages = Callable[
    [Connection, Listing, Select[Any], Mapping[str, Any], Sequence[Any] | None, int], RowsAndMark
]
RELEVANCE = "relevance"


def _claim_sorts(standing: FromClause) -> dict[str, ColumnElement[Any]]:
    """Return the sorts of claims, by the `Standing` columns of documents or of periods."""
    return {
        "updated": document.c.updated,
        "status": standing.c.status_rank,
        "certainty": standing.c.certainty_rank,
        "best_level": standing.c.evidence_level,
        "evidence_level": standing.c.evidence_level,
        "evidence_count": standing.c.evidence_count,
    }


# The values of claims without evidence, or without a certainty.
_ABSENT = {
    "best_level": (NO_LEVEL, True),
    "evidence_level": (NO_LEVEL, True),
    "certainty": (NO_CERTAINTY, False),
}
CLAIMS = Listing(
    document,
    f.claim_conditions,
    _claim_sorts(document),
    (document.c.claim,),
    "claims",
    absent=_ABSENT,
    summary=document,
)
# As published by the day `as_of`: each claim joined to its period of that day.
CLAIMS_AS_OF = Listing(
    document.join(f.period, f.period.c.claim == document.c.claim),
    f.claim_conditions_as_of,
    _claim_sorts(f.period),
    (document.c.claim,),
    "claims as of a day",
    (f.period.c.claim,),
    absent=_ABSENT,
)
EVIDENCE = Listing(
    line,
    f.evidence_conditions,
    {
        "level": line.c.level,
        "published": line.c.published,
        "sample_size": func.coalesce(line.c.sample_size, -1),
        "updated": line.c.updated,
    },
    (line.c.claim, line.c.key),
    "evidence",
    absent={"sample_size": (-1, False)},
)
# Across claims: without lines from retracted sources, unless they are asked for.
EVIDENCE_UNRETRACTED = replace(
    EVIDENCE, conditions=f.evidence_conditions_unretracted, name="evidence, none retracted"
)
SOURCES = Listing(
    source,
    f.source_conditions,
    {
        "published": source.c.published,
        "title": func.coalesce(source.c.title, ""),
        "updated": source.c.updated,
    },
    (source.c.id,),
    "sources",
    absent={"title": ("", False)},
)


REVISIONS = Listing(
    revision, lambda _parameters: [], {}, (revision.c.serial,), beside=(revision.c.root,)
)
TOPICS = Listing(topic, f.topic_conditions, {}, (topic.c.id,))
collection = table(Collection)
COLLECTIONS = Listing(collection, f.collection_conditions, {}, (collection.c.id,))


def sort_columns(listing: Listing, sort: Sequence[str]) -> list[tuple[ColumnElement[Any], bool]]:
    """Return the columns to sort by, each with whether it descends. The unique id comes last."""
    columns: list[tuple[ColumnElement[Any], bool]] = []
    for name in (*sort, "id"):
        descending = name.startswith("-")
        if name.removeprefix("-") == "id":
            return columns + [(part, descending) for part in listing.id]
        column = listing.sorts[name.removeprefix("-")]
        value, is_last_upwards = listing.absent.get(name.removeprefix("-"), (None, not descending))
        if is_last_upwards == descending:
            columns.append((case((column == value, 1), else_=0), False))
        columns.append((column, descending))
    raise AssertionError("the id ends every sort")


def read_page(
    connection: Connection,
    listing: Listing,
    statement: Select[Any],
    parameters: Mapping[str, Any],
    sort: Sequence[str],
    after: Sequence[Any] | None,
    limit: int,
) -> RowsAndMark:
    """Return a page of rows, and the sort values of the last one, or None if no page follows.

    Reads one row more than asked for; never an offset, so that each page costs the same.
    """
    if listing.rank is not None and tuple(sort) == (RELEVANCE,):
        return listing.rank(connection, listing, statement, parameters, after, limit)

    def build(places: Mapping[str, Any]) -> Select[Any]:
        chosen, keys, marks = _chosen(listing, places, sort, goes_on=after is not None)
        parts = (*listing.id, *listing.beside)
        same = [part == chosen.c[key] for part, key in zip(parts, keys, strict=True)]
        return statement.join(chosen, and_(*same)).add_columns(*(chosen.c[mark] for mark in marks))

    more_values = {
        "most": limit + 1,
        **{f"after_{place}": value for place, value in enumerate(after or ())},
    }
    what = ("page", statement, tuple(sort), after is None)
    names, found = fetch_listing(connection, listing, parameters, what, build, more_values)
    rows = [dict(zip(names, row, strict=True)) for row in found]
    # Sorting in the database would copy every document once more. Text sorts by code points there
    # too.
    for place, (_, down) in reversed(list(enumerate(sort_columns(listing, sort)))):
        rows.sort(key=itemgetter(f"mark_{place}"), reverse=down)
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, mark_of(rows[-1]) if more else None


def mark_of(row: Row) -> list[Any]:
    """Return the sort values of a row of a page, by which the page after it begins."""
    return [value for name, value in row.items() if name.startswith("mark_")]


def _chosen(
    listing: Listing, places: Mapping[str, Any], sort: Sequence[str], *, goes_on: bool
) -> tuple[Subquery, list[str], list[str]]:
    """Return the subquery of a page, with the names of its id columns and its sort columns.

    It finds which rows these are, so that nothing large is sorted; then those alone are read.
    """
    by_id = all(name.removeprefix("-") == "id" for name in sort)
    walked = walk_by_term(listing, places, by_id=by_id)
    columns = sort_columns(walked, sort)
    parts = (*walked.id, *walked.beside)
    keys = [part.label(f"id_{place}") for place, part in enumerate(parts)]
    marks = [part.label(f"mark_{place}") for place, (part, _) in enumerate(columns)]
    found = select(*keys, *marks).select_from(walked.rows).where(*walked.conditions(places))
    if goes_on:
        found = found.where(*_after(columns))
    # By the names of what is selected: what has to be counted for it is not counted twice.
    ordered = [
        mark.desc() if down else mark.asc() for mark, (_, down) in zip(marks, columns, strict=True)
    ]
    some = found.order_by(*ordered).limit(bindparam("most", type_=Integer)).subquery()
    return some, [key.name for key in keys], [mark.name for mark in marks]


def _after(columns: Sequence[tuple[ColumnElement[Any], bool]]) -> list[ColumnElement[bool]]:
    """Return the conditions that a row comes after the placeholders `after_0`, `after_1` …."""
    passed = [
        bindparam(f"after_{place}", type_=column.type) for place, (column, _) in enumerate(columns)
    ]
    return [_not_before(columns[0], passed[0]), _beyond(columns, passed)]


def fetch_listing(
    connection: Connection,
    listing: Listing,
    parameters: Mapping[str, Any],
    what: tuple[Hashable, ...],
    build: Callable[[Mapping[str, Any]], Select[Any]],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    """Return the names and rows of a statement, built from parameters with placeholders.

    It is cached by `what` and the shape of the parameters if the listing has a name. `more` has
    the values of other placeholders.
    """
    shape, places, values = f.bind_parameters(parameters)
    values = {**values, **listing.extra_values, **more}
    if listing.name is not None:
        return fetch(connection, (*what, listing.name, shape), lambda: build(places), values)
    found = connection.execute(build({**parameters, **places}), values)
    return tuple(found.keys()), found.all()


# Fields with many values a claim, whose index a list of claims may read; the most selective come
# first. Those that the summary has too are hardly selective, but each value has claims in order.
TERM_FIELDS = ("external_id", "topic_role", "topic", "document", "collection", "asserted_by")
SUMMARY_TERM_FIELDS = ("evidence_level", "direction")


def walk_by_term(listing: Listing, places: Mapping[str, Any], *, by_id: bool = True) -> Listing:
    """Return the listing in the order of a term's index, if its claims must have one of some terms.

    Claims stand there in order, with their summary. Other conditions and sorts read the documents.
    Reading the documents in order would take long to find enough claims with a rare term.
    """
    usual = replace(listing, id=listing.index_id) if listing.index_id else listing
    name = _driving(listing, places)
    if name is None:
        return usual
    others = {other: place for other, place in places.items() if other != name}
    walked, conditions = _having(name, places[name], places.get("as_of"))
    if listing.summary is not None:
        answered, others = f.split_by_summary(others, walked)
        conditions += answered
    alone = listing.summary is not None and by_id and not others
    return replace(
        listing,
        rows=walked
        if alone
        else prepend_to_join(walked, walked.c.claim == document.c.claim, listing.rows),
        conditions=lambda _places: [*conditions, *listing.conditions(others)],
        id=(walked.c.claim,),
        summary=walked if listing.summary is not None else None,
    )


def _driving(listing: Listing, places: Mapping[str, Any]) -> str | None:
    """Return the field by whose terms a list of claims is best walked; None if there is none."""
    if listing.name not in (CLAIMS.name, CLAIMS_AS_OF.name):
        return None
    fields = sorted(
        (name for name in TERM_FIELDS if name in places), key=lambda name: len(places[name]) > 1
    )
    if listing.summary is not None:
        one_line = f.same_line_parameters(places)
        fields += [
            name
            for name in SUMMARY_TERM_FIELDS
            if len(places.get(name, ())) == 1 and name not in one_line
        ]
    return fields[0] if fields else None


def _having(
    name: str, values: Sequence[Any], day: Any
) -> tuple[FromClause, list[ColumnElement[bool]]]:
    """Return the claims with a term in a field (by a day if not None), and their conditions."""

    def meant(of: Any) -> list[ColumnElement[bool]]:
        value = of.value == values[0] if len(values) == 1 else of.value.in_(values)
        return [of.field == name, value, *([] if day is None else [of.since <= day])]

    if len(values) == 1:
        walked = term.alias("walked")
        return walked, meant(walked.c)
    columns = [term.c[name] for name in ("claim", *SUMMARY)]
    return select(*columns).where(*meant(term.c)).distinct().subquery("walked"), []


def _not_before(column: tuple[ColumnElement[Any], bool], value: Any) -> ColumnElement[bool]:
    """Return a condition on the first column, implied by `_beyond`, for entering an index."""
    first, down = column
    return cast("ColumnElement[bool]", first <= value if down else first >= value)


def _beyond(
    columns: Sequence[tuple[ColumnElement[Any], bool]], after: Sequence[Any]
) -> ColumnElement[bool]:
    """Return the condition that a row comes after these values in this order."""
    (first, down), *rest = columns
    value, *others = after
    passed = first < value if down else first > value
    return or_(passed, and_(first == value, _beyond(rest, others))) if rest else passed


def with_conditions(listing: Listing, *also: ColumnElement[bool]) -> Listing:
    """Return the listing with conditions that always hold, such as «of this claim»."""
    if not also:
        return listing
    return replace(
        listing, conditions=lambda parameters: [*also, *listing.conditions(parameters)], name=None
    )


@cache
def sources_statement() -> Select[Any]:
    """Return the statement that reads which sources there are; `records.sources_out` reads them
    whole.
    """
    return select(source.c.id)


@cache
def evidence_statement() -> Select[Any]:
    """Return the statement that reads lines of evidence as they are served."""
    return select(line.c.claim, line.c.key, line.c.document)


CORE_COLUMNS = ("fields", "derived", "stamps")


@cache
def claims_statement(parts: tuple[str, ...] = ()) -> Select[Any]:
    """Return the statement that reads documents with only those parts that are asked for."""
    names = ("claim", "revision", *CORE_COLUMNS, *parts)
    return select(*(document.c[name] for name in names))


@cache
def claims_as_of_statement(parts: tuple[str, ...] = ()) -> Select[Any]:
    """Return the statement that reads documents with what followed from the evidence on the day
    `as_of`.

    If parts are asked for it reads all of them, since each is derived from all.
    """
    names = ("claim", "settled", "fields", "stamps", *(claim_aggregate.PARTS if parts else ()))
    joined = document.join(
        f.period, and_(f.period.c.claim == document.c.claim, *f.holds_on(f.DAY_PLACEHOLDER))
    )
    return select(*(document.c[name] for name in names), f.period.c.derived).select_from(joined)


def sources_of(claims: Listing) -> Listing:
    """Return the listing of the sources that the claims of a listing name, by that listing's
    filters; with `as_of` those published by then.
    """

    def conditions(places: Mapping[str, Any]) -> list[ColumnElement[bool]]:
        walked = walk_by_term(claims, places)
        found = select(walked.id[0]).select_from(walked.rows).where(*walked.conditions(places))
        named = (
            select(rows.c.source).where(rows.c.claim.in_(found), *accepted)
            for rows, accepted in (
                (line, [line.c.on_relation == false()]),
                (occurrence, [occurrence.c.state == "accepted"]),
                (assessment, [assessment.c.state == "accepted"]),
            )
        )
        published = [source.c.published <= places["as_of"]] if "as_of" in places else []
        cited = or_(*(source.c.id.in_(each) for each in named))
        return [source.c.state == "accepted", cited, *published]

    name = claims.name and f"sources of {claims.name}"
    return replace(SOURCES, conditions=conditions, name=name, extra_values=claims.extra_values)


def cites_source(slug: str, day: str | None = None) -> ColumnElement[bool]:
    """Return the condition that a claim cites a source, if that was published by the day.

    A claim is stated in it, rests on it, or a body took its position there.
    """
    published = (
        true() if day is None else exists().where(source.c.id == slug, source.c.published <= day)
    )
    linked = or_(
        exists().where(line.c.claim == document.c.claim, line.c.source == slug),
        exists().where(
            occurrence.c.claim == document.c.claim,
            occurrence.c.source == slug,
            occurrence.c.state == "accepted",
        ),
        exists().where(
            assessment.c.claim == document.c.claim,
            assessment.c.source == slug,
            assessment.c.state == "accepted",
        ),
    )
    return and_(published, linked)


def load_claim(
    connection: Connection, slug: str, day: str | None, moment: str | None
) -> ClaimAggregate:
    """Return a claim with its parts, as recorded by a moment and as published by a day, if not
    None.

    Raises `NotFound` where there is no such claim, or was none by then.
    """
    told = (
        select(revision.c.serial)
        .where(is_of(f"claim/{slug}"), revision.c.state.in_(PUBLIC_STATES))
        .limit(1)
    )
    if moment is None or connection.scalar(told) is None:
        read_claim(connection, slug, ())
    # What was recorded by then is told whatever became of it since.
    found = (
        as_recorded.load_as_recorded(connection, slug, moment)
        if moment
        else claim_loader.load(connection, [slug])[0]
    )
    return claim_aggregate.as_of(found, day) if day else found


def read_claim(connection: Connection, slug: str, parts: Sequence[str]) -> Row:
    """Return one document with these parts; raises `NotFound` with near matches."""
    chosen = claims_statement(tuple(parts))
    row = fetch_first(
        connection,
        ("claim", chosen),
        lambda: chosen.where(document.c.claim == bindparam("slug")),
        {"slug": slug},
    )
    if row is None:
        raise missing_error(connection, "claim", slug)
    return row


def claim_briefs(connection: Connection, claims: Iterable[str]) -> dict[str, Row]:
    """Return `claim`, `statement`, `kind` and `status` of each of these claims that has a
    document.
    """
    columns = [document.c[name] for name in ("claim", "statement", "kind", "status")]
    chosen = select(*columns).where(document.c.claim.in_(sorted(claims)))
    return {row["claim"]: dict(row) for row in connection.execute(chosen).mappings()}


def read_evidence_line(connection: Connection, public_id: str) -> Row:
    """Return one accepted line of evidence, `document`, by its public id, and the `revision` of its
    claim.
    """
    claim_slug, _, key = public_id.partition(":")

    def build() -> Select[Any]:
        joined = line.join(document, document.c.claim == line.c.claim)
        chosen = select(line.c.document, document.c.revision).select_from(joined)
        return chosen.where(line.c.claim == bindparam("slug"), line.c.key == bindparam("its_key"))

    if found := fetch_first(connection, "one line", build, {"slug": claim_slug, "its_key": key}):
        return found
    require_not_retired(connection, RECORD_TYPES["evidence"], public_id)
    keys = nearest(connection, line.c.key, key, claim=claim_slug)
    close = [f"{claim_slug}:{other}" for other in keys]
    raise not_found(RECORD_TYPES["evidence"], public_id, close)


def read_part(connection: Connection, kind: str, public_id: str) -> tuple[Row, int]:
    """Return an accepted part of a claim as the claim's document shows it, and the claim's
    revision.
    """
    place = RECORD_TYPES[kind].key_of(public_id)
    plural = RECORD_TYPES[kind].plural
    row = (
        connection.execute(claims_statement((plural,)).where(document.c.claim == place["claim"]))
        .mappings()
        .first()
    )
    for found in from_json(row[plural]) if row else ():
        if {name: found[name] for name in place} == place:
            assert row is not None
            return found, row["revision"]
    require_not_retired(connection, RECORD_TYPES[kind], public_id)
    raise NotFound(f"There is no {kind} '{public_id}'.")


def read_topic(connection: Connection, slug: str) -> Row:
    """Return one accepted topic."""
    return _read_accepted(connection, RECORD_TYPES["topic"], slug)


def read_collection(connection: Connection, slug: str) -> Row:
    """Return one accepted collection."""
    return _read_accepted(connection, RECORD_TYPES["collection"], slug)


def _read_accepted(connection: Connection, kind: RecordType, slug: str) -> Row:
    rows = table(kind.model)
    accepted = select(rows).where(rows.c.id == slug, rows.c.state == "accepted")
    found = connection.execute(accepted).mappings().first()
    if found is None:
        raise missing_error(connection, kind.name, slug)
    return dict(found)


def resolve_source(connection: Connection, reference: str) -> str:
    """Return the slug of a source from its slug or one of its identifiers, such as `doi:…`.

    Raises Moved or NotFound.
    """
    slug = find_source(connection, reference, "source")
    if slug is None:
        # A merged source keeps an identifier if its successor has another one of that scheme.
        merged = None
        if ":" in as_reference(reference):
            merged = find_source(connection, reference, "source", "merged")
        if merged:
            raise Moved(
                RECORD_TYPES["source"], reference, read_source(connection, merged)["replaced_by"]
            )
        raise missing_error(connection, "source", reference)
    return slug


def read_all(
    reading: Callable[[], AbstractContextManager[Connection]],
    listing: Listing,
    statement: Select[Any],
    parameters: Mapping[str, Any],
    sort: Sequence[str],
    make: Callable[[Connection, list[Row]], Iterable[Item]],
    size: int,
) -> Iterator[Item]:
    """Yield what `make` makes of every page of a list, `size` rows at a time.

    Each page is read on a connection that `reading` gives, and that is free again while the items
    are consumed.
    """
    after = None
    while True:
        with reading() as connection:
            rows, after = read_page(connection, listing, statement, parameters, sort, after, size)
            items = make(connection, rows)
        yield from items
        if after is None:
            return


def read_referenced_source(connection: Connection, reference: str) -> Row:
    """Return the accepted source with this slug or identifier. Raises what `source_slug` does if
    there is none.
    """
    found = sources_by_id(connection, [reference]).get(reference)
    if found is not None and found["state"] == "accepted":
        return found
    return read_source(connection, resolve_source(connection, reference))


def read_source(connection: Connection, slug: str) -> Row:
    """Return one source that is known to be stored."""
    return sources_by_id(connection, [slug])[slug]


def read_revision(connection: Connection, number: int) -> Row:
    """Return the revision with a serial, and whether it took back what was public."""
    one = select(revision, TOOK_BACK.label("took_back")).where(revision.c.serial == number)
    found = connection.execute(one).mappings().first()
    if found is None:
        raise NotFound(
            f"There is no revision {number}; the last one is {current_serial(connection)}."
        )
    return dict(found)


def missing_error(connection: Connection, kind: str, given: str) -> NotFound:
    """Return the error that says so and offers what comes near; raise where it was there and was
    taken back.
    """
    require_not_retired(connection, RECORD_TYPES[kind], given)
    return retired.missing_error(connection, RECORD_TYPES[kind], given)
