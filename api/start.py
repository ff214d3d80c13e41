"""Where the command begins: everything is imported without the collector, which would go through all of it again and again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the collector of cycles rest; what an import makes stays, and hardly any of it is a cycle that does not."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def main() -> None:
    """Run the command line, `claimbase`."""
    with uncollected():
        from api.cli import app
    app()
