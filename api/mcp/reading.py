"""Where a call of a tool reads: in a request to the application, or in a process of its own."""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from anyio import to_thread
from fastapi import Request
from sqlalchemy import Connection

from api.http import pagination, read_connection
from api.http.text_model import TextModel
from models.database.connections import Database
from models.search.synonyms import Synonyms

log = logging.getLogger("claimbase.request")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Surroundings:
    """What an answer takes that is in no record: the address of the pages, synonyms, the model of
    texts.
    """

    base: str
    synonyms: Synonyms
    text_model: TextModel


class Reading(Protocol):
    """What a call of a tool is answered with."""

    request_id: str

    @property
    def surroundings(self) -> Surroundings:
        """Return what an answer takes that is in no record."""

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return the result of work that only reads, done in a thread."""

    def note(self, tool: str, problem: str | None) -> None:
        """Take down which tool was called, and the code of the error if it was refused."""


class RequestReading:
    """Reads as every other request does: in a queue of clients, within bounds."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.request_id: str = request.state.request_id

    @property
    def surroundings(self) -> Surroundings:
        """Return what an answer takes: addresses are those by which the agent asks."""
        base = pagination.base_of(self.request)
        state = self.request.app.state
        return Surroundings(base, state.synonyms, state.text_model)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return the result of work that waits for its turn among the client's reads."""
        return await read_connection.read(self.request, work, in_thread=True)

    def note(self, tool: str, problem: str | None) -> None:
        """Have the log of the request name the tool, and count an error as one."""
        # Never what was asked: a text that is checked belongs to whoever sent it.
        self.request.state.tool = tool
        metrics = self.request.app.state.metrics
        if problem is not None and metrics is not None:
            metrics.count_problem(problem)


class ProcessReading:
    """Reads in a process that serves one agent alone."""

    def __init__(self, database: Database, surroundings: Surroundings) -> None:
        self.database = database
        self.surroundings = surroundings
        self.request_id = uuid.uuid4().hex

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return the result of work in a thread, so that the agent may cancel it."""
        return await to_thread.run_sync(partial(self._work, work), abandon_on_cancel=True)

    def _work(self, work: Callable[[Connection], Result]) -> Result:
        with self.database.read() as connection:
            return work(connection)

    def note(self, tool: str, problem: str | None) -> None:
        """Log the call. Standard output belongs to the protocol, so this is on standard error."""
        extra: dict[str, Any] = {"tool": tool, "problem": problem}
        log.info("tool", extra=extra)
