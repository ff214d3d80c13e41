"""How many claims had each status at the end of each year, as bands one on another."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from models.core import vocabularies as v

WIDTH, HEIGHT, MARGIN = 640.0, 160.0, 20.0
YEARS_DRAWN = 25


class Band(NamedTuple):
    """A rectangle of the picture: the claims of one status at the end of one year."""

    status: str
    x: float
    y: float
    width: float
    height: float


class Stack(NamedTuple):
    """The bands, and years to name below them with their places."""

    bands: list[Band]
    years: list[tuple[int, float]]


def stack(history: Sequence[dict[str, Any]]) -> Stack | None:
    """Return the picture of a history as `facets.status_history` counts it; None if it is empty.

    The oldest years, in which hardly a claim was stated, would press the others together: only
    the last `YEARS_DRAWN` are drawn.
    """
    drawn = [row for row in history if sum(row["counts"].values())][-YEARS_DRAWN:]
    if not drawn:
        return None
    most = max(sum(row["counts"].values()) for row in drawn)
    step = WIDTH / len(drawn)
    room = HEIGHT - MARGIN
    bands = []
    for place, row in enumerate(drawn):
        y = room
        for status in v.STATUSES.ids:
            height = row["counts"][status] / most * (room - 2)
            if height:
                y -= height
                x = round(place * step, 1)
                bands.append(Band(status, x, round(y, 1), round(step - 1, 1), round(height, 1)))
    every = max(1, len(drawn) // 6)
    years = [
        (row["year"], round((place + 0.5) * step, 1))
        for place, row in enumerate(drawn)
        if place % every == 0
    ]
    return Stack(bands, years)
