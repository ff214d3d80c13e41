"""Keeps one address from taking the event loop away from others."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.clients import address_of, address_of_host

Result = TypeVar("Result")

# Time is counted in two windows of this length, this one and the one before.
WINDOW_SECONDS = 1.0
# An address may take so many times its share, and no more than this part of all. Clients that ask
# alike differ by less, and must not slow each other.
TOLERANCE = 2
LARGEST_PART = 0.75
# How long a request waits before it looks again, and altogether.
PAUSE_SECONDS = 0.005
LONGEST_WAIT_SECONDS = 4.0
# The event loop is free where it is no more than this late, and the process has used no more than
# this part of one processor lately: a thread that computes holds Python's lock most of the time.
LATE_SECONDS = 0.002
BUSY_PART = 0.8


class FairShare:
    """An ASGI application in front of another one, which lets addresses that took much wait.

    Of n addresses that ask each has a share of one nth of the event loop's time; what exceeds that
    waits until the loop is free and threads do not compute. What counts is the time for which
    requests kept the loop, or a thread computing, not how long they took.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.began = time.monotonic()
        self.current: dict[str, float] = {}
        self.previous: dict[str, float] = {}
        # What the process had used when this window began, and when the one before it did.
        self.used = time.process_time()
        self.since = self.began, self.used

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] != "http" or client is None:
            await self.app(scope, receive, send)
            return
        address = address_of_host(client[0])
        if self._exceeds(address):
            await self._wait(address)
        timed = Timed(self.app(scope, receive, send))  # type: ignore[arg-type]
        try:
            await timed
        finally:
            self.add(address, timed.seconds)

    def add(self, address: str, seconds: float) -> None:
        """Count time that an address took, also that of its threads."""
        self.current[address] = self.current.get(address, 0.0) + seconds

    def _exceeds(self, address: str) -> bool:
        """Return whether an address took more than its share, while others asked as well."""
        self._turn_window()
        mine = self.current.get(address, 0.0) + self.previous.get(address, 0.0)
        addresses = self._count_addresses()
        return addresses > 1 and mine > min(TOLERANCE / addresses, LARGEST_PART) * self._total()

    def _turn_window(self) -> None:
        now = time.monotonic()
        if now - self.began > WINDOW_SECONDS:
            is_next = now - self.began < 2 * WINDOW_SECONDS
            self.previous = self.current if is_next else {}
            self.since = self.began, self.used
            self.current, self.began, self.used = {}, now, time.process_time()

    def _count_addresses(self) -> int:
        return len(self.current.keys() | self.previous.keys())

    def is_crowded(self) -> bool:
        """Return whether several addresses ask, and the process is busy."""
        self._turn_window()
        return self._count_addresses() > 1 and self._is_busy(time.monotonic())

    def _total(self) -> float:
        return sum(self.current.values()) + sum(self.previous.values())

    async def _wait(self, address: str) -> None:
        end = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            began = time.monotonic()
            await asyncio.sleep(PAUSE_SECONDS)
            now = time.monotonic()
            late = now - began - PAUSE_SECONDS > LATE_SECONDS
            if now > end or not self._exceeds(address) or not (late or self._is_busy(now)):
                return

    def _is_busy(self, now: float) -> bool:
        began, used = self.since
        return time.process_time() - used > BUSY_PART * (now - began)


async def run_in_thread(
    request: Request,
    work: Callable[[], Result],
    run: Callable[[Callable[[], Result]], Awaitable[Result]] = run_in_threadpool,
) -> Result:
    """Return the result of work that `run` does in a thread, and count its time for the address.

    A thread takes processors and Python's lock away from the event loop.
    """
    took = 0.0

    def timed() -> Result:
        nonlocal took
        began = time.thread_time()
        try:
            return work()
        finally:
            took = time.thread_time() - began

    try:
        return await run(timed)
    finally:
        request.app.state.fair_share.add(address_of(request), took)


class Timed:
    """An awaitable that runs a coroutine and adds up the time for which it keeps the event loop."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self.seconds = 0.0

    def __await__(self) -> Generator[Any, Any, None]:
        step, value = self._coroutine.send, None
        while True:
            began = time.perf_counter()
            try:
                awaited = step(value)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - began
            try:
                value = yield awaited
                step = self._coroutine.send
            except BaseException as error:
                step, value = self._coroutine.throw, error
