"""What a crawler should know: which claims, sources, topics and articles have pages."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, select

from models.read.listings import document, line, term, topic

# The ids of records with a page, each kind in the order of its ids.
PAGED: dict[str, tuple[ColumnElement[str], tuple[ColumnElement[bool], ...]]] = {
    "claims": (document.c.claim, ()),
    "sources": (line.c.source, ()),
    "topics": (topic.c.id, (topic.c.state == "accepted",)),
    "articles": (term.c.value, (term.c.field == "document",)),
}


def ids_of(connection: Connection, kind: str, after: str, limit: int) -> Sequence[str]:
    """Return the ids of a kind that come after one ("" begins), at most so many."""
    column, conditions = PAGED[kind]
    statement = select(column).where(*conditions, column > after).distinct()
    return connection.scalars(statement.order_by(column).limit(limit)).all()


def parts_of(connection: Connection, size: int) -> Iterator[tuple[str, str]]:
    """Yield the parts of this size that all ids make: each a kind, and the id that it comes after.

    The first part of a kind comes after "". From each part to the next one a stretch of an index is
    passed; to number all ids takes ten times as long.
    """
    for kind in PAGED:
        after = ""
        while True:
            yield kind, after
            last = _last_of_part(connection, kind, after, size)
            if last is None or not ids_of(connection, kind, last, 1):
                break
            after = last


def _last_of_part(connection: Connection, kind: str, after: str, size: int) -> str | None:
    """Return the id that ends the part after one, or None if the part is not full."""
    column, conditions = PAGED[kind]
    ids = select(column).where(*conditions, column > after).distinct().order_by(column)
    last: str | None = connection.scalar(ids.offset(size - 1).limit(1))
    return last
