"""Property tests: with a few generated examples in the default suite, with many under `slow`."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FEW, MANY, VERY_MANY = 75, 2_000, 20_000


def generated(
    *strategies: st.SearchStrategy[Any],
    few: int = FEW,
    many: int = MANY,
    without: Iterable[HealthCheck] = (),
) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """Run a test on `few` examples of its arguments, and on `many` in the slow suite; the same ones
    each time.

        Where an example is a list of sources, `few` counts the lists.
    """
    sizes = pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.slow)])

    def decorate(check: Callable[..., None]) -> Callable[[int], None]:
        def run(examples: int) -> None:
            options = settings(
                max_examples=examples,
                derandomize=True,
                deadline=None,
                suppress_health_check=list(without),
            )
            options(given(*strategies)(check))()

        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(run, name, getattr(check, name))
        marked: Callable[[int], None] = sizes(run)
        return marked

    return decorate


def fuzzed(
    *strategies: st.SearchStrategy[Any],
) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """Run a test on a few inputs of any kind, and on very many in the slow suite."""
    return generated(*strategies, many=VERY_MANY)
