"""What a client sends: how large it may be, how long it may take, and JSON that can mean one thing only."""

import functools
import json
import math
import operator
import re
import time
from collections.abc import Callable
from typing import Any, NoReturn

import anyio
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Receive

from models.core.errors import ClaimbaseError, Fault

MOST_BYTES = 2_000_000
# How long a client may take to send a body.
BODY_SECONDS = 30.0
JSON_TYPES = ("application/json", "application/merge-patch+json")
DEEPEST = 32
# Beyond 2^53 a JSON number is not the same one for every reader (RFC 7493 section 2.2).
MOST_EXACT = 2**53 - 1
# A larger body is parsed in a thread, so that the others need not wait for it.
QUICK_BYTES = 20_000


class BodyTooLarge(ClaimbaseError):
    """More bytes than anybody may send."""

    code = "body_too_large"

    def __init__(self) -> None:
        super().__init__(f"The body has more than {MOST_BYTES:,} bytes.")


class BodyTooSlow(ClaimbaseError):
    """A body that does not come to its end."""

    code = "request_timeout"


class MalformedJson(ClaimbaseError):
    """Not JSON, or JSON that two readers could take for two things."""

    code = "malformed_json"


class UnsupportedMediaType(ClaimbaseError):
    """A body that is not called JSON."""

    code = "unsupported_media_type"


def has_body(request: Request) -> bool:
    """Say whether a request announces a body; without these headers there is none (RFC 9112 section 6.3)."""
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def refuse_by_length(request: Request) -> None:
    """Refuse a body that is said to be too large, before any of it is read."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MOST_BYTES:
        raise BodyTooLarge


def guarded(receive: Receive) -> Receive:
    """Return a `receive` that counts the body and looks at the clock."""
    end, taken, complete = time.monotonic() + BODY_SECONDS, 0, False

    async def receive_in_time() -> Message:
        nonlocal taken, complete
        if complete:
            # Whoever asks again waits for the client to go, which may take as long as the answer does.
            return await receive()
        message = None
        with anyio.move_on_after(end - time.monotonic()):
            message = await receive()
        if message is None:
            raise BodyTooSlow(f"The body was not complete within {BODY_SECONDS:g} seconds.")
        complete = not message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > MOST_BYTES:
            raise BodyTooLarge
        return message

    return receive_in_time


async def read_json(request: Request) -> Any:
    """Return the JSON that a request's body holds, or raise what is wrong with it (415, 413, 408, 400)."""
    _check_type(request)
    content = await request.body()
    return (
        parse(content) if len(content) <= QUICK_BYTES else await run_in_threadpool(parse, content)
    )


def _check_type(request: Request) -> None:
    given, *parameters = [
        part.strip().lower() for part in request.headers.get("content-type", "").split(";")
    ]
    charsets = [
        part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")
    ]
    wrong = None
    if given not in JSON_TYPES:
        wrong = (
            f"The body must be JSON; Content-Type says {given[:100]!r}."
            if given
            else "Content-Type is missing."
        )
    elif any(charset not in ("utf-8", "utf8") for charset in charsets):
        wrong = "JSON is UTF-8; another charset is not taken."
    elif request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        wrong = "A compressed body is not taken."
    if wrong:
        fault = Fault(
            at="Content-Type", code="unsupported_media_type", detail=wrong, allowed=list(JSON_TYPES)
        )
        raise UnsupportedMediaType(wrong, [fault])


def parse(content: bytes) -> Any:
    """Return what JSON bytes hold. Stricter than the standard parser, which lets pass what readers disagree about."""
    if not content.strip():
        raise MalformedJson("The body is empty; it must be JSON.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson(f"The body is not UTF-8: see byte {error.start}.") from None
    if text.startswith("\ufeff"):
        raise MalformedJson("The body begins with a byte order mark; JSON has none.")
    _check_depth(text)
    twice: list[tuple[dict[str, Any], str]] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice.append((found, next(name for name in names if names.count(name) > 1)))
        return found

    try:
        value = json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}, character {error.pos}"
        raise MalformedJson(f"The body is not JSON: {error.msg} ({at}).") from None
    if twice:
        # An object inside one that was overwritten cannot be reached; then the one outside is found.
        for part, name in twice:
            if (place := _place(value, functools.partial(operator.is_, part))) is not None:
                _refuse(
                    f"{place}/{_escaped(name)}",
                    "repeated_name",
                    "This name stands twice in one object.",
                )
    if "\\u" in text and (place := _place(value, _is_unpaired)) is not None:
        _refuse(place, "lone_surrogate", "Text must not contain a lone surrogate.")
    return value


def _refuse(at: str, code: str, detail: str) -> NoReturn:
    raise MalformedJson(
        f"{at or 'The body'}: {detail}", [Fault(at=at or "/", code=code, detail=detail)]
    )


# A string (or one without an end), or a bracket. The strings are taken whole, since brackets in them do not count.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= DEEPEST:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth > DEEPEST:
                raise MalformedJson(
                    f"The body is nested deeper than {DEEPEST} levels: see character {token.start()}."
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


def _place(value: Any, wrong: Callable[[Any], bool], at: str = "") -> str | None:
    """Return the JSON Pointer of the first part that is wrong, or None."""
    if wrong(value):
        return at
    parts: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        for name in value:
            if wrong(name):
                return f"{at}/{_escaped(name)}"
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    for name, part in parts:
        if (found := _place(part, wrong, f"{at}/{_escaped(str(name))}")) is not None:
            return found
    return None


def _escaped(name: str) -> str:
    """Return a name as it stands in a JSON Pointer (RFC 6901), in characters that an answer can hold."""
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
