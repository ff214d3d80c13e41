"""Request bodies: the limits of their size and time, and a strict parser of JSON."""

import json
import math
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import anyio
from fastapi import Request
from starlette.types import Message, Receive

from api.http.fair_share import run_in_thread
from api.http.negotiation import LINES_TYPES, OFFERED, negotiate
from api.http.pagination import header
from models.core.errors import ClaimbaseError, Fault, InvalidRecord

MOST_BYTES = 2_000_000
# How long a client may take to send a body.
BODY_SECONDS = 30.0
# A file of citations that is answered as a stream of lines: whole libraries have up to 20 MB, and
# the line of somebody's home takes a minute for that.
MOST_FILE_BYTES = 20_000_000
FILE_SECONDS = 120.0
FILE_PATHS = ("/v1/sources:parse", "/v1/sources:import")
JSON_TYPES = ("application/json", "application/merge-patch+json")
TEXT_TYPES = ("text/plain",)
NAMES_OF_TYPES = {JSON_TYPES: "JSON", TEXT_TYPES: "plain text"}
DEEPEST = 32
# A longer Content-Length is too large, whatever its further digits are.
MOST_DIGITS = 18
# Beyond 2^53 a JSON number is not the same one for every reader (RFC 7493 section 2.2).
MOST_EXACT = 2**53 - 1
# A larger body is parsed in a thread, so that other requests need not wait for it.
QUICK_BYTES = 20_000


@dataclass(frozen=True)
class BodyLimits:
    """The most bytes of a body, and the time that a client may take to send it."""

    bytes: int
    seconds: float


class BodyTooLarge(ClaimbaseError):
    """The body has too many bytes."""

    code = "body_too_large"

    def __init__(self, most: int) -> None:
        super().__init__(f"The body has more than {most:,} bytes.")


class BodyTooSlow(ClaimbaseError):
    """The body was not complete in time."""

    code = "request_timeout"


class MalformedJson(ClaimbaseError):
    """The body is not JSON, or JSON that two parsers could read differently."""

    code = "malformed_json"


class UnsupportedMediaType(ClaimbaseError):
    """The Content-Type of the body is not the one that is taken."""

    code = "unsupported_media_type"


def has_body(request: Request) -> bool:
    """Return whether a request has a body: one of two headers announces it (RFC 9112, 6.3)."""
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def limits_of(request: Request) -> BodyLimits:
    """Return the limits of a request's body: those of a file if it is one for a stream."""
    if request.scope["path"] in FILE_PATHS:
        offered = (*OFFERED, *LINES_TYPES)
        if negotiate(header(request, "accept"), offered) in LINES_TYPES:
            return BodyLimits(MOST_FILE_BYTES, FILE_SECONDS)
    return BodyLimits(MOST_BYTES, BODY_SECONDS)


def refuse_by_length(request: Request) -> None:
    """Raise BodyTooLarge if Content-Length is too large, before any of the body is read."""
    most = limits_of(request).bytes
    if announced_length(request) > most:
        raise BodyTooLarge(most)


def announced_length(request: Request) -> int:
    """Return what Content-Length says, or 0 without it; of a huge number only the first digits."""
    length = request.headers.get("content-length", "0").lstrip("0")
    # Python refuses to read thousands of digits.
    return int(length[:MOST_DIGITS]) if length.isdecimal() else 0


def guarded(receive: Receive, limits: BodyLimits) -> Receive:
    """Return a `receive` that limits the size of the body and the time that it takes."""
    end, taken, complete = time.monotonic() + limits.seconds, 0, False

    async def receive_in_time() -> Message:
        nonlocal taken, complete
        if complete:
            # A further call waits for the client to disconnect, which has no time limit.
            return await receive()
        message = None
        with anyio.move_on_after(end - time.monotonic()):
            message = await receive()
        if message is None:
            raise BodyTooSlow(f"The body was not complete within {limits.seconds:g} seconds.")
        complete = not message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > limits.bytes:
            raise BodyTooLarge(limits.bytes)
        return message

    return receive_in_time


async def read_json(request: Request) -> Any:
    """Return the JSON value of a request's body.

    Raises UnsupportedMediaType, BodyTooLarge, BodyTooSlow or MalformedJson.
    """
    _check_type(request)
    content = await request.body()
    if len(content) <= QUICK_BYTES:
        return parse(content)
    return await run_in_thread(request, partial(parse, content))


async def read_text(request: Request) -> str:
    """Return the text of a request's body as it is, a byte order mark included.

    Raises UnsupportedMediaType, BodyTooLarge, BodyTooSlow, or InvalidRecord if it is not UTF-8.
    """
    _check_type(request, TEXT_TYPES)
    content = await request.body()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        detail = f"The body is not UTF-8: see byte {error.start}."
        raise InvalidRecord(detail, [Fault(at="/", code="not_utf8", detail=detail)]) from None


def _check_type(request: Request, types: tuple[str, ...] = JSON_TYPES) -> None:
    """Raise UnsupportedMediaType if the headers announce anything but these types in UTF-8."""
    detail = _fault_of_type(request, types)
    if detail is not None:
        code, allowed = "unsupported_media_type", list(types)
        fault = Fault(at="Content-Type", code=code, detail=detail, allowed=allowed)
        raise UnsupportedMediaType(detail, [fault])


def _fault_of_type(request: Request, types: tuple[str, ...]) -> str | None:
    """Return what is wrong with Content-Type or Content-Encoding, or None."""
    content_type = request.headers.get("content-type", "")
    media_type, *parameters = [part.strip().lower() for part in content_type.split(";")]
    if not media_type:
        return "Content-Type is missing."
    if media_type not in types:
        name = NAMES_OF_TYPES[types]
        return f"The body must be {name}; Content-Type says {media_type[:100]!r}."
    for parameter in parameters:
        charset = parameter.partition("=")[2].strip('" ')
        if parameter.startswith("charset") and charset not in ("utf-8", "utf8"):
            return f"{NAMES_OF_TYPES[types]} is UTF-8; another charset is not taken."
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        return "A compressed body is not taken."
    return None


def parse(content: bytes) -> Any:
    """Return the value of JSON bytes. Raises MalformedJson.

    The parser is stricter than the standard one: it refuses what parsers read differently.
    """
    text = _decode(content)
    _check_depth(text)
    # The repeated name of each object that has one, by the object's identity, and the objects
    # themselves, since an identity is unique only while its object lives.
    repeated: dict[int, tuple[str, dict[str, Any]]] = {}

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            repeated[id(members)] = (_first_repeated(name for name, _ in pairs), members)
        return members

    value = _load(text, object_of)
    if repeated:
        _refuse_repeated(value, repeated)
    if "\\u" in text and (path := _path(value, _is_unpaired)) is not None:
        _refuse(_pointer(path), "lone_surrogate", "Text must not contain a lone surrogate.")
    return value


def _first_repeated(names: Iterable[str]) -> str:
    """Return the first name that occurs a second time. One must."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("a name occurs twice")


def _decode(content: bytes) -> str:
    """Return the text of a body that is UTF-8 without a byte order mark."""
    if not content.strip():
        raise MalformedJson("The body is empty; it must be JSON.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson(f"The body is not UTF-8: see byte {error.start}.") from None
    if text.startswith("\ufeff"):
        raise MalformedJson("The body begins with a byte order mark; JSON has none.")
    return text


def _load(text: str, object_of: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> Any:
    """Return the value of JSON text; `object_of` makes an object of its pairs."""
    try:
        return json.loads(
            text,
            object_pairs_hook=object_of,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}, character {error.pos}"
        raise MalformedJson(f"The body is not JSON: {error.msg} ({at}).") from None


def _refuse_repeated(value: Any, repeated: dict[int, tuple[str, dict[str, Any]]]) -> None:
    """Raise MalformedJson at the first object of a value that has a name twice.

    Objects in a value that was overwritten cannot be reached, but then the object around it can,
    which has the overwritten name twice.
    """
    path = _path(value, lambda part: id(part) in repeated)
    assert path is not None, "the outermost object with a repeated name is part of the value"
    part = value
    for name in reversed(path):
        part = part[name]
    name, _ = repeated[id(part)]
    _refuse(_pointer([name, *path]), "repeated_name", "This name stands twice in one object.")


def _refuse(at: str, code: str, detail: str) -> NoReturn:
    raise MalformedJson(
        f"{at or 'The body'}: {detail}", [Fault(at=at or "/", code=code, detail=detail)]
    )


# A string (or one without an end), or a bracket. Brackets within strings do not count, so a string
# is one token.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


def _check_depth(text: str) -> None:
    """Raise MalformedJson if brackets are nested too deep."""
    if text.count("{") + text.count("[") <= DEEPEST:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth > DEEPEST:
                raise MalformedJson(
                    f"The body is nested deeper than {DEEPEST} levels:"
                    f" see character {token.start()}."
                )
        elif token[0] in ("]", "}"):
            depth -= 1


def _no_number(name: str) -> NoReturn:
    raise MalformedJson(f"{name} is not JSON.")


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise MalformedJson(f"The number {digits[:30]} is too large.")
    return number


def _integer(digits: str) -> int:
    if len(digits) > len(str(MOST_EXACT)) + 1 or abs(int(digits)) > MOST_EXACT:
        raise MalformedJson(f"The number {digits[:30]} is too large; the largest is {MOST_EXACT}.")
    return int(digits)


def _path(value: Any, matches: Callable[[Any], bool]) -> list[str | int] | None:
    """Return the names that lead to the first part of a value that matches, the innermost first.

    Returns None if no part matches. No path is built on the way there, since each of many parts
    may have a long one.
    """
    if matches(value):
        return []
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        for name in value:
            if matches(name):
                return [name]
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for name, part in parts:
        path = _path(part, matches)
        if path is not None:
            return [*path, name]
    return None


def _pointer(path: list[str | int]) -> str:
    """Return a path, the innermost name first, as a JSON Pointer."""
    return "".join(f"/{_escaped(str(name))}" for name in reversed(path))


def _escaped(name: str) -> str:
    """Return a name escaped for a JSON Pointer (RFC 6901), without lone surrogates."""
    printable = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return printable.replace("~", "~0").replace("/", "~1")


def _is_unpaired(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
