"""Stored ids that are similar to a misspelt one."""

from collections.abc import Mapping
from operator import add
from typing import Any

from sqlalchemy import Column, Connection, Select, bindparam, literal_column, select

from models.database.driver_errors import leave_event_loop
from models.database.prepared_statements import fetch


def nearest(connection: Connection, ids: Column[str], given: str, **where: str) -> list[str]:
    """Return up to three stored ids that come near a mistyped one, of the rows with these values in other columns.

    Compared are its neighbours in the order of the index, which begin as it does; an index of labels would not do, since
    an id need not hold the words of its label. Raises TooLong in the event loop.
    """
    leave_event_loop(connection)
    given = given.lower()
    neighbours = _neighbours(connection, ids, given, where, after=False)
    neighbours += _neighbours(connection, ids, given, where, after=True)
    wanted = _pairs(given)
    alike = sorted(((_likeness(wanted, _pairs(each)), each) for each in neighbours), reverse=True)
    return [each for likeness, each in alike[:MAX_SUGGESTIONS] if likeness >= MIN_SIMILARITY]


# Of an id that is not stored: so many neighbours on either side are compared with it, and so many are offered that have
# at least this part of their letters' pairs in common.
NEIGHBOURS_PER_SIDE = 10


MAX_SUGGESTIONS = 3


MIN_SIMILARITY = 0.5


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
    """Return which part of their pairs two texts have in common, from 0 to 1 (Dice's coefficient)."""
    return 2 * len(pairs & others) / (len(pairs) + len(others))
