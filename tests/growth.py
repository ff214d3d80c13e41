"""How the cost of a piece of work grows with its input."""

import time
from collections.abc import Callable
from typing import TypeVar

Given = TypeVar("Given")

# Where the cost of twice the input is held to: linear work takes twice as much, and what grows
# with the square four times as much.
MOST_GROWTH = 3.0
REPETITIONS = 5


def growth(make: Callable[[int], Given], work: Callable[[Given], object], size: int) -> float:
    """Return how many times the processor time grows when the size of the input is doubled.

    The least of several times counts, since other processes can only add to it.
    """
    small, large = (_processor_seconds(make(each), work) for each in (size, 2 * size))
    return large / small


def _processor_seconds(given: Given, work: Callable[[Given], object]) -> float:
    seconds = []
    for _ in range(REPETITIONS):
        began = time.process_time()
        work(given)
        seconds.append(time.process_time() - began)
    return min(seconds)
