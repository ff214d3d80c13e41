"""The API key of a request: the markers by which a route asks for it, and the checks.

FastAPI reads the markers for the OpenAPI document; `api.http.read_route` passes the key in.
"""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from api.http.rate_limits import Limits
from api.http.read_connection import read
from models.access import api_keys
from models.access.api_keys import BadKey, Forbidden, Key, MalformedKey
from models.core import vocabularies as v
from models.core.errors import ClaimbaseError

READING = ("GET", "HEAD")


class KeyRequired(ClaimbaseError):
    """The request has no key, and needs one."""

    code = "key_required"


class Bearer(SecurityBase):
    """The marker of a parameter that receives the request's key, and its OpenAPI declaration."""

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
    """Return the marker of a key of this role or higher: `Annotated[Key, needs("curator")]`."""
    assert role in v.ROLES.ids, role
    return Security(bearer, scopes=[role])


def _presented(request: Request) -> str | None:
    """Return the text after `Authorization: Bearer`, or None; another scheme counts as none."""
    headers: list[tuple[bytes, bytes]] = request.scope["headers"]
    values = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    schemes = [value.partition(" ")[0].lower() for value in values]
    # From here on the response depends on the key; `StateHeadersMiddleware` says so to caches.
    request.state.keyed = "bearer" in schemes
    if not request.state.keyed:
        return None
    if len(values) > 1:
        # Nothing says which of several keys counts.
        raise MalformedKey
    return values[0].partition(" ")[2].strip(" ")


async def key_of(request: Request) -> Key | None:
    """Return the API key, or None if the request has none.

    Raises BadKey if the key is unknown, revoked or expired. The key is looked up for each request,
    so that a revoked key is refused at once.
    """
    presented = _presented(request)
    if presented is None:
        return None
    limits: Limits = request.app.state.limits
    limits.admit_key(request, api_keys.key_id(presented))
    try:
        key = await read(
            request,
            lambda connection: api_keys.authenticate(connection, presented),
            marked=False,
        )
    except BadKey as error:
        request.state.caller = error.key
        limits.count_failed_key(request, error.key.id if error.key else None)
        raise
    request.state.caller = key
    return key


async def permitted_key(request: Request, role: str) -> Key:
    """Return the API key of a request that needs this role.

    Raises KeyRequired, Forbidden, or TooManyRequests if the writes of this minute are used up.
    """
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
