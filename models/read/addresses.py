"""What a crawler should know: which claims, sources, topics and articles have pages."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from models.read.listings import document, line, occurrence, topic

# The ids of records with a page, each kind in the order of its ids.
PAGED: dict[str, tuple[ColumnElement[str], tuple[ColumnElement[bool], ...]]] = {
    "claims": (document.c.claim, ()),
    "sources": (line.c.source, ()),
    "topics": (topic.c.id, (topic.c.state == "accepted",)),
    "articles": (occurrence.c.source, (occurrence.c.state == "accepted",)),
}


def ids_of(connection: Connection, kind: str, after: str, limit: int) -> Sequence[str]:
    """Return the ids of a kind that come after one ("" begins), at most so many."""
    column, conditions = PAGED[kind]
    statement = select(column).where(*conditions, column > after).distinct()
    return connection.scalars(statement.order_by(column).limit(limit)).all()


def parts_of(connection: Connection, size: int) -> Iterator[tuple[str, str]]:
    """Yield the parts of this size that all ids make: each a kind, and the id that it comes after.

    The first part of a kind comes after "".
    """
    for kind in PAGED:
        yield kind, ""
        yield from ((kind, after) for after in connection.scalars(_last_of_parts(kind, size)))


def _last_of_parts(kind: str, size: int) -> Select[Any]:
    """Return a statement for the ids that end each whole part of a kind but its last one."""
    column, conditions = PAGED[kind]
    ids = select(column.label("id")).where(*conditions).distinct().subquery()
    place = func.row_number().over(order_by=ids.c.id)
    placed = select(ids.c.id, place.label("place"), func.count().over().label("all")).subquery()
    return (
        select(placed.c.id)
        .where(placed.c.place % size == 0, placed.c.place < placed.c["all"])
        .order_by(placed.c.id)
    )
