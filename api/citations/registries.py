"""Registries of works, asked politely: Crossref, and PubMed with PubMed Central.

One request at a time, no more often than a registry allows, with the address of whoever asks. What
a registry answers is treated as hostile: bounded in size and time, and read only where it has the
expected form.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx2

from api.citations.parse_result import shortened
from api.settings import installed_version

CROSSREF = "https://api.crossref.org"
PUBMED = "https://eutils.ncbi.nlm.nih.gov"
# PubMed asks for at most three requests a second. Crossref's answers say how many it takes.
PAUSE = 0.4
# Twenty works with their reference lists have some hundred kilobytes each.
MOST_BYTES = 20_000_000
SECONDS = 60.0
# How often a request is sent before it is given up, and the seconds before the second time; the
# next are twice as long each.
ATTEMPTS = 5
BACK_OFF = 2.0
# A registry that asks for more patience is left for the next run.
MOST_WAIT = 300.0
# After so many requests in a row without a usable answer the registry is left, too.
MOST_FAILURES = 5
MOST_REDIRECTS = 3
# The longest of what Retraction Watch gives for reasons have some hundred characters.
MOST_QUOTED = 1_000
_REDIRECTS = (301, 302, 303, 307, 308)
# These say that the registry is down or overloaded, whatever it was asked.
_DOWN = (429, 502, 503, 504)

Result = TypeVar("Result")


class Unavailable(Exception):
    """The registry cannot be reached, or answers nobody for now."""


class Unanswered(Exception):
    """One request got no usable answer, others may get one."""


class Unknown(Unanswered):
    """The registry does not know what was asked for, or takes it for malformed."""


class _Again(Exception):
    """The request may be sent again, after so many seconds if the registry says so."""

    def __init__(self, detail: str, *, wait: float | None = None, is_down: bool = False) -> None:
        super().__init__(detail)
        self.wait, self.is_down = wait, is_down


def user_agent(mailto: str) -> str:
    """Return how this program introduces itself, with the address of whoever runs it."""
    return f"claimbase/{installed_version()} (mailto:{mailto})"


@contextmanager
def asking(mailto: str) -> Iterator[httpx2.Client]:
    """Yield a client for registries, which follows no redirect by itself."""
    headers = {"User-Agent": user_agent(mailto)}
    with httpx2.Client(headers=headers, timeout=SECONDS, follow_redirects=False) as client:
        yield client


@dataclass
class Registry:
    """One registry, and when it may be asked next.

    `wait` sleeps for some seconds.
    """

    name: str
    base: str
    client: httpx2.Client
    # Parameters of every request, such as the address of whoever asks.
    parameters: Mapping[str, str]
    pause: float = field(default_factory=lambda: PAUSE)
    wait: Callable[[float], None] = time.sleep
    _next: float = field(default=0.0, init=False)
    _failures: int = field(default=0, init=False)

    def get(
        self, path: str, parameters: Mapping[str, str], read: Callable[[bytes], Result]
    ) -> Result:
        """Return what `read` makes of the answer; it raises ValueError if the form is wrong.

        What may pass is tried again. Raises `Unanswered`, or `Unavailable` where it makes no sense
        to ask this registry anything more.
        """
        address = str(httpx2.URL(self.base + path, params={**self.parameters, **parameters}))
        for attempt in range(ATTEMPTS):
            try:
                result = read(self._fetch(address))
            except _Again as problem:
                last = problem
            except ValueError as error:
                last = _Again(f"the answer does not have the documented form ({error})")
            else:
                self._failures = 0
                return result
            if attempt + 1 < ATTEMPTS:
                back_off = BACK_OFF * 2**attempt
                self.wait(back_off if last.wait is None else max(last.wait, self.pause))
        self._failures += 1
        detail = f"{self.name}: {last}"
        if last.is_down or self._failures >= MOST_FAILURES:
            raise Unavailable(detail)
        raise Unanswered(detail)

    def _fetch(self, address: str) -> bytes:
        """Return the body of an answer, following redirects within the registry."""
        for _ in range(MOST_REDIRECTS + 1):
            status, headers, content = self._send(address)
            if status not in _REDIRECTS:
                return self._checked(status, headers, content)
            target = urljoin(address, headers.get("Location", ""))
            if urlsplit(target)[:2] != urlsplit(address)[:2]:
                raise Unanswered(f"{self.name}: it redirects to another site.")
            address = target
        raise Unanswered(f"{self.name}: it redirects again and again.")

    def _send(self, address: str) -> tuple[int, httpx2.Headers, bytes | None]:
        remaining = self._next - time.monotonic()
        if remaining > 0:
            self.wait(remaining)
        try:
            status, headers, content = read_bounded(self.client, address, MOST_BYTES, SECONDS)
        except httpx2.ConnectError:
            raise _Again("it cannot be reached; is there a network?", is_down=True) from None
        except (httpx2.TransportError, httpx2.DecodingError, httpx2.InvalidURL) as error:
            raise _Again(f"no proper answer ({type(error).__name__})") from None
        finally:
            self._next = time.monotonic() + self.pause
        self.pause = max(self.pause, _pause_in(headers))
        self._next = time.monotonic() + self.pause
        return status, headers, content

    def _checked(self, status: int, headers: httpx2.Headers, content: bytes | None) -> bytes:
        if status in (400, 404):
            raise Unknown(f"{self.name}: it does not know it.")
        if status == 200:
            if content is None:
                raise Unanswered(
                    f"{self.name}: the answer has more than {MOST_BYTES:,} bytes or took longer"
                    f" than {SECONDS:.0f} s."
                )
            return content
        detail = f"it answered {status}"
        if status < 500 and status != 429:
            raise Unanswered(f"{self.name}: {detail}.")
        wait = _seconds_in(headers.get("Retry-After"))
        if wait is not None and wait > MOST_WAIT:
            raise Unavailable(f"{self.name}: {detail} and asks to wait for {wait:.0f} s")
        raise _Again(detail, wait=wait, is_down=status in _DOWN)


def json_object(content: bytes, name: str) -> dict[str, Any]:
    """Return the object under a name in an answer of JSON. Raises ValueError if there is none."""
    try:
        answer = json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"no '{name}'")  # noqa: TRY004
    return found


def quoted(text: str) -> str:
    """Return what a registry wrote, for a line that people read: one, and not too long."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return shortened(" ".join(printable.split()), MOST_QUOTED)


def read_bounded(
    client: httpx2.Client, address: str, most_bytes: int, seconds: float
) -> tuple[int, httpx2.Headers, bytes | None]:
    """Return the status, the headers and the body; it is None if it is too large or too slow."""
    until = time.monotonic() + seconds
    with client.stream("GET", address) as answer:
        content = bytearray()
        for part in answer.iter_bytes():
            content += part
            if len(content) > most_bytes or time.monotonic() > until:
                return answer.status_code, answer.headers, None
        return answer.status_code, answer.headers, bytes(content)


def _seconds_in(retry_after: str | None) -> float | None:
    """Return how long a registry asks to wait: by seconds, or by a date (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _pause_in(headers: httpx2.Headers) -> float:
    """Return the pause between requests by Crossref's headers, such as 50 in `1s`; 0 without."""
    limit = headers.get("X-Rate-Limit-Limit", "")
    interval = headers.get("X-Rate-Limit-Interval", "").removesuffix("s")
    if not (limit.isdecimal() and interval.isdecimal() and int(limit)):
        return 0.0
    return min(int(interval) / int(limit), MOST_WAIT)
