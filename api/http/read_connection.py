"""The connections that routes read on, in the event loop or in a thread.

A route's function asks for one by the type of a parameter; `api.http.read_route` passes it in.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from api.http.clients import client_of
from api.http.fair_queue import FairQueue
from api.http.fair_share import run_in_thread
from models.database.connections import Database
from models.database.driver_errors import TooSlowForEventLoop, needs_waiting

# About two milliseconds of the database's work in the event loop.
THOUSAND_STEPS = 20
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
    request: Request, work: Callable[[Connection], Result], *, in_thread: bool = False
) -> Result:
    """Return the result of work that only reads.

    Unless `in_thread` says that the work takes long, it begins where short reads are done: of a
    file in the event loop, up to a number of steps of the database; of a server on a connection
    that is kept for them, up to a time. If that is not enough, it starts again in a thread for long
    reads, once.
    """
    client = client_of(request)
    if not in_thread:
        try:
            return await _read_shortly(request, client, work)
        except TooSlowForEventLoop:
            pass
        except DBAPIError as error:
            if not needs_waiting(error):
                raise
    readers: FairQueue = request.app.state.readers
    work_in_thread = partial(_work_on, database(request).read, work)
    try:
        return await run_in_thread(request, work_in_thread, partial(readers.run, client))
    finally:
        request.app.state.limits.tell_work(request, client)


async def _read_shortly(
    request: Request, client: str, work: Callable[[Connection], Result]
) -> Result:
    store = database(request)
    if store.inline is not None:
        with store.read_inline(THOUSAND_STEPS) as connection:
            return work(connection)
    readers: FairQueue = request.app.state.short_readers
    work_in_thread = partial(_work_on, store.read_shortly, work)
    return await run_in_thread(request, work_in_thread, partial(readers.run, client))


def _work_on(
    connect: Callable[[], AbstractContextManager[Connection]],
    work: Callable[[Connection], Result],
) -> Result:
    with connect() as connection:
        return work(connection)
