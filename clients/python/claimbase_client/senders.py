"""The two halves of the client: one waits for each answer, the other is awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import httpx

from claimbase_client.manners import TIMEOUT_SECONDS, Kept, headers, parameters, wait_of

T = TypeVar("T")
Query = Mapping[str, Any]


@dataclass(frozen=True)
class Request(Generic[T]):
    """What is asked once, and how its answer is read."""

    path: str
    query: Query
    read: Callable[[httpx.Response], T]
    method: str = "GET"
    body: object = None


@dataclass(frozen=True)
class Pages(Generic[T]):
    """A list, asked for page by page.

    `after` returns what to ask after a page, and after how many seconds, or None at the end.
    """

    path: str
    query: Query
    after: Callable[[Query, Any], tuple[Query, float] | None]


class Sender:
    """The half that waits for each answer."""

    def __init__(self, address: str, key: str | None = None) -> None:
        """Ask the server at an address, such as `http://127.0.0.1:8000`. Reads need no key."""
        self.http = httpx.Client(
            base_url=address, headers=headers(key), timeout=TIMEOUT_SECONDS, follow_redirects=True
        )
        self._kept = Kept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def send(self, method: str, path: str, body: Any = None, /, **given: Any) -> httpx.Response:
        """Return an answer, the kept one if that still holds. Raises Problem."""
        request = self.http.build_request(method, path, params=parameters(given), json=body)
        known = self._kept.prepare(request)
        tries = 1
        while (wait := wait_of(answer := self.http.send(request), tries)) is not None:
            time.sleep(wait)
            tries += 1
        return self._kept.read(request, answer, known)

    def _ask(self, request: Request[T]) -> T:
        answer = self.send(request.method, request.path, request.body, **request.query)
        return request.read(answer)

    def _walk(self, pages: Pages[T]) -> Iterator[T]:
        step: tuple[Query, float] | None = (pages.query, 0.0)
        while step:
            query, wait = step
            time.sleep(wait)
            page = self.send("GET", pages.path, **query).json()
            yield from page["data"]
            step = pages.after(query, page["page"])


class AsyncSender:
    """The half that is awaited."""

    def __init__(self, address: str, key: str | None = None) -> None:
        """Ask the server at an address, such as `http://127.0.0.1:8000`. Reads need no key."""
        self.http = httpx.AsyncClient(
            base_url=address, headers=headers(key), timeout=TIMEOUT_SECONDS, follow_redirects=True
        )
        self._kept = Kept()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def send(
        self, method: str, path: str, body: Any = None, /, **given: Any
    ) -> httpx.Response:
        """Return an answer, the kept one if that still holds. Raises Problem."""
        request = self.http.build_request(method, path, params=parameters(given), json=body)
        known = self._kept.prepare(request)
        tries = 1
        while (wait := wait_of(answer := await self.http.send(request), tries)) is not None:
            await asyncio.sleep(wait)
            tries += 1
        return self._kept.read(request, answer, known)

    async def _ask(self, request: Request[T]) -> T:
        answer = await self.send(request.method, request.path, request.body, **request.query)
        return request.read(answer)

    async def _walk(self, pages: Pages[T]) -> AsyncIterator[T]:
        step: tuple[Query, float] | None = (pages.query, 0.0)
        while step:
            query, wait = step
            await asyncio.sleep(wait)
            page = (await self.send("GET", pages.path, **query)).json()
            for record in page["data"]:
                yield record
            step = pages.after(query, page["page"])
