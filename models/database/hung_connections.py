"""Breaks off connections to a server that stopped answering."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Any

# How often the deadlines are compared with the clock.
CHECK_SECONDS = 0.5


class HangWatch:
    """Shuts the socket of a connection whose deadline has passed.

    The server itself ends a statement that takes too long. A server that hangs, or that the
    network lost, does nothing at all, and the thread that waits for it could not be ended.
    With its socket shut, the driver raises an error there at once.
    """

    def __init__(self) -> None:
        self._deadlines: dict[int, tuple[float, Any]] = {}
        self._lock = Lock()
        self._closed = Event()
        self._thread: Thread | None = None

    @contextmanager
    def limited(self, driver: Any, seconds: float) -> Iterator[None]:
        """Break this connection of the driver off if the context takes longer."""
        with self._lock:
            self._deadlines[id(driver)] = time.monotonic() + seconds, driver
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="hung connections", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._deadlines.pop(id(driver), None)

    def close(self) -> None:
        """Break all connections off that are in use, and stop watching."""
        self._closed.set()
        self._break_off(float("inf"))

    def _watch(self) -> None:
        while not self._closed.wait(CHECK_SECONDS):
            self._break_off(time.monotonic())

    def _break_off(self, moment: float) -> None:
        # The lock keeps a connection from being returned to its pool, and lent again, meanwhile.
        with self._lock:
            for deadline, driver in self._deadlines.values():
                if deadline <= moment:
                    _shut_socket(driver)


def _shut_socket(driver: Any) -> None:
    if driver.closed:
        return
    with suppress(OSError), socket.socket(fileno=os.dup(driver.pgconn.socket)) as shared:
        shared.shutdown(socket.SHUT_RDWR)
