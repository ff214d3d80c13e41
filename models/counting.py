"""How many claims there are of which sort: counts of lists, facets, statuses over the years."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, func, select, true

from models import filters as f
from models.queries import Listing, document, driven, listed, term
from models.records import Row
from models.vocabularies import STATUSES

FACETS = ("status", "kind", "topic", "evidence_level", "direction", "certainty", "asserted_by")
FACET_TERMS = 100
# Facets of which a claim has one term at most; of all others it may have several.
SINGLE = ("status", "kind", "certainty")


def count(connection: Connection, listing: Listing, parameters: Mapping[str, Any]) -> int:
    """Return how many rows meet the conditions."""
    return int(_rows(connection, listing, parameters, "count", lambda walked, _day: _counted(walked))[0][0])


def _counted(walked: Listing) -> Select[Any]:
    return select(func.count()).select_from(walked.rows)


def _rows(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], what: str, build: Any
) -> Sequence[Sequence[Any]]:
    """Return the rows of a statement on a listing; `build` makes it from where the rows stand and the place of `as_of`."""

    def whole(places: Mapping[str, Any]) -> Select[Any]:
        walked = driven(listing, places)
        made: Select[Any] = build(walked, places.get("as_of")).where(*walked.conditions(places))
        return made

    return listed(connection, listing, parameters, (what,), whole)[1]


def facets(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], by: Sequence[str]
) -> tuple[int, dict[str, Row]]:
    """Return how many claims there are, and for each name how many have each term: the top 100, the claims under `other`
    terms, and `missing`.

    A claim with several values of a field counts under each of them.
    """
    found = {name: _terms(connection, listing, parameters, name) for name in by}
    plain = next((name for name in by if name in SINGLE), None)
    total = sum(found[plain].values()) if plain else count(connection, listing, parameters)
    answer = {}
    for name, terms in found.items():
        missing = terms.pop(None, 0)
        if name not in SINGLE:
            missing = total - _rows(connection, listing, parameters, f"having {name}", _having(name))[0][0]
        rows = sorted(terms.items(), key=lambda row: (-row[1], row[0]))
        answer[name] = {
            "terms": [{"term": value, "count": times} for value, times in rows[:FACET_TERMS]],
            "other": sum(times for _, times in rows[FACET_TERMS:]),
            "missing": missing,
        }
    return total, answer


def _terms(connection: Connection, listing: Listing, parameters: Mapping[str, Any], name: str) -> dict[Any, int]:
    """Return how many claims have each term of a facet, and under None those without one where they are told apart."""

    def build(walked: Listing, day: Any) -> Select[Any]:
        value, rows, having = _facet(name, walked.rows, day)
        return select(value, func.count()).select_from(rows).where(having).group_by(value)

    return {row[0]: row[1] for row in _rows(connection, listing, parameters, f"facet {name}", build)}


def _having(name: str) -> Any:
    def build(walked: Listing, day: Any) -> Select[Any]:
        _, rows, having = _facet(name, walked.rows, day)
        return select(func.count(document.c.claim.distinct())).select_from(rows).where(having)

    return build


def _facet(name: str, rows: FromClause, day: Any) -> tuple[ColumnElement[Any], FromClause, ColumnElement[bool]]:
    """Return the column that holds a facet's terms, where it stands, and which rows are meant."""
    if name in ("status", "certainty"):
        return (document.c if day is None else f.period.c)[name], rows, true()
    if name == "kind":
        return document.c.kind, rows, true()
    by_then = true() if day is None else term.c.since <= day
    return term.c.value, rows.join(term, term.c.claim == document.c.claim), and_(term.c.field == name, by_then)


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
