"""Breaks off connections to a server that stopped answering."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

CHECK_SECONDS = 0.5


@dataclass
class Watched:
    """A connection of the driver that is broken off at a check with this number or a later one."""

    driver: Any
    last_check: float
    broken_off: bool = False


class HangWatch:
    """Shuts the socket of a connection whose time is over.

    The server itself ends a statement that takes too long. A server that hangs, or that the
    network lost, does nothing at all, and the thread that waits for it could not be ended.
    With its socket shut, the driver raises an error there at once.

    Time is counted in checks of this watch. By the clock, a process that the system stopped for
    some seconds would take a server for hanging whose answer it had no time to read.
    """

    def __init__(self) -> None:
        self._watched: dict[int, Watched] = {}
        self._checks = 0
        self._lock = Lock()
        self._closed = Event()
        self._thread: Thread | None = None

    @contextmanager
    def limited(self, driver: Any, seconds: float) -> Iterator[Watched]:
        """Break this connection of the driver off if the context takes longer.

        Yields what tells afterwards whether it was: what was read just then may still have arrived.
        """
        with self._lock:
            watched = Watched(driver, self._checks + 1 + seconds / CHECK_SECONDS)
            self._watched[id(driver)] = watched
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="hung connections", daemon=True)
                self._thread.start()
        try:
            yield watched
        finally:
            with self._lock:
                self._watched.pop(id(driver), None)

    def close(self) -> None:
        """Break all connections off that are in use, and stop watching."""
        self._closed.set()
        self.check(float("inf"))

    def _watch(self) -> None:
        while not self._closed.wait(CHECK_SECONDS):
            self._checks += 1
            self.check(self._checks)

    def check(self, number: float) -> None:
        """Break off what the check with this number ends."""
        # The lock keeps a connection from being returned to its pool, and lent again, meanwhile.
        with self._lock:
            for watched in self._watched.values():
                if watched.last_check <= number:
                    _shut_socket(watched.driver)
                    watched.broken_off = True


def _shut_socket(driver: Any) -> None:
    if driver.closed:
        return
    with suppress(OSError), socket.socket(fileno=os.dup(driver.pgconn.socket)) as shared:
        shared.shutdown(socket.SHUT_RDWR)
