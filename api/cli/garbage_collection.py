"""Imports without the collector of cycles, which would go through all that they make again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Let the collector of cycles rest; what an import makes stays, and hardly any of it is a cycle that does not."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
