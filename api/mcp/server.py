"""The server of the Model Context Protocol: the only module that imports its SDK.

Only what serves agents imports it, since that takes long.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.http.errors import database_problem
from api.mcp.answers import ROOM, shortened, written
from api.mcp.reading import Reading
from api.mcp.schemas import argument_schema
from api.mcp.tools import TOOLS, Tool
from api.routes.vocabularies import STATUS_RULES
from api.settings import installed_version
from models.access.api_keys import redact_keys
from models.core.errors import ClaimbaseError, Fault, close_matches, invalid_record
from models.core.notice import NOTICE

log = logging.getLogger("claimbase.request")

INSTRUCTIONS = (
    "Claimbase: claims about research, the evidence for and against each, and a status derived"
    " from it by rules. Cite the url of a claim and the DOI of a source with what you tell."
    " `unassessed` is not false: nothing recorded takes a side. What is not found here is not"
    " thereby false either. A status sums up what is recorded; tell its certainty, and its date."
    " This is no medical advice: never tell anybody to begin, change or stop a treatment."
    " Answers are short: call again with the arguments in `next`, or the next `page`."
)
RESOURCES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "claimbase://status-rules": ("How a status is derived", lambda: _rules()),
    "claimbase://notice": ("What every reader of a claim must be told", lambda: NOTICE),
}
OURS = "Something went wrong on our side. Tell us the request_id: "


def _rules() -> str:
    """Return the rules in their order, one a line."""
    told = [f"{term.id} → {term.label}: {term.definition}" for term in STATUS_RULES.terms]
    return "\n".join([STATUS_RULES.definition, *told])


Context = ServerRequestContext[Any, Any]


def build(reading_of: Callable[[Any], Reading]) -> Server[Any]:
    """Return the server. `reading_of` returns what a call reads with, given its HTTP request."""

    async def call(context: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        reading = reading_of(context.request)
        try:
            return await _call(reading, asked)
        except Exception:
            about = {"request_id": reading.request_id, "tool": asked.name[:100]}
            log.exception("tool failed", extra=about)
            return _refused(reading, asked.name, "internal_error", OURS + reading.request_id)

    return Server(
        "claimbase",
        version=installed_version(),
        title="Claimbase",
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=call,
        on_list_resources=_list_resources,
        on_read_resource=_read_resource,
    )


async def _list_tools(_context: Context, _asked: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[_described(tool) for tool in TOOLS.values()])


def _described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=argument_schema(tool.arguments),
        annotations=types.ToolAnnotations(read_only_hint=True),
    )


async def _list_resources(_context: Context, _asked: Any) -> types.ListResourcesResult:
    listed = [
        types.Resource(uri=address, name=address.rpartition("/")[2], title=title)
        for address, (title, _) in RESOURCES.items()
    ]
    return types.ListResourcesResult(resources=listed)


async def _read_resource(
    _context: Context, asked: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    address = str(asked.uri)
    if address not in RESOURCES:
        detail = f"There is no resource {address[:200]}. Valid: {', '.join(RESOURCES)}."
        raise MCPError(types.INVALID_PARAMS, detail)
    text = types.TextResourceContents(
        uri=address, mime_type="text/plain", text=RESOURCES[address][1]()
    )
    return types.ReadResourceResult(contents=[text])


async def _call(reading: Reading, asked: types.CallToolRequestParams) -> types.CallToolResult:
    """Return the answer of a tool, or what is wrong with the call and what would be right."""
    tool = TOOLS.get(asked.name)
    try:
        if tool is None:
            raise _no_tool(asked.name)
        try:
            arguments = tool.arguments.model_validate(asked.arguments or {})
        except ValidationError as error:
            raise _bad_arguments(tool, error) from None
        work = partial(_answer, tool, reading, arguments)
        answer = written(await reading.read(work))
    except ClaimbaseError as error:
        return _refused(reading, asked.name, error.code, _told(error))
    except (DBAPIError, PoolTimeout) as error:
        code, detail = database_problem(error, reading.request_id)
        return _refused(reading, asked.name, code, detail)
    reading.note(asked.name, None)
    return types.CallToolResult(content=[types.TextContent(type="text", text=answer)])


def _answer(tool: Tool, reading: Reading, arguments: Any, connection: Any) -> Any:
    return tool.answer(reading.surroundings, connection, arguments)


def _no_tool(name: str) -> ClaimbaseError:
    detail = f"There is no tool '{name[:100]}'."
    close = close_matches(name, TOOLS)
    fault = Fault(at="name", code="not_found", detail=detail, allowed=list(TOOLS))
    fault.suggestion = close[0] if close else None
    return ClaimbaseError(detail, [fault], code="not_found")


def _bad_arguments(tool: Tool, error: ValidationError) -> ClaimbaseError:
    wrong = invalid_record(error, tool.arguments.model_fields)
    return ClaimbaseError("", wrong.faults, code="invalid_parameter", more=wrong.more)


def _told(error: ClaimbaseError) -> str:
    """Return an error of the domain as text, with what would be right."""
    told = [error.detail] if error.detail else []
    for fault in error.faults:
        if not error.detail or fault.detail not in error.detail:
            told.append(f"{fault.at}: {fault.detail.rstrip('.')}.")
        if fault.suggestion:
            told.append(f"Did you mean '{fault.suggestion}'?")
        if fault.allowed:
            told.append(f"Valid: {', '.join(fault.allowed)}.")
    return " ".join(told)


def _refused(reading: Reading, tool: str, code: str, detail: str) -> types.CallToolResult:
    reading.note(tool if tool in TOOLS else "unknown", code)
    told = redact_keys(str(shortened(f"{code}: {detail}", ROOM)))
    content: list[Any] = [types.TextContent(type="text", text=told)]
    return types.CallToolResult(content=content, is_error=True)


@asynccontextmanager
async def over_http(reading_of: Callable[[Any], Reading]) -> AsyncIterator[Any]:
    """Yield the ASGI application that answers agents. Each request stands for itself, so that any
    of several processes may answer it.
    """
    # Host, origin and size are checked before, as errors of ours.
    manager = StreamableHTTPSessionManager(build(reading_of), json_response=True, stateless=True)
    async with manager.run():
        yield manager.asgi_app


def over_standard_streams(reading_of: Callable[[Any], Reading]) -> None:
    """Answer one agent on standard input and output until its input ends."""
    server = build(reading_of)

    async def serve() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)
