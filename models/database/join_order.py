"""Joins that are gone through in the order in which they are written."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Join
from sqlalchemy.ext.compiler import compiles


class _InOrder(Join):
    inherit_cache = True


@compiles(_InOrder)
def _join(join: _InOrder, compiler: Any, **options: Any) -> str:
    return str(compiler.visit_join(join, **options))


@compiles(_InOrder, "sqlite")
def _cross_join(join: _InOrder, compiler: Any, **options: Any) -> str:
    left, right = (
        compiler.process(side, **{**options, "asfrom": True}) for side in (join.left, join.right)
    )
    options.pop("asfrom", None)
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause, **options)}"


def ordered_join(left: FromClause, right: FromClause, on: ColumnElement[bool]) -> FromClause:
    """Return a join whose left side comes first on SQLite too, which does not know how few rows are left of it."""
    return _InOrder(left, right, on)


def prepend_to_join(
    first: FromClause, key: ColumnElement[Any], rows: FromClause, record: ColumnElement[Any]
) -> FromClause:
    """Return rows with only those whose record is a key of others, which are gone through first."""
    if isinstance(rows, Join):
        return Join(prepend_to_join(first, key, rows.left, record), rows.right, rows.onclause)
    return ordered_join(first, rows, key == record)
