"""Compression of responses: Accept-Encoding chooses the coding, and each has its own ETag."""

import re
from collections.abc import Callable
from typing import Protocol

import anyio.to_thread
import zstandard
from fastapi import Request
from isal import isal_zlib
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import not_acceptable, on_domain_error
from api.http.negotiation import qualities, remembering_short

# A response of fewer bytes hardly becomes smaller.
COMPRESSED_FROM = 1000
# Beyond this size compression takes a millisecond, which is too long for the event loop.
THREAD_FROM = 1024 * 1024
GZIP_LEVEL = 1
ZSTD_LEVEL = 1
# The first one wins a tie.
CODINGS = ("zstd", "gzip", "identity")
# Events must not wait in a compressor, and the pictures of the docs page are compressed already.
NOT_COMPRESSED = (b"text/event-stream", b"image/png")

CONDITIONS = frozenset({b"if-match", b"if-none-match"})
READ = CONDITIONS | {b"accept-encoding"}
# The q-value of identity if the header does not name it.
LEAST = 0.0001
Headers = list[tuple[bytes, bytes]]
_TAG_OF_CODING = re.compile(rb'-(?:gzip|zstd)"')


class Compressor(Protocol):
    """Compresses a stream piece by piece; after `flush` a client can read all bytes so far."""

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


def preferred_coding(accept_encoding: bytes | None) -> str | None:
    """Return the coding that a client likes best, or None if it takes none of ours.

    RFC 9110 section 12.5.3 has the rules.
    """
    if accept_encoding is None:
        return "identity"
    return _preferred_coding(accept_encoding)


@remembering_short
def _preferred_coding(accept_encoding: bytes) -> str | None:
    accepted = qualities(accept_encoding.decode("latin-1"))
    # A coding that the header does not name is not accepted, except identity, which is least liked.
    quality = {coding: accepted.get(coding, accepted.get("*", 0.0)) for coding in CODINGS}
    if "identity" not in accepted:
        quality["identity"] = min(accepted.get("*", LEAST), LEAST)
    best = max(CODINGS, key=lambda coding: quality[coding])
    return best if quality[best] else None


class CompressionMiddleware:
    """Compresses responses, and takes the ETag of any coding in If-Match and If-None-Match."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fields = _fields_of(scope)
        coding = preferred_coding(fields.get(b"accept-encoding"))
        if coding is None:
            error = not_acceptable(CODINGS, "Accept-Encoding", "codings")
            refusal = on_domain_error(Request(scope), error)
            await refusal(scope, receive, send)
            return
        if fields.keys() & CONDITIONS:
            scope["headers"] = [_without_codings(header) for header in scope["headers"]]
        cached = fields.get(b"if-none-match", b"")
        is_get = scope["method"] == "GET"
        await self.app(scope, receive, Responder(send, coding, cached, may_have_tag=is_get))


def _fields_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers that are read here; several lines of one become one value."""
    fields: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in READ:
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


class Responder:
    """Forwards one response, compressed if that is worthwhile."""

    def __init__(self, send: Send, coding: str, cached: bytes, *, may_have_tag: bool) -> None:
        self.send = send
        self.coding = coding
        self.cached = cached
        # The ETag in the response to a write is the record's, for If-Match, not the response's own.
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
        """Keep the start of a response until its first piece decides whether it is compressed."""
        content_type = dict(start["headers"]).get(b"content-type", b"")
        media_type = content_type.partition(b";")[0]
        if start["status"] == 304:
            headers = varied(self.cached_tag(start["headers"]), b"Accept-Encoding")
            await self.send({**start, "headers": headers})
        elif media_type in NOT_COMPRESSED:
            await self.send(start)
        else:
            self.start = start

    async def first(self, start: Message, message: Message) -> None:
        """Send the start of a response and its first piece, which mostly is all of it."""
        headers, body = start["headers"], message.get("body", b"")
        more = message.get("more_body", False)
        has_tag = self.may_have_tag and any(name == b"etag" for name, _ in headers)
        # With a tag it is compressed however short it is, so that a 304 can name the same tag.
        if more or has_tag or len(body) >= COMPRESSED_FROM:
            headers = varied(headers, b"Accept-Encoding")
            if self.coding != "identity":
                body = await self.first_body(message)
                # A stream has no length, not even in the empty response to a HEAD; what comes in
                # pieces has one that is known only at the end of the last of them.
                has_length = any(name == b"content-length" for name, _ in headers) and not more
                headers = self.compressed_headers(headers, len(body) if has_length else None)
        await self.send({**start, "headers": headers})
        await self.send({**message, "body": body})

    async def first_body(self, message: Message) -> bytes:
        """Return the first piece compressed; opens a stream if more pieces follow."""
        compressor = COMPRESSORS[self.coding]
        if message.get("more_body", False):
            self.stream = compressor.stream()
            return await self.next_piece(message)
        return await in_thread_if_long(compressor.compress, message.get("body", b""))

    def compressed_headers(self, headers: Headers, length: int | None) -> Headers:
        """Return the headers of a compressed response."""
        if self.may_have_tag:
            headers = tagged(headers, self.coding)
        return sized([*headers, (b"content-encoding", self.coding.encode())], length)

    async def next_piece(self, message: Message) -> bytes:
        """Return a piece of a stream compressed, readable before the next piece arrives."""
        stream, compressor = self.stream, COMPRESSORS[self.coding]
        assert stream is not None
        mode = compressor.block if message.get("more_body", False) else compressor.end
        return await in_thread_if_long(
            lambda data: stream.compress(data) + stream.flush(mode), message.get("body", b"")
        )

    def cached_tag(self, headers: Headers) -> Headers:
        """Return the headers of a 304 with the ETag that the client sent, of whatever coding."""
        forms = [tagged(headers, coding) for coding in (self.coding, *CODINGS)]
        for form in forms:
            if dict(form).get(b"etag", b"") in self.cached:
                return form
        return forms[0]


def tagged(headers: Headers, coding: str) -> Headers:
    """Return headers whose strong ETag names the coding.

    Two codings differ in their bytes, so in their strong tags (RFC 9110 section 8.8.3.3).
    """
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
    """Return headers with one more name in Vary."""
    others = [header for header in headers if header[0] != b"vary"]
    names = [value for name, value in headers if name == b"vary"]
    return [*others, (b"vary", b", ".join([*names, on]))]


def sized(headers: Headers, length: int | None) -> Headers:
    """Return headers with another Content-Length, or without one if the length is None."""
    others = [header for header in headers if header[0] != b"content-length"]
    return others if length is None else [*others, (b"content-length", str(length).encode())]


def _without_codings(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a header; in If-Match and If-None-Match without the coding in the tags."""
    name, value = header
    return (name, _TAG_OF_CODING.sub(b'"', value)) if name in CONDITIONS else header
