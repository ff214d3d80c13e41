"""What the drills share: `claimbase serve` as a process of its own, clients that write to it at
once, what must hold after.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from api.settings import ROOT
from models.access import api_keys
from models.database.connections import Database
from models.projection.integrity_check import check
from models.records.revision import Revision
from models.records.serializers import table

# Limits on how often are not what is drilled, and no connection is closed between two requests of a
# client.
SETTINGS = {
    "KEY_WRITES_PER_MINUTE": "1000000",
    "ADDRESS_WRITES_PER_MINUTE": "1000000",
    "PORT": "0",
}
PROGRAM = (
    "from api.http import server; server.KEEP_ALIVE_SECONDS = 60;"
    " from api.cli.app import app; app()"
)
LISTENS = "running on http://127.0.0.1:"


@dataclass
class Server:
    """A server that listens."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path
    connections: list[http.client.HTTPConnection] = field(default_factory=list)
    killed: bool = False

    def client(self, plain: str | None = None) -> "Client":
        """Return a connection of somebody's own, with their key or without one; it is closed with
        the server.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.connections.append(connection)
        return Client(connection, plain)

    def kill(self) -> None:
        """Kill it as `kill -9` does: nothing of it runs any more, not even to say so."""
        self.killed = True
        self.process.kill()
        self.process.wait(timeout=20)


@contextmanager
def serving(
    url: str,
    folder: Path,
    *options: str,
    program: Path = ROOT,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run `claimbase serve` on a database, with these options and environment variables, and kill
    it at the end; `program` is the folder of another version.
    """
    log = folder / f"serve-{time.monotonic_ns()}.log"
    settings = {f"CLAIMBASE_{name}": value for name, value in SETTINGS.items()}
    environment = {**os.environ, **settings, **(variables or {})}
    command = [sys.executable, "-c", PROGRAM, "serve", "--database-url", url, *options]
    with log.open("wb") as written:
        process = subprocess.Popen(
            command, cwd=program, env=environment, stdout=subprocess.DEVNULL, stderr=written
        )
    server = Server(0, process, log)
    try:
        server.port = _port(server)
        yield server
    finally:
        server.kill()
        for connection in server.connections:
            connection.close()


def _port(server: Server) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.process.poll() is None:
        _, found, rest = server.log.read_text("utf-8").partition(LISTENS)
        if found and "\n" in rest:
            return int(rest.partition(" ")[0])
        time.sleep(0.02)
    raise AssertionError(server.log.read_text("utf-8"))


@dataclass
class Answer:
    """What came back."""

    status: int
    tag: str
    body: Any


@dataclass
class Client:
    """Somebody at a connection of their own."""

    connection: http.client.HTTPConnection
    plain: str | None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask; header names are given with underscores (`If_Match`).

        Raises OSError or HTTPException where nobody answers.
        """
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.plain is not None:
            given["Authorization"] = f"Bearer {self.plain}"
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            given["Content-Type"] = "application/json"
        self.connection.request(method, path, content, given)
        answer = self.connection.getresponse()
        text = answer.read()
        return Answer(
            answer.status, answer.headers.get("etag", ""), json.loads(text) if text else None
        )


def people(database: Database, number: int, role: str = "curator") -> list[str]:
    """Return the keys of so many persons."""
    with database.write() as connection:
        return [
            api_keys.create_key(
                connection, api_keys.parse_key_request({"name": f"{role}-{n}", "role": role})
            )[1]
            for n in range(number)
        ]


def together(work: Callable[[int], None], number: int) -> None:
    """Run `work(0)`, `work(1)`, … at once, and raise what the first of them raised."""
    errors: list[BaseException] = []
    begin = threading.Barrier(number)

    def run(n: int) -> None:
        try:
            begin.wait(timeout=60)
            work(n)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def feed(client: Client, since: int = 0) -> list[dict[str, Any]]:
    """Return every change after a serial, going on by `next` to the end."""
    found: list[dict[str, Any]] = []
    while True:
        answer = client.ask("GET", f"/v1/changes?since={since}&limit=200")
        assert answer.status == 200, answer.body
        if not answer.body["data"]:
            return found
        found += answer.body["data"]
        since = found[-1]["serial"]


def revisions(database: Database, since: int) -> Sequence[Any]:
    """Return the revisions after a serial, in order."""
    rows = table(Revision)
    with database.read() as connection:
        return (
            connection.execute(select(rows).where(rows.c.serial > since).order_by(rows.c.serial))
            .mappings()
            .all()
        )


def must_agree(database: Database) -> None:
    """Hold the database to what `claimbase check` proves: no gap in the serials, tables, revisions
    and read model agree.
    """
    with database.read() as connection:
        assert list(check(connection)) == []


def tell(line: str) -> None:
    """Print what was seen, for whoever runs the drills by hand (`pytest -s`)."""
    print(line)  # noqa: T201
