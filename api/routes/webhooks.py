"""Webhooks, for curators: addresses to which changes are sent."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from api.http.auth import needs
from api.http.errors import KEY_ERRORS, responses
from api.http.negotiation import JsonAccepted
from api.http.read_connection import Reader, database, read
from api.http.read_route import ParsedRoute, ReadRoute
from api.http.request_body import read_json
from api.http.webhooks import Deliveries, write_ping
from api.http.write_transaction import answer_with, in_turn, refuse_idempotency_key, taking
from models.access import webhooks
from models.access.api_keys import Key
from models.access.webhooks import WebhookChange, WebhookIn, WebhookOut
from models.core.errors import InvalidRecord
from models.core.types import Shape, Text
from models.read import change_feed, listings
from models.read.change_feed import Ahead

SHARED: dict[str, Any] = {
    "prefix": "/v1/webhooks",
    "tags": ["changes"],
    "dependencies": [JsonAccepted],
}
reads = APIRouter(**SHARED, route_class=ReadRoute)
router = APIRouter(**SHARED, route_class=ParsedRoute)

Curator = Annotated[Key, needs("curator")]
WebhookId = Annotated[Text, Path(max_length=100, examples=["9f86d081884c7d65"])]


class WebhookList(Shape):
    """Webhooks, the oldest first."""

    data: list[WebhookOut]


class NewWebhook(WebhookOut):
    """A new webhook, with its secret."""

    secret: str = Field(
        description="The secret with which its messages are signed. It is shown this once."
    )


class Attempt(Shape):
    """What came of a message."""

    status: int | None = Field(description="The status of the answer; null without one.")
    error: str | None = Field(description="Why it counts as not delivered; else null.")


def _deliveries(request: Request) -> Deliveries:
    deliveries: Deliveries = request.app.state.webhooks
    return deliveries


@reads.get("", response_model=WebhookList, responses=KEY_ERRORS)
def list_webhooks(connection: Reader, caller: Curator) -> Response:
    """List your webhooks; an admin sees those of everybody. Their secrets are not shown."""
    return answer_with(WebhookList(data=webhooks.list_webhooks(connection, caller)))


@reads.get("/{webhook}", response_model=WebhookOut, responses={**KEY_ERRORS, **responses(404)})
def get_webhook(connection: Reader, caller: Curator, webhook: WebhookId) -> Response:
    """Return one webhook: how far it came, and what is wrong with it. Its secret is not shown."""
    return answer_with(webhooks.get_webhook(connection, caller, webhook))


@router.post(
    "",
    status_code=201,
    response_model=NewWebhook,
    responses={**KEY_ERRORS, **responses(408, 409, 413, 415, 422, 507)},
    openapi_extra=taking(body={"application/json": WebhookIn}, required=True),
)
async def create_webhook(request: Request, caller: Curator) -> Response:
    """Create a webhook: changes are posted to its address as they are committed, signed as the
    Standard Webhooks specification has it.

    What is sent is what `/v1/changes` shows to everybody. The response shows the secret this once;
    a repetition cannot show it again, so `Idempotency-Key` is refused.
    """
    refuse_idempotency_key(request, "the secret itself, which is not shown again")
    given = webhooks.parse_webhook(await read_json(request))
    await _deliveries(request).sender.require_sendable(given.url)
    answer = await in_turn(request, _create, request, caller, given)
    _deliveries(request).wake()
    return answer


def _create(request: Request, caller: Key, given: WebhookIn) -> Response:
    with database(request).write() as connection:
        _require_known(connection, given, given.since)
        since = listings.current_serial(connection) if given.since is None else given.since
        webhook, secret = webhooks.create_webhook(connection, caller.name, given, since)
    created = NewWebhook(**dict(webhook), secret=secret)
    return answer_with(created, 201, {"Location": f"/v1/webhooks/{webhook.id}"})


def _require_known(
    connection: Connection, given: WebhookIn | WebhookChange, since: int | None
) -> None:
    """Refuse topics and claims that nobody can see, and a serial that is to come."""
    filters = {"topic": given.topic, "claim": given.claim}
    try:
        change_feed.require_known(connection, filters, change_feed.PUBLIC_REVISIONS)
        if since is not None:
            change_feed.require_serial(connection, since, "since")
    except (InvalidRecord, Ahead) as error:
        faults = [fault.model_copy(update={"at": f"/{fault.at}"}) for fault in error.faults]
        raise InvalidRecord(error.detail, faults) from None


@router.patch(
    "/{webhook}",
    response_model=WebhookOut,
    responses={**KEY_ERRORS, **responses(404, 408, 413, 415, 422, 507)},
    openapi_extra=taking(body={"application/merge-patch+json": WebhookChange}, required=True),
)
async def change_webhook(request: Request, caller: Curator, webhook: WebhookId) -> Response:
    """Change a webhook, disable or enable it, or let it go on after another serial.

    The next attempt is made at once. The secret stays; for a new one, create another webhook with
    `since`.
    """
    given = webhooks.parse_change(await read_json(request))
    if "url" in given.model_fields_set:
        await _deliveries(request).sender.require_sendable(given.url)
    answer = await in_turn(request, _change, request, caller, webhook, given)
    _deliveries(request).wake()
    return answer


def _change(request: Request, caller: Key, webhook: str, given: WebhookChange) -> Response:
    since = given.since if "since" in given.model_fields_set else None
    with database(request).write() as connection:
        _require_known(connection, given, since)
        changed = webhooks.change_webhook(connection, caller, webhook, given)
    return answer_with(changed)


@router.delete(
    "/{webhook}", response_model=WebhookOut, responses={**KEY_ERRORS, **responses(404, 507)}
)
async def delete_webhook(request: Request, caller: Curator, webhook: WebhookId) -> Response:
    """Delete a webhook with its secret. The answer is what it was."""
    return await in_turn(request, _delete, request, caller, webhook)


def _delete(request: Request, caller: Key, webhook: str) -> Response:
    with database(request).write() as connection:
        was = webhooks.delete_webhook(connection, caller, webhook)
    return answer_with(was)


@router.post("/{webhook}:test", response_model=Attempt, responses={**KEY_ERRORS, **responses(404)})
async def test_webhook(request: Request, caller: Curator, webhook: WebhookId) -> Response:
    """Send a message of the type `ping` now, also where the webhook is disabled, and tell what came
    of it. What is to be delivered stays as it is.
    """
    stored = await read(
        request, lambda connection: webhooks.stored_webhook(connection, caller, webhook)
    )
    message, body = write_ping(stored)
    sent = await _deliveries(request).sender.send(stored["url"], stored["secret"], message, body)
    return answer_with(Attempt(status=sent.status, error=sent.error))
