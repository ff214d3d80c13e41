"""Parses lines and derives claims in other processes, while this one goes on reading and writing.

What lines hold and what follows from a claim's records is computed without a database, and takes
most of the time of a load. So many claims at once go to processes of their own, and come back as
rows that are ready for the driver.
"""

import gc
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import Connection

from models.core.errors import ClaimbaseError
from models.database.prepared_statements import ReadyRows, driver_of, ready_rows
from models.projection import store
from models.projection.claim_loader import ClaimRows, assemble
from models.projection.derive import Rows, derive_from
from models.search import index

# This process reads and writes, and is busy with that for as long as two others derive.
PROCESSES = 2
# A process takes a second to start, so the first claims are derived here.
FIRST_CLAIMS = 1000
# So many bytes are worked on ahead: about as long as it takes to derive a batch of claims.
AHEAD_BYTES = 2 * 2**20
Given = TypeVar("Given")
Made = TypeVar("Made")
# What is made of the derived rows of claims, where they were derived.
Look = Callable[[Rows], Any]


class ProcessEnded(ClaimbaseError):
    """A process that parsed lines and derived claims was killed."""

    code = "process_ended"


@dataclass
class Deriving:
    """Claims that are being derived for one connection, and stored in the order they came in.

    `taken` counts them. `tasks` are under way in other processes, each with what is to be done with
    the answer of its `look`.
    """

    connection: Connection
    processes: int
    pool: ProcessPoolExecutor | None = None
    taken: int = 0
    tasks: deque[tuple[Future[Any], Callable[[Any], None]]] = field(default_factory=deque)

    def put(self, found: ClaimRows, look: Look, then: Callable[[Any], None]) -> None:
        """Derive claims that have no rows in the read model yet, and store them now or soon.

        `look` is asked about the derived rows, wherever that is (so it must be one that can be sent
        to another process), and `then` is called here with its answer.
        """
        driver = driver_of(self.connection)
        self.taken += len(found.claims)
        if not self.processes or self.taken <= FIRST_CLAIMS:
            self._store(derive_ready(driver, found, look), then)
            return
        if self.pool is None:
            self.pool = ProcessPoolExecutor(
                self.processes, mp_context=get_context("spawn"), initializer=_begin_process
            )
        while len(self.tasks) > self.processes:
            self._take_next()
        task = self.pool.submit(derive_ready, driver, found, look)
        self.tasks.append((task, then))

    def ahead(
        self, work: Callable[[Given], Made], items: Iterable[Given], size: Callable[[Given], int]
    ) -> Iterator[tuple[Given, Made]]:
        """Yield each item with what work makes of it, in their order.

        Once there are other processes they do the work, some items ahead, each of a `size` in
        bytes. Where the items end in an error, it is raised after what is made of those before it.
        """
        under_way: deque[tuple[Given, Future[Made]]] = deque()
        held = 0

        def finished(most: int) -> Iterator[tuple[Given, Made]]:
            nonlocal held
            while under_way and held > most:
                item, task = under_way.popleft()
                held -= size(item)
                yield item, task.result()

        failure: Exception | None = None
        following = iter(items)
        while True:
            try:
                item = next(following)
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            if self.pool is None:
                yield item, work(item)
            else:
                under_way.append((item, self.pool.submit(work, item)))
                held += size(item)
                yield from finished(AHEAD_BYTES)
        # Items may be empty, so that none is held by its size.
        yield from finished(-1)
        if failure is not None:
            raise failure

    def finish(self) -> None:
        """Wait for all that is under way, and store it. Whoever reads the read model needs that."""
        while self.tasks:
            self._take_next()

    def _take_next(self) -> None:
        task, then = self.tasks.popleft()
        self._store(task.result(), then)

    def _store(self, derived: "DerivedClaims", then: Callable[[Any], None]) -> None:
        store.store_ready(self.connection, derived.rows, derived.words)
        then(derived.answer)


@contextmanager
def deriving(connection: Connection) -> Iterator[Deriving]:
    """Yield what derives claims for a connection; at the end of the block all are stored.

    Raises `ProcessEnded`.
    """
    under_way = Deriving(connection, min(PROCESSES, _processors() - 1))
    try:
        yield under_way
        under_way.finish()
    except BrokenProcessPool:
        raise ProcessEnded(
            "A process of this import was killed, as a system does that runs out of memory; nothing"
            " was stored."
        ) from None
    finally:
        if under_way.pool is not None:
            under_way.pool.shutdown(cancel_futures=True)


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class DerivedClaims:
    """What was derived of some claims: rows for the driver, words for the index, an answer."""

    rows: list[ReadyRows]
    words: Rows
    answer: Any


def derive_ready(driver: str, found: ClaimRows, look: Look) -> DerivedClaims:
    """Return the read model of claims, as the driver with a name takes it; see `driver_of`."""
    derived = derive_from(assemble(found))
    rows = [ready_rows(driver, table, derived[table.name]) for table in store.PLAIN_TABLES]
    words = {table.name: derived[table.name] for table in index.INDEXED["claim"]}
    return DerivedClaims(rows, words, look(derived))


def _begin_process() -> None:
    """Let this process end with the one that started it, and leave an interruption to that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    parent = parent_process()
    assert parent is not None
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
