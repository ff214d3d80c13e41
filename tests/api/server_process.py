"""A server in a process of its own, with short time limits."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.settings import ROOT
from models import migrations
from models.database.connections import connect, file_url

# The application with routes that answer without an end: one heeds a stop, one does not, one is
# faster than its client.
PROGRAM = """
import asyncio, json, logging.config, sys
import models.database.connections
from fastapi.responses import StreamingResponse
from api.http import file_reading, request_body, server
from api.main import create_app
from api.settings import Settings

settings = Settings(**json.loads(sys.argv[1]))
owners = {"BODY_SECONDS": request_body, "COMMAND": file_reading, "STOP_SECONDS": file_reading}
for name, value in json.loads(sys.argv[2]).items():
    setattr(owners.get(name, server), name, value)
logging.config.dictConfig(server.logs(settings))
server.LINGER_SECONDS, models.database.connections.BUSY_SECONDS = 3, 1.5
app = create_app(settings)

async def heeding():
    yield b"begun\\n"
    while not app.state.streams.closed:
        await asyncio.sleep(0.05)
    yield b"ended\\n"

async def endless():
    while True:
        yield b"x" * 1000 + b"\\n"
        await asyncio.sleep(0.05)

async def flood():
    while True:
        yield b"x" * 100_000
        await asyncio.sleep(0)

app.get("/heeding")(lambda: StreamingResponse(heeding()))
app.get("/endless")(lambda: StreamingResponse(endless()))
app.get("/flood")(lambda: StreamingResponse(flood()))
server.run(app, settings)
"""


@dataclass
class Running:
    """A server that listens."""

    port: int
    process: "subprocess.Popen[str]"
    log: list[str]

    def open(self, source: str = "127.0.0.1") -> socket.socket:
        """Return a connection to it from an address of this machine."""
        return socket.create_connection(("127.0.0.1", self.port), 20, (source, 0))

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of the answer to a GET."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def peak_memory(self) -> int:
        """Return the most bytes of memory that it has had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def records(self) -> list[dict[str, Any]]:
        """Return what it logged so far."""
        return [json.loads(line) for line in self.log]

    def stop(self) -> float:
        """Tell it to stop; return how long that took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=40)
        return time.monotonic() - begun


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Running]:
    """Run a server on an empty database, with short times, unless the settings say otherwise."""
    url = settings.pop("database_url", None)
    if url is None:
        url = file_url(folder / "a.db")
        database = connect(url)
        migrations.migrate(database)
        database.close()
    times = {
        "HEADER_SECONDS": 0.7,
        "BODY_SECONDS": 1,
        "KEEP_ALIVE_SECONDS": 1,
        "SHUTDOWN_SECONDS": 2,
    }
    constants = times | {name: settings.pop(name) for name in [*settings] if name.isupper()}
    given = json.dumps({"database_url": url, "port": 0, **settings})
    command = [sys.executable, "-c", PROGRAM, given, json.dumps(constants)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    log: list[str] = []
    listens = threading.Event()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if "running on" in line:
                listens.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert listens.wait(30), "".join(log)
        found = re.search(r"127\.0\.0\.1:(\d+)", next(line for line in log if "running on" in line))
        assert found
        yield Running(int(found[1]), process, log)
    finally:
        process.kill()
        process.wait(timeout=20)
        reader.join(timeout=20)
        assert process.stderr is not None
        process.stderr.close()
