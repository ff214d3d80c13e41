"""An effect with its interval as a small picture, all on one scale, so that a column compares them.

Ratios stand on a logarithmic scale about 1, differences on a linear one about 0, as forest plots do
(Lewis & Clarke 2001, BMJ 322:1479).
"""

import re
from collections.abc import Iterable, Mapping
from math import log
from typing import Any, NamedTuple

WIDTH, HEIGHT, MARGIN = 140.0, 20.0, 6.0
_RATIO = re.compile(r"\b(ratio|relative risk)\b", re.IGNORECASE)
_DIFFERENCE = re.compile(r"\bdifference\b", re.IGNORECASE)
# An interval may be far wider than all others; what goes beyond ends in an arrow.
_MOST_RATIO = 100.0


class Plot(NamedTuple):
    """Where to draw: the ends of the interval, the estimate and the line of no effect, in units of
    the picture; whether each end lies beyond it.
    """

    low: float
    high: float
    estimate: float
    null: float
    cut_low: bool
    cut_high: bool


def is_ratio(effect: Mapping[str, Any]) -> bool:
    """Return whether an effect is a ratio, by the name of its measure."""
    return bool(_RATIO.search(effect["measure"]))


def _is_drawn(effect: Mapping[str, Any]) -> bool:
    values = (effect["estimate"], effect["low"], effect["high"])
    if any(value is None for value in values):
        return False
    if is_ratio(effect):
        return bool(effect["low"] > 0)
    return bool(_DIFFERENCE.search(effect["measure"]))


def plot(effect: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> Plot | None:
    """Return how to draw an effect on the scale that it shares with the others of its sort.

    None where it has no interval, or is of a measure whose value without an effect is not known.
    """
    if not _is_drawn(effect):
        return None
    if not is_ratio(effect):
        return _placed(effect["low"], effect["high"], effect["estimate"], _reach([effect]))
    logs = [log(effect[name]) for name in ("low", "high", "estimate")]
    ratios = [
        {name: log(other[name]) for name in ("low", "high")}
        for other in others
        if _is_drawn(other) and is_ratio(other)
    ]
    low, high, estimate = logs
    return _placed(low, high, estimate, min(_reach(ratios), log(_MOST_RATIO)))


def _reach(effects: Iterable[Mapping[str, float]]) -> float:
    """Return how far the scale goes to either side of no effect."""
    return max((abs(each[end]) for each in effects for end in ("low", "high")), default=1) or 1


def _placed(low: float, high: float, estimate: float, reach: float) -> Plot:
    room = WIDTH / 2 - MARGIN

    def place(value: float) -> float:
        return round(WIDTH / 2 + max(-1.0, min(1.0, value / reach)) * room, 1)

    return Plot(
        low=place(low),
        high=place(high),
        estimate=place(estimate),
        null=WIDTH / 2,
        cut_low=low < -reach,
        cut_high=high > reach,
    )


def in_words(effect: Mapping[str, Any]) -> str:
    """Return an effect as text: «odds ratio 13.5 (2.6 to 71.4), P = 0.002»."""
    told = [effect["measure"]]
    unit = f" {effect['unit']}" if effect["unit"] else ""
    if effect["estimate"] is not None:
        told.append(f"{_number(effect['estimate'])}{unit}")
    if effect["low"] is not None and effect["high"] is not None:
        told.append(f"({_number(effect['low'])} to {_number(effect['high'])})")
    text = " ".join(told)
    return text if effect["p"] is None else f"{text}, P = {_number(effect['p'])}"


def with_words(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of evidence with `told`: its effects in words."""
    return {**line, "told": [in_words(effect) for effect in line["effects"]]}


def _number(value: float) -> str:
    return f"{value:.10g}".replace("-", "\N{MINUS SIGN}")
