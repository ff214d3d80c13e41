"""How many claims there are of which sort: counts of lists, facets, statuses over the years."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, false, func, select

from models.core.vocabularies import STATUSES
from models.database.join_order import ordered_join
from models.projection.derive import NO_TERM
from models.read import filters as f
from models.read.listings import CLAIMS, Listing, document, fetch_listing, term, walk_by_term
from models.records.serializers import Row

FACETS = (
    *("status", "kind", "topic", "evidence_level", "direction", "certainty", "asserted_by"),
    *("study_design", "year", "single_group"),
)
# These no index of terms has, so they are counted only where they are asked for.
FURTHER_FACETS = ("question", "independence_group")
# Of these a claim has one at most.
SINGLE = ("status", "kind", "certainty", "single_group")
# Of these the summary of a claim has the term.
SUMMED_UP = ("status", "kind", "certainty", *f.SET_COLUMNS)
# These a line of evidence has.
OF_LINE = {
    "evidence_level": f.line.c.level,
    "direction": f.line.c.direction,
    "study_design": f.line.c.study_design,
    "year": f.line.c.year,
    "question": f.line.c.question,
    "independence_group": f.line.c.independence_group,
}
# What lines of evidence are counted by.
EVIDENCE_FACETS: Mapping[str, ColumnElement[Any]] = {
    **{
        name: f.line.c[name]
        for name in (
            *("direction", "level", "study_design", "directness", "question", "year"),
            "independence_group",
        )
    },
    "bears_on": case((f.line.c.on_relation == false(), "claim"), else_="relation"),
}
MAX_TERMS = 100
Places = Mapping[str, Any]


def walk_terms(listing: Listing, places: Places, field_name: str) -> Listing | None:
    """Return the listing with a row for each term in a field, from the index of terms alone.

    Returns None if the summary beside the terms does not answer all conditions.
    """
    if listing.name != CLAIMS.name:
        return None
    answered, left = f.split_by_summary(places, term)
    if left:
        return None
    conditions = [term.c.field == field_name, *answered]
    return replace(
        listing, rows=term, conditions=lambda _places: conditions, id=(term.c.claim,), summary=term
    )


def count(connection: Connection, listing: Listing, parameters: Mapping[str, Any]) -> int:
    """Return how many rows meet the conditions."""

    def build(places: Places) -> Select[Any]:
        return _of(walk_by_term(listing, places), places, func.count())

    return int(fetch_listing(connection, listing, parameters, ("count",), build)[1][0][0])


def _of(walked: Listing, places: Places, *columns: ColumnElement[Any]) -> Select[Any]:
    """Return the statement that reads these columns of all rows of a listing."""
    return select(*columns).select_from(walked.rows).where(*walked.conditions(places))


def facets(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], by: Sequence[str]
) -> tuple[int, dict[str, Row]]:
    """Return how many claims there are, and for each name how many have each term: the top 100, the
    claims under `other` terms, and `missing`.

    A claim with several values of a field counts under each of them. By what a line of evidence has
    it counts the claims that a further filter by the term would leave: one and the same line has it
    and meets the other filters on evidence.
    """
    by_line = {
        name: _counts_by_line(connection, listing, parameters, name)
        for name in by
        if _is_of_line(parameters, name)
    }
    counts = {
        name: _counts(connection, listing, parameters, name) for name in by if name not in by_line
    }
    total = next(
        (sum(counts[name].values()) for name in counts if _counts_each_claim_once(listing, name)),
        None,
    )
    if total is None:
        total = count(connection, listing, parameters)
    found = {}
    for name in by:
        if name in by_line:
            terms = by_line[name]
            found[name] = terms, total - _having_by_line(connection, listing, parameters, name)
        elif listing.summary is None and name not in SINGLE:
            found[name] = counts[name], total - _having_any(connection, listing, parameters, name)
        else:
            found[name] = _without_missing(name, counts[name])
    return total, {name: _facet_out(terms, missing) for name, (terms, missing) in found.items()}


def _facet_out(terms: Mapping[str, int], missing: int) -> Row:
    rows = sorted(terms.items(), key=lambda row: (-row[1], row[0]))
    return {
        "terms": [{"term": value, "count": times} for value, times in rows[:MAX_TERMS]],
        "other": sum(times for _, times in rows[MAX_TERMS:]),
        "missing": missing,
    }


def evidence_facets(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], by: Sequence[str]
) -> tuple[int, dict[str, Row]]:
    """Return how many lines of evidence there are, and for each name how many have each term."""
    answer = {}
    for name in by:
        column = EVIDENCE_FACETS[name]

        def build(places: Places, column: ColumnElement[Any] = column) -> Select[Any]:
            return _of(listing, places, column, func.count()).group_by(column)

        rows = fetch_listing(connection, listing, parameters, ("facet of lines", name), build)[1]
        counts = {row[0]: row[1] for row in rows}
        missing = counts.pop(None, 0)
        answer[name] = _facet_out({_term_of(term): n for term, n in counts.items()}, missing)
    return count(connection, listing, parameters), answer


def _counts_each_claim_once(listing: Listing, name: str) -> bool:
    return name in SINGLE or (name in f.SET_COLUMNS and listing.summary is not None)


def _without_missing(name: str, counts: Mapping[Any, int]) -> tuple[dict[str, int], int]:
    """Return the number of claims with each term of a field, and of those with none."""
    if name == "single_group":
        return {"true" if value else "false": times for value, times in counts.items()}, 0
    if name in f.SET_COLUMNS:
        return _members(counts)
    absent = None if name in SINGLE else NO_TERM
    return {term_id: times for term_id, times in counts.items() if term_id != absent}, counts.get(
        absent, 0
    )


def _members(sets: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Return the number of claims with each term, and with none, from the counts of sets."""
    counts: Counter[str] = Counter()
    for terms, times in sets.items():
        for term_id in terms.strip(",").split(",") if terms else ():
            counts[term_id] += times
    return dict(counts), sets.get("", 0)


def _having_any(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], name: str
) -> int:
    """Return how many claims have any term in a field."""

    def build(places: Places) -> Select[Any]:
        walked, _ = _facet(listing, places, name)
        return _of(walked, places, func.count(walked.id[0].distinct()))

    return int(fetch_listing(connection, listing, parameters, ("having", name), build)[1][0][0])


def _counts(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], name: str
) -> dict[Any, int]:
    """Return how many claims have each value of the column that a field is counted by."""

    def build(places: Places) -> Select[Any]:
        walked, value = _facet(listing, places, name)
        return _of(walked, places, value, func.count()).group_by(value)

    return {
        row[0]: row[1]
        for row in fetch_listing(connection, listing, parameters, ("facet", name), build)[1]
    }


def _facet(listing: Listing, places: Places, name: str) -> tuple[Listing, ColumnElement[Any]]:
    """Return the listing with a row for each value of a claim, and the column of the values."""
    walked = walk_by_term(listing, places, by_id=name != "single_group")
    if walked.summary is not None and name in SUMMED_UP:
        return walked, walked.summary.c[f.SET_COLUMNS.get(name, name)]
    if name in SINGLE:
        is_of_claim = name == "kind" or listing.summary is not None
        return walked, (document if is_of_claim else f.period).c[name]
    if alone := walk_terms(listing, places, name):
        return alone, term.c.value
    conditions = [*walked.conditions(places), term.c.field == name]
    if "as_of" in places:
        conditions.append(term.c.since <= places["as_of"])
    rows = ordered_join(walked.rows, term, term.c.claim == walked.id[0])
    return replace(walked, rows=rows, conditions=lambda _places: conditions), term.c.value


def _is_of_line(parameters: Mapping[str, Any], name: str) -> bool:
    """Return whether the terms of a field are counted by lines, since other filters are on lines.

    As of a day, too: which lines counted then is not known of terms.
    """
    if name in FURTHER_FACETS:
        return True
    return name in OF_LINE and ("as_of" in parameters or any(map(_is_on_line, parameters)))


def _is_on_line(parameter: str) -> bool:
    return parameter.partition(".")[0] in f.LINE_CONDITIONS


def _counts_by_line(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], name: str
) -> dict[str, int]:
    """Return how many claims have each value of a field in a line that meets the filters on it."""

    def build(places: Places) -> Select[Any]:
        walked = _lines_of(listing, places, name)
        claims = func.count(walked.id[0].distinct())
        return _of(walked, places, OF_LINE[name], claims).group_by(OF_LINE[name])

    found = fetch_listing(connection, listing, parameters, ("facet by line", name), build)[1]
    return {_term_of(row[0]): row[1] for row in found}


def _having_by_line(
    connection: Connection, listing: Listing, parameters: Mapping[str, Any], name: str
) -> int:
    """Return how many claims have any value of a field in such a line."""

    def build(places: Places) -> Select[Any]:
        walked = _lines_of(listing, places, name)
        return _of(walked, places, func.count(walked.id[0].distinct()))

    found = fetch_listing(connection, listing, parameters, ("having by line", name), build)[1]
    return int(found[0][0])


def _term_of(value: Any) -> str:
    return f"{value:04}" if isinstance(value, int) else str(value)


def _lines_of(listing: Listing, places: Places, name: str) -> Listing:
    """Return the listing with a row for each counted line that meets the filters on evidence."""
    on_line = {each: place for each, place in places.items() if _is_on_line(each)}
    others = {each: place for each, place in places.items() if each not in on_line}
    walked = walk_by_term(listing, others, by_id=False)
    rows = ordered_join(walked.rows, f.line, f.line.c.claim == document.c.claim)
    meant = [
        *walked.conditions(others),
        *f.counted_line_conditions(places.get("as_of")),
        *f.conditions(on_line, f.LINE_CONDITIONS),
        OF_LINE[name].is_not(None),
    ]
    return replace(walked, rows=rows, conditions=lambda _places: meant)


def years_of_evidence(connection: Connection) -> list[str]:
    """Return the years from the first to the last one of evidence that counts, the last first."""
    is_year = (term.c.field == "year", term.c.value > NO_TERM)
    # Each is one look into the index; both in one statement would read all of it.
    first, last = (
        connection.scalar(select(end(term.c.value)).where(*is_year)) for end in (func.min, func.max)
    )
    if first is None:
        return []
    return [f"{year:04}" for year in range(int(last), int(first) - 1, -1)]


def status_history(connection: Connection, topics: Sequence[str], until: int) -> list[Row]:
    """Return for the end of each year, from the first claim's to `until`, how many claims had each
    status.
    """
    period = f.period
    filed = []
    if topics:
        # From the few claims of the topics to their periods, instead of through all periods.
        of_topics = select(term.c.claim).where(term.c.field == "topic", term.c.value.in_(topics))
        filed = [period.c.claim.in_(of_topics)]
    begins, ends = (func.substr(day, 1, 4) for day in (period.c.starts, period.c.ends))
    counted = select(period.c.status, begins, ends, func.count()).where(*filed)
    changes: dict[int, Counter[str]] = {}
    for status_id, first, last, times in connection.execute(
        counted.group_by(period.c.status, begins, ends)
    ):
        changes.setdefault(int(first), Counter())[status_id] += times
        if last is not None:
            changes.setdefault(int(last), Counter())[status_id] -= times
    standing: Counter[str] = Counter(dict.fromkeys(STATUSES.ids, 0))
    history = []
    for year in range(min(changes, default=until + 1), until + 1):
        # Not `+=`, which leaves out what is not above zero.
        standing.update(changes.get(year, {}))
        history.append({"year": year, "counts": dict(standing)})
    return history
