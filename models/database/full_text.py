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
    TextClause,
    bindparam,
    delete,
    text,
)

from models.database.prepared_statements import delete_rows, insert_rows

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
    if not rows:
        return
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


def delete_words(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Delete these stored rows of words. SQLite's index needs the words that it is to delete."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        name = table.name
        connection.exec_driver_sql(
            f"INSERT INTO {name}_index ({name}_index, rowid, title, words)"  # noqa: S608
            " VALUES ('delete', ?, ?, ?)",
            [(row["number"], row["title"], row["words"]) for row in rows],
        )
    keys = table.primary_key.columns.keys()
    delete_rows(connection, table, *({name: row[name] for name in keys} for row in rows))


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
_SCORES = {
    "sqlite": "CAST(1000 * bm25({name}_index, 10.0, 1.0) AS INTEGER)",
    "postgresql": "CAST(-1000000 * ts_rank(vector, CAST(:search_query AS tsquery)) AS integer)",
}
_MATCHES = {
    "sqlite": (
        "SELECT {columns} FROM {name}_index JOIN {name} AS texts"
        " ON texts.number = {name}_index.rowid WHERE {name}_index MATCH :search_query"
    ),
    "postgresql": (
        "SELECT {columns} FROM {name} AS texts WHERE vector @@ CAST(:search_query AS tsquery)"
    ),
}


def matches(connection: Connection, table: Table) -> FromClause:
    """Return the rows of words that match a query, with the columns of their key and `score`.

    The score is the database's own: it differs between databases, and takes long where many rows
    match. The query, from `query_text`, is the value of the parameter `search_query`.
    """
    return _scored_matches(connection.dialect.name, table)


@cache
def _scored_matches(dialect: str, table: Table) -> FromClause:
    keys = tuple(table.primary_key.columns.keys())
    score = _SCORES[dialect].format(name=table.name)
    columns = _match_statement(dialect, table, keys, f", {score} AS score").columns(
        **dict.fromkeys(keys, String), score=Integer
    )
    if dialect == "sqlite":
        # SQLite may otherwise compute the rank again in a place where the index is out of reach.
        return columns.cte("found").prefix_with("MATERIALIZED", dialect="sqlite")
    return columns.subquery("found")


@cache
def _match_statement(
    dialect: str, table: Table, columns: tuple[str, ...], more: str = ""
) -> TextClause:
    names = ", ".join(f"texts.{column}" for column in columns) + more
    statement = text(_MATCHES[dialect].format(name=table.name, columns=names))
    return statement.bindparams(bindparam("search_query", type_=String))


def unscored_matches(connection: Connection, table: Table, *more: str) -> FromClause:
    """Return the rows of words that match a query, with the columns of their key and some more.

    They come as they are found, so that the first of them are read without finding all.
    """
    columns = (*table.primary_key.columns.keys(), *more)
    statement = _match_statement(connection.dialect.name, table, columns)
    return statement.columns(**dict.fromkeys(columns, String)).subquery("found")


def query_text(connection: Connection, query: Query, *, labels_only: bool = False) -> str:
    """Return a query in the database's own syntax, of which only labels may hold what is wanted."""
    return _SYNTAXES[connection.dialect.name].write_query(query, labels_only=labels_only)


@dataclass(frozen=True)
class _Syntax:
    """How one database writes a query. Tokens are of [a-z0-9], so they need no escapes.

    `word`, `beginning` and their forms for labels alone are formats of what stands for one token in
    a phrase, and `labels` of what is wanted in labels alone.
    """

    phrase: str
    next: str
    word: str
    beginning: str
    and_: str
    or_: str
    and_not: str
    nothing: str
    labels: str = "{}"
    word_of_label: str | None = None
    beginning_of_label: str | None = None

    def write_query(self, query: Query, *, labels_only: bool = False) -> str:
        branches = (self.write_branch(branch, labels_only) for branch in query)
        return self.or_.join(branches) or self.nothing

    def write_branch(self, branch: Branch, labels_only: bool) -> str:
        wanted = self.and_.join(self.write_term(term, labels_only) for term in branch.wanted)
        wanted = self.labels.format(f"({wanted})") if labels_only else f"({wanted})"
        if not branch.unwanted:
            return wanted
        unwanted = self.or_.join(self.write_term(term) for term in branch.unwanted)
        return f"({wanted}{self.and_not}({unwanted}))"

    def write_term(self, term: Term, labels_only: bool = False) -> str:
        alternatives = (self.write_alternative(each, labels_only) for each in term)
        return f"({self.or_.join(alternatives)})"

    def write_alternative(self, alternative: Alternative, labels_only: bool) -> str:
        return f"({self.and_.join(self.write_phrase(each, labels_only) for each in alternative)})"

    def write_phrase(self, phrase: Phrase, labels_only: bool) -> str:
        word, beginning = self.word, self.beginning
        if labels_only:
            word = self.word_of_label or word
            beginning = self.beginning_of_label or beginning
        written = [
            beginning.format(each[:-1]) if each[-1] == "*" else word.format(each) for each in phrase
        ]
        return self.phrase.format(self.next.join(written))


_SYNTAXES = {
    "sqlite": _Syntax(
        phrase="{}",
        next=" + ",
        word='"{}"',
        beginning='"{}"*',
        and_=" AND ",
        or_=" OR ",
        and_not=" NOT ",
        nothing='""',
        labels="({{title}} : {})",
    ),
    "postgresql": _Syntax(
        phrase="({})",
        next=" <-> ",
        word="'{}'",
        beginning="'{}':*",
        and_=" & ",
        or_=" | ",
        and_not=" & !",
        nothing="",
        word_of_label="'{}':A",
        beginning_of_label="'{}':*A",
    ),
}
