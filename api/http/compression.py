"""Answers compressed as their clients like: the coding is chosen by Accept-Encoding, and each coding has its own tag."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import anyio.to_thread
import zstandard
from fastapi import Request
from isal import isal_zlib
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import not_acceptable, on_domain_error
from api.http.negotiation import qualities

# A shorter answer hardly becomes shorter.
COMPRESSED_FROM = 1000
# Beyond this size compression takes a millisecond, which is too long for the event loop.
THREAD_FROM = 1024 * 1024
GZIP_LEVEL = 1
ZSTD_LEVEL = 1
# Wanted alike, the first one is taken.
CODINGS = ("zstd", "gzip", "identity")
# A stream of events must not wait in a compressor, and the pictures of the docs page are compressed already.
NOT_COMPRESSED = (b"text/event-stream", b"image/png")

CONDITIONS = frozenset({b"if-match", b"if-none-match"})
READ = CONDITIONS | {b"accept-encoding"}
# How much identity is liked where it is not named.
LEAST = 0.0001
Headers = list[tuple[bytes, bytes]]
_TAG_OF_CODING = re.compile(rb'-(?:gzip|zstd)"')


class Compressor(Protocol):
    """Compresses a stream piece by piece; what `flush` returns makes all that came before readable."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int, /) -> bytes: ...


class Gzip:
    """Gzip by ISA-L, ten times as fast as zlib."""

    block, end = isal_zlib.Z_SYNC_FLUSH, isal_zlib.Z_FINISH

    @staticmethod
    def stream() -> Compressor:
        """Return a compressor of one stream."""
        return isal_zlib.compressobj(GZIP_LEVEL, wbits=16 + isal_zlib.MAX_WBITS)

    @staticmethod
    def compress(data: bytes) -> bytes:
        """Return data as one stream."""
        return isal_zlib.compress(data, GZIP_LEVEL, 16 + isal_zlib.MAX_WBITS)


class Zstd:
    """Zstandard, which is a third smaller."""

    block, end = zstandard.COMPRESSOBJ_FLUSH_BLOCK, zstandard.COMPRESSOBJ_FLUSH_FINISH

    @staticmethod
    def stream() -> Compressor:
        """Return a compressor of one stream."""
        return zstandard.ZstdCompressor(ZSTD_LEVEL).compressobj()

    @staticmethod
    def compress(data: bytes) -> bytes:
        """Return data as one stream."""
        return zstandard.ZstdCompressor(ZSTD_LEVEL).compress(data)


COMPRESSORS: dict[str, type[Gzip] | type[Zstd]] = {"gzip": Gzip, "zstd": Zstd}


@lru_cache(64)  # No more, since a header is as long as its client likes.
def preferred_coding(accept_encoding: bytes | None) -> str | None:
    """Return the coding that a client likes best, or None if it takes none of ours (RFC 9110 section 12.5.3)."""
    if accept_encoding is None:
        return "identity"
    given = qualities(accept_encoding.decode("latin-1"))
    # Every other coding has to be named; identity has to be excluded, and is liked least where it is not named.
    quality = {coding: given.get(coding, given.get("*", 0.0)) for coding in CODINGS}
    if "identity" not in given:
        quality["identity"] = min(given.get("*", LEAST), LEAST)
    best = max(CODINGS, key=lambda coding: quality[coding])
    return best if quality[best] else None


class CompressionMiddleware:
    """Compresses answers, and lets a client name an answer's tag in If-Match and If-None-Match as it got it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in READ:
                given[name] = given[name] + b", " + value if name in given else value
        coding = preferred_coding(given.get(b"accept-encoding"))
        if coding is None:
            refused = on_domain_error(
                Request(scope), not_acceptable(CODINGS, "Accept-Encoding", "codings")
            )
            await refused(scope, receive, send)
            return
        if given.keys() & CONDITIONS:
            scope["headers"] = [_without_codings(header) for header in scope["headers"]]
        known = given.get(b"if-none-match", b"")
        await self.app(
            scope, receive, Responder(send, coding, known, may_have_tag=scope["method"] == "GET")
        )


class Responder:
    """Sends one answer on, compressed where it is worth it."""

    def __init__(self, send: Send, coding: str, known: bytes, *, may_have_tag: bool) -> None:
        self.send = send
        self.coding = coding
        self.known = known
        # The tag in the answer to a write is the one to name in If-Match, and says nothing of the answer itself.
        self.may_have_tag = may_have_tag
        self.start: Message = {}
        self.stream: Compressor | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self.begin(message)
        elif self.start:
            start, self.start = self.start, {}
            await self.first(start, message)
        elif self.stream is not None:
            await self.send({**message, "body": await self.next_piece(message)})
        else:
            await self.send(message)

    async def begin(self, start: Message) -> None:
        """Keep the start of an answer back until its first piece tells whether it is compressed."""
        headers = dict(start["headers"])
        media_type = headers.get(b"content-type", b"").partition(b";")[0]
        if start["status"] == 304:
            await self.send(
                {**start, "headers": varied(self.known_tag(start["headers"]), b"Accept-Encoding")}
            )
        elif media_type in NOT_COMPRESSED:
            await self.send(start)
        else:
            self.start = start

    async def first(self, start: Message, message: Message) -> None:
        """Send the start of an answer and its first piece, which mostly is all of it."""
        headers, body, more = (
            start["headers"],
            message.get("body", b""),
            message.get("more_body", False),
        )
        # With a tag it is compressed however short it is, so that a 304 knows the tag without the answer.
        if (
            more
            or len(body) >= COMPRESSED_FROM
            or (self.may_have_tag and any(name == b"etag" for name, _ in headers))
        ):
            headers = varied(headers, b"Accept-Encoding")
            if self.coding != "identity":
                if self.may_have_tag:
                    headers = tagged(headers, self.coding)
                if more:
                    self.stream = COMPRESSORS[self.coding].stream()
                    body = await self.next_piece(message)
                else:
                    body = await in_thread_if_long(COMPRESSORS[self.coding].compress, body)
                headers = sized(
                    [*headers, (b"content-encoding", self.coding.encode())],
                    None if more else len(body),
                )
        await self.send({**start, "headers": headers})
        await self.send({**message, "body": body})

    async def next_piece(self, message: Message) -> bytes:
        """Return a piece of a stream compressed, to be read without those that follow."""
        stream, how = self.stream, COMPRESSORS[self.coding]
        assert stream is not None
        mode = how.block if message.get("more_body", False) else how.end
        return await in_thread_if_long(
            lambda data: stream.compress(data) + stream.flush(mode), message.get("body", b"")
        )

    def known_tag(self, headers: Headers) -> Headers:
        """Return the headers of a 304 with the tag by which the client knows the answer, of whatever coding."""
        forms = [tagged(headers, coding) for coding in (self.coding, *CODINGS)]
        return next(
            (form for form in forms if dict(form).get(b"etag", b"") in self.known), forms[0]
        )


def tagged(headers: Headers, coding: str) -> Headers:
    """Return headers whose strong tag names the coding, since two of them differ in bytes (RFC 9110 section 8.8.3.3)."""
    if coding == "identity":
        return headers
    ending = f'-{coding}"'.encode()
    return [
        (name, value[:-1] + ending) if name == b"etag" and value.startswith(b'"') else (name, value)
        for name, value in headers
    ]


async def in_thread_if_long(compress: Callable[[bytes], bytes], data: bytes) -> bytes:
    """Return data compressed, in a thread if that takes long."""
    if len(data) < THREAD_FROM:
        return compress(data)
    return await anyio.to_thread.run_sync(compress, data)


def varied(headers: Headers, on: bytes) -> Headers:
    """Return headers that say that the answer depends on this header of the request, too."""
    others = [header for header in headers if header[0] != b"vary"]
    named = [value for name, value in headers if name == b"vary"]
    return [*others, (b"vary", b", ".join([*named, on]))]


def sized(headers: Headers, length: int | None) -> Headers:
    """Return headers with another Content-Length, or with none if it is not known."""
    others = [header for header in headers if header[0] != b"content-length"]
    return others if length is None else [*others, (b"content-length", str(length).encode())]


def _without_codings(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a header; the tags of If-Match and If-None-Match without the coding that they were sent with."""
    name, value = header
    return (name, _TAG_OF_CODING.sub(b'"', value)) if name in CONDITIONS else header
