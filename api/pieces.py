"""Long answers as pieces of a good size."""

import time
from collections.abc import Iterable, Iterator

# Each piece costs a change of threads. From this size on, too, it is compressed in a thread of its own
# (`GZipMiddleware.thread_minimum_size`), and not where everybody else's requests are waited on.
PIECE = 128 * 1024
# What is slow to make, such as a formatted bibliography, is sent as it comes.
PATIENCE = 0.2


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield bytes that come in small parts together, none much longer than `PIECE`, and none held back for long."""
    piece: list[bytes] = []
    size, began = 0, time.monotonic()
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= PIECE or time.monotonic() - began > PATIENCE:
            yield b"".join(piece)
            piece, size, began = [], 0, time.monotonic()
    yield b"".join(piece)
