"""API keys: who may write. A key is shown once, when it is created; only its hash is stored.

A key looks like `claimbase_<id>_<secret>_<checksum>`. By the prefix and the checksum a scanner can
find a leaked key, and most typing errors are noticed without a query of the database. Keys are not
content: they have no revisions.
"""

import hashlib
import hmac
import re
import secrets
import string
import unicodedata
import zlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from precis_i18n import get_profile
from pydantic import BaseModel, BeforeValidator, ValidationError, computed_field
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.dates import Timestamp, format_timestamp, now, parse_timestamp
from models.core.errors import (
    ClaimbaseError,
    Fault,
    InvalidRecord,
    NotFound,
    describe_faults,
    invalid_record,
)
from models.core.types import EMPTY_SIGNS, Strict, Text, is_blank
from models.core.vocabulary import vocabulary_check
from models.database.prepared_statements import fetch_first
from models.records.serializers import Row, columns_of, table
from models.records.source import Orcid

PREFIX = "claimbase"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH, _SECRET_LENGTH, _CHECKSUM_LENGTH = 8, 32, 6
_LETTER = "[0-9A-Za-z]"
_KEY = re.compile(
    rf"{PREFIX}_({_LETTER}{{{_ID_LENGTH}}})"
    rf"_{_LETTER}{{{_SECRET_LENGTH}}}_{_LETTER}{{{_CHECKSUM_LENGTH}}}"
)
# A key in any text: also if it is cut off, or if its underscores are percent-encoded.
_SEPARATOR = "(?:_|%(?:25)*5f)"
_KEY_IN_TEXT = re.compile(
    rf"({PREFIX}{_SEPARATOR}[0-9a-z]{{{_ID_LENGTH}}}){_SEPARATOR}[0-9a-z_%]+", re.IGNORECASE
)

# The program itself writes revisions under these names, so no key may have them.
RESERVED_NAMES = frozenset(
    [
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
        "scifact",
        "seed",
        "serve",
        "system",
        "watch",
    ]
)
NAME_LENGTH = 100
# As long as the longest reason for a change.
LONGEST_DECLARATION = 2000
# Medical journals ask for a declaration with each paper; who curates is asked once a year.
DECLARATION_DAYS = 365
# RFC 8266: no controls, no invisible letters, joiners only where a script needs them, and each
# letter in its common form.
_NICKNAMES = get_profile("NicknameCasePreserved")
_NUMBER_OF_DAYS = re.compile(r"([1-9][0-9]{0,4})d")


def check_name(value: object) -> object:
    """Accept a name that cannot be mistaken for another one. Runs of spaces become one space."""
    if not isinstance(value, str):
        return value
    name = " ".join(value.split(" ")).strip()
    if not 1 <= len(name) <= NAME_LENGTH:
        raise PydanticCustomError(
            "bad_name", "A name has 1 to {most} characters.", {"most": NAME_LENGTH}
        )
    try:
        plain = _NICKNAMES.enforce(name)
    except UnicodeEncodeError:
        plain = None
    if plain is None or is_blank(name) or not EMPTY_SIGNS.isdisjoint(name):
        raise PydanticCustomError(
            "bad_name", "A name has no control characters and no invisible ones."
        )
    if plain != name:
        raise PydanticCustomError(
            "bad_name",
            "A name has no other forms of common letters, such as wide ones; write it '{plain}'.",
            {"plain": plain},
        )
    if name.casefold() in RESERVED_NAMES or name.casefold().startswith(PREFIX):
        raise PydanticCustomError(
            "reserved_name", "The program uses this name itself; choose another."
        )
    return name


def same_person(name: str, other: str) -> bool:
    """Return whether two names mean one person, though they are spelled differently.

    Otherwise one person with a key of each spelling could decide on their own proposal.
    """
    return _without_spelling(name) == _without_spelling(other)


def spellings_of(connection: Connection, name: str) -> list[str]:
    """Return the name itself and all names of keys that mean the same person."""
    names = connection.scalars(select(table(ApiKey).c.name).distinct())
    return sorted({name, *(other for other in names if same_person(other, name))})


def _without_spelling(name: str) -> str:
    """Return a name without case, blanks, wide forms, and what cannot be seen, such as joiners."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(
        letter
        for letter in plain
        if unicodedata.category(letter) not in ("Cf", "Zs") and letter not in EMPTY_SIGNS
    )


def check_expiry(value: object) -> object:
    """Return when a key expires, as a timestamp in UTC.

    Accepts a day (`2027-01-01`, the key expires when it begins in UTC), a time in UTC, or a number
    of days from now (`90d`).
    """
    if not isinstance(value, str):
        return value
    current_time = datetime.now(UTC)
    try:
        expiry = _parse_expiry(value, current_time)
    except (ValueError, OverflowError):
        raise PydanticCustomError(
            "bad_expiry", "Write a day, 2027-01-01, or a number of days, 90d."
        ) from None
    if expiry <= current_time:
        raise PydanticCustomError("bad_expiry", "That is in the past.")
    return format_timestamp(expiry)


def _parse_expiry(value: str, current_time: datetime) -> datetime:
    if days := _NUMBER_OF_DAYS.fullmatch(value):
        return current_time + timedelta(days=int(days[1]))
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _check_declaration(text: object) -> object:
    if not isinstance(text, str):
        return text
    if is_blank(text):
        raise PydanticCustomError("blank", "Write none if there is nothing to declare.")
    return text.strip()


Interests = Annotated[Text, BeforeValidator(_check_declaration)]


class Declaration(Strict):
    """What a person declares of their interests."""

    conflict_of_interest: Interests = Field(
        max_length=LONGEST_DECLARATION,
        description="Who pays the person, and what else could bias them; `none` if there is "
        "nothing. It is shown beside what they propose.",
    )


class KeyIn(Strict):
    """What a new key is for."""

    name: Annotated[Text, BeforeValidator(check_name)] = Field(
        description="Who uses it. It becomes the actor of what is written with it; two keys of "
        "one name are one person."
    )
    role: v.Role
    expires: Annotated[str | None, BeforeValidator(check_expiry)] = Field(
        default=None,
        description="A day from whose beginning (UTC) it is good for nothing, or a number of "
        "days: `90d`.",
    )
    orcid: Orcid | None = Field(
        default=None,
        description="The person's ORCID iD. It holds for all keys of this name, and for no other.",
    )
    conflict_of_interest: Interests | None = Field(
        default=None,
        max_length=LONGEST_DECLARATION,
        description="What the person declares; they can do so by themselves, too.",
    )


class ApiKey(Strict, table=True):
    """A key as it is stored: only as its hash. A random secret needs no slow hash."""

    __tablename__ = "api_key"
    __table_args__ = (vocabulary_check("role", v.ROLES),)

    id: str = Field(primary_key=True)
    name: str
    role: str
    hash: str
    created: str
    expires: str | None = None
    revoked: str | None = None
    orcid: str | None = None
    conflict_of_interest: str | None = None
    conflict_declared: str | None = None


class Key(Strict):
    """A key as it may be shown."""

    id: str = Field(description="The part of the key that may be told.")
    name: str
    role: v.Role
    created: Timestamp
    expires: Timestamp | None = Field(description="UTC; from then on it is good for nothing.")
    revoked: Timestamp | None = Field(description="UTC; since then it is good for nothing.")
    orcid: str | None = Field(description="The person's ORCID iD.")
    conflict_of_interest: str | None = Field(
        description="What the person declared: who pays them, and what else could bias them."
    )
    conflict_declared: Timestamp | None = Field(description="When they declared it.")

    @computed_field(  # type: ignore[prop-decorator]
        description="Whether the person is to declare their interests: they never did, or more "
        "than a year ago."
    )
    @property
    def conflict_of_interest_due(self) -> bool:
        """Return whether the person is to declare their interests."""
        if self.conflict_declared is None:
            return True
        age = datetime.now(UTC) - parse_timestamp(self.conflict_declared)
        return age > timedelta(days=DECLARATION_DAYS)

    def may(self, role: str) -> bool:
        """Return whether the key has this role or a higher one."""
        return v.ROLES.rank(self.role) >= v.ROLES.rank(role)


class Forbidden(ClaimbaseError):
    """The caller is authenticated, but may not do this."""

    code = "forbidden"


class BadKey(ClaimbaseError):
    """The key cannot be used.

    `reason` is for the audit record, and `key` is the stored key if there is one. All keys that are
    not expired get the same message, so that it does not disclose which keys exist.
    """

    code = "invalid_key"
    reason = "malformed_key"
    message = "The key is not valid. A key is made by an admin, or by claimbase keys create."

    def __init__(self, key: Key | None = None) -> None:
        super().__init__(self.message)
        self.key = key


class MalformedKey(BadKey):
    """Not a key at all, or one with a typing error."""


class UnknownKey(BadKey):
    """A key of another installation, or a forged one."""

    reason = "unknown_key"


class RevokedKey(BadKey):
    """A key that was revoked."""

    reason = "revoked_key"


class ExpiredKey(BadKey):
    """A key that has expired."""

    code = "expired_key"
    reason = "expired_key"
    message = "The key is expired."


def parse_key_request(request: object) -> KeyIn:
    """Return the description of a new key.

    Raises `InvalidRecord` with every fault, each located by a JSON Pointer.
    """
    return parse_input(KeyIn, request)


def parse_declaration(request: object) -> Declaration:
    """Return what a person declares. Raises `InvalidRecord` as `parse_key_request` does."""
    return parse_input(Declaration, request)


_Input = TypeVar("_Input", bound=BaseModel)


def parse_input(model: type[_Input], request: object) -> _Input:
    """Return a request's body as an input class reads it.

    Raises `InvalidRecord` with every fault, each located by a JSON Pointer.
    """
    try:
        return model.model_validate(request)
    except ValidationError as error:
        invalid = invalid_record(error, model.model_fields)
        invalid.detail = describe_faults(invalid.faults)
        invalid.faults = [
            fault.model_copy(update={"at": f"/{fault.at}"}) for fault in invalid.faults
        ]
        raise invalid from None


def create_key(connection: Connection, request: KeyIn) -> tuple[Key, str]:
    """Store a new key. Return what may be shown of it, and the key itself, which is not stored.

    Its ORCID iD and declaration become those of the person's other keys, and where it has none
    theirs become its. Raises `InvalidRecord` if the ORCID iD is that of another name.
    """
    if request.orcid is not None:
        _refuse_orcid_of_another(connection, request.orcid, request.name)
    identity = _random_text(_ID_LENGTH)
    beginning = f"{PREFIX}_{identity}_{_random_text(_SECRET_LENGTH)}"
    secret_key = f"{beginning}_{_checksum(beginning)}"
    created = now()
    row = {
        "id": identity,
        **request.model_dump(),
        "created": created,
        "hash": _hash(secret_key),
        "revoked": None,
        "conflict_declared": created if request.conflict_of_interest else None,
    }
    row = {**row, **_shared(row, _of_person(connection, request.name))}
    connection.execute(insert(table(ApiKey)).values(row))
    _store_of_person(connection, request.name, {name: row[name] for name in _OF_PERSON})
    return Key(**columns_of(row, Key)), secret_key


# What is the person's, not the key's: it is the same in all keys of one name.
_OF_PERSON = ("orcid", "conflict_of_interest", "conflict_declared")


def _of_person(connection: Connection, name: str) -> list[Key]:
    return [key for key in list_keys(connection) if same_person(key.name, name)]


def _shared(row: Row, others: list[Key]) -> Row:
    """Return what a new key, which lacks it, has from the person's other keys."""
    newest: Row = others[-1].model_dump() if others else {}
    lacking = {} if row["orcid"] else {"orcid": newest.get("orcid")}
    if row["conflict_of_interest"] is None:
        lacking |= {name: newest.get(name) for name in _OF_PERSON[1:]}
    return lacking


def _store_of_person(connection: Connection, name: str, values: dict[str, Any]) -> None:
    keys = table(ApiKey)
    own = keys.c.name.in_(spellings_of(connection, name))
    connection.execute(update(keys).where(own).values(values))


def _refuse_orcid_of_another(connection: Connection, orcid: str, name: str) -> None:
    """Refuse an ORCID iD that stands for another person: one could decide on one's own proposals
    by a second name.
    """
    for key in list_keys(connection):
        if key.orcid == orcid and not same_person(key.name, name):
            detail = f"{orcid} is the ORCID iD of '{key.name}': give this key the same name."
            fault = Fault(at="/orcid", code="orcid_of_another", detail=detail, suggestion=key.name)
            raise InvalidRecord(detail, [fault])


def declare_conflict(connection: Connection, name: str, text: str) -> None:
    """Store what a person declares, in all keys of theirs."""
    declared = {"conflict_of_interest": text, "conflict_declared": now()}
    _store_of_person(connection, name, declared)


class Declared(Strict):
    """What a person declared of their interests."""

    text: str = Field(description="In their own words; `none` if there was nothing.")
    declared: Timestamp = Field(description="When.")


def state_of_keys(connection: Connection) -> tuple[int, str | None]:
    """Return how many keys there are, and when somebody last declared their interests: what may
    change of an answer about people without a revision.
    """
    keys = table(ApiKey)
    counted = select(func.count(), func.max(keys.c.conflict_declared))
    number, declared = connection.execute(counted).one()
    return number, declared


class Declarations:
    """What everybody declared, read once for an answer that names many people."""

    def __init__(self, connection: Connection) -> None:
        self._by_name = {
            _without_spelling(key.name): Declared(
                text=key.conflict_of_interest, declared=key.conflict_declared
            )
            for key in list_keys(connection)
            if key.conflict_of_interest is not None and key.conflict_declared is not None
        }

    def of(self, name: str | None) -> Declared | None:
        """Return what a person declared, or None."""
        return None if name is None else self._by_name.get(_without_spelling(name))


def list_keys(connection: Connection) -> list[Key]:
    """Return every key, the oldest first."""
    keys = table(ApiKey)
    rows = connection.execute(select(keys).order_by(keys.c.created, keys.c.id)).mappings()
    return [Key(**columns_of(row, Key)) for row in rows]


def get_key(connection: Connection, identity: str) -> Key:
    """Return a key by its id. Raises `NotFound` if there is no such key."""
    keys = table(ApiKey)
    row = connection.execute(select(keys).where(keys.c.id == identity)).mappings().first()
    if row is None:
        detail = f"There is no key with the id '{identity}'."
        raise NotFound(detail, [Fault(at="key", code="not_found", detail=detail)])
    return Key(**columns_of(row, Key))


def revoke_key(connection: Connection, identity: str) -> Key:
    """Revoke a key for good. A key that was revoked before keeps its time of revocation."""
    keys = table(ApiKey)
    valid = (keys.c.id == identity) & keys.c.revoked.is_(None)
    connection.execute(update(keys).where(valid).values(revoked=now()))
    return get_key(connection, identity)


def key_id(text: str) -> str | None:
    """Return the id in a well-formed key, or None. The key need not be a valid one."""
    match = _KEY.fullmatch(text)
    beginning, _, checksum = text.rpartition("_")
    return match[1] if match and checksum == _checksum(beginning) else None


def authenticate(connection: Connection, text: str) -> Key:
    """Return the key with this text. Raises `BadKey` if there is none that may be used."""
    identity = key_id(text)
    if identity is None:
        raise MalformedKey
    row = _row_of_key(connection, identity)
    # An unknown id takes the same steps, so that the response time does not disclose it either.
    stored_hash = row["hash"] if row else _hash("")
    if not hmac.compare_digest(_hash(text), stored_hash) or row is None:
        raise UnknownKey
    key = Key(**columns_of(row, Key))
    if key.revoked is not None:
        raise RevokedKey(key)
    if key.expires is not None and key.expires <= now():
        raise ExpiredKey(key)
    return key


def _row_of_key(connection: Connection, identity: str) -> Row | None:
    keys = table(ApiKey)
    return fetch_first(
        connection,
        "key",
        lambda: select(keys).where(keys.c.id == bindparam("id")),
        {"id": identity},
    )


def redact_keys(text: str) -> str:
    """Return a text in which each key is cut to its id, by which it can be found and revoked."""
    return _KEY_IN_TEXT.sub(r"\1_…", text)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(length))


def _checksum(text: str) -> str:
    """Return the CRC-32 of the beginning of a key, in base 62."""
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
