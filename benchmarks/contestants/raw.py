"""The limit: an ASGI application of a few lines that returns bytes from memory."""

from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send


def app(folder: Path) -> ASGIApp:
    """Return the application: `claim.json` for one claim, `page.json` for everything else."""
    page, claim = ((folder / name).read_bytes() for name in ("page.json", "claim.json"))

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        content = claim if scope["path"].startswith("/v1/claims/") else page
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return answer
