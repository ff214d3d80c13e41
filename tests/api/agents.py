"""Agents for tests: the SDK's own client, over both transports."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from api.main import Application, create_app
from api.settings import ROOT, Settings
from tests.command_line import COMMAND
from tests.databases import Store

HOST = "http://127.0.0.1:8000"
Result = TypeVar("Result")


class Agent:
    """An agent that is connected."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def text(self, tool: str, arguments: Mapping[str, Any]) -> tuple[str, bool]:
        """Return what a tool answers, and whether that is an error."""
        result = await self.client.call_tool(tool, dict(arguments))
        (content,) = result.content
        assert content.type == "text"
        return content.text, bool(result.is_error)

    async def ask(self, tool: str, **arguments: Any) -> Any:
        """Return the good answer of a tool."""
        text, is_error = await self.text(tool, arguments)
        assert not is_error, text
        return json.loads(text)

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Return why a call is refused."""
        text, is_error = await self.text(tool, arguments)
        assert is_error, text
        return text


@asynccontextmanager
async def opened(app: Application) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of HTTP to an application that has started."""
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=HOST) as http:
            yield http


@asynccontextmanager
async def connected(http: httpx2.AsyncClient, mode: str = "auto") -> AsyncIterator[Agent]:
    """Yield an agent that asks over HTTP."""
    transport = streamable_http_client(f"{HOST}/mcp", http_client=http)
    async with Client(transport, mode=mode) as client:
        yield Agent(client)


def over_http(
    store: Store,
    asking: Callable[[Agent], Awaitable[Result]],
    mode: str = "auto",
    **settings: Any,
) -> Result:
    """Return what an agent brings back that asks an application over HTTP."""
    app = create_app(Settings(database_url=store.url, **settings))

    async def run() -> Result:
        async with opened(app) as http, connected(http, mode) as agent:
            return await asking(agent)

    return anyio.run(run)


def over_standard_streams(store: Store, asking: Callable[[Agent], Awaitable[Result]]) -> Result:
    """Return what an agent brings back that has started `claimbase mcp`."""
    program = StdioServerParameters(
        command=sys.executable,
        args=[*COMMAND[1:], "mcp", "--database-url", store.url, "--url", HOST],
        cwd=ROOT,
        # The SDK passes on hardly anything of this process's own.
        env={"CLAIMBASE_MATCH_MODEL": "false"},
    )

    async def run() -> Result:
        async with Client(program) as client:
            return await asking(Agent(client))

    return anyio.run(run)
