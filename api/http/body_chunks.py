"""Long answers as pieces of a good size."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

# Each piece costs a change of threads. From this size on, too, it is compressed in a thread of its own
# (`GZipMiddleware.thread_minimum_size`), and not where everybody else's requests are waited on.
PIECE = 128 * 1024
# What is slow to make, such as a formatted bibliography, is sent as it comes.
PATIENCE = 0.2
# A turn of the event loop that answers nobody takes a tenth of this.
BUSY = 0.0002
# For how many times as long as a piece took others then have the processor to themselves.
PAUSE = 3.0


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield bytes that come in small parts together, none longer than `PIECE` and its last part, and none held back for long."""
    piece: list[bytes] = []
    size, began = 0, time.monotonic()
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= PIECE or time.monotonic() - began > PATIENCE:
            yield b"".join(piece)
            piece, size, began = [], 0, time.monotonic()
    yield b"".join(piece)


async def ahead(content: Generator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what a generator gives, the next piece made in a thread while one is being sent.

    Where other requests are being answered it pauses after each piece. Whatever happens, the generator is closed in the end.
    """
    thread = ThreadPoolExecutor(1)
    try:
        loop = asyncio.get_running_loop()
        making = loop.run_in_executor(thread, _made, content)
        while True:
            piece, took = await making
            if piece is None:
                return
            if await _is_busy():
                await asyncio.sleep(PAUSE * took)
            making = loop.run_in_executor(thread, _made, content)
            yield piece
    finally:
        # In the same thread, so after what is still being made.
        thread.submit(content.close)
        thread.shutdown(wait=False)


def _made(content: Generator[bytes]) -> tuple[bytes | None, float]:
    """Return the next piece, None at the end, and how many seconds it took to make."""
    begun = time.monotonic()
    return next(content, None), time.monotonic() - begun


async def _is_busy() -> bool:
    """Say whether the event loop has others to answer: then it takes long to come back."""
    begun = time.monotonic()
    await asyncio.sleep(0)
    return time.monotonic() - begun > BUSY
