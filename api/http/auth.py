"""What routes ask for: a connection that can only read, who is asking, and the terms of the conversation."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar

import anyio.to_thread
from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
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
from models.database.connections import POOL_SIZE, Database
from models.database.driver_errors import must_wait

READING = ("GET", "HEAD")
# About two milliseconds of work; what takes longer is begun anew in a thread.
THOUSAND_STEPS = 20
Result = TypeVar("Result")


def database(request: Request) -> Database:
    """Return the database of this application."""
    found: Database = request.app.state.database
    return found


def read_connection(request: Request) -> Iterator[Connection]:
    """Lend a connection that can only read."""
    with database(request).read() as connection:
        yield connection


async def read(
    request: Request, work: Callable[[Connection], Result], *, long: bool = False
) -> Result:
    """Do work that only reads: here and now where it is short and needs no network, else in a thread."""
    base = database(request)
    if not long and base.inline is not None:
        try:
            with base.read_inline(THOUSAND_STEPS) as connection:
                return work(connection)
        except DBAPIError as error:
            if not must_wait(error):
                raise

    def patiently() -> Result:
        with base.read() as connection:
            return work(connection)

    return await anyio.to_thread.run_sync(patiently, limiter=request.app.state.readers)


# `scope="function"` gives the connection back before the answer is sent, so that a slow client holds none. Requests
# beyond the pool wait here without a thread each, so that a route that needs no database stays fast.
Reader = Annotated[
    Connection, Depends(read_connection, scope="function", max_concurrency=POOL_SIZE)
]


OFFERED = ("application/json",)


class KeyRequired(ClaimbaseError):
    """Nobody in particular asks for what needs a key."""

    code = "key_required"


class Bearer(SecurityBase):
    """Reads the key, from `Authorization: Bearer` alone; another scheme counts as none."""

    def __init__(self) -> None:
        self.model = HTTPBearer(
            description="A key, made by an admin or by `claimbase keys create`."
        )
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> str | None:
        given = request.headers.getlist("authorization")
        schemes = [line.partition(" ")[0].lower() for line in given]
        # From here on the answer depends on it, which the envelope tells caches.
        request.state.keyed = "bearer" in schemes
        if not request.state.keyed:
            return None
        if len(given) > 1:
            # Which of them holds is anybody's guess.
            raise MalformedKey
        return given[0].partition(" ")[2].strip(" ")


bearer = Bearer()


async def caller(request: Request, presented: Annotated[str | None, Depends(bearer)]) -> Key | None:
    """Return whose key came with the request, None where none did; raise where it is good for nothing.

    It is looked up each time, so that a key that is revoked is good for nothing at once.
    """
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


Caller = Annotated[Key | None, Depends(caller, max_concurrency=POOL_SIZE)]


async def permitted(request: Request, caller: Caller, wanted: SecurityScopes) -> Key:
    """Return who asks, or refuse: no key, too low a role, too many writes."""
    if request.method not in READING:
        request.app.state.limits.count_write(request, caller.id if caller else None)
    (role,) = wanted.scopes
    if caller is None:
        raise KeyRequired("This needs a key; send it as Authorization: Bearer …")
    if not caller.may(role):
        raise Forbidden(
            f"This needs a key of the role {role} or higher; this one's role is {caller.role}."
        )
    return caller


async def admit(request: Request, role: str) -> Key:
    """Return who asks, or refuse, as the dependency of `needs` does; without FastAPI, which takes longer to find that out."""
    return await permitted(
        request, await caller(request, await bearer(request)), SecurityScopes([role])
    )


def needs(role: str) -> Any:
    """Return the dependency of a route that asks for a key of this role or a higher one: `Annotated[Key, needs("curator")]`.

    It counts the request against the limits, unless it only reads, and puts the role into the OpenAPI document.
    """
    assert role in v.ROLES.ids, role
    return Security(permitted, scopes=[role])


async def json_accepted(request: Request) -> None:
    """Refuse a client that does not take JSON."""
    if not takes_json(request):
        raise not_acceptable(OFFERED)


def takes_json(request: Request) -> bool:
    """Say whether a client takes JSON."""
    return negotiate(header(request, "accept"), OFFERED) is not None


JsonAccepted = Depends(json_accepted)
