"""Who writes when: one of each process at a time."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

from models.core.errors import ClaimbaseError


class Busy(ClaimbaseError):
    """Other writers were busy for as long as a writer waits."""

    code = "unavailable"

    def __init__(self) -> None:
        super().__init__("Other writers are busy. Try again later.")


class WriterQueue:
    """Writers of this process one after the other, in the order in which they came.

    SQLite lets whoever happens to ask at the right moment in, so that of many writers one may wait for ever. With one of
    each process at its door at a time, hardly anybody does; the others wait here, without a connection.
    """

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._lock = Lock()

    @contextmanager
    def turn(self, seconds: float) -> Iterator[float]:
        """Wait so long for one's turn, and have it; give how many of the seconds are left for writers of other processes."""
        until = time.monotonic() + seconds
        mine = Event()
        with self._lock:
            self._waiting.append(mine)
            self._waiting[0].set()
        try:
            if not mine.wait(seconds):
                raise Busy
            yield until - time.monotonic()
        finally:
            with self._lock:
                self._waiting.remove(mine)
                if self._waiting:
                    self._waiting[0].set()
