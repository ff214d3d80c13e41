"""The index of full text: its rows, what it finds, and how each database has a query written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    FromClause,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    text,
)

from models.database.prepared_statements import insert_rows

Phrase = tuple[str, ...]


Alternative = tuple[Phrase, ...]


Term = tuple[Alternative, ...]


class Branch(NamedTuple):
    """What must be there, and what must not."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...]


Query = tuple[Branch, ...]


def insert_words(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of words (see `models.search`) and bring them into the index, which PostgreSQL does by itself."""
    if connection.dialect.name != "sqlite":
        insert_rows(connection, table, rows)
        return
    name = table.name
    last = connection.exec_driver_sql(f"SELECT max(number) FROM {name}").scalar() or 0  # noqa: S608
    insert_rows(
        connection,
        table,
        [{**row, "number": last + place} for place, row in enumerate(rows, start=1)],
    )
    added = f"INSERT INTO {name}_index (rowid, title, words) SELECT number, title, words FROM {name} WHERE number > ?"  # noqa: S608
    connection.exec_driver_sql(added, (last,))


def delete_words(connection: Connection, table: Table, key: str, ids: Sequence[str]) -> None:
    """Delete the rows of words of these records, also from the index, which has to be told what they were."""
    if connection.dialect.name == "sqlite":
        name, marks = table.name, ", ".join("?" * len(ids))
        connection.exec_driver_sql(
            f"INSERT INTO {name}_index ({name}_index, rowid, title, words)"  # noqa: S608
            f" SELECT 'delete', number, title, words FROM {name} WHERE {key} IN ({marks})",
            tuple(ids),
        )
    connection.execute(delete(table).where(table.c[key].in_(ids)))


def clear_words(connection: Connection, table: Table) -> None:
    """Delete all rows of words and empty their index, whatever it holds."""
    if connection.dialect.name == "sqlite":
        name = table.name
        emptied = f"INSERT INTO {name}_index ({name}_index) VALUES ('delete-all')"  # noqa: S608
        connection.exec_driver_sql(emptied)
    connection.execute(delete(table))


def purge_deleted_words(connection: Connection, table: Table) -> None:
    """Take words that were deleted out of the index, which else keeps them until its parts happen to be merged.

    That writes the index anew. On PostgreSQL it is done with everything else that was deleted (VACUUM).
    """
    if connection.dialect.name == "sqlite":
        name = table.name
        merged = f"INSERT INTO {name}_index ({name}_index) VALUES ('optimize')"  # noqa: S608
        connection.exec_driver_sql(merged)


def index_differs(connection: Connection, table: Table) -> bool:
    """Say whether the index holds other places than the rows of words have; PostgreSQL's cannot."""
    if connection.dialect.name != "sqlite":
        return False
    rows, places = f"SELECT number FROM {table.name}", f"SELECT id FROM {table.name}_index_docsize"  # noqa: S608
    either = f"SELECT * FROM ({rows} EXCEPT {places}) UNION ALL SELECT * FROM ({places} EXCEPT {rows}) LIMIT 1"  # noqa: S608
    return connection.exec_driver_sql(either).first() is not None


# A word in the title is worth ten others, as it is by default in PostgreSQL. The least number is the best.
_FOUND = {
    # Ranked once: without the hint SQLite may ask for the rank where the index is out of reach.
    "sqlite": "SELECT texts.{key} AS record, CAST(1000 * bm25({name}_index, 10.0, 1.0) AS INTEGER) AS score"
    " FROM {name}_index JOIN {name} AS texts ON texts.number = {name}_index.rowid WHERE {name}_index MATCH :asked",
    "postgresql": "SELECT {key} AS record, CAST(-1000000 * ts_rank(vector, CAST(:asked AS tsquery)) AS integer) AS score"
    " FROM {name} WHERE vector @@ CAST(:asked AS tsquery)",
}


def matches(connection: Connection, table: Table, key: str) -> FromClause:
    """Return what is found among rows of words: columns `record` and `score`; the query is the value of `asked`."""
    return _found(connection.dialect.name, table, key)


@cache
def _found(kind: str, table: Table, key: str) -> FromClause:
    written = text(_FOUND[kind].format(name=table.name, key=key))
    chosen = written.bindparams(bindparam("asked", type_=String)).columns(
        record=String, score=Integer
    )
    if kind == "sqlite":
        return chosen.cte("found").prefix_with("MATERIALIZED", dialect="sqlite")
    return chosen.subquery("found")


def query_text(connection: Connection, query: Query) -> str:
    """Return a query as the value of `asked`."""
    return _SPELLINGS[connection.dialect.name].query(query)


@dataclass(frozen=True)
class _Spelling:
    """How one index writes a query. Tokens are of [a-z0-9], so that quotes are all they need."""

    start: str
    between: str
    end: str
    both: str
    either: str
    without: str
    nothing: str

    def query(self, query: Query) -> str:
        branches = []
        for branch in query:
            written = f"({self.both.join(map(self.term, branch.wanted))})"
            if branch.unwanted:
                written = f"({written}{self.without}({self.either.join(map(self.term, branch.unwanted))}))"
            branches.append(written)
        return self.either.join(branches) or self.nothing

    def term(self, term: Term) -> str:
        return f"({self.either.join(f'({self.both.join(map(self.phrase, alternative))})' for alternative in term)})"

    def phrase(self, phrase: Phrase) -> str:
        return f"{self.start}{self.between.join(phrase)}{self.end}"


_SPELLINGS = {
    "sqlite": _Spelling('"', " ", '"', " AND ", " OR ", " NOT ", '""'),
    "postgresql": _Spelling("('", "' <-> '", "')", " & ", " | ", " & !", ""),
}
