"""How the cost of a piece of work grows with its input."""

import gc
import time
from collections.abc import Callable
from typing import TypeVar

Given = TypeVar("Given")

# Where the cost of twice the input is held to: linear work takes twice as much, and what grows
# with the square four times as much.
MOST_GROWTH = 3.0
FEWEST_REPETITIONS = 5
MOST_REPETITIONS = 25


def growth(make: Callable[[int], Given], work: Callable[[Given], object], size: int) -> float:
    """Return how many times the processor time grows when the size of the input is doubled.

    The least of several times counts, since other processes can only add to it. What seems to grow
    too much is repeated more often: work that does so truly will never seem not to.
    """
    small, large = make(size), make(2 * size)
    least_small = least_large = float("inf")
    for repetition in range(MOST_REPETITIONS):
        least_small = min(least_small, _processor_seconds(small, work))
        least_large = min(least_large, _processor_seconds(large, work))
        grown = least_large / least_small
        if repetition + 1 >= FEWEST_REPETITIONS and grown < MOST_GROWTH:
            break
    return grown


def _processor_seconds(given: Given, work: Callable[[Given], object]) -> float:
    # A collection walks over all that other tests left in this process, not over this work alone.
    gc.disable()
    try:
        began = time.process_time()
        work(given)
        return time.process_time() - began
    finally:
        gc.enable()
        gc.collect(0)
