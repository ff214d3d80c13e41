"""Joins that a database executes in the order in which they are written."""

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
    """Return a join that starts from its left side on SQLite too.

    SQLite's planner does not know how few rows of the left side meet the conditions.
    """
    return _InOrder(left, right, on)


def prepend_to_join(start: FromClause, on: ColumnElement[bool], rows: FromClause) -> FromClause:
    """Return the rows joined to those of `start`, in a join that starts from `start`.

    The condition is on the first of the rows' tables.
    """
    if isinstance(rows, Join):
        return Join(prepend_to_join(start, on, rows.left), rows.right, rows.onclause)
    return ordered_join(start, rows, on)
