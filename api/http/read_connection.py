"""The connections that routes read on, in the event loop or in a thread.

A route's function asks for one by the type of a parameter; `api.http.read_route` passes it in.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from starlette.types import Scope

from api.http.clients import client_of
from api.http.fair_queue import FairQueue
from api.http.fair_share import run_in_thread
from api.http.serial_marks import mark_of
from models.database.connections import Database
from models.database.driver_errors import TooSlowForEventLoop, needs_waiting
from models.read.marks import Behind, Connect, connection_at, read_at

# About two milliseconds of the database's work in the event loop.
THOUSAND_STEPS = 20
# How long a request waits for a server to reach what its client has seen, and until it asks first;
# each later pause is twice as long, since serials that nobody has may be asked for by anybody.
BEHIND_SECONDS = 1.0
BEHIND_PAUSE = 0.05
Result = TypeVar("Result")


class Lent:
    """The marker of a parameter that receives a read-only connection."""

    def __init__(self, *, in_thread: bool) -> None:
        self.in_thread = in_thread

    def __call__(self) -> None:
        raise NotImplementedError("a route class lends the connection")


# `Reader` may be used in the event loop, where nothing may take long; `ThreadReader` is for work
# that always takes long.
Reader = Annotated[Connection, Depends(Lent(in_thread=False))]
ThreadReader = Annotated[Connection, Depends(Lent(in_thread=True))]


def database(request: Request) -> Database:
    """Return the database of this application."""
    current: Database = request.app.state.database
    return current


async def read(
    request: Request,
    work: Callable[[Connection], Result],
    *,
    in_thread: bool = False,
    marked: bool = True,
) -> Result:
    """Return the result of work that only reads.

    Unless `in_thread` says that the work takes long, it begins where short reads are done: of a
    file in the event loop, up to a number of steps of the database; of a server on a connection
    that is kept for them, up to a time. If that is not enough, it starts again in a thread for long
    reads, once. The state of the request has the serial that it saw, if the work is `marked`: part
    of what the client is told, rather than what one statement looks up about the request.

    Raises Behind if no server has reached what the client has seen, and waits for that shortly.
    """
    waited, pause = 0.0, BEHIND_PAUSE
    while True:
        patient = waited < BEHIND_SECONDS
        try:
            return await _read(request, work, in_thread=in_thread, marked=marked, patient=patient)
        except Behind as error:
            if error.is_final or not patient:
                raise
        # Without a thread, since many may wait for one replica.
        await asyncio.sleep(pause)
        waited += pause
        pause = min(2 * pause, BEHIND_SECONDS - waited)


async def _read(
    request: Request,
    work: Callable[[Connection], Result],
    *,
    in_thread: bool,
    marked: bool,
    patient: bool,
) -> Result:
    client = client_of(request)
    store = database(request)
    state = request.scope["state"]

    def reading(connect: Connect) -> Result:
        return read_at(
            store,
            connect,
            work,
            mark_of(request.scope) if marked else None,
            lambda serial: state.update(serial=serial),
            # A key that was revoked is refused at once, and who writes sees what they wrote.
            newest=bool(state.get("keyed")),
            patient=patient,
        )

    if not in_thread:
        try:
            return await _read_shortly(request, client, reading, marked=marked)
        except TooSlowForEventLoop:
            pass
        except DBAPIError as error:
            if not needs_waiting(error):
                raise
    readers: FairQueue = request.app.state.readers
    try:
        return await run_in_thread(
            request, partial(reading, store.read), partial(readers.run, client)
        )
    finally:
        request.app.state.limits.tell_work(request, client)


async def _read_shortly(
    request: Request, client: str, reading: Callable[[Connect], Result], *, marked: bool
) -> Result:
    store = database(request)
    if store.inline is not None:
        return reading(lambda _server: store.read_inline(THOUSAND_STEPS))
    readers: FairQueue = request.app.state.short_readers
    return await run_in_thread(
        request,
        partial(reading, store.read_shortly if marked else store.look_up),
        partial(readers.run, client),
    )


@contextmanager
def reading_by_itself(
    scope: Scope, store: Database, *, unlimited: bool = False
) -> Iterator[Connection]:
    """Yield a connection for an answer that is read while it is sent, which has no time limit if
    `unlimited`. Raises Behind if no server has reached what the client has seen, here or before.
    """
    state = scope["state"]
    mark = mark_of(scope)
    with connection_at(
        store,
        partial(store.read, unlimited=unlimited),
        mark._replace(seen=max(mark.seen, state.get("serial", 0))),
        lambda serial: state.update(serial=serial),
    ) as connection:
        yield connection
