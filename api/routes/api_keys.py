"""Keys, for admins: who may write, and since when no more."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from api.http.auth import needs
from api.http.errors import KEY_ERRORS, responses
from api.http.negotiation import JsonAccepted
from api.http.read_connection import Reader, database
from api.http.read_route import ParsedRoute, ReadRoute
from api.http.request_body import read_json
from api.http.write_transaction import answer_with, in_turn, refuse_idempotency_key, taking
from models.access import api_keys
from models.access.api_keys import Declaration, Key, KeyIn
from models.core.types import Shape, Text

SHARED: dict[str, Any] = {"prefix": "/v1/keys", "tags": ["keys"], "dependencies": [JsonAccepted]}
reads = APIRouter(**SHARED, route_class=ReadRoute)
own = APIRouter(**{**SHARED, "prefix": "/v1/key"}, route_class=ReadRoute)
router = APIRouter(**SHARED, route_class=ParsedRoute)
declaring = APIRouter(**{**SHARED, "prefix": "/v1/key"}, route_class=ParsedRoute)

Admin = Annotated[Key, needs("admin")]
Contributor = Annotated[Key, needs("contributor")]
KeyId = Annotated[
    Text,
    Path(max_length=100, description="The part of a key that may be told.", examples=["0a1B2c3D"]),
]


class KeyList(Shape):
    """All keys, the oldest first."""

    data: list[Key]


class NewKey(Key):
    """A new key, with the key itself."""

    key: str = Field(description="The key itself. It is shown this once.")


@own.get("", response_model=Key, responses=KEY_ERRORS)
def get_own_key(caller: Contributor) -> Response:
    """Return the key of the request: whose it is and its role, without the key itself."""
    return answer_with(caller)


@declaring.patch(
    "",
    response_model=Key,
    responses={**KEY_ERRORS, **responses(408, 413, 415, 422, 507)},
    openapi_extra=taking(body={"application/merge-patch+json": Declaration}, required=True),
)
async def declare_interests(request: Request, caller: Contributor) -> Response:
    """Declare who pays you, and what else could bias you; `none` is a declaration, too.

    It is shown beside what you propose. All your keys have it, with the present time as that of the
    declaration; what you declared before is not kept.
    """
    declaration = api_keys.parse_declaration(await read_json(request))
    return await in_turn(request, _declare, request, caller, declaration)


def _declare(request: Request, caller: Key, declaration: Declaration) -> Response:
    with database(request).write() as connection:
        api_keys.declare_conflict(connection, caller.name, declaration.conflict_of_interest)
        own = api_keys.get_key(connection, caller.id)
    return answer_with(own)


@reads.get("", response_model=KeyList, responses=KEY_ERRORS)
def list_keys(connection: Reader, _admin: Admin) -> Response:
    """List the keys, also expired and revoked ones.

    The keys themselves are not stored, so not shown.
    """
    return answer_with(KeyList(data=api_keys.list_keys(connection)))


@reads.get("/{key}", response_model=Key, responses={**KEY_ERRORS, **responses(404)})
def get_key(connection: Reader, _admin: Admin, key: KeyId) -> Response:
    """Return one key, without the key itself."""
    return answer_with(api_keys.get_key(connection, key))


@router.post(
    "",
    status_code=201,
    response_model=NewKey,
    responses={**KEY_ERRORS, **responses(408, 413, 415, 422, 507)},
    openapi_extra=taking(body={"application/json": KeyIn}, required=True),
)
async def create_key(request: Request, _admin: Admin) -> Response:
    """Create a key.

    The response shows it this once; a repetition cannot show it again, so `Idempotency-Key` is
    refused.
    """
    refuse_idempotency_key(request, "the key itself, which nobody keeps")
    request_body = api_keys.parse_key_request(await read_json(request))
    return await in_turn(request, _create, request, request_body)


def _create(request: Request, request_body: KeyIn) -> Response:
    with database(request).write() as connection:
        key, plain = api_keys.create_key(connection, request_body)
    return answer_with(NewKey(**dict(key), key=plain), 201, {"Location": f"/v1/keys/{key.id}"})


@router.delete("/{key}", response_model=Key, responses={**KEY_ERRORS, **responses(404, 507)})
async def revoke_key(request: Request, _admin: Admin, key: KeyId) -> Response:
    """Revoke a key, at once and for good. It stays in the list."""
    return await in_turn(request, _revoke, request, key)


def _revoke(request: Request, key: str) -> Response:
    with database(request).write() as connection:
        revoked = api_keys.revoke_key(connection, key)
    return answer_with(revoked)
