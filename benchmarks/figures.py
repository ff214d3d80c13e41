"""Figures: what was measured, round by round, beside what must be reached; and the table of them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

STORES = ("SQLite", "PostgreSQL")


@dataclass(frozen=True)
class Bound:
    """What a figure must reach: `≥` or `≤` a number."""

    sign: str
    number: float

    def reached(self, value: float) -> bool:
        """Say whether a value is on the right side."""
        return value >= self.number if self.sign == "≥" else value <= self.number


def at_least(number: float) -> Bound:
    """Return the bound that a figure must not be below."""
    return Bound("≥", number)


def at_most(number: float) -> Bound:
    """Return the bound that a figure must not be above."""
    return Bound("≤", number)


@dataclass(frozen=True)
class Figure:
    """One figure of one row: what of it, on which store, in what unit, its value in each round, its bound if it has one."""

    row: int
    what: str
    store: str
    unit: str
    values: Sequence[float]
    bound: Bound | None = None

    @property
    def median(self) -> float:
        """Return the value that counts."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Return whether the bound was reached."""
        if self.bound is None:
            return ""
        return "reached" if self.bound.reached(self.median) else "MISSED"

    @property
    def shown(self) -> str:
        """Return the median with the spread of the rounds."""
        return shown(self.values)

    def told(self) -> dict[str, Any]:
        """Return all of it for the results."""
        bound = f"{self.bound.sign} {self.bound.number:g}" if self.bound else None
        return {
            "row": self.row,
            "what": self.what,
            "store": self.store,
            "unit": self.unit,
            "median": self.median,
            "values": list(self.values),
            "bound": bound,
            "verdict": self.verdict or None,
        }


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return how many times as much each round gave, round by round: both were driven one after the other."""
    return [one / other for one, other in zip(above, below, strict=True)]


def shown(values: Sequence[float]) -> str:
    """Return the median of some values with their spread."""
    spread = f" ({_number(min(values))}–{_number(max(values))})" if len(values) > 1 else ""
    return f"{_number(statistics.median(values))}{spread}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table, a line for what is the same on both stores."""
    lines = ["| # | figure | must be | SQLite | | PostgreSQL | |", "|---|---|---|---|---|---|---|"]
    beside: dict[tuple[int, str, str], dict[str, Figure]] = {}
    for figure in figures:
        beside.setdefault((figure.row, figure.what, figure.unit), {})[figure.store] = figure
    for (row, what, unit), found in sorted(beside.items(), key=lambda each: each[0][0]):
        bounds = {
            f"{each.bound.sign} {each.bound.number:g}" for each in found.values() if each.bound
        }
        cells = [part for store in STORES for part in _cells(found.get(store))]
        lines.append(f"| {row} | {what} [{unit}] | {', '.join(bounds)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(figure: Figure | None) -> tuple[str, str]:
    return (figure.shown, figure.verdict) if figure else ("", "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
