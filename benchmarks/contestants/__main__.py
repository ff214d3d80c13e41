"""Serves one contestant: python -m benchmarks.contestants NAME FILE PORT.

All of them run as Claimbase does: uvicorn with one worker, uvloop, httptools, no access log.
"""

import sys
from pathlib import Path

import uvicorn

from benchmarks.contestants import datasette, floor, raw, tutorial

CONTESTANTS = {
    "raw": raw.app,
    "floor": floor.app,
    "tutorial": tutorial.app,
    "datasette": datasette.app,
}


def main() -> None:
    """Serve until a signal comes."""
    name, given, port = sys.argv[1:]
    uvicorn.run(
        CONTESTANTS[name](Path(given)),
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=5,
    )


if __name__ == "__main__":
    main()
