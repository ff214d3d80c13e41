"""How many claims there are of which sort: counts of lists, facets, statuses over the years."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, func, select

from models.core.vocabularies import STATUSES
from models.database.join_order import in_order
from models.projection import traits
from models.read import filters as f
from models.read.listings import CLAIMS, Listing, document, driven, listed, term
from models.records.serializers import Row

FACETS = ("status", "kind", "topic", "evidence_level", "direction", "certainty", "asserted_by")
FACET_TERMS = 100
Places = Mapping[str, Any]


def counted(listing: Listing, places: Places) -> Listing:
    """Return the listing as its rows are best gone through where their order does not matter: along the index of a term,
    else along that of the traits."""
    walked = driven(listing, places)
    if walked is not listing or listing.name != CLAIMS.name:
        return walked
    told, left = f.by_traits(places, document.c.traits)
    return replace(listing, conditions=lambda _places: [*told, *listing.conditions(left)])


def along(listing: Listing, places: Places, field_name: str) -> Listing | None:
    """Return the listing with a row for each term that its claims have in a field, along the index of these alone; None
    where more is asked than the traits beside them tell."""
    told, left = f.by_traits(places, term.c.traits)
    if listing.name != CLAIMS.name or left:
        return None
    having = [term.c.field == field_name, *told]
    return replace(
        listing,
        rows=term,
        conditions=lambda _places: having,
        id=(term.c.claim,),
        traits=term.c.traits,
    )


def count(connection: Connection, listing: Listing, parameters: Mapping[str, Any]) -> int:
    """Return how many rows meet the conditions."""

    def build(places: Places) -> Select[Any]:
        return _of(counted(listing, places), places, func.count())

    return int(listed(connection, listing, parameters, ("count",), build)[1][0][0])


def _of(walked: Listing, places: Places, *columns: ColumnElement[Any]) -> Select[Any]:
    """Return the statement that reads these columns of all rows of a listing."""
    return select(*columns).select_from(walked.rows).where(*walked.conditions(places))


def facets(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], by: Sequence[str]
) -> tuple[int, dict[str, Row]]:
    """Return how many claims there are, and for each name how many have each term: the top 100, the claims under `other`
    terms, and `missing`.

    A claim with several values of a field counts under each of them.
    """
    spread = _by_terms if listing.traits is None else _by_traits
    total, found = spread(connection, listing, parameters, by)
    answer = {}
    for name, (terms, missing) in found.items():
        rows = sorted(terms.items(), key=lambda row: (-row[1], row[0]))
        answer[name] = {
            "terms": [{"term": value, "count": times} for value, times in rows[:FACET_TERMS]],
            "other": sum(times for _, times in rows[FACET_TERMS:]),
            "missing": missing,
        }
    return total, answer


# How many there are in all; for each field how many have each of its terms, and how many have none.
Spread = tuple[int, dict[str, tuple[dict[str, int], int]]]


def _by_traits(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], by: Sequence[str]
) -> Spread:
    """Return how claims are spread, as their traits tell; terms are gone through only where there are too many for these."""

    def build(places: Places) -> Select[Any]:
        walked = counted(listing, places)
        assert walked.traits is not None
        part = walked.traits.bitwise_and(bindparam("counted_bits", type_=BigInteger)).label("part")
        return _of(walked, places, part, func.count()).group_by("part")

    bits = {"counted_bits": traits.of_fields(by)}
    groups = [
        (row[0], row[1])
        for row in listed(connection, listing, parameters, ("traits",), build, bits)[1]
    ]
    found = {name: traits.counts(name, groups) for name in by}
    for name, (terms, missing) in found.items():
        if traits.ANY in terms:
            found[name] = _terms(connection, listing, parameters, name), missing
    return sum(times for _, times in groups), found


def _by_terms(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], by: Sequence[str]
) -> Spread:
    """Return how claims are spread by all the terms that they have, each of them gone through."""

    def having(name: str) -> int:
        def build(places: Places) -> Select[Any]:
            walked, _ = _facet(listing, places, name)
            return _of(walked, places, func.count(walked.id[0].distinct()))

        return int(listed(connection, listing, parameters, ("having", name), build)[1][0][0])

    total = count(connection, listing, parameters)
    found = {}
    for name in by:
        terms = _terms(connection, listing, parameters, name)
        # Of these a claim has one at most, or none, which the terms tell.
        missing = (
            terms.pop(None, 0) if name in ("status", "kind", "certainty") else total - having(name)
        )
        found[name] = terms, missing
    return total, found


def _terms(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], name: str
) -> dict[Any, int]:
    """Return how many claims have each term of a field."""

    def build(places: Places) -> Select[Any]:
        walked, value = _facet(listing, places, name)
        return _of(walked, places, value, func.count()).group_by(value)

    return {
        row[0]: row[1] for row in listed(connection, listing, parameters, ("facet", name), build)[1]
    }


def _facet(listing: Listing, places: Places, name: str) -> tuple[Listing, ColumnElement[Any]]:
    """Return the listing with a row for each term that a claim has, and the column where it stands."""
    if alone := along(listing, places, name):
        return alone, term.c.value
    walked, day = counted(listing, places), places.get("as_of")
    if name == "kind":
        return walked, document.c.kind
    if name in ("status", "certainty"):
        return walked, f.period.c[name]
    own = [term.c.field == name, *([] if day is None else [term.c.since <= day])]
    rows = in_order(walked.rows, term, term.c.claim == walked.id[0])
    return replace(
        walked, rows=rows, conditions=lambda _places: [*walked.conditions(places), *own]
    ), term.c.value


def status_history(connection: Connection, topics: Sequence[str], until: int) -> list[Row]:
    """Return for the end of each year, from the first claim's to `until`, how many claims had each status."""
    period = f.period
    filed = [f.has_term("topic")("", topics)] if topics else []
    rows = period.join(document, document.c.claim == period.c.claim)
    begun, over = (
        _by_year(
            connection,
            day,
            select(period.c.status).select_from(rows).where(day.is_not(None), *filed),
        )
        for day in (period.c.starts, period.c.ends)
    )
    standing = dict.fromkeys(STATUSES.ids, 0)
    history = []
    for year in range(min(begun, default=until + 1), until + 1):
        for status_id in STATUSES.ids:
            standing[status_id] += begun.get(year, {}).get(status_id, 0) - over.get(year, {}).get(
                status_id, 0
            )
        history.append({"year": year, "counts": dict(standing)})
    return history


def _by_year(
    connection: Connection, day: ColumnElement[Any], statuses: Select[Any]
) -> dict[int, dict[str, int]]:
    """Return how many periods of each status have this day of theirs in each year."""
    year = func.substr(day, 1, 4)
    found: dict[int, dict[str, int]] = {}
    for status_id, when, times in connection.execute(
        statuses.add_columns(year, func.count()).group_by(f.period.c.status, year)
    ):
        found.setdefault(int(when), {})[status_id] = times
    return found
