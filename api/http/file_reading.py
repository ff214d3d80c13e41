"""Files of citations, read apart: in child processes, of which there are few, with limits.

A child has pipes of its own, so that it can be killed at any moment and nothing else waits for it.
That is why this is no pool of a library: the children of Pebble share a channel under a lock, which
one that is killed may hold for ever, and `concurrent.futures` gives up its whole pool where one
child dies.
"""

import json
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread, Timer
from typing import IO, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import Request
from starlette.requests import ClientDisconnect

from api.citations.parse_result import EntryProblem, ParsedEntry, ParsedFile
from api.citations.reading_process import PART_BYTES, parts_of
from api.http.clients import Held, address_of, client_of
from api.http.errors import Unavailable
from api.http.fair_queue import FairQueue
from api.http.rate_limits import Limit
from api.http.request_body import announced_length, limits_of
from api.settings import ROOT

# Children of a process of the server. Each takes a processor and up to 190 MB; for a file of 20 MB
# up to 480 MB.
AT_ONCE = 2
# Of them, those that read a file of more than 2 MB, which may take minutes: the other ones are left
# for ordinary files.
MOST_LARGE = 1
# Files of a process that are received, wait or are read. An address never holds more than are left
# free: one of many people may have half of them, and the next one half of the rest. A larger file
# counts as one for each 2 MB, so that all of them are never more than 80 MB.
MOST_FILES = 40
# How long each 2 MB of a file may take, however busy the machine is. Then its child is killed. In a
# stream that includes what is done with its entries, and the time that the client takes.
WALL_SECONDS = 45.0
# How long a file that is being read keeps a server from its stop; the rest is refused at once.
STOP_SECONDS = 3.0
# What a child may answer to each 2 MB, in bytes: text most of whose characters JSON writes as six.
# No batch of entries has more either.
MOST_RESULT_BYTES = 16_000_000
COMMAND = (sys.executable, "-m", "api.citations.reading_process")

Result = TypeVar("Result")


@dataclass
class ReadFile:
    """What became of a file: its entries, its format, and how the reading ended."""

    parsed: ParsedFile = field(default_factory=ParsedFile)
    format: str | None = None
    # `read`, or the code of what is wrong.
    end: str = "too_complex"
    detail: str = "To read the file takes too much time or memory"
    # Whether its child said how it ended; else it was killed.
    complete: bool = False


class Child:
    """A process that reads files, one after the other."""

    def __init__(self) -> None:
        # In the folder of this program, so that the child runs the same one.
        self._process = subprocess.Popen(  # noqa: S603
            COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.retires = False

    def batches(self, content: bytes, found: ReadFile) -> Iterator[ParsedFile]:
        """Yield the entries of a file in batches, and note in `found` how the reading ended.

        Nothing more is yielded if the child ends meanwhile. Raises BrokenPipeError if it had ended
        before.
        """
        parts = parts_of(len(content))
        timer = Timer(WALL_SECONDS * parts, self.kill)
        timer.daemon = True
        timer.start()
        try:
            source, output = self._pipes()
            source.write(
                json.dumps({"format": found.format, "bytes": len(content)}).encode() + b"\n"
            )
            source.write(content)
            source.flush()
            self.retires = True  # Unless it says otherwise at the end.
            left = MOST_RESULT_BYTES * parts
            while line := output.readline(min(left, MOST_RESULT_BYTES)):
                left -= len(line)
                if not line.endswith(b"\n"):
                    break
                message = json.loads(line)
                if "end" in message:
                    self.retires = message["retires"]
                    found.complete = True
                    found.format, found.end = message["format"], message["end"]
                    found.detail = message["detail"] or ""
                    break
                yield ParsedFile(
                    [ParsedEntry(at, of, tuple(lost)) for at, of, lost in message["entries"]],
                    [EntryProblem(*problem) for problem in message["problems"]],
                )
        finally:
            timer.cancel()

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """End it and wait for that."""
        self.kill()
        self._process.wait()
        for pipe in self._pipes():
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # Of what was not written it got nothing, and needs nothing any more.

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout


class FileReaders:
    """The children of a process of the server, started when needed, and who waits for one."""

    def __init__(self, work: Limit) -> None:
        # One client has one file read at a time, and whoever used least lately comes next.
        self.turns = FairQueue(AT_ONCE, AT_ONCE - 1, work)
        self.large_turns = FairQueue(MOST_LARGE, MOST_LARGE, Limit(work.quota))
        self._places = Held()
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._lock = Lock()
        self._closed = False
        self._closing: Timer | None = None

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator[None]:
        """Hold the places of a file, from before its body is read. Raises Unavailable without them.

        There are as many as the file has parts; without a Content-Length as it may have.
        """
        address = address_of(request)
        needed = parts_of(announced_length(request) or limits_of(request).bytes)
        if self._places[address] + needed > MOST_FILES - self._places.total():
            raise Unavailable("Too many files are being read already. Try again later.")
        self._places[address] += needed
        try:
            yield
        finally:
            self._places.release(address, needed)

    @asynccontextmanager
    async def turn(self, request: Request, size: int) -> AsyncIterator[None]:
        """Hold one of the few turns, for all that is done to a file that has been received.

        A file of more than one part needs the turn of the large ones besides. Raises Unavailable
        for those who wait for too long, or still wait when the server stops.
        """
        client = client_of(request)
        async with AsyncExitStack() as stack:
            if size > PART_BYTES:
                await stack.enter_async_context(self.large_turns.place(client))
            await stack.enter_async_context(self.turns.place(client))
            yield

    def open(self) -> None:
        """Begin to read files; an application may be started again after its end."""
        if self._closing is not None:
            self._closing.cancel()
        self._closed = self.turns.stopping = self.large_turns.stopping = False

    def stop(self) -> None:
        """Begin nothing any more, and give what is being read a little time to end."""
        self.large_turns.stop()
        self.turns.stop()
        self._closing = Timer(STOP_SECONDS, self.close)
        self._closing.daemon = True
        self._closing.start()

    async def read(self, content: bytes, name: str | None) -> ReadFile:
        """Return what is in a file. Its child is killed where nobody waits for it any more."""
        found = ReadFile(format=name)
        async with aclosing(self.batches(content, found)) as batches:
            async for batch in batches:
                found.parsed.entries += batch.entries
                found.parsed.problems += batch.problems
        return found

    async def batches(self, content: bytes, found: ReadFile) -> AsyncGenerator[ParsedFile]:
        """Yield the entries of a file in batches, and note in `found` how the reading ended.

        Whoever takes them closes the generator, which ends the child of an unfinished file.
        """
        child = await run_sync(self._child)
        finished = False
        try:
            reading = child.batches(content, found)
            try:
                batch = await run_sync(next, reading, None, abandon_on_cancel=True)
            except BrokenPipeError:
                # It was ended from outside while it was idle.
                child = await run_sync(self._child_anew, child)
                reading = child.batches(content, found)
                batch = await run_sync(next, reading, None, abandon_on_cancel=True)
            while batch is not None:
                yield batch
                batch = await run_sync(next, reading, None, abandon_on_cancel=True)
            finished = True
            if self.turns.stopping and not found.complete:
                raise Unavailable("The server is being stopped. Try again later.")
        finally:
            self._give_back(child, usable=finished and not child.retires)

    def _child(self) -> Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._new_child()

    def _new_child(self) -> Child:
        child = Child()
        with self._lock:
            self._all.add(child)
            if self._closed:
                child.kill()
        return child

    def _child_anew(self, ended: Child) -> Child:
        # Another idle one may have been ended as well.
        self._give_back(ended, usable=False)
        return self._new_child()

    def _give_back(self, child: Child, *, usable: bool) -> None:
        with self._lock:
            if usable and not self._closed:
                self._idle.append(child)
                return
            self._all.discard(child)
        child.kill()
        # To wait for its end takes a while, and this is the event loop.
        Thread(target=child.close, daemon=True).start()

    def close(self) -> None:
        """End all children."""
        with self._lock:
            self._closed = True
            children, idle, self._idle = list(self._all), self._idle, []
        for child in children:
            child.kill()
        # The others are closed by who waits for them.
        for child in idle:
            child.close()


async def while_there(request: Request, work: Callable[[], Awaitable[Result]]) -> Result:
    """Return the result of work, which is cancelled if the client leaves. Raises ClientDisconnect.

    The body must have been read.
    """
    results: list[Result] = []
    errors: list[Exception] = []
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            results.append(await work())
        except Exception as error:
            errors.append(error)  # The group would raise it as one of several.
        tasks.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not results:
        raise ClientDisconnect
    return results[0]
