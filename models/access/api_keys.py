"""Keys: who may write. A key is shown once, when it is made; only its hash is stored.

A key looks like `claimbase_<id>_<secret>_<checksum>`: the prefix and the checksum let a scanner find one that leaked,
and let most mistakes be told without asking the database. Keys are no content: they have no revisions.
"""

import hashlib
import hmac
import re
import secrets
import string
import unicodedata
import zlib
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, ValidationError
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, bindparam, insert, select, update
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.errors import ClaimbaseError, Fault, InvalidRecord, NotFound, validation_faults
from models.core.types import Strict, Text, format_timestamp, now
from models.core.vocabulary import OneOf, vocabulary_check
from models.database.prepared_statements import first
from models.records.serializers import columns_of, table

PREFIX = "claimbase"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID, _SECRET, _CHECKSUM = 8, 32, 6
_SHAPE = re.compile(
    rf"{PREFIX}_([0-9A-Za-z]{{{_ID}}})_[0-9A-Za-z]{{{_SECRET}}}_[0-9A-Za-z]{{{_CHECKSUM}}}"
)
# Whole or cut off, and also where its underscores came percent-encoded.
_TRACE = re.compile(
    rf"({PREFIX}(?:_|%(?:25)*5f)[0-9a-z]{{{_ID}}})(?:_|%(?:25)*5f)[0-9a-z_%]+", re.IGNORECASE
)

# The program writes revisions under names of its own; nobody is to pass for it.
RESERVED_NAMES = frozenset(
    (
        "admin-cli",
        "anonymous",
        "backup",
        "check",
        "derive",
        "export",
        "import",
        "migrate",
        "purge",
        "rebuild",
    )
) | {"scifact", "seed", "serve", "system"}
NAME_LENGTH = 100
_DAYS = re.compile(r"([1-9][0-9]{0,4})d")


def check_name(value: object) -> object:
    """Accept the name of a person or script that no other could be taken for; runs of spaces become one."""
    if not isinstance(value, str):
        return value
    name = " ".join(value.split(" ")).strip()
    if not 1 <= len(name) <= NAME_LENGTH:
        raise PydanticCustomError(
            "bad_name", "A name has 1 to {most} characters.", {"most": NAME_LENGTH}
        )
    if any(
        unicodedata.category(character)[0] == "C" or character in "\u2028\u2029"
        for character in name
    ):
        raise PydanticCustomError(
            "bad_name", "A name has no control characters and no invisible ones."
        )
    if name.casefold() in RESERVED_NAMES or name.casefold().startswith(PREFIX):
        raise PydanticCustomError(
            "reserved_name", "The program uses this name itself; choose another."
        )
    return name


def same_person(one: str, other: str) -> bool:
    """Say whether two names mean one person: whoever may have keys of both spellings decides for two."""
    return _spelled(one) == _spelled(other)


def spellings_of(connection: Connection, name: str) -> list[str]:
    """Return every name that keys bear and that means the same person as this one, itself among them."""
    names = connection.scalars(select(table(ApiKey).c.name).distinct())
    return sorted({name, *(each for each in names if same_person(each, name))})


def _spelled(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def check_expiry(value: object) -> object:
    """Accept a day (`2027-01-01`, from whose beginning in UTC the key is expired), a time in UTC, or a number of days (`90d`)."""
    if not isinstance(value, str):
        return value
    present = datetime.now(UTC)
    try:
        if days := _DAYS.fullmatch(value):
            moment = present + timedelta(days=int(days[1]))
        else:
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError(
            "bad_expiry", "Write a day, 2027-01-01, or a number of days, 90d."
        ) from None
    if moment <= present:
        raise PydanticCustomError("bad_expiry", "That is in the past.")
    return format_timestamp(moment)


class KeyIn(Strict):
    """What a new key is for."""

    name: Annotated[Text, BeforeValidator(check_name)] = Field(
        description="Who uses it. It becomes the actor of what is written with it; two keys of one name are one person."
    )
    role: Annotated[str, OneOf(v.ROLES)]
    expires: Annotated[str | None, BeforeValidator(check_expiry)] = Field(
        default=None,
        description="A day from whose beginning (UTC) it is good for nothing, or a number of days: `90d`.",
    )


class ApiKey(Strict, table=True):
    """A key as it is stored: never itself, only its hash. What is random needs no slow hash."""

    __tablename__ = "api_key"
    __table_args__ = (vocabulary_check("role", v.ROLES),)

    id: str = Field(primary_key=True)
    name: str
    role: str
    hash: str
    created: str
    expires: str | None = None
    revoked: str | None = None


class Key(Strict):
    """A key as it may be shown."""

    id: str = Field(description="The part of the key that may be told.")
    name: str
    role: Annotated[str, OneOf(v.ROLES)]
    created: str = Field(description="UTC.")
    expires: str | None = Field(description="UTC; from then on it is good for nothing.")
    revoked: str | None = Field(description="UTC; since then it is good for nothing.")

    def may(self, role: str) -> bool:
        """Say whether its role is that one or a higher one."""
        return v.ROLES.rank(self.role) >= v.ROLES.rank(role)


class Forbidden(ClaimbaseError):
    """Who asks is known, and may not."""

    code = "forbidden"


class BadKey(ClaimbaseError):
    """A key that is good for nothing. `reason` is for the audit record, `key` the stored one, where it is known.

    The public wording is one for all that are not expired, so that nobody learns from it which keys there are.
    """

    code = "invalid_key"
    reason = "malformed_key"
    wording = "The key is not valid. A key is made by an admin, or by claimbase keys create."

    def __init__(self, key: Key | None = None) -> None:
        super().__init__(self.wording)
        self.key = key


class MalformedKey(BadKey):
    """Not a key, or mistyped."""


class UnknownKey(BadKey):
    """A key of another place, or a forged one."""

    reason = "unknown_key"


class RevokedKey(BadKey):
    """A key that was taken back."""

    reason = "revoked_key"


class ExpiredKey(BadKey):
    """A key whose time is over."""

    code = "expired_key"
    reason = "expired_key"
    wording = "The key is expired."


def parse_key_request(given: object) -> KeyIn:
    """Return what a new key is for, or raise all that is wrong with it, each with a JSON Pointer."""
    try:
        return KeyIn.model_validate(given)
    except ValidationError as error:
        faults = validation_faults(error.errors(), KeyIn.model_fields)
        told = "; ".join(
            f"{fault.at}: {fault.detail}" if fault.at else fault.detail for fault in faults
        )
        raise InvalidRecord(
            told, [fault.model_copy(update={"at": f"/{fault.at}"}) for fault in faults]
        ) from None


def create_key(connection: Connection, key: KeyIn) -> tuple[Key, str]:
    """Store a new key; return what may be shown of it, and the key itself, which nobody can tell again."""
    identity = _random(_ID)
    begun = f"{PREFIX}_{identity}_{_random(_SECRET)}"
    plain = f"{begun}_{_checksum(begun)}"
    made = Key(id=identity, **key.model_dump(), created=now(), revoked=None)
    connection.execute(insert(table(ApiKey)).values(**made.model_dump(), hash=_hash(plain)))
    return made, plain


def list_keys(connection: Connection) -> list[Key]:
    """Return every key, the oldest first."""
    rows = table(ApiKey)
    found = connection.execute(select(rows).order_by(rows.c.created, rows.c.id)).mappings()
    return [Key(**columns_of(row, Key)) for row in found]


def get_key(connection: Connection, identity: str) -> Key:
    """Return one key by its id."""
    rows = table(ApiKey)
    row = connection.execute(select(rows).where(rows.c.id == identity)).mappings().first()
    if row is None:
        detail = f"There is no key with the id '{identity}'."
        raise NotFound(detail, [Fault(at="key", code="not_found", detail=detail)])
    return Key(**columns_of(row, Key))


def revoke_key(connection: Connection, identity: str) -> Key:
    """Take a key back, from now on and for good; one that was taken back stays as it is."""
    rows = table(ApiKey)
    unrevoked = (rows.c.id == identity) & rows.c.revoked.is_(None)
    connection.execute(update(rows).where(unrevoked).values(revoked=now()))
    return get_key(connection, identity)


def key_id(presented: str) -> str | None:
    """Return the id within a key that is well formed; nothing is known yet about whether it is a good one."""
    match = _SHAPE.fullmatch(presented)
    begun, _, checksum = presented.rpartition("_")
    return match[1] if match and checksum == _checksum(begun) else None


def authenticate(connection: Connection, presented: str) -> Key:
    """Return the key that somebody presents, or raise why it is good for nothing."""
    identity = key_id(presented)
    if identity is None:
        raise MalformedKey
    rows = table(ApiKey)
    row = first(
        connection,
        "key",
        lambda: select(rows).where(rows.c.id == bindparam("id")),
        {"id": identity},
    )
    # An id that is not stored takes the same steps, so that the time tells nothing either.
    if not hmac.compare_digest(_hash(presented), row["hash"] if row else _hash("")) or row is None:
        raise UnknownKey
    key = Key(**columns_of(row, Key))
    if key.revoked is not None:
        raise RevokedKey(key)
    if key.expires is not None and key.expires <= now():
        raise ExpiredKey(key)
    return key


def redact_keys(text: str) -> str:
    """Return a text in which no key can be read; of each its id stays, so that it can be found and revoked."""
    return _TRACE.sub(r"\1_…", text)


def _random(length: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(length))


def _checksum(begun: str) -> str:
    """Return the CRC-32 of the key's beginning in base 62."""
    number, digits = zlib.crc32(begun.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _hash(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
