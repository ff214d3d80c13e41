"""Server-sent events: one poller per process looks for changes and wakes the open streams."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from anyio import CapacityLimiter, to_thread
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic_core import to_json
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import Message, Receive, Scope, Send

from api.http.errors import Unavailable
from models.database.connections import Database
from models.database.driver_errors import is_unavailable
from models.read import listings
from models.read.change_feed import Batch
from models.read.marks import Behind, Mark, connection_at

RETRY_MILLISECONDS = 3000
# How often to look for changes, and after how much silence to send a heartbeat.
POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
# How many changes a stream reads at once, so also how many wait in memory for a slow client.
BATCH = 100
# A client that receives no bytes for so long, although some wait for it, is disconnected.
STALLED_SECONDS = 60.0
# All streams together use at most this many connections, so that some remain for other requests.
READERS = 2
HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept", "X-Accel-Buffering": "no"}

Read = Callable[[Connection, int], Batch]
log = logging.getLogger("claimbase.streams")


class Stalled(Exception):
    """Raised when a client does not receive what is sent to it."""


@dataclass
class Streams:
    """The open streams of this process, and the newest serial that the poller has seen."""

    database: Database
    most: int
    open: int = 0
    closed: bool = False
    seen: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(READERS))
    pollers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        """Look for changes while the `async with` block runs, then end every stream."""
        poller = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            self.close()
            poller.cancel()
            await asyncio.wait([poller])

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self.open:
                continue
            try:
                newest = await to_thread.run_sync(self._newest, limiter=self.pollers)
            except (DBAPIError, PoolTimeout) as error:
                # The streams stay open: they resume where they stopped once the database is back.
                log.warning("cannot look for changes", extra={"error": type(error).__name__})
                continue
            if newest != self.seen:
                self.seen = newest
                self._wake()

    def _newest(self) -> int:
        with self.database.read() as connection:
            return listings.current_serial(connection)

    def _wake(self) -> None:
        # Streams that wait now hold the old event. Later ones need a new event, because the old one
        # stays set and would wake them at once.
        self.news, news = asyncio.Event(), self.news
        news.set()

    def close(self) -> None:
        """End every open stream, and refuse new ones."""
        self.closed = True
        self._wake()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Count a stream while it is open. Raises Unavailable if too many are open already."""
        if self.closed or self.open >= self.most:
            raise Unavailable(
                f"{self.open} streams are open, and no more can be opened."
                " Read /v1/changes instead, or try again later."
            )
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def events(self, since: int, read: Read) -> AsyncIterator[bytes]:
        """Yield the changes after a serial as they are committed, and a heartbeat when none are.

        The stream ends when the process stops. It holds no connection while a client is slow, and
        at most one batch waits in memory for the client.
        """
        # This first id has no data. A client that loses the connection before the first event
        # resumes from it.
        yield format_sse_event(id=str(since), retry=RETRY_MILLISECONDS)
        last_sent = since
        while not self.closed:
            # Get the event before reading. A commit that the read misses then sets this event, and
            # the stream reads again.
            news = self.news
            batch = await to_thread.run_sync(self._batch, read, since, limiter=self.readers)
            if batch is not None:
                if batch.next == since < batch.last:
                    # A revision that has a serial is not seen yet, on a distributed store.
                    await asyncio.sleep(POLL_SECONDS)
                since = batch.next
                if batch.rows:
                    last_sent = batch.rows[-1]["serial"]
                    yield b"".join(map(_event, batch.rows))
                if since < batch.last:
                    continue
            while not self.closed and not news.is_set():
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await news.wait()
                except TimeoutError:
                    # A client raises no event for an id without data, but it resumes from there,
                    # after the changes that its filters exclude.
                    yield format_sse_event(
                        comment="heartbeat", id=str(since) if since != last_sent else None
                    )
                    last_sent = since
                    if batch is None:
                        break

    def _batch(self, read: Read, since: int) -> Batch | None:
        """Return the changes after a serial, or None if the database is unavailable, or is a
        replica that has not reached that serial yet.
        """
        try:
            # From the primary, since the poller has seen there that there is something to read.
            with connection_at(
                self.database, self.database.read, Mark(since), newest=True
            ) as connection:
                return read(connection, since)
        except Behind:
            return None
        except (DBAPIError, PoolTimeout) as error:
            if isinstance(error, DBAPIError) and not is_unavailable(error):
                raise
            log.warning("a stream cannot read", extra={"error": type(error).__name__})
            return None


def _event(row: dict[str, object]) -> bytes:
    return format_sse_event(event="change", id=str(row["serial"]), data_str=to_json(row).decode())


class EventStream(EventSourceResponse):
    """A response of server-sent events, which stays open.

    The heartbeat of FastAPI's own loop has a fixed interval and no id, so this class does not use
    that loop.
    """

    def __init__(self, streams: Streams, since: int, read: Read) -> None:
        super().__init__(streams.events(since, read), headers=HEADERS)
        self.streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await send(message)
            except TimeoutError:
                raise Stalled from None

        with self.streams.place():
            try:
                await super().__call__(scope, receive, send_in_time)
            except Stalled:
                log.warning("a client takes nothing; its stream is given up")
