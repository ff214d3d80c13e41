"""A queue for places, such as threads that read, in which no client is served before others."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from api.http.clients import Held
from api.http.errors import Unavailable
from api.http.rate_limits import Limit

# So many requests of one client may wait, and for so long; beyond either it is 503.
MOST_WAITING = 100
WAIT_SECONDS = 20.0
# So many long reads of one client run at once in a process. They compete with the event loop, and
# the processes of a database server do too, for processors that may be two.
MOST_LONG_READS = 1
# While other addresses ask too and the process is busy, a client has so many seconds of long reads
# a minute: those of a database server take processors from everybody. It never owes more than it
# pays back while a request may wait.
CROWDED_SECONDS_PER_MINUTE = 15
MOST_OWED_SECONDS = 3.0
# How long the queue waits before it looks again whether clients paid back.
PAUSE_SECONDS = 0.02
Result = TypeVar("Result")


class FairQueue:
    """Lends places; the next free one goes to the waiting client that used least of them lately.

    What a client used is the time for which it held places, in seconds, which `used` counts. One
    client never holds more than `most_of_one`, so that another one finds a place free. It is for
    the event loop's thread alone.
    """

    def __init__(
        self,
        places: int,
        most_of_one: int,
        used: Limit,
        is_crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self.is_crowded = is_crowded
        self.owed = Limit(CROWDED_SECONDS_PER_MINUTE)
        self.looks_again = False
        self.free = places
        self.most_of_one = most_of_one
        self.used = used
        self.stopping = False
        self.held = Held()
        self.waiting: dict[str, deque[asyncio.Future[None]]] = {}
        # Of its own, since all other threads may be busy for long.
        self.threads = CapacityLimiter(places)

    def count_waiting(self) -> int:
        """Return how many requests wait for a place."""
        return sum(len(futures) for futures in self.waiting.values())

    def count_held(self) -> int:
        """Return how many places are lent."""
        return self.held.total()

    async def run(self, client: str, work: Callable[[], Result]) -> Result:
        """Return the result of work in a thread, which a place is waited for."""
        async with self.place(client):
            return await to_thread.run_sync(work, limiter=self.threads)

    @asynccontextmanager
    async def place(self, client: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it as long as the context lasts. Raises Unavailable."""
        if self.free and not self.waiting and self._may_have(client):
            self._lend(client)
        elif self.stopping:
            raise _stopped()
        else:
            await self._wait(client)
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            self.used.take(client, took)
            self.owed.take(client, min(took, MOST_OWED_SECONDS - self.owed.missing(client)))
            self._return(client)

    async def _wait(self, client: str) -> None:
        futures = self.waiting.setdefault(client, deque())
        if len(futures) >= MOST_WAITING:
            raise Unavailable(f"{MOST_WAITING} requests of yours wait already. Try again later.")
        future = asyncio.get_running_loop().create_future()
        futures.append(future)
        self._lend_free()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await future
        except BaseException as error:
            if _was_lent(future):
                self._return(client)
            self._forget(client, future)
            if isinstance(error, TimeoutError):
                detail = f"There was no free place within {WAIT_SECONDS:g} seconds."
                raise Unavailable(f"{detail} Try again later.") from None
            raise

    def stop(self) -> None:
        """Refuse all who wait, now and from now on. Who holds a place may finish."""
        self.stopping = True
        for futures in self.waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(_stopped())
        self.waiting.clear()

    def _lend(self, client: str) -> None:
        self.free -= 1
        self.held[client] += 1

    def _return(self, client: str) -> None:
        self.free += 1
        self.held.release(client)
        self._lend_free()

    def _lend_free(self) -> None:
        """Lend free places to clients that wait and do not hold as many as one may."""
        while self.free:
            eligible = [name for name in self.waiting if self._may_have(name)]
            if not eligible:
                self._look_again_later()
                return
            client = min(eligible, key=lambda name: (self.held[name], self.used.missing(name)))
            future = self.waiting[client].popleft()
            if not self.waiting[client]:
                del self.waiting[client]
            if not future.done():
                self._lend(client)
                future.set_result(None)

    def _may_have(self, client: str) -> bool:
        if self.held[client] >= self.most_of_one:
            return False
        return not self.owed.missing(client) or not self.is_crowded()

    def _look_again_later(self) -> None:
        """See to it that who waits until something is paid back gets a place without an event."""
        if self.waiting and not self.looks_again:
            self.looks_again = True
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self.looks_again = False
        self._lend_free()

    def _forget(self, client: str, future: asyncio.Future[None]) -> None:
        futures = self.waiting.get(client)
        if futures is not None and future in futures:
            futures.remove(future)
            if not futures:
                del self.waiting[client]


def _stopped() -> Unavailable:
    return Unavailable("The server is being stopped. Try again later.")


def _was_lent(future: asyncio.Future[None]) -> bool:
    """Return whether a place was lent to who waits for it."""
    return future.done() and not future.cancelled() and future.exception() is None
