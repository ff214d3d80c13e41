"""A client of Claimbase: pages as iterators, a cache by ETag, retries with a bound."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import httpx

MOST_TRIES = 4
LONGEST_WAIT_SECONDS = 60.0
RETRIED = (429, 503)


class Problem(Exception):
    """An answer that is an error: its status, and the problem's code, detail and errors."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            body = answer.json()
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        self.status = answer.status_code
        self.code = body.get("code")
        self.detail = body.get("detail", answer.text[:500])
        self.errors = body.get("errors", [])
        super().__init__(f"{self.status} {self.code}: {self.detail}")


def parameters(given: dict[str, Any]) -> dict[str, Any]:
    """Return query parameters: `level__lte` is `level.lte`, and None is left out."""
    return {name.replace("__", "."): value for name, value in given.items() if value is not None}


class _Core:
    """What both clients do without input or output."""

    def __init__(self, key: str | None) -> None:
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.cache: dict[str, httpx.Response] = {}

    def prepare(self, request: httpx.Request) -> None:
        if known := self.cache.get(str(request.url)):
            request.headers["If-None-Match"] = known.headers["ETag"]

    def wait(self, answer: httpx.Response, tries: int) -> float | None:
        """Return the seconds until the next try, or None where there is none."""
        if answer.status_code not in RETRIED or tries >= MOST_TRIES:
            return None
        said = answer.headers.get("Retry-After", "")
        seconds = float(said) if said.isdecimal() else float(2**tries)
        return seconds if seconds <= LONGEST_WAIT_SECONDS else None

    def read(self, answer: httpx.Response) -> Any:
        address = str(answer.request.url)
        if answer.status_code == 304 and address in self.cache:
            return self.cache[address].json()
        if not answer.is_success:
            raise Problem(answer)
        if "ETag" in answer.headers:
            self.cache[address] = answer
        return answer.json()


class Claimbase:
    """A client that waits for each answer."""

    def __init__(self, address: str, key: str | None = None) -> None:
        self.core = _Core(key)
        self.http = httpx.Client(base_url=address, headers=self.core.headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **given: Any) -> Any:
        """Return the JSON of an answer. Raises Problem."""
        request = self.http.build_request("GET", path, params=parameters(given))
        self.core.prepare(request)
        tries = 1
        while (wait := self.core.wait(answer := self.http.send(request), tries)) is not None:
            time.sleep(wait)
            tries += 1
        return self.core.read(answer)

    def pages(self, path: str, **given: Any) -> Iterator[dict[str, Any]]:
        """Yield the records of all pages."""
        while True:
            page = self.get(path, **given)
            yield from page["data"]
            if not (cursor := page["page"]["next"]):
                return
            given = {**given, "cursor": cursor}

    def claims(self, **given: Any) -> Iterator[dict[str, Any]]:
        return self.pages("/v1/claims", **given)

    def evidence(self, **given: Any) -> Iterator[dict[str, Any]]:
        return self.pages("/v1/evidence", **given)

    def sources(self, **given: Any) -> Iterator[dict[str, Any]]:
        return self.pages("/v1/sources", **given)

    def claim(self, claim: str, **given: Any) -> Any:
        return self.get(f"/v1/claims/{claim}", **given)


class AsyncClaimbase:
    """The same, awaited."""

    def __init__(self, address: str, key: str | None = None) -> None:
        self.core = _Core(key)
        self.http = httpx.AsyncClient(base_url=address, headers=self.core.headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, path: str, **given: Any) -> Any:
        """Return the JSON of an answer. Raises Problem."""
        request = self.http.build_request("GET", path, params=parameters(given))
        self.core.prepare(request)
        tries = 1
        while (wait := self.core.wait(answer := await self.http.send(request), tries)) is not None:
            await asyncio.sleep(wait)
            tries += 1
        return self.core.read(answer)

    async def pages(self, path: str, **given: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield the records of all pages."""
        while True:
            page = await self.get(path, **given)
            for record in page["data"]:
                yield record
            if not (cursor := page["page"]["next"]):
                return
            given = {**given, "cursor": cursor}

    def claims(self, **given: Any) -> AsyncIterator[dict[str, Any]]:
        return self.pages("/v1/claims", **given)

    async def claim(self, claim: str, **given: Any) -> Any:
        return await self.get(f"/v1/claims/{claim}", **given)
