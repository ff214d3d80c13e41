"""The servers of one database that are read from: the primary and its streaming replicas.

Each is asked twice a second, beside the requests, whether it answers, how far it is and how long
its answer takes. So a request never waits to find that out, unless it is the first one to meet a
server that has just been lost.
"""

import logging
import math
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from models.database.hung_connections import HangWatch

PROBE_SECONDS = 0.5
# How long the answer to a probe may take.
PROBE_PATIENCE = 2.0
# A replica that has not reached for so long what the others had is behind.
BEHIND_SECONDS = 2.0
# Servers that answer within this time are equally near, and so are those within twice the time of
# each other.
NEAR_SECONDS = 0.005
# The part of the last answer in the mean of a server's round trips.
WEIGHT = 0.2
_STATE = text("SELECT value, pg_is_in_recovery() FROM serial")
log = logging.getLogger("claimbase.database")


@dataclass(eq=False)
class Server:
    """A server that is read from, and what is known of it.

    `is_main` is the one that is written to: the address that leads to the primary.
    """

    name: str
    reader: Engine
    short_reader: Engine
    prober: Engine
    is_main: bool = False
    is_lost: bool = False
    is_standby: bool = True
    serial: int = 0
    round_trip: float | None = None
    # The serial that it should reach soon, since another server had it, and when it last had.
    target: int = 0
    reached_at: float = math.inf
    # Processes that know the same of two servers take one each.
    tie: float = field(default_factory=random.random)

    @property
    def distance(self) -> int:
        """Return how far it is, in steps that are twice as far each."""
        if self.round_trip is None or self.round_trip <= NEAR_SECONDS:
            return 0
        return math.ceil(math.log2(self.round_trip / NEAR_SECONDS))

    @property
    def state(self) -> str:
        """Return in a word what is known of it."""
        if self.is_lost:
            return "lost"
        return "behind" if self.is_behind() else "answering"

    def is_behind(self) -> bool:
        """Return whether it is behind the others."""
        return time.monotonic() - self.reached_at > BEHIND_SECONDS


class Replicas:
    """The servers, the first of which is written to.

    With `main_first` the others are only read from while that one does not answer.
    """

    def __init__(
        self, servers: Sequence[Server], hang_watch: HangWatch, *, main_first: bool
    ) -> None:
        self.servers = servers
        self.main = servers[0]
        self.main_first = main_first
        # The highest serial that any of them showed.
        self.newest = 0
        self._hang_watch = hang_watch
        self._lock = Lock()
        self._closed = Event()
        self._threads: list[Thread] = []

    def order(self, *, newest: bool = False) -> list[Server]:
        """Return the servers that answer, the best one first, or all if none is known to answer.

        With `newest` that is the primary; else the nearest replica that is not behind.
        """
        self._watch()
        answering = [server for server in self.servers if not server.is_lost] or self.servers
        main_first = newest or self.main_first

        def rank(server: Server) -> tuple[float, ...]:
            if server.is_main and main_first:
                return (-1,)
            behind = server.is_behind()
            return (
                behind,
                server.is_main,
                -server.serial if behind else 0,
                server.distance,
                not server.is_standby,
                server.tie,
            )

        return sorted(answering, key=rank)

    def note_serial(self, server: Server, serial: int) -> None:
        """Remember which serial a server showed."""
        server.serial = serial
        self.newest = max(self.newest, serial)

    def note_lost(self, server: Server, error: BaseException) -> None:
        """Keep reads off a server until it answers again."""
        with self._lock:
            was_lost, server.is_lost = server.is_lost, True
        if not was_lost:
            log.warning("a database server is lost", extra=_about(server, error))

    def known_serial(self) -> int | None:
        """Return the highest serial that is known, or None while no server is known to answer."""
        self._watch()
        known = any(each.round_trip is not None and not each.is_lost for each in self.servers)
        return self.newest if known else None

    def close(self) -> None:
        """Stop asking, and close what is open."""
        self._closed.set()
        for thread in self._threads:
            thread.join(PROBE_PATIENCE)
        for server in self.servers:
            for engine in (server.reader, server.short_reader, server.prober):
                engine.dispose()

    def _watch(self) -> None:
        """Begin to ask the servers, each in a thread, so that one that hangs delays no other."""
        if self._threads:
            return
        with self._lock:
            if self._threads:
                return
            self._threads = [
                Thread(target=self._ask_again, args=(each,), name=each.name, daemon=True)
                for each in self.servers
            ]
        for thread in self._threads:
            thread.start()

    def _ask_again(self, server: Server) -> None:
        connection: Connection | None = None
        while not self._closed.is_set():
            try:
                connection = connection or server.prober.connect()
                with self._hang_watch.limited(
                    connection.connection.driver_connection, PROBE_PATIENCE
                ):
                    self._ask(server, connection)
                    connection.rollback()
                if server.is_main and server.is_standby:
                    # The address may lead to another server by now, which is the primary.
                    _drop(connection)
                    connection = None
            except SQLAlchemyError as error:
                _drop(connection)
                connection = None
                if not self._closed.is_set():
                    self.note_lost(server, error)
            self._closed.wait(PROBE_SECONDS)
        _drop(connection)

    def _ask(self, server: Server, connection: Connection) -> None:
        if server.is_lost:
            server.target = self.newest
        began = time.monotonic()
        row = connection.execute(_STATE).one_or_none()
        now = time.monotonic()
        serial, is_standby = row or (0, False)
        took = now - began
        mean = server.round_trip
        server.round_trip = took if mean is None else mean + WEIGHT * (took - mean)
        server.is_standby = bool(is_standby)
        self.note_serial(server, int(serial))
        if not is_standby:
            # What the primary does not have was lost with the one before it.
            self.newest = server.serial
        if server.serial >= min(server.target, self.newest):
            server.reached_at = now
        elif server.reached_at == math.inf:
            server.reached_at = -math.inf
        server.target = self.newest
        if server.is_lost:
            server.is_lost = False
            log.warning("a database server is back", extra=_about(server))


def _drop(connection: Connection | None) -> None:
    if connection is None:
        return
    # Whatever is wrong with it, the server is asked again on a new one.
    with suppress(SQLAlchemyError):
        connection.invalidate()
        connection.close()


def _about(server: Server, error: BaseException | None = None) -> dict[str, str]:
    cause = getattr(error, "orig", error)
    causes = {} if cause is None else {"cause": f"{type(cause).__name__}: {cause}"}
    return {"server": server.name, **causes}
