"""Serves one contestant: python -m benchmarks.contestants NAME PATH PORT [compress].

All of them run as Claimbase does: uvicorn with one worker, uvloop, httptools, no access log.
"""

import sys
from pathlib import Path

import uvicorn
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp

from benchmarks.contestants import datasette, floor, raw, tutorial

CONTESTANTS = {
    "raw": raw.app,
    "floor": floor.app,
    "tutorial": tutorial.app,
    "datasette": datasette.app,
}


def compressed(app: ASGIApp) -> ASGIApp:
    """Return the application with compression as in FastAPI's tutorial.

    See https://fastapi.tiangolo.com/advanced/middleware/. Starlette's own default is level 9, which
    takes longer.
    """
    return GZipMiddleware(app, minimum_size=1000, compresslevel=5)


def main() -> None:
    """Serve until a signal comes."""
    name, path, port, *options = sys.argv[1:]
    app = CONTESTANTS[name](Path(path))
    uvicorn.run(
        compressed(app) if options == ["compress"] else app,
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
