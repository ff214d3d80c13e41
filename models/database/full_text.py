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
    numbered = [{**row, "number": number} for number, row in enumerate(rows, start=last + 1)]
    insert_rows(connection, table, numbered)
    connection.exec_driver_sql(
        f"INSERT INTO {name}_index (rowid, title, words) VALUES (?, ?, ?)",  # noqa: S608
        [(row["number"], row["title"], row["words"]) for row in numbered],
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
# As `_MATCHES`, but what is wanted must stand in labels. SQLite's query says that itself.
# PostgreSQL makes no use of an index for what IS TRUE: that of labels finds few rows, and to find
# all that match first would take several times as long.
_MATCHES_IN_LABELS = {
    "sqlite": _MATCHES["sqlite"],
    "postgresql": (
        "SELECT {columns} FROM {name} AS texts WHERE labels @@ CAST(:label_query AS tsquery)"
        " AND (vector @@ CAST(:search_query AS tsquery)) IS TRUE"
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
    names = (*(f"texts.{key}" for key in keys), f"{score} AS score")
    statement = text(_MATCHES[dialect].format(name=table.name, columns=", ".join(names)))
    columns = statement.columns(**dict.fromkeys(keys, String), score=Integer)
    if dialect == "sqlite":
        # SQLite may otherwise compute the rank again in a place where the index is out of reach.
        return columns.cte("found").prefix_with("MATERIALIZED", dialect="sqlite")
    return columns.subquery("found")


def unscored_matches(
    connection: Connection, table: Table, *more: str, labels_only: bool = False
) -> FromClause:
    """Return the rows of words that match a query, with the columns of their key and some more.

    They come as they are found, so that the first of them are read without finding all. With
    `labels_only` what is wanted must stand in their labels.
    """
    columns = (*table.primary_key.columns.keys(), *more)
    return _unscored_matches(connection.dialect.name, table, columns, labels_only)


@cache
def _unscored_matches(
    dialect: str, table: Table, columns: tuple[str, ...], labels_only: bool
) -> FromClause:
    names = ", ".join(f"texts.{column}" for column in columns)
    statements = _MATCHES_IN_LABELS if labels_only else _MATCHES
    statement = statements[dialect].format(name=table.name, columns=names)
    types = {column: table.c[column].type for column in columns}
    return text(statement).columns(**types).subquery("found")


def query_values(
    connection: Connection, query: Query, *, labels_only: bool = False
) -> dict[str, str]:
    """Return the values of the parameters of matches: a query in the database's own syntax."""
    syntax = _SYNTAXES[connection.dialect.name]
    values = {"search_query": syntax.write_query(query, labels_only=labels_only)}
    if labels_only:
        wanted = tuple(Branch(branch.wanted, ()) for branch in query)
        values["label_query"] = syntax.write_query(wanted)
    return values


# How PostgreSQL plans the statements of a search. How many records have a word decides what is
# quick: a plan for any words, which it takes after some runs, supposes rare ones, and took ten
# times as long for common ones. The first of many matches must be the same ones whenever they are
# read, so they are read from the start of the table, and by one process.
_PLANNING = {
    "plan_cache_mode": "force_custom_plan",
    "synchronize_seqscans": "off",
    "max_parallel_workers_per_gather": "0",
}
_PLAN_SEARCHES = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', true)" for name, value in _PLANNING.items()
)


def plan_searches(connection: Connection) -> None:
    """Have PostgreSQL plan each search of this transaction for its words, and always alike."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_PLAN_SEARCHES)


@dataclass(frozen=True)
class _Syntax:
    """How one database writes a query. Tokens are of [a-z0-9], so they need no escapes.

    `word` and `beginning` are formats of what stands for one token in a phrase, and `labels` of
    what is wanted in labels alone, where the query says that.
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

    def write_query(self, query: Query, *, labels_only: bool = False) -> str:
        branches = (self.write_branch(branch, labels_only) for branch in query)
        return self.or_.join(branches) or self.nothing

    def write_branch(self, branch: Branch, labels_only: bool) -> str:
        wanted = f"({self.and_.join(map(self.write_term, branch.wanted))})"
        if labels_only:
            wanted = self.labels.format(wanted)
        if not branch.unwanted:
            return wanted
        unwanted = self.or_.join(map(self.write_term, branch.unwanted))
        return f"({wanted}{self.and_not}({unwanted}))"

    def write_term(self, term: Term) -> str:
        return f"({self.or_.join(map(self.write_alternative, term))})"

    def write_alternative(self, alternative: Alternative) -> str:
        return f"({self.and_.join(map(self.write_phrase, alternative))})"

    def write_phrase(self, phrase: Phrase) -> str:
        written = [
            self.beginning.format(token[:-1]) if token[-1] == "*" else self.word.format(token)
            for token in phrase
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
    ),
}
