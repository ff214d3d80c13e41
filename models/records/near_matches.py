"""Stored ids that are similar to a misspelt one."""

from collections.abc import Iterable, Mapping
from operator import add
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, literal_column, select

from models.database.driver_errors import leave_event_loop
from models.database.prepared_statements import fetch

# So many neighbours on either side are compared, and so many are offered that share at least
# this part of the pairs of letters.
NEIGHBOURS_PER_SIDE = 10
MAX_SUGGESTIONS = 3
MIN_SIMILARITY = 0.5


def nearest(connection: Connection, ids: Column[str], given: str, **where: str) -> list[str]:
    """Return up to three stored ids similar to a mistyped one, in rows with these other values.

    Only its neighbours in the index are compared, which begin like it. An index of labels would
    not help, since an id need not contain the words of its label. Raises TooSlowForEventLoop.
    """
    leave_event_loop(connection)
    given = given.lower()
    neighbours = _neighbours(connection, ids, given, where, after=False)
    neighbours += _neighbours(connection, ids, given, where, after=True)
    return most_alike(given, neighbours)


def most_alike(given: str, names: Iterable[str]) -> list[str]:
    """Return up to three names that are written like a mistyped one, the most similar first."""
    wanted = _pairs(given)
    alike = sorted(((_likeness(wanted, _pairs(each)), each) for each in names), reverse=True)
    return [each for likeness, each in alike[:MAX_SUGGESTIONS] if likeness >= MIN_SIMILARITY]


def _neighbours(
    connection: Connection, ids: Column[str], given: str, where: Mapping[str, str], *, after: bool
) -> list[str]:
    """Return the stored ids that come next in the order of their index, before or after a text."""

    def build() -> Select[Any]:
        beyond = ids >= bindparam("given") if after else ids < bindparam("given")
        same = [ids.table.c[name] == bindparam(f"same_{name}") for name in where]
        order = ids.asc() if after else ids.desc()
        return (
            select(ids)
            .where(beyond, *same)
            .distinct()
            .order_by(order)
            .limit(literal_column(str(NEIGHBOURS_PER_SIDE)))
        )

    values = {"given": given, **{f"same_{name}": value for name, value in where.items()}}
    _, rows = fetch(connection, ("neighbours", ids, after, *where), build, values)
    return [row[0] for row in rows]


def _pairs(text: str) -> set[str]:
    """Return each two letters that stand together in a text, its ends among them."""
    ended = f" {text} "
    return set(map(add, ended, ended[1:]))


def _likeness(pairs: set[str], others: set[str]) -> float:
    """Return the share of pairs that two texts have in common, 0 to 1 (Dice's coefficient)."""
    return 2 * len(pairs & others) / (len(pairs) + len(others))
