"""The full-text index: its rows, its matches, and how each database writes a query."""

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

# See `models.search.query` for the parts of a query.
Phrase = tuple[str, ...]
Alternative = tuple[Phrase, ...]
Term = tuple[Alternative, ...]


class Branch(NamedTuple):
    """Terms that must match, and terms of which none may match."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...]


Query = tuple[Branch, ...]


def insert_words(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of words and index them. PostgreSQL indexes them by itself."""
    if connection.dialect.name != "sqlite":
        insert_rows(connection, table, rows)
        return
    name = table.name
    last = connection.exec_driver_sql(f"SELECT max(number) FROM {name}").scalar() or 0  # noqa: S608
    insert_rows(
        connection,
        table,
        [{**row, "number": number} for number, row in enumerate(rows, start=last + 1)],
    )
    connection.exec_driver_sql(
        f"INSERT INTO {name}_index (rowid, title, words)"  # noqa: S608
        f" SELECT number, title, words FROM {name} WHERE number > ?",
        (last,),
    )


def delete_words(connection: Connection, table: Table, key: str, ids: Sequence[str]) -> None:
    """Delete the words of these records. SQLite's index needs the words that it is to delete."""
    if connection.dialect.name == "sqlite":
        name, marks = table.name, ", ".join("?" * len(ids))
        connection.exec_driver_sql(
            f"INSERT INTO {name}_index ({name}_index, rowid, title, words)"  # noqa: S608
            f" SELECT 'delete', number, title, words FROM {name} WHERE {key} IN ({marks})",
            tuple(ids),
        )
    connection.execute(delete(table).where(table.c[key].in_(ids)))


def clear_words(connection: Connection, table: Table) -> None:
    """Delete all rows of words, and empty the index, whatever it holds."""
    if connection.dialect.name == "sqlite":
        name = table.name
        emptied = f"INSERT INTO {name}_index ({name}_index) VALUES ('delete-all')"  # noqa: S608
        connection.exec_driver_sql(emptied)
    connection.execute(delete(table))


def purge_deleted_words(connection: Connection, table: Table) -> None:
    """Remove deleted words from the index, which otherwise keeps them until its parts are merged.

    This rewrites the index. In PostgreSQL, VACUUM removes them with everything else.
    """
    if connection.dialect.name == "sqlite":
        name = table.name
        merged = f"INSERT INTO {name}_index ({name}_index) VALUES ('optimize')"  # noqa: S608
        connection.exec_driver_sql(merged)


def index_differs(connection: Connection, table: Table) -> bool:
    """Return whether the index holds other rows than the table of words. PostgreSQL's cannot."""
    if connection.dialect.name != "sqlite":
        return False
    rows = f"SELECT number FROM {table.name}"  # noqa: S608
    indexed = f"SELECT id FROM {table.name}_index_docsize"  # noqa: S608
    either = (
        f"SELECT * FROM ({rows} EXCEPT {indexed})"  # noqa: S608
        f" UNION ALL SELECT * FROM ({indexed} EXCEPT {rows}) LIMIT 1"
    )
    return connection.exec_driver_sql(either).first() is not None


# A word in the title counts as much as ten others, as it does by default in PostgreSQL. The lowest
# score is the best.
_MATCHES = {
    "sqlite": (
        "SELECT texts.{key} AS record,"
        " CAST(1000 * bm25({name}_index, 10.0, 1.0) AS INTEGER) AS score"
        " FROM {name}_index JOIN {name} AS texts ON texts.number = {name}_index.rowid"
        " WHERE {name}_index MATCH :search_query"
    ),
    "postgresql": (
        "SELECT {key} AS record,"
        " CAST(-1000000 * ts_rank(vector, CAST(:search_query AS tsquery)) AS integer) AS score"
        " FROM {name} WHERE vector @@ CAST(:search_query AS tsquery)"
    ),
}


def matches(connection: Connection, table: Table, key: str) -> FromClause:
    """Return the rows of words that match a query, as columns `record` and `score`.

    `key` is the table's column with the id of the record. The query, from `query_text`, is the
    value of the parameter `search_query`.
    """
    return _matches(connection.dialect.name, table, key)


@cache
def _matches(dialect: str, table: Table, key: str) -> FromClause:
    statement = text(_MATCHES[dialect].format(name=table.name, key=key))
    statement = statement.bindparams(bindparam("search_query", type_=String))
    columns = statement.columns(record=String, score=Integer)
    if dialect == "sqlite":
        # SQLite may otherwise compute the rank again in a place where the index is out of reach.
        return columns.cte("found").prefix_with("MATERIALIZED", dialect="sqlite")
    return columns.subquery("found")


def query_text(connection: Connection, query: Query) -> str:
    """Return a query in the database's own syntax."""
    return _SYNTAXES[connection.dialect.name].write_query(query)


@dataclass(frozen=True)
class _Syntax:
    """How one database writes a query. Tokens are of [a-z0-9], so they need no escapes."""

    phrase_start: str
    phrase_next: str
    phrase_end: str
    and_: str
    or_: str
    and_not: str
    nothing: str

    def write_query(self, query: Query) -> str:
        return self.or_.join(self.write_branch(branch) for branch in query) or self.nothing

    def write_branch(self, branch: Branch) -> str:
        wanted = self.and_.join(self.write_term(term) for term in branch.wanted)
        if not branch.unwanted:
            return f"({wanted})"
        unwanted = self.or_.join(self.write_term(term) for term in branch.unwanted)
        return f"(({wanted}){self.and_not}({unwanted}))"

    def write_term(self, term: Term) -> str:
        alternatives = (self.write_alternative(alternative) for alternative in term)
        return f"({self.or_.join(alternatives)})"

    def write_alternative(self, alternative: Alternative) -> str:
        return f"({self.and_.join(self.write_phrase(phrase) for phrase in alternative)})"

    def write_phrase(self, phrase: Phrase) -> str:
        return f"{self.phrase_start}{self.phrase_next.join(phrase)}{self.phrase_end}"


_SYNTAXES = {
    "sqlite": _Syntax('"', " ", '"', " AND ", " OR ", " NOT ", '""'),
    "postgresql": _Syntax("('", "' <-> '", "')", " & ", " | ", " & !", ""),
}
