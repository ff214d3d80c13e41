"""Imports without garbage collection, which would go through all new objects again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause the collection of reference cycles: nearly everything that an import creates stays.

    What is there at the end is left out of every later collection, too; the first one alone would
    take as long as a fifth of the imports.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
