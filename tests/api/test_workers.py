"""Several processes serve one database: whoever asks any of them sees what was written by way of any other."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.cache import POLL_SECONDS
from api.settings import ROOT
from models import keys
from models.check import check
from tests.conftest import Store

COMMAND = [sys.executable, "-c", "from api.cli import app; app()", "serve", "--port", "0", "--workers", "2"]
CLIENTS, WRITES = 6, 8


@contextmanager
def workers(store: Store, folder: Path) -> Iterator[int]:
    """Serve a store by two processes; give the port, and see that both end at a stop."""
    log = folder / "log"
    environment = {**os.environ, "CLAIMBASE_KEEP_ALIVE_SECONDS": "30", "CLAIMBASE_SHUTDOWN_SECONDS": "5"}
    command = [*COMMAND, "--database-url", store.url]
    with log.open("w") as written:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=written, stderr=written)
    try:
        until = time.monotonic() + 60
        while log.read_text().count("Application startup complete") < 2:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text())
        assert found
        yield int(found[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert log.read_text().count("Finished server process") == 2
    finally:
        process.kill()
        process.wait(20)


class Client:
    """A connection, and so one of the processes; with a key."""

    def __init__(self, port: int, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.key = key

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, str | None]:
        """Return the status, the content and the tag of an answer. Reads go without the key, so that they may be kept."""
        headers = {"Content-Type": "application/json", **headers}
        if method != "GET":
            headers["Authorization"] = f"Bearer {self.key}"
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.getheader("ETag")


def test_what_one_process_writes_the_others_show(seeded: Store, tmp_path: Path) -> None:
    with seeded.database.write() as connection:
        keys_of = [keys.create(connection, keys.read({"name": f"P{n}", "role": "admin"}))[1] for n in range(CLIENTS)]
    wait = 0.0 if seeded.database.inline else POLL_SECONDS + 0.2
    missed: list[str] = []
    done: list[str] = []

    def write_and_look(number: int) -> None:
        writer, reviewer, *others = clients = [Client(port, key) for key in keys_of]
        for turn in range(WRITES if wait == 0 else 3):
            slug = f"k{number}-{turn}"
            for other in others:
                other.ask("GET", "/v1/topics?limit=200")  # So that there is something old to show.
            status, made, tag = writer.ask("POST", "/v1/topics", {"id": slug, "label": slug, "definition": "A topic."})
            assert status == 201, made
            accepting = {"If-Match": str(tag)}
            status, accepted, _ = reviewer.ask(
                "POST", f"/v1/records/topic/{slug}:accept", {"comment": "Good."}, **accepting
            )
            assert status == 200, accepted
            time.sleep(wait)
            for other in others:
                status, shown, _ = other.ask("GET", "/v1/topics?limit=200")
                assert status == 200
                if slug not in {topic["id"] for topic in shown["data"]}:
                    missed.append(slug)
            done.append(slug)
        for client in clients:
            client.connection.close()

    with workers(seeded, tmp_path) as port:
        threads = [threading.Thread(target=write_and_look, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert missed == []
    assert len(done) == CLIENTS * (WRITES if wait == 0 else 3)
    with seeded.database.read() as connection:
        assert list(check(connection)) == []
