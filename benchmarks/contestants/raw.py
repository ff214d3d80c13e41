"""The limit: an ASGI application of a few lines that returns bytes which it holds."""

from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send


def app(folder: Path) -> ASGIApp:
    """Return the application that answers `claim.json` for one claim and `page.json` for everything else."""
    answers = {
        name: ((folder / name).read_bytes(), str((folder / name).stat().st_size).encode())
        for name in ("page.json", "claim.json")
    }

    async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        content, length = answers[
            "claim.json" if scope["path"].startswith("/v1/claims/") else "page.json"
        ]
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return answer
