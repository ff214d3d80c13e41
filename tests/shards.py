"""Which statements would cross shards on Citus: what the driver of PostgreSQL is given, and where
each statement would go by its text and its values.

`models/migrations/distribution.py` says by which column each table is distributed. A statement goes
to one shard if each distributed table in it has one known value in that column, or is joined on it
to one that has. This is Citus's own rule (its router), read from the text; Citus itself is asked by
`tests/drills/citus.py`.
"""

import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import psycopg
import pytest
import sqlglot
from sqlglot import exp

from api.settings import ROOT
from models.migrations.distribution import PLACES, REFERENCE

# In these files statements pass through; who asks is whoever called them.
PASSED_THROUGH = (f"{ROOT}/models/database/", f"{ROOT}/models/migrations/")
HANDED_ON = frozenset({"fetch_listing", "read_page", "read_rows_of", "read_rows", "_cached"})
QUERIES = ("SELECT", "INSERT", "UPDATE", "DELETE", "COPY", "WITH", "(")
OWN = (f"{ROOT}/models/", f"{ROOT}/api/")


@dataclass(frozen=True)
class Statement:
    """A statement as the driver got it, with its values, and the function that asked."""

    text: str
    values: Any
    asker: str


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Give the list of all statements that go to PostgreSQL meanwhile, in any thread."""
    statements: list[Statement] = []
    lock = threading.Lock()
    cursor: Any = psycopg.Cursor
    streaming: Any = psycopg.ServerCursor
    execute, execute_many, copy = cursor.execute, cursor.executemany, cursor.copy
    stream = streaming.execute

    def note(query: Any, values: Any) -> None:
        text = query.decode() if isinstance(query, bytes) else str(query)
        with lock:
            statements.append(Statement(text, values, _asker()))

    def noting_execute(self: Any, query: Any, params: Any = None, **named: Any) -> Any:
        note(query, params)
        return execute(self, query, params, **named)

    def noting_stream(self: Any, query: Any, params: Any = None, **named: Any) -> Any:
        note(query, params)
        return stream(self, query, params, **named)

    def noting_many(self: Any, query: Any, params_seq: Any, **named: Any) -> Any:
        sets = list(params_seq)
        for params in sets:
            note(query, params)
        return execute_many(self, query, sets, **named)

    def noting_copy(self: Any, statement: Any, *args: Any, **named: Any) -> Any:
        note(statement, None)
        return copy(self, statement, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursor, "execute", noting_execute)
        patch.setattr(streaming, "execute", noting_stream)
        patch.setattr(cursor, "executemany", noting_many)
        patch.setattr(cursor, "copy", noting_copy)
        yield statements


def _asker() -> str:
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        own = name.startswith(OWN) and not name.startswith(PASSED_THROUGH)
        if own and frame.f_code.co_name not in HANDED_ON and "<" not in frame.f_code.co_name:
            path = name.removeprefix(f"{ROOT}/").removesuffix(".py").replace("/", ".")
            return f"{path}.{frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return "nobody"


@dataclass
class Verdict:
    """Where a statement goes: `shards` is `none` if it needs no distributed table, `one`, `named`
    (those of several given values) or `all`. `tables` are the distributed ones in it, `refusals`
    say why Citus would refuse it.
    """

    shards: str
    tables: frozenset[str]
    refusals: list[str] = field(default_factory=list)


def judge(statement: Statement) -> Verdict:
    """Return where a statement goes. Raises ParseError if its text cannot be read."""
    if not statement.text.lstrip().startswith(QUERIES):
        return Verdict("none", frozenset())
    tree = _parsed(statement.text)
    if isinstance(tree, exp.Copy):
        name = _table_of(tree.find(exp.Table))
        shards = "named" if PLACES.get(name, REFERENCE) != REFERENCE else "none"
        return Verdict(shards, frozenset({name} if shards == "named" else ()))
    return _Reading(statement.values).verdict(tree)


_NAMED = re.compile(r"%\((\w+)\)s|%s|%%")


@lru_cache(10_000)
def _parsed(text: str) -> Any:
    places = iter(range(10**6))

    def plain(found: "re.Match[str]") -> str:
        if found[0] == "%%":
            return "%"
        return f":{found[1]}" if found[1] else f":p{next(places)}"

    return sqlglot.parse_one(_NAMED.sub(plain, text), read="postgres")


def _table_of(node: Any) -> str:
    return str(node.name) if node is not None else ""


@dataclass(eq=False)
class _Level:
    """A SELECT (or a statement that writes), with the tables and subqueries that it names."""

    outer: "_Level | None"
    is_sublink: bool
    # Per alias: a place of a distributed table, the columns of a subquery that are such a column of
    # one, or None for a reference table.
    names: dict[str, Any] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    is_correlated: bool = False
    has_correlated_sublink: bool = False


class _Reading:
    """The reading of one statement."""

    def __init__(self, values: Any) -> None:
        self.values = values
        # Each place where a distributed table is named: its name, and of which group it is.
        self.tables: list[str] = []
        self.groups: list[int] = []
        self.known: dict[int, list[set[Any]]] = {}
        self.follows: dict[int, int] = {}
        self.levels: list[_Level] = []
        self.faults: list[str] = []

    def verdict(self, tree: Any) -> Verdict:
        self.read(tree, None, is_sublink=False)
        if any(case.this is not None for case in tree.find_all(exp.Case)):
            # Citus writes CASE x WHEN … of a text wrongly where it sends it on.
            self.faults.append("a CASE that compares one value; write CASE WHEN x = …")
        if not self.tables:
            return Verdict("none", frozenset())
        groups = {self.group(place) for place in range(len(self.tables))}
        found = [self.values_of(group) for group in groups]
        tables = frozenset(self.tables)
        if all(each is not None for each in found):
            every = set().union(*(each for each in found if each is not None))
            if len(every) <= 1:
                return Verdict("one", tables)
            shards = "named"
        else:
            shards = "all"
        return Verdict(shards, tables, self.refusals())

    def refusals(self) -> list[str]:
        """Return why Citus refuses it where more than one shard is asked."""
        faults = self.faults
        for level in self.levels:
            if level.has_correlated_sublink and level.names and not self.is_sharded(level):
                faults.append("a correlated subquery below a table that is whole on every node")
            if not level.is_correlated or not level.is_sublink or not level.places:
                continue
            above = level.outer
            around: set[int] = set()
            while above is not None:
                around |= {self.group(place) for place in above.places}
                above = above.outer
            for place in level.places:
                group = self.group(place)
                if group not in around and self.followed(group) not in around:
                    faults.append(
                        f"a correlated subquery on {self.tables[place]}, not joined on the shards'"
                        " column"
                    )
        return faults

    def is_sharded(self, level: _Level) -> bool:
        """Return whether its FROM names a distributed table, or every sublink is without one."""
        if any(inner is not None for inner in level.names.values()):
            return True
        return not any(
            inner.outer is level and inner.is_sublink and inner.places for inner in self.levels
        )

    def values_of(self, group: int) -> set[Any] | None:
        """Return the values to which the shards' column is bound, or None."""
        sets = self.known.get(group)
        if sets:
            return min(sets, key=len)
        followed = self.follows.get(group)
        return None if followed is None else self.values_of(self.group(followed))

    def followed(self, group: int) -> int | None:
        followed = self.follows.get(group)
        return None if followed is None else self.group(followed)

    def group(self, place: int) -> int:
        while self.groups[place] != place:
            place = self.groups[place]
        return place

    def join(self, one: int, other: int) -> None:
        one, other = self.group(one), self.group(other)
        if one == other:
            return
        self.groups[one] = other
        self.known.setdefault(other, []).extend(self.known.pop(one, []))
        if one in self.follows:
            self.follows.setdefault(other, self.follows.pop(one))

    def read(self, tree: Any, outer: _Level | None, *, is_sublink: bool) -> dict[str, int]:
        """Read a query; return its columns that are the shards' column of a table."""
        if isinstance(tree, exp.Subquery):
            return self.read(tree.this, outer, is_sublink=is_sublink)
        if isinstance(tree, exp.SetOperation):
            for side in (tree.left, tree.right):
                self.read(side, outer, is_sublink=is_sublink)
            return {}
        level = _Level(outer, is_sublink)
        self.levels.append(level)
        for condition in self.enter(tree, level):
            self.condition(condition, level)
        is_select = isinstance(tree, exp.Select)
        ends = [tree.args.get(name) for name in ("order", "group")] if is_select else []
        self.sublinks([*tree.expressions, *ends], level)
        return self.outputs(tree, level)

    def enter(self, tree: Any, level: _Level) -> list[Any]:
        """Name the tables and subqueries of a query; return the conditions that its rows meet."""
        common = tree.args.get("with_")
        for each in common.expressions if common else ():
            level.names[each.alias] = self.read(each.this, level, is_sublink=False)
        if isinstance(tree, exp.Insert):
            self.read_insert(tree, level)
        elif isinstance(tree, (exp.Update, exp.Delete)):
            self.add(tree.this, level)
        if tree.args.get("from_"):
            self.add(tree.args["from_"].this, level)
        conditions = []
        for join in tree.args.get("joins") or ():
            self.add(join.this, level)
            conditions.append(join.args.get("on"))
        conditions += [tree.args[name].this for name in ("where", "having") if tree.args.get(name)]
        return [condition for condition in conditions if condition is not None]

    def read_insert(self, tree: Any, level: _Level) -> None:
        schema = tree.this
        name = _table_of(schema.find(exp.Table))
        column = PLACES.get(name, REFERENCE)
        if column == REFERENCE:
            return
        place = self.place(name, name, level)
        if isinstance(tree.expression, exp.Values):
            index = [each.name for each in schema.expressions].index(column)
            for row in tree.expression.expressions:
                self.bind(place, [row.expressions[index]])

    def place(self, name: str, alias: str, level: _Level) -> int:
        number = len(self.tables)
        self.tables.append(name)
        self.groups.append(number)
        level.places.append(number)
        level.names[alias] = number
        return number

    def add(self, source: Any, level: _Level) -> None:
        alias = source.alias_or_name
        if isinstance(source, exp.Table):
            name = source.name
            if name in level.names and not source.args.get("alias"):
                return  # A common table expression.
            if PLACES.get(name, REFERENCE) == REFERENCE:
                level.names[alias] = None
            else:
                self.place(name, alias, level)
            for join in source.args.get("joins") or ():
                self.add(join.this, level)
                if join.args.get("on") is not None:
                    self.condition(join.args["on"], level)
        elif isinstance(source, (exp.Subquery, exp.Lateral)):
            level.names[alias] = self.read(source.this, level, is_sublink=False)
        elif isinstance(source, exp.Paren):
            self.add(source.this, level)
        else:
            level.names[alias] = None

    def outputs(self, tree: Any, level: _Level) -> dict[str, int]:
        found = {}
        for each in tree.expressions if isinstance(tree, exp.Select) else ():
            place = self.column(each.this if isinstance(each, exp.Alias) else each, level)
            if place is not None:
                found[each.alias_or_name] = place
        return found

    def column(self, node: Any, level: _Level) -> int | None:
        """Return the place whose shards' column this is, or None."""
        node = _bare(node)
        if not isinstance(node, exp.Column):
            return None
        here: _Level | None = level
        passed: list[_Level] = []
        while here is not None:
            alias = node.table
            if not alias and len(here.names) == 1:
                (alias,) = here.names
            if alias in here.names:
                for inner in passed:
                    inner.is_correlated = True
                if passed and passed[0].is_sublink:
                    here.has_correlated_sublink = True
                target = here.names[alias]
                if isinstance(target, dict):
                    return target.get(node.name)
                if target is not None and PLACES[self.tables[target]] == node.name:
                    return int(target)
                return None
            passed.append(here)
            here = here.outer
        return None

    def condition(self, node: Any, level: _Level) -> None:
        """Read a condition that must hold."""
        if isinstance(node, exp.Paren):
            self.condition(node.this, level)
        elif isinstance(node, exp.And):
            self.condition(node.left, level)
            self.condition(node.right, level)
        elif isinstance(node, exp.EQ) and not _has_select(node):
            self.equality(node, level)
        elif isinstance(node, exp.In):
            self.membership(node, level)
        elif isinstance(node, exp.Or) and not _has_select(node):
            self.alternatives(node, level)
        elif isinstance(node, exp.Exists):
            self.read(node.this, level, is_sublink=True)
        else:
            self.sublinks([node], level)

    def equality(self, node: Any, level: _Level) -> None:
        left, right = _bare(node.left), _bare(node.right)
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            for one, other in zip(left.expressions, right.expressions, strict=True):
                self.equal(one, other, level)
        else:
            self.equal(left, right, level)
        self.sublinks([node], level)

    def equal(self, left: Any, right: Any, level: _Level) -> None:
        one, other = self.column(left, level), self.column(right, level)
        if one is not None and other is not None:
            self.tie(one, other, level)
        elif one is not None:
            self.bind(one, [right])
        elif other is not None:
            self.bind(other, [left])

    def tie(self, one: int, other: int, level: _Level) -> None:
        inside = {place for place in (one, other) if place in level.places}
        if level.is_sublink and len(inside) == 1:
            (inner,) = inside
            # What a subquery finds is where the row around it is, not the other way round.
            self.follows.setdefault(self.group(inner), other if inner == one else one)
        else:
            self.join(one, other)

    def membership(self, node: Any, level: _Level) -> None:
        query = node.args.get("query")
        place = self.column(node.this, level)
        if query is not None:
            columns = self.read(query, level, is_sublink=True)
            inner = next(iter(columns.values()), None)
            if place is not None and inner is not None:
                self.join(place, inner)
            return
        tuples = _bare(node.this)
        if isinstance(tuples, exp.Tuple):
            for number, part in enumerate(tuples.expressions):
                place = self.column(part, level)
                if place is not None:
                    rows = [_bare(each) for each in node.expressions]
                    self.bind(place, [row.expressions[number] for row in rows])
        elif place is not None:
            self.bind(place, node.expressions)
        self.sublinks([node.this, *node.expressions], level)

    def alternatives(self, node: Any, level: _Level) -> None:
        """Bind what is bound in every branch of an OR."""
        bound: list[dict[int, set[Any]]] = []
        for branch in node.flatten():
            before = {group: list(sets) for group, sets in self.known.items()}
            self.known = {}
            self.condition(branch, level)
            bound.append({group: min(sets, key=len) for group, sets in self.known.items()})
            self.known = before
        for group in set(bound[0]).intersection(*bound[1:]):
            self.known.setdefault(group, []).append(set().union(*(each[group] for each in bound)))

    def bind(self, place: int, nodes: Sequence[Any]) -> None:
        values = set()
        for node in map(_bare, nodes):
            if isinstance(node, exp.Placeholder):
                values.add(self.value(node.name))
            elif isinstance(node, exp.Literal):
                values.add(node.this)
            else:
                return
        self.known.setdefault(self.group(place), []).append(values)

    def value(self, name: str) -> Any:
        if isinstance(self.values, Mapping):
            return self.values[name]
        return self.values[int(name.removeprefix("p"))]

    def sublinks(self, nodes: Sequence[Any], level: _Level) -> None:
        """Read the subqueries in expressions, and note the columns that they name."""
        for node in nodes:
            if node is None:
                continue
            for inner in node.find_all(exp.Column):
                if inner.find_ancestor(exp.Query) in (None, node.find_ancestor(exp.Query)):
                    self.column(inner, level)
            for query in _outermost_selects(node):
                self.read(query, level, is_sublink=True)


def _outermost_selects(node: Any) -> Iterator[Any]:
    if isinstance(node, (exp.Select, exp.SetOperation)):
        yield node
        return
    for child in node.iter_expressions():
        yield from _outermost_selects(child)


def _has_select(node: Any) -> bool:
    return node.find(exp.Select) is not None


def _bare(node: Any) -> Any:
    while isinstance(node, (exp.Paren, exp.Cast, exp.Collate)):
        node = node.this
    return node
