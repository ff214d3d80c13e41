"""A statement that never ends by itself."""

from typing import Any

from sqlalchemy import Select, literal, select


def endless() -> Select[Any]:
    """Return a statement that gives its first row at once and its last one never."""
    step = select(literal(1).label("n")).cte("step", recursive=True)
    step = step.union_all(select(step.c.n + 1).where(step.c.n < 10**9))
    return select(step.c.n)
