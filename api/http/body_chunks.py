"""Long responses in chunks of a suitable size."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.requests import ClientDisconnect

from api.http.clients import client_of
from api.http.fair_queue import FairQueue

# Each piece costs a change of threads, so it should not be small.
PIECE = 128 * 1024
# Slow content, such as a formatted bibliography, is sent after this many seconds at the latest.
PATIENCE = 0.2
# A turn of the event loop with no other request takes a tenth of these seconds.
BUSY = 0.0002
# If others are waiting, the pause after a piece is this many times as long as the piece took.
PAUSE = 3.0
# A client may be slow for so long at the beginning.
GRACE_SECONDS = 20.0


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts of bytes into pieces of about `PIECE` bytes.

    A piece is yielded after `PATIENCE` seconds even if it is smaller.
    """
    piece: list[bytes] = []
    size, began = 0, time.monotonic()
    for part in lines:
        piece.append(part)
        size += len(part)
        if size >= PIECE or time.monotonic() - began > PATIENCE:
            yield b"".join(piece)
            piece, size, began = [], 0, time.monotonic()
    yield b"".join(piece)


def streamed(
    request: Request, content: Iterator[bytes], headers: Mapping[str, str], media_type: str
) -> Response:
    """Return a response that sends content piece by piece.

    A thread makes each piece when it is the client's turn. A HEAD gets none, so none is made.
    """
    if request.scope["state"]["head"]:
        response = Response(headers=headers, media_type=media_type)
        del response.headers["Content-Length"]
        return response
    return StreamingResponse(_in_turns(request, content), headers=headers, media_type=media_type)


async def _in_turns(request: Request, content: Iterator[bytes]) -> AsyncGenerator[bytes]:
    readers: FairQueue = request.app.state.readers
    client = client_of(request)
    while (piece := await readers.run(client, partial(next, content, None))) is not None:
        yield piece


async def to_fast_clients(
    content: AsyncGenerator[bytes], least_rate: float
) -> AsyncGenerator[bytes]:
    """Yield pieces as long as the client takes so many bytes a second of the time it is sent any.

    Raises ClientDisconnect, so that the response ends without its end and the client notices.
    """
    size, seconds = 0, 0.0
    async with aclosing(content):
        async for piece in content:
            began = time.monotonic()
            yield piece
            seconds += time.monotonic() - began
            size += len(piece)
            if seconds > GRACE_SECONDS and size < least_rate * seconds:
                raise ClientDisconnect


async def ahead(content: Generator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the pieces of a generator; a thread computes the next one while one is sent.

    It pauses after each piece while other requests are waiting. The generator is always closed in
    the end.
    """
    thread = ThreadPoolExecutor(1)
    try:
        loop = asyncio.get_running_loop()
        upcoming = loop.run_in_executor(thread, _next_piece, content)
        while True:
            piece, seconds = await upcoming
            if piece is None:
                return
            if await _is_busy():
                await asyncio.sleep(PAUSE * seconds)
            upcoming = loop.run_in_executor(thread, _next_piece, content)
            yield piece
    finally:
        # The same thread closes it, so only after a piece that is still being computed.
        thread.submit(content.close)
        thread.shutdown(wait=False)


def _next_piece(content: Generator[bytes]) -> tuple[bytes | None, float]:
    """Return the next piece, or None at the end, and how many seconds it took."""
    began = time.monotonic()
    return next(content, None), time.monotonic() - began


async def _is_busy() -> bool:
    """Return whether the event loop has other work: then a turn of it takes long."""
    began = time.monotonic()
    await asyncio.sleep(0)
    return time.monotonic() - began > BUSY
