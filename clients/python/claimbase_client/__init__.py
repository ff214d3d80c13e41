"""A client of Claimbase, for scripts that wait and for those that await.

Lists are iterators over all pages. An answer that was read before is asked for by its ETag, and not
sent again while it holds. What is refused for a while is tried again, as `Retry-After` says.
"""

import asyncio
import io
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import quote

import httpx

# A request that is refused for a while is sent so often at most, and nobody waits longer for it.
MOST_TRIES = 4
LONGEST_WAIT_SECONDS = 60.0
RETRIED = (429, 503)
# So many answers are kept, the latest ones.
MOST_KEPT = 256
TIMEOUT_SECONDS = 30.0
Record = dict[str, Any]


class Problem(Exception):
    """An answer that is an error: its status, and the problem's code, detail and errors."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            body = answer.json()
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        self.status = answer.status_code
        self.code: str | None = body.get("code")
        self.detail: str = body.get("detail", answer.text[:500])
        self.errors: list[Record] = body.get("errors", [])
        super().__init__(f"{self.status} {self.code}: {self.detail}")


def parameters(given: Mapping[str, Any]) -> Record:
    """Return query parameters: `level__lte` is `level.lte`, a list is any of its values, and None
    is left out.
    """
    return {
        name.replace("__", "."): ",".join(value) if isinstance(value, list | tuple) else value
        for name, value in given.items()
        if value is not None
    }


def path_of(kind: str, record: str) -> str:
    """Return the path of a record."""
    return f"/v1/{kind}/{quote(record, safe=':')}"


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


class _Kept:
    """The latest answers, by the address and the format that was asked for."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, str], httpx.Response] = OrderedDict()

    def prepare(self, request: httpx.Request) -> None:
        """Ask only for what is new."""
        if request.method == "GET" and (known := self._answers.get(_name_of(request))):
            request.headers["If-None-Match"] = known.headers["ETag"]

    def read(self, answer: httpx.Response) -> httpx.Response:
        """Return the answer, or the kept one if that still holds. Raises Problem."""
        name = _name_of(answer.request)
        if answer.status_code == 304 and name in self._answers:
            self._answers.move_to_end(name)
            return self._answers[name]
        if not answer.is_success:
            raise Problem(answer)
        if answer.request.method == "GET" and "ETag" in answer.headers:
            self._answers[name] = answer
            if len(self._answers) > MOST_KEPT:
                self._answers.popitem(last=False)
        return answer


def _name_of(request: httpx.Request) -> tuple[str, str]:
    return str(request.url), request.headers.get("Accept", "")


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


class Claimbase:
    """A client that waits for each answer.

    `address` is that of the server, such as `http://127.0.0.1:8000`; reads need no `key`. Filters
    are named as in the API, with two underscores for a dot.
    """

    def __init__(self, address: str, key: str | None = None) -> None:
        self.http = httpx.Client(
            base_url=address, headers=_headers(key), timeout=TIMEOUT_SECONDS, follow_redirects=True
        )
        self._kept = _Kept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def send(self, method: str, path: str, body: Any = None, **given: Any) -> httpx.Response:
        """Return an answer, the kept one if that still holds. Raises Problem."""
        request = self.http.build_request(method, path, params=parameters(given), json=body)
        self._kept.prepare(request)
        tries = 1
        while (wait := wait_of(answer := self.http.send(request), tries)) is not None:
            time.sleep(wait)
            tries += 1
        return self._kept.read(answer)

    def get(self, path: str, **given: Any) -> Any:
        """Return the JSON of an answer. Raises Problem."""
        return self.send("GET", path, **given).json()

    def pages(self, path: str, **given: Any) -> Iterator[Record]:
        """Yield the records of all pages of a list."""
        while True:
            page = self.get(path, **given)
            yield from page["data"]
            if not (cursor := page["page"]["next"]):
                return
            given = {**given, "cursor": cursor}

    def claims(self, **filters: Any) -> Iterator[Record]:
        """Yield the claims that meet the filters."""
        return self.pages("/v1/claims", **filters)

    def claim(self, claim: str, **given: Any) -> Record:
        """Return a claim with all its parts; with `as_of`, as it stood on that day."""
        found: Record = self.get(path_of("claims", claim), **given)
        return found

    def evidence(self, **filters: Any) -> Iterator[Record]:
        """Yield the lines of evidence that meet the filters."""
        return self.pages("/v1/evidence", **filters)

    def sources(self, **filters: Any) -> Iterator[Record]:
        """Yield the sources that meet the filters."""
        return self.pages("/v1/sources", **filters)

    def source(self, source: str) -> Record:
        """Return a source, by its slug or as `doi:10.…`."""
        found: Record = self.get(f"/v1/sources/{quote(source, safe=':/()')}")
        return found

    def match(self, text: str, **given: Any) -> list[Record]:
        """Return the sentences of a text with the claims that they may state."""
        body = {"text": text, **given}
        found: list[Record] = self.send("POST", "/v1/claims:match", body).json()["data"]
        return found

    def cite(self, source: str, format: str = "bibtex", **given: Any) -> str:
        """Return a source as a citation: bibtex, ris, csl_json, or bibliography with a `style`."""
        path = f"/v1/sources/{quote(source, safe=':/()')}"
        return self.send("GET", path, format=format, **given).text

    def to_pandas(self, path: str = "/v1/evidence", **filters: Any) -> Any:
        """Return a list as a data frame of its table; needs the extra `pandas`."""
        import pandas  # type: ignore[import-untyped,unused-ignore]

        table = self.send("GET", path, format="csv", **filters).text
        return pandas.read_csv(io.StringIO(table))


class AsyncClaimbase:
    """The same for scripts that await; see `Claimbase`."""

    def __init__(self, address: str, key: str | None = None) -> None:
        self.http = httpx.AsyncClient(
            base_url=address, headers=_headers(key), timeout=TIMEOUT_SECONDS, follow_redirects=True
        )
        self._kept = _Kept()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def send(self, method: str, path: str, body: Any = None, **given: Any) -> httpx.Response:
        """Return an answer, the kept one if that still holds. Raises Problem."""
        request = self.http.build_request(method, path, params=parameters(given), json=body)
        self._kept.prepare(request)
        tries = 1
        while (wait := wait_of(answer := await self.http.send(request), tries)) is not None:
            await asyncio.sleep(wait)
            tries += 1
        return self._kept.read(answer)

    async def get(self, path: str, **given: Any) -> Any:
        """Return the JSON of an answer. Raises Problem."""
        return (await self.send("GET", path, **given)).json()

    async def pages(self, path: str, **given: Any) -> AsyncIterator[Record]:
        """Yield the records of all pages of a list."""
        while True:
            page = await self.get(path, **given)
            for record in page["data"]:
                yield record
            if not (cursor := page["page"]["next"]):
                return
            given = {**given, "cursor": cursor}

    def claims(self, **filters: Any) -> AsyncIterator[Record]:
        """Yield the claims that meet the filters."""
        return self.pages("/v1/claims", **filters)

    async def claim(self, claim: str, **given: Any) -> Record:
        """Return a claim with all its parts; with `as_of`, as it stood on that day."""
        found: Record = await self.get(path_of("claims", claim), **given)
        return found

    def evidence(self, **filters: Any) -> AsyncIterator[Record]:
        """Yield the lines of evidence that meet the filters."""
        return self.pages("/v1/evidence", **filters)

    def sources(self, **filters: Any) -> AsyncIterator[Record]:
        """Yield the sources that meet the filters."""
        return self.pages("/v1/sources", **filters)
