"""A cache of responses as they were sent, compressed, which holds until the next commit."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import middleware
from api.http.compression import Headers, preferred_coding
from api.http.serial_marks import mark_of, take_min_serial
from api.http.settling import SettledSerials
from models.database.connections import Database
from models.read import listings

# The headers that a response depends on; and those with which a GET is not a plain public one.
VARYING = frozenset([b"accept", b"host", b"if-none-match", b"origin"])
# What a response says of its own request, so that it is not kept with the rest.
OF_ONE_REQUEST = frozenset([b"x-request-id", b"ratelimit", b"ratelimit-policy"])
BARRING = frozenset([b"authorization", b"content-length", b"transfer-encoding"])
# No answer takes more than this part of all there is room for.
LARGEST = 1 / 16
# What Python takes for an entry beside its bytes: measured, rounded up.
OVERHEAD = 2000
# Requests with more bytes in the headers that an answer depends on are rare, and each of them would
# be kept for itself.
MOST_VARYING = 2000
# How long it may take until a commit of another node is seen, where only a statement tells.
POLL_SECONDS = 1.0
# How long a request waits for that statement. A database that does not answer must not keep the
# requests that need none.
POLL_PATIENCE = 0.1
# They never go through the cache, since whoever watches the process asks them when all else hangs.
UNCACHED = frozenset(["/healthz", "/readyz"])
DAY = 86_400
log = logging.getLogger("claimbase.cache")


@dataclass(slots=True)
class Kept:
    """An answer without the id of its request."""

    status: int
    headers: Headers
    body: bytes
    size: int
    # That of the request, which a later one does not look for.
    route: Any
    # The serial that it shows, unless it does not depend on the database.
    serial: int | None


class Cache:
    """An ASGI application in front of another one, which reads one database.

    It stores each public 200 or 304 that has an ETag, and drops all of them after any commit. A
    commit of another process shows at once in a file; otherwise in the serial, which is
    read once a second, beside the requests: while it is unknown, requests pass the cache by; of a
    distributed database also while it is young. Of several servers the highest serial counts, so
    what a replica answers that is behind is not stored. The least recently used response is dropped
    first.
    """

    def __init__(self, app: ASGIApp, database: Database, room: int) -> None:
        self.app = app
        self.database = database
        self.room = room
        # The application in front of which it stands asks them, too.
        self.serials = SettledSerials()
        self.kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self.size = 0
        # The state of the database now, None while it is unknown, and that of all that is kept.
        self.token: Hashable = None
        self._token_of_kept: Hashable = None
        self._looked = False
        self._serial = 0
        self._polled = float("-inf")
        self._poll: asyncio.Task[bool] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or not self.room
            or scope["path"] in UNCACHED
        ):
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        take_min_serial(scope)
        if not self._looked:
            await self._look()
        varying: list[Any] = []
        sent_id, accepted = b"", None
        for header in scope["headers"]:
            name, value = header
            if name in VARYING:
                varying.append(header)
            elif name == b"accept-encoding":
                accepted = value if accepted is None else accepted + b", " + value
            elif name == b"x-request-id":
                sent_id = value
            elif name in BARRING:
                await self.app(scope, receive, send)
                return
        # Each coding is kept once, in whatever words clients ask for it.
        key = (
            scope["scheme"],
            scope.get("raw_path"),
            scope["query_string"],
            preferred_coding(accepted),
            *varying,
        )
        token = self.token
        # The metrics read it.
        cached = scope["kept"] = self._kept_for(key, scope)
        if cached is None:
            key_size = sum(len(part) for header in varying for part in header)
            if token is not None and key_size <= MOST_VARYING:
                key_size += len(scope["query_string"]) + len(scope.get("raw_path") or b"")
                send = _Keeping(self, token, key, key_size, scope, send)
            await self.app(scope, receive, send)
            return
        self.kept.move_to_end(key)
        request_id = middleware.request_id_of(sent_id)
        headers = [*cached.headers, (b"x-request-id", request_id.encode())]
        await send({"type": "http.response.start", "status": cached.status, "headers": headers})
        await send({"type": "http.response.body", "body": cached.body})
        middleware.log_request(scope, request_id, cached.status, began)

    def _kept_for(self, key: Hashable, scope: Scope) -> Kept | None:
        """Return the response to a request that shows nothing older than its client has seen."""
        cached = None if self.token is None else self.kept.get(key)
        if cached is None or cached.serial is None or cached.serial >= mark_of(scope).seen:
            return cached
        return None

    def keep(self, token: Hashable, key: Hashable, answer: Kept) -> None:
        """Store a response unless a commit has changed the token since the request began, or a
        replica gave it that has not reached that commit.
        """
        if token != self.token or key in self.kept:
            return
        if answer.serial is not None and answer.serial < self._serial:
            return
        self.kept[key] = answer
        self.size += answer.size
        while self.size > self.room:
            _, oldest = self.kept.popitem(last=False)
            self.size -= oldest.size

    async def _look(self) -> None:
        """Drop all responses if there was a commit since the last look.

        Once in each turn of the event loop is enough: every request that is answered in this turn
        arrived before the turn began.
        """
        pulse = self.database.change_token() or await self._commits_and_serial()
        # Some responses depend on today's date.
        self.token = None if pulse is None else (pulse, time.time() // DAY)
        if self.token is not None and self.token != self._token_of_kept:
            self.kept.clear()
            self.size, self._token_of_kept = 0, self.token
        if not self._looked:
            self._looked = True
            asyncio.get_running_loop().call_soon(self._look_again)

    def _look_again(self) -> None:
        self._looked = False

    async def _commits_and_serial(self) -> Hashable:
        """Return the number of this process's commits and the serial, at most a second old.

        It is None while the serial cannot be read, and while it is not settled.
        """
        if self.database.replicas is not None:
            # They are asked all the time, and one that hangs keeps nobody waiting.
            serial = self.database.replicas.known_serial()
            if serial is None:
                return None
            self._serial = serial
        elif time.monotonic() - self._polled > POLL_SECONDS:
            poll = self._poll = self._poll or asyncio.create_task(self._read_serial_beside())
            done, _ = await asyncio.wait([poll], timeout=POLL_PATIENCE)
            if not done or not poll.result():
                return None
        if self.database.is_distributed and not self.serials.see(self._serial):
            return None
        return self.database.commits, self._serial

    async def _read_serial_beside(self) -> bool:
        """Read the serial, and return whether that succeeded."""
        began = time.monotonic()
        try:
            self._serial = await anyio.to_thread.run_sync(self._read_serial)
            self._polled = began
        except Exception as error:
            # Without the cache a request meets the same error, and its response says so.
            log.debug("the cache is passed by: %r", error)
            return False
        else:
            return True
        finally:
            self._poll = None

    def _read_serial(self) -> int:
        with self.database.read() as connection:
            return listings.current_serial(connection)


class _Keeping:
    """Sends an answer on, and keeps it where it may be kept."""

    def __init__(
        self,
        cache: Cache,
        token: Hashable,
        key: Hashable,
        key_size: int,
        scope: Scope,
        send: Send,
    ) -> None:
        self.cache, self.token, self.key, self.scope, self.send = cache, token, key, scope, send
        self.start: Message | None = None
        self.pieces: list[bytes] = []
        self.size = OVERHEAD + key_size

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message if _may_be_kept(message) else None
        elif self.start is not None:
            self.pieces.append(message.get("body", b""))
            self.size += len(self.pieces[-1])
            if self.size > self.cache.room * LARGEST:
                self.start = None
                self.pieces.clear()
            elif not message.get("more_body", False):
                headers = [
                    header
                    for header in self.start["headers"]
                    if header[0].lower() not in OF_ONE_REQUEST
                ]
                body, route = b"".join(self.pieces), self.scope.get("route")
                serial = self.scope["state"].get("serial")
                answer = Kept(self.start["status"], headers, body, self.size, route, serial)
                self.cache.keep(self.token, self.key, answer)
        await self.send(message)


def _may_be_kept(start: Message) -> bool:
    headers = {name.lower(): value for name, value in start["headers"]}
    how = headers.get(b"cache-control", b"no-store")
    return (
        start["status"] in (200, 304)
        and b"etag" in headers
        and b"no-store" not in how
        and b"private" not in how
    )
