"""What the tests of streams share: a real server in a thread, and a client that reads events as
they come.
"""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from api.http.event_stream import Streams
from api.http.server import Config
from api.main import create_app
from api.settings import Settings
from tests.databases import Store

# What is a constant for everybody is short here.
QUICK = {"POLL_SECONDS": 0.05, "HEARTBEAT_SECONDS": 0.3}


@dataclass
class Running:
    """A server in a thread of this process."""

    server: uvicorn.Server
    streams: Streams

    @property
    def port(self) -> int:
        return int(self.server.servers[0].sockets[0].getsockname()[1])


@contextmanager
def running(
    store: Store, poll_seconds: float = QUICK["POLL_SECONDS"], **settings: Any
) -> Iterator[Running]:
    """Serve a store over a real socket; at the end the server must stop in time, whatever streams
    are open.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (QUICK | {"POLL_SECONDS": poll_seconds}).items():
            patch.setattr(f"api.http.event_stream.{name}", value)
        patch.setattr("api.http.server.SHUTDOWN_SECONDS", 5)
        with _running(store, **settings) as server:
            yield server


@contextmanager
def _running(store: Store, **settings: Any) -> Iterator[Running]:
    how = Settings(database_url=store.url, port=0, **settings)
    application = create_app(how)
    server = uvicorn.Server(Config(application, how, logged=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield Running(server, application.state.streams)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


def until(holds: Any, seconds: float = 10) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.01)


@dataclass
class Event:
    """One block of a stream, as it came: an event, a heartbeat, or an id alone."""

    fields: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> int | None:
        return int(self.fields["id"]) if "id" in self.fields else None

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.fields["data"])
        return found


class Client:
    """A client of one stream."""

    def __init__(self, port: int, path: str = "/v1/changes/stream", **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.connection.request("GET", path, headers={"Accept": "text/event-stream", **headers})
        self.answer = self.connection.getresponse()

    def block(self) -> Event | None:
        """Return the next block, or None at the end."""
        event = Event()
        while line := self.answer.readline():
            text = line.decode().removesuffix("\n")
            if not text:
                return event
            name, _, value = text.partition(":")
            assert name not in event.fields, "one line a field"
            event.fields[name] = value.removeprefix(" ")
        assert event.fields == {}, "a stream ends after a block"
        return None

    def events(self) -> Iterator[Event]:
        """Yield events alone, until the end."""
        while (event := self.block()) is not None:
            if "data" in event.fields:
                assert event.fields.keys() == {"event", "data", "id"}
                assert event.fields["event"] == "change"
                yield event

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@contextmanager
def stream(port: int, path: str = "/v1/changes/stream", **headers: str) -> Iterator[Client]:
    """Follow a stream; the first block, which tells where it begins, is read."""
    client = Client(port, path, **headers)
    try:
        assert client.answer.status == 200, client.answer.read()
        yield client
    finally:
        client.close()
