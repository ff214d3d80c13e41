"""The statements of a document, and how the status of each claim behind them ran."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic_core import from_json
from sqlalchemy import Connection, bindparam, func, select

from models.core.types import MAX_INTEGER
from models.database.prepared_statements import fetch
from models.projection.tables import StatusPeriod
from models.read.listings import document, occurrence
from models.records.serializers import Row, table

# More would make a page that nobody reads, and one that a browser takes long to lay out.
MOST_STATEMENTS = 400

period = table(StatusPeriod)


class Standing(NamedTuple):
    """A status with its rule and its certainty, and the first day of both (YYYY-MM-DD)."""

    starts: str
    status: str
    rule: str
    certainty: str | None


def statements_in(connection: Connection, source: str) -> list[Row]:
    """Return the accepted occurrences in a source, in the order of its text, each with `claim`: the
    fields of its claim with what follows from the evidence today.

    At most `MOST_STATEMENTS` are returned; those without a place in the text come last.
    """
    names = ("key", "quote", "prefix", "suffix", "start", "end", "asserted_by", "hedges", "note")

    joined = occurrence.join(document, document.c.claim == occurrence.c.claim)
    columns = [occurrence.c[name] for name in names]
    place = func.coalesce(occurrence.c.start, MAX_INTEGER)
    statement = (
        select(*columns, document.c.fields, document.c.derived)
        .select_from(joined)
        .where(occurrence.c.source == source, occurrence.c.state == "accepted")
        .order_by(place, occurrence.c.claim, occurrence.c.key)
        .limit(MOST_STATEMENTS)
    )
    found = connection.execute(statement).mappings()
    return [
        {
            **{name: row[name] for name in names},
            "claim": {**from_json(row["fields"]), **from_json(row["derived"])},
        }
        for row in found
    ]


def standings(connection: Connection, claims: Sequence[str]) -> dict[str, list[Standing]]:
    """Return how the status of each of these claims ran, from its first day on.

    A new item begins where the status, its rule or its certainty changes.
    """
    if not claims:
        return {}
    _, rows = fetch(
        connection,
        ("standings", len(claims)),
        lambda: (
            select(
                period.c.claim, period.c.starts, period.c.status, period.c.rule, period.c.certainty
            )
            .where(
                period.c.claim.in_([bindparam(f"claim_{place}") for place in range(len(claims))])
            )
            .order_by(period.c.claim, period.c.starts)
        ),
        {f"claim_{place}": claim for place, claim in enumerate(claims)},
    )
    runs: dict[str, list[Standing]] = {claim: [] for claim in claims}
    for claim, *of_period in rows:
        _append_change(runs[claim], Standing(*of_period))
    return runs


def _append_change(run: list[Standing], now: Standing) -> None:
    if not run or run[-1][1:] != now[1:]:
        run.append(now)


def standing_on(run: Iterable[Standing], day: str) -> Standing | None:
    """Return what held on a day, None where the claim was not stated by then."""
    reached = [standing for standing in run if standing.starts <= day]
    return reached[-1] if reached else None
