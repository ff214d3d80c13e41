"""The route at which agents ask: `/mcp`, streamable HTTP, one answer in JSON to each request."""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import urlsplit

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import request_body
from api.http.auth import Caller
from api.http.read_route import ParsedRoute
from api.mcp.reading import RequestReading
from models.core.errors import ClaimbaseError

MISSING = "Agents need the extra mcp: pip install 'claimbase[mcp]'."
ANY = "*"

router = APIRouter(route_class=ParsedRoute, include_in_schema=False)


class Misdirected(ClaimbaseError):
    """The request names a host that is not this server's: a page may have led a browser here."""

    code = "misdirected"


class OriginRefused(ClaimbaseError):
    """A page asks whose origin may not."""

    code = "origin_refused"


def is_installed() -> bool:
    """Return whether the SDK is there, which the extra `mcp` brings."""
    return find_spec("mcp") is not None


class Door:
    """What answers agents. It opens for the first of them, since the SDK takes long to import."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._open: asyncio.Task[None] | None = None
        self._app: asyncio.Future[ASGIApp] | None = None

    async def application(self) -> ASGIApp:
        """Return the application of the SDK, which may have to be started."""
        if self._app is None:
            self._app = asyncio.get_running_loop().create_future()
            self._open = asyncio.create_task(self._stay_open(self._app))
        # A client that leaves does not close the door for the others who wait.
        return await asyncio.shield(self._app)

    async def close(self) -> None:
        """Close the door, if it was opened."""
        self._closing.set()
        if self._open is not None:
            await self._open

    async def _stay_open(self, opened: "asyncio.Future[ASGIApp]") -> None:
        try:
            server = await to_thread.run_sync(import_module, "api.mcp.server")
            async with server.over_http(RequestReading) as app:
                opened.set_result(app)
                await self._closing.wait()
        except Exception as error:
            # Told to each who asks: a 500, and the log has what it is.
            if opened.done():
                raise
            opened.set_exception(error)


@router.post("/mcp", name="ask_as_agent")
async def answer(request: Request, caller: Caller) -> Response:  # noqa: ARG001
    """Answer a message of an agent. A key counts its reads for it, and gives no more to read."""
    settings = request.app.state.settings
    refuse_host(request, settings.mcp_hosts)
    refuse_origin(request, settings.cors_origins)
    # What is no JSON, or too much of it, is refused as everywhere.
    await request_body.read_json(request)
    app = await request.app.state.door.application()
    return Exchange(app, await request.body())


def refuse_host(request: Request, names: Sequence[str]) -> None:
    """Raise Misdirected unless a request names the host as one of these, whatever the port."""
    given = _host(f"//{request.headers.get('host', '')}")
    if ANY not in names and given not in {name.lower() for name in names}:
        raise Misdirected(
            f"Agents do not ask for this server as '{given[:200]}'; CLAIMBASE_MCP_HOSTS names"
            " the hosts by which they may."
        )


def refuse_origin(request: Request, origins: Sequence[str]) -> None:
    """Raise OriginRefused if a page asks whose origin is neither this server's nor among these."""
    given = request.headers.get("origin")
    if given is None or ANY in origins or given in origins:
        return
    if urlsplit(given).netloc != request.headers.get("host"):
        raise OriginRefused(
            f"Pages of '{given[:200]}' may not ask here; CLAIMBASE_CORS_ORIGINS names the origins"
            " that may."
        )


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


class Exchange(Response):
    """The response that the SDK's application makes to a request whose body was read already."""

    def __init__(self, app: ASGIApp, body: bytes) -> None:
        super().__init__()
        self.app = app
        self.sent = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        messages: list[Message] = [{"type": "http.request", "body": self.sent}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        await self.app(scope, again, send)
