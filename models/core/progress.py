"""How work that takes long tells how far it has come."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Report(Protocol):
    """A function to call with how many more are done, and of how many where that is known."""

    def __call__(self, more: int, total: int | None = None) -> None: ...


# A function that begins a count of what the text names, such as "Rows restored".
Counts = Callable[[str], AbstractContextManager[Report]]


def no_report(more: int, total: int | None = None) -> None:
    """Tell nobody."""


@contextmanager
def no_counts(_activity: str) -> Iterator[Report]:
    """Begin a count that nobody sees."""
    yield no_report
