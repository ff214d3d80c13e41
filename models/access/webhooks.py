"""Webhooks: addresses to which changes are sent, each up to a serial and signed with a secret.

A webhook is no content: it has no revisions and is in no export. Its secret is stored as it is,
because every message is signed with it; it is shown once, when the webhook is created.

Any process may deliver. Before it sends, it takes a lease, which only one of several gets; only who
still holds the lease may write what came of it.
"""

import base64
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError
from sqlalchemy import JSON, Connection, delete, func, insert, select, update
from sqlmodel import Field

from models.access.api_keys import Key, parse_input, same_person
from models.core.dates import Timestamp, format_timestamp, now
from models.core.errors import Conflict, Fault, NotFound
from models.core.types import MAX_INTEGER, Slug, Strict, Text
from models.records.serializers import Row, columns_of, table

# How many there are at most, whoever made them.
MOST_WEBHOOKS = 100
# How many topics, and how many claims, one webhook names.
MOST_FILTERED = 50
MOST_URL_CHARACTERS = 2_000
# Who took a webhook and was killed holds it so long. Sending takes less.
LEASE_SECONDS = 60.0
SECRET_PREFIX = "whsec_"  # noqa: S105
_SECRET_BYTES = 32
_ID_BYTES = 8


def check_url(value: object) -> object:
    """Return an address to which messages can be sent. Raises a fault in plain words."""
    if not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise PydanticCustomError("bad_url", "This is not a web address.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise PydanticCustomError("bad_url", "Write a web address, https://example.org/changes.")
    if not (value.isascii() and value.isprintable()) or " " in value or "\\" in value:
        raise PydanticCustomError(
            "bad_url", "An address has only printable ASCII characters without blanks."
        )
    if parts.username is not None or parts.fragment:
        raise PydanticCustomError(
            "bad_url", "The address must have neither a user name nor a fragment."
        )
    return value


Url = Annotated[Text, BeforeValidator(check_url)]
Slugs = Annotated[list[Slug], Field(max_length=MOST_FILTERED)]

_URL = "Where messages are posted to."
_TOPIC = "Only changes on one of these topics (slugs), as `topic` of `/v1/changes`."
_CLAIM = "Only changes of one of these claims (slugs), as `claim` of `/v1/changes`."


class WebhookIn(Strict):
    """What a new webhook sends, and where to."""

    url: Url = Field(max_length=MOST_URL_CHARACTERS, description=_URL)
    topic: Slugs = Field(default=[], description=_TOPIC)
    claim: Slugs = Field(default=[], description=_CLAIM)
    since: int | None = Field(
        default=None,
        ge=0,
        le=MAX_INTEGER,
        description="Serial after which to begin; the newest by default.",
    )


class WebhookChange(Strict):
    """What is to be another in a webhook; what is left out stays."""

    url: Url = Field(default_factory=str, max_length=MOST_URL_CHARACTERS, description=_URL)
    topic: Slugs = Field(default_factory=list, description=_TOPIC)
    claim: Slugs = Field(default_factory=list, description=_CLAIM)
    since: int = Field(
        default_factory=int,
        ge=0,
        le=MAX_INTEGER,
        description="Serial after which to go on; a lower one sends again what was delivered.",
    )
    enabled: bool = Field(
        default_factory=bool, description="Whether it delivers; `true` begins again where it ended."
    )

    # What was not given has no valid value.
    model_config = ConfigDict(validate_default=False)


class Webhook(Strict, table=True):
    """A webhook as it is stored."""

    __tablename__ = "webhook"

    id: str = Field(primary_key=True)
    owner: str
    url: str
    topic: list[str] = Field(sa_type=JSON)
    claim: list[str] = Field(sa_type=JSON)
    secret: str
    created: str
    delivered: int
    attempts: int
    failing_since: str | None = None
    next_attempt: str | None = None
    last_error: str | None = None
    disabled: str | None = None
    lease: str | None = None
    leased_until: str | None = None


class WebhookOut(Strict):
    """A webhook as it may be shown: without its secret."""

    id: str
    owner: str = Field(description="Who made it.")
    url: str = Field(description=_URL)
    topic: list[str] = Field(description=_TOPIC)
    claim: list[str] = Field(description=_CLAIM)
    created: Timestamp
    delivered: int = Field(description="Serial up to which everything was delivered.")
    attempts: int = Field(description="How many attempts failed since the last one that did not.")
    failing_since: Timestamp | None = Field(description="When the first of them failed.")
    next_attempt: Timestamp | None = Field(description="When the next one is due.")
    last_error: str | None = Field(description="Why the last one failed.")
    disabled: str | None = Field(description="Why nothing is delivered any more; else null.")


def parse_webhook(request: object) -> WebhookIn:
    """Return the description of a new webhook.

    Raises `InvalidRecord` with every fault, each located by a JSON Pointer.
    """
    return parse_input(WebhookIn, request)


def parse_change(request: object) -> WebhookChange:
    """Return what is to be changed. Raises `InvalidRecord` as `parse_webhook` does."""
    return parse_input(WebhookChange, request)


NOT_FAILING: Row = {
    "attempts": 0,
    "failing_since": None,
    "next_attempt": None,
    "last_error": None,
}
_NO_LEASE: Row = {"lease": None, "leased_until": None}
# What decides what is sent, and where to.
_SENT_BY = ("url", "topic", "claim", "secret", "delivered", "attempts", "disabled")


def create_webhook(
    connection: Connection, owner: str, request: WebhookIn, since: int
) -> tuple[WebhookOut, str]:
    """Store a new webhook that begins after a serial. Return what may be shown, and its secret.

    Raises `Conflict` if there are too many.
    """
    webhooks = table(Webhook)
    if (connection.scalar(select(func.count()).select_from(webhooks)) or 0) >= MOST_WEBHOOKS:
        raise Conflict(f"There are {MOST_WEBHOOKS} webhooks already; delete one first.")
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    row = {
        "id": secrets.token_hex(_ID_BYTES),
        "owner": owner,
        **request.model_dump(exclude={"since"}),
        "secret": secret,
        "created": now(),
        "delivered": since,
        **NOT_FAILING,
        "disabled": None,
        **_NO_LEASE,
    }
    connection.execute(insert(webhooks).values(row))
    return _shown(row), secret


def list_webhooks(connection: Connection, key: Key) -> list[WebhookOut]:
    """Return the webhooks that a key may manage, the oldest first: one's own, or all of an admin's
    installation.
    """
    webhooks = table(Webhook)
    rows = connection.execute(select(webhooks).order_by(webhooks.c.created, webhooks.c.id))
    return [_shown(row) for row in rows.mappings() if _may_manage(key, row["owner"])]


def get_webhook(connection: Connection, key: Key, identity: str) -> WebhookOut:
    """Return a webhook by its id. Raises `NotFound` if the key may manage none of it."""
    return _shown(stored_webhook(connection, key, identity))


def stored_webhook(connection: Connection, key: Key, identity: str) -> Row:
    """Return a webhook with its secret. Raises `NotFound` if the key may manage none of it."""
    webhooks = table(Webhook)
    row = connection.execute(select(webhooks).where(webhooks.c.id == identity)).mappings().first()
    if row is None or not _may_manage(key, row["owner"]):
        # Nobody else learns that it is there.
        detail = f"You have no webhook with the id '{identity}'."
        raise NotFound(detail, [Fault(at="webhook", code="not_found", detail=detail)])
    return dict(row)


def change_webhook(
    connection: Connection, key: Key, identity: str, change: WebhookChange
) -> WebhookOut:
    """Store what is given, and begin anew with the attempts. Raises `NotFound`.

    A delivery under way loses its lease, so that what comes of it is not stored.
    """
    stored_webhook(connection, key, identity)
    values: Row = change.model_dump(exclude_unset=True)
    if "since" in values:
        values["delivered"] = values.pop("since")
    if "enabled" in values:
        values["disabled"] = None if values.pop("enabled") else f"{key.name} disabled it."
    webhooks = table(Webhook)
    changed = update(webhooks).where(webhooks.c.id == identity)
    connection.execute(changed.values(values | NOT_FAILING | _NO_LEASE))
    return get_webhook(connection, key, identity)


def delete_webhook(connection: Connection, key: Key, identity: str) -> WebhookOut:
    """Delete a webhook. Return what it was. Raises `NotFound`."""
    was = get_webhook(connection, key, identity)
    webhooks = table(Webhook)
    connection.execute(delete(webhooks).where(webhooks.c.id == identity))
    return was


def disable_all(connection: Connection, reason: str) -> None:
    """Disable every webhook that is not disabled, for a reason in words."""
    webhooks = table(Webhook)
    enabled = webhooks.c.disabled.is_(None)
    connection.execute(update(webhooks).where(enabled).values(disabled=reason, **_NO_LEASE))


def active_webhooks(connection: Connection) -> list[Row]:
    """Return the webhooks that are not disabled, with their secrets."""
    webhooks = table(Webhook)
    statement = select(webhooks).where(webhooks.c.disabled.is_(None)).order_by(webhooks.c.id)
    return [dict(row) for row in connection.execute(statement).mappings()]


def is_due(webhook: Row, at: str) -> bool:
    """Return whether a webhook may be tried at a time: nobody holds it, and no pause is left."""
    times = (webhook["next_attempt"], webhook["leased_until"])
    return all(time is None or time <= at for time in times)


def take_lease(connection: Connection, webhook: Row, lease: str) -> bool:
    """Take a webhook, as it was read, for a delivery. Return False if another process was first, or
    somebody changed it.
    """
    webhooks = table(Webhook)
    own = webhooks.c.id == webhook["id"]
    stored = connection.execute(select(webhooks).where(own).with_for_update()).mappings().first()
    if stored is None or not is_due(dict(stored), now()):
        return False
    if any(stored[name] != webhook[name] for name in _SENT_BY):
        return False
    until = format_timestamp(datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS))
    connection.execute(update(webhooks).where(own).values(lease=lease, leased_until=until))
    return True


def settle(connection: Connection, identity: str, lease: str, values: Row) -> bool:
    """Store what came of a delivery and give the lease back. Return False if it was lost."""
    webhooks = table(Webhook)
    held = (webhooks.c.id == identity) & (webhooks.c.lease == lease)
    stored = connection.execute(update(webhooks).where(held).values(values | _NO_LEASE))
    return stored.rowcount == 1


def _may_manage(key: Key, owner: str) -> bool:
    return key.may("admin") or same_person(key.name, owner)


def _shown(row: Any) -> WebhookOut:
    return WebhookOut(**columns_of(row, WebhookOut))
