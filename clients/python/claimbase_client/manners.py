"""What both halves of the client do alike, without sending anything: parameters, waits, kept
answers, errors.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from claimbase_client.types import ProblemCode, ProblemError

# A request that is refused for a while is sent so often at most, and nobody waits longer for it.
MOST_TRIES = 4
LONGEST_WAIT_SECONDS = 60.0
RETRIED = (429, 503)
# Of the latest answers so many are kept, and so many bytes.
MOST_KEPT = 256
MOST_KEPT_BYTES = 32_000_000
TIMEOUT_SECONDS = 30.0


class Problem(Exception):
    """An answer that is an error: its status, and the problem's code, detail and errors."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            body = answer.json()
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        self.status = answer.status_code
        self.code: ProblemCode | None = body.get("code")
        self.detail: str = body.get("detail", answer.text[:500])
        self.errors: list[ProblemError] = body.get("errors", [])
        super().__init__(f"{self.status} {self.code}: {self.detail}")


def parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return query parameters: `level__lte` is `level.lte`, a list is any of its values, and None
    is left out.
    """
    return {name.replace("__", "."): value for name, value in given.items() if value is not None}


def path_of(kind: str, record: str) -> str:
    """Return the path of a record; a source may be named by an identifier, such as `doi:10.…`."""
    return f"/v1/{kind}/{quote(record, safe=':/()')}"


def wait_of(answer: httpx.Response, tries: int) -> float | None:
    """Return the seconds until the next try, or None where there is none."""
    if answer.status_code not in RETRIED or tries >= MOST_TRIES:
        return None
    said = answer.headers.get("Retry-After", "")
    if said.isdecimal():
        seconds = float(said)
    else:
        try:
            seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            seconds = float(2**tries)
    return max(0.0, seconds) if seconds <= LONGEST_WAIT_SECONDS else None


class Kept:
    """The latest answers, by their addresses."""

    def __init__(self) -> None:
        self._answers: OrderedDict[httpx.URL, httpx.Response] = OrderedDict()
        self._bytes = 0

    def prepare(self, request: httpx.Request) -> httpx.Response | None:
        """Ask only for what is new, and return what is known."""
        known = self._answers.get(request.url) if request.method == "GET" else None
        if known:
            request.headers["If-None-Match"] = known.headers["ETag"]
        return known

    def read(
        self, request: httpx.Request, answer: httpx.Response, known: httpx.Response | None
    ) -> httpx.Response:
        """Return the answer, or the known one if that still holds. Raises Problem."""
        if answer.status_code == 304 and known:
            answer = known
        if not answer.is_success:
            raise Problem(answer)
        if request.method == "GET" and "ETag" in answer.headers:
            self._keep(request.url, answer)
        return answer

    def _keep(self, url: httpx.URL, answer: httpx.Response) -> None:
        self._forget(self._answers.pop(url, None))
        if len(answer.content) > MOST_KEPT_BYTES:
            return  # It would push all others out.
        self._answers[url] = answer
        self._bytes += len(answer.content)
        while len(self._answers) > MOST_KEPT or self._bytes > MOST_KEPT_BYTES:
            self._forget(self._answers.popitem(last=False)[1])

    def _forget(self, answer: httpx.Response | None) -> None:
        self._bytes -= len(answer.content) if answer else 0


def headers(key: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    return {"Authorization": f"Bearer {key}"} if key else {}
