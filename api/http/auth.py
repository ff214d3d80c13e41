"""What a route's function may ask for beside its path and query: a connection, a key, a client that takes JSON.

FastAPI reads these markers for the OpenAPI document; `api.reading` finds what they stand for.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import anyio.to_thread
from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from api.http.errors import not_acceptable
from api.http.negotiation import negotiate
from api.http.pagination import header
from api.http.rate_limits import Limits
from models.access import api_keys
from models.access.api_keys import BadKey, Forbidden, Key, MalformedKey
from models.core import vocabularies as v
from models.core.errors import ClaimbaseError
from models.database.connections import Database
from models.database.driver_errors import TooSlowForEventLoop, needs_waiting

READING = ("GET", "HEAD")
# About two milliseconds of the database's work in the event loop.
THOUSAND_STEPS = 20
OFFERED = ("application/json",)
Result = TypeVar("Result")


class Lent:
    """The marker of a parameter that is given a connection which can only read."""

    def __init__(self, *, in_thread: bool) -> None:
        self.in_thread = in_thread

    def __call__(self) -> None:
        raise NotImplementedError("a route class lends the connection")


# `Reader` may be lent in the event loop, where nothing may take long; `ThreadReader` is for work that is known to.
Reader = Annotated[Connection, Depends(Lent(in_thread=False))]
ThreadReader = Annotated[Connection, Depends(Lent(in_thread=True))]


def database(request: Request) -> Database:
    """Return the database of this application."""
    found: Database = request.app.state.database
    return found


async def read(
    request: Request, work: Callable[[Connection], Result], *, in_thread: bool = False
) -> Result:
    """Return the result of work that only reads: done in the event loop within a bound, else in a thread.

    What the bound cuts off begins anew in a thread, once.
    """
    base = database(request)
    if not in_thread and base.inline is not None:
        try:
            with base.read_inline(THOUSAND_STEPS) as connection:
                return work(connection)
        except TooSlowForEventLoop:
            pass
        except DBAPIError as error:
            if not needs_waiting(error):
                raise

    def read_in_thread() -> Result:
        with base.read() as connection:
            return work(connection)

    # Requests beyond the pool of connections wait here without a thread each.
    return await anyio.to_thread.run_sync(read_in_thread, limiter=request.app.state.readers)


class KeyRequired(ClaimbaseError):
    """The request has no key, and needs one."""

    code = "key_required"


class Bearer(SecurityBase):
    """The marker of a parameter that is given the request's key, and how OpenAPI declares it."""

    def __init__(self) -> None:
        self.model = HTTPBearer(
            description="A key, made by an admin or by `claimbase keys create`."
        )
        self.scheme_name = "bearer"

    def __call__(self) -> None:
        raise NotImplementedError("a route class looks the key up")


bearer = Bearer()
Caller = Annotated[Key | None, Depends(bearer)]


def needs(role: str) -> Any:
    """Return the marker of a key of this role or a higher one: `Annotated[Key, needs("curator")]`."""
    assert role in v.ROLES.ids, role
    return Security(bearer, scopes=[role])


def _presented(request: Request) -> str | None:
    """Return the key as it stands in `Authorization: Bearer`, or None; another scheme counts as none."""
    headers: list[tuple[bytes, bytes]] = request.scope["headers"]
    given = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    schemes = [line.partition(" ")[0].lower() for line in given]
    # From here on the answer depends on it, which `envelope.StateHeadersMiddleware` tells caches.
    request.state.keyed = "bearer" in schemes
    if not request.state.keyed:
        return None
    if len(given) > 1:
        # Which of them holds is anybody's guess.
        raise MalformedKey
    return given[0].partition(" ")[2].strip(" ")


async def key_of(request: Request) -> Key | None:
    """Return the API key, or None if the request has none. Raises BadKey if it is unknown, revoked or expired.

    It is looked up each time, so that a key that is revoked is refused at once.
    """
    presented = _presented(request)
    if presented is None:
        return None
    limits: Limits = request.app.state.limits
    limits.admit_key(request, api_keys.key_id(presented))
    try:
        key = await read(request, lambda connection: api_keys.authenticate(connection, presented))
    except BadKey as error:
        request.state.caller = error.key
        limits.count_failed_key(request, error.key.id if error.key else None)
        raise
    request.state.caller = key
    return key


async def permitted_key(request: Request, role: str) -> Key:
    """Return the API key. Raises KeyRequired or Forbidden, or TooManyRequests if it is a write too many."""
    key = await key_of(request)
    if request.method not in READING:
        request.app.state.limits.count_write(request, key.id if key else None)
    if key is None:
        raise KeyRequired("This needs a key; send it as Authorization: Bearer …")
    if not key.may(role):
        raise Forbidden(
            f"This needs a key of the role {role} or higher; this one's role is {key.role}."
        )
    return key


def json_accepted(request: Request) -> None:
    """Refuse a client that does not take JSON."""
    if negotiate(header(request, "accept"), OFFERED) is None:
        raise not_acceptable(OFFERED)


JsonAccepted = Depends(json_accepted)
