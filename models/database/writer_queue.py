"""The queue of writers: one at a time in each process."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

from models.core.errors import ClaimbaseError


class Busy(ClaimbaseError):
    """Other writers were busy for as long as a writer may wait."""

    code = "unavailable"

    def __init__(self) -> None:
        super().__init__("Other writers are busy. Try again later.")


class WriterQueue:
    """Lets the writers of this process write one after the other, in the order of their arrival.

    SQLite admits any writer that happens to ask at the right moment, so one of many could wait for
    ever. With only one writer of each process asking at a time, this is most unlikely; the others
    wait here, without a connection.
    """

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._lock = Lock()

    @contextmanager
    def turn(self, seconds: float) -> Iterator[float]:
        """Wait for the caller's turn, which lasts as long as the context. Raises `Busy`.

        Yields how many of the seconds remain to wait for writers of other processes.
        """
        deadline = time.monotonic() + seconds
        my_turn = Event()
        with self._lock:
            self._waiting.append(my_turn)
            self._waiting[0].set()
        try:
            if not my_turn.wait(seconds):
                raise Busy
            yield deadline - time.monotonic()
        finally:
            with self._lock:
                self._waiting.remove(my_turn)
                if self._waiting:
                    self._waiting[0].set()
