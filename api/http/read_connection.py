"""The connections that routes read on, in the event loop or in a thread.

A route's function asks for one by the type of a parameter; `api.http.read_route` passes it in.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

import anyio.to_thread
from fastapi import Depends, Request
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

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

    The work runs in the event loop up to a number of steps of the database. If that is not enough,
    it starts again in a thread, once.
    """
    store = database(request)
    if not in_thread and store.inline is not None:
        try:
            with store.read_inline(THOUSAND_STEPS) as connection:
                return work(connection)
        except TooSlowForEventLoop:
            pass
        except DBAPIError as error:
            if not needs_waiting(error):
                raise

    def read_in_thread() -> Result:
        with store.read() as connection:
            return work(connection)

    # Requests beyond the pool of connections wait here without a thread each.
    return await anyio.to_thread.run_sync(read_in_thread, limiter=request.app.state.readers)
