"""What may be said of an answer by a serial where the database is distributed.

A transaction on several servers is committed on one after the other, and a read has a snapshot on
each of them but none of all: for a moment it may see the new serial and, on another server, the
old content. Whoever kept that answer by its tag would keep it for good. So nobody is let keep an
answer by a serial that is younger than `SETTLING_SECONDS`: by then the commit is everywhere.
"""

import re
import time
from collections import deque
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.compression import Headers
from api.http.middleware import changing_headers

SETTLING_SECONDS = 2.0
# The tag of a list, or of a record, which is the number of a revision; not one of a file's content.
_TAG = re.compile(rb'(W/)?"s?([0-9]{1,12})(?:[-;:][^"]*)?"')


class SettledSerials:
    """Since when this process knows each of the last serials.

    The time is that of this process alone: a revision's own is that of its transaction's begin, on
    another clock.
    """

    def __init__(self) -> None:
        self.newest = self.settled = 0
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, serial: int) -> bool:
        """Note that a serial was reached, and return whether that was known long enough ago."""
        now = time.monotonic()
        if serial > self.newest:
            self.newest = serial
            self._seen.append((now, serial))
        while self._seen and now - self._seen[0][0] >= SETTLING_SECONDS:
            _, self.settled = self._seen.popleft()
        return serial <= self.settled


class SettlingMiddleware:
    """Takes the tag from a list, and keeps caches from a record, whose serial is too young.

    A record keeps its tag, since whoever changes it names that. It does nothing where the database
    is one server.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            app = scope["app"]
            # An application of its own, such as that of a test, has no database.
            database = getattr(app.state, "database", None)
            # What is not known yet, a connection finds out before there is an answer.
            if database is not None and database.sharding.is_on is not False:
                send = changing_headers(send, lambda headers: _settled(headers, app))
        await self.app(scope, receive, send)


def _settled(headers: Headers, app: Any) -> Headers:
    if not app.state.database.is_distributed:
        return headers
    return without_unsettled(headers, app.cache.serials)


def without_unsettled(headers: Headers, serials: SettledSerials) -> Headers:
    """Return the headers of an answer as they may be sent by what is known of its serial."""
    tag = next((value for name, value in headers if name.lower() == b"etag"), b"")
    found = _TAG.fullmatch(tag)
    if found is None or serials.see(int(found[2])):
        return headers
    changed = MutableHeaders(raw=[*headers])
    changed["Cache-Control"] = "no-store"
    if found[1]:
        del changed["ETag"]
    return changed.raw
