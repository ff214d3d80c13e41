"""What routes ask for: a connection that can only read, and the terms of the conversation."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection

from api.errors import not_acceptable
from api.formats import negotiate
from api.pages import header
from models.database import POOL_SIZE, Database


def database(request: Request) -> Database:
    """Return the database of this application."""
    found: Database = request.app.state.database
    return found


def _reader(request: Request) -> Iterator[Connection]:
    with database(request).read() as connection:
        yield connection


# `scope="function"` gives the connection back before the answer is sent, so that a slow client holds none. Requests
# beyond the pool wait here without a thread each, so that a route that needs no database stays fast.
Reader = Annotated[Connection, Depends(_reader, scope="function", max_concurrency=POOL_SIZE)]


def _json_accepted(request: Request) -> None:
    """Refuse a client that does not take JSON."""
    offered = ["application/json"]
    if negotiate(header(request, "accept"), offered) is None:
        raise not_acceptable(offered)


JsonAccepted = Depends(_json_accepted)
