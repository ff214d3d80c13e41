"""Figures: the measured values, round by round, beside the aim; and the table of them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

STORES = ("SQLite", "PostgreSQL")
HEADINGS = ("| # | figure | must be | SQLite | | PostgreSQL | |", "|---|---|---|---|---|---|---|")


@dataclass(frozen=True)
class Bound:
    """The aim of a figure: `≥` or `≤` a number."""

    sign: str
    number: float

    def __str__(self) -> str:
        return f"{self.sign} {self.number:g}"

    def holds(self, value: float) -> bool:
        """Return whether the value is on the right side."""
        return value >= self.number if self.sign == "≥" else value <= self.number


def at_least(number: float) -> Bound:
    """Return the bound that a figure must not be below."""
    return Bound("≥", number)


def at_most(number: float) -> Bound:
    """Return the bound that a figure must not be above."""
    return Bound("≤", number)


@dataclass(frozen=True)
class Figure:
    """One figure of a row for one store: its unit, its value in each round, its bound if any."""

    row: int
    name: str
    store: str
    unit: str
    values: Sequence[float]
    bound: Bound | None = None

    @property
    def median(self) -> float:
        """Return the value that the bound is compared with."""
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """Return whether the bound was reached, or nothing if there is no bound."""
        if self.bound is None:
            return ""
        return "reached" if self.bound.holds(self.median) else "MISSED"

    @property
    def text(self) -> str:
        """Return the median with the spread of the rounds."""
        return median_text(self.values)

    def as_json(self) -> dict[str, Any]:
        """Return the figure for the file of results."""
        return {
            "row": self.row,
            "name": self.name,
            "store": self.store,
            "unit": self.unit,
            "median": self.median,
            "values": list(self.values),
            "bound": str(self.bound) if self.bound else None,
            "verdict": self.verdict or None,
        }


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Return the ratio of each round. Both were measured one right after the other."""
    pairs = zip(numerators, denominators, strict=True)
    return [numerator / denominator for numerator, denominator in pairs]


def median_text(values: Sequence[float]) -> str:
    """Return the median of some values with their spread."""
    median = number_text(statistics.median(values))
    if len(values) == 1:
        return median
    return f"{median} ({number_text(min(values))}–{number_text(max(values))})"


def number_text(value: float) -> str:
    """Return a number with three significant digits, or without decimals from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table, with both stores on one line."""
    lines: dict[tuple[int, str, str], dict[str, Figure]] = {}
    for figure in figures:
        by_store = lines.setdefault((figure.row, figure.name, figure.unit), {})
        by_store[figure.store] = figure
    # Stable, so that the figures of one row stay in the order in which they were measured.
    ordered = sorted(lines.values(), key=_row)
    return "\n".join([*HEADINGS, *map(_table_line, ordered)])


def _row(by_store: dict[str, Figure]) -> int:
    return next(iter(by_store.values())).row


def _table_line(by_store: dict[str, Figure]) -> str:
    first = next(iter(by_store.values()))
    bounds = {str(figure.bound) for figure in by_store.values() if figure.bound}
    cells = [str(first.row), f"{first.name} [{first.unit}]", ", ".join(bounds)]
    for store in STORES:
        figure = by_store.get(store)
        cells += [figure.text, figure.verdict] if figure else ["", ""]
    return f"| {' | '.join(cells)} |"
