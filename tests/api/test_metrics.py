"""Metrics: what is counted, that nobody can make series at will, and their server."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from api.http import metrics, request_body, server
from api.main import Application, create_app
from api.settings import ROOT, Settings
from models.database.connections import file_url
from tests.api.server_process import Running, running
from tests.api.test_server import rest
from tests.databases import Store
from tests.drills.serving import people, serving

Series = dict[str, float]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def series(text: str) -> Series:
    """Return the value of each series, by its name and labels as Prometheus writes them."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def total(found: Series, part: str) -> float:
    """Return the sum of the series whose name and labels have a part."""
    return sum(value for name, value in found.items() if part in name)


def has_one(part: str, found: Series) -> bool:
    """Return whether the series whose name and labels have a part add up to one."""
    return total(found, part) == 1


def requests_of(found: Series) -> float:
    """Return how many requests were counted."""
    return total(found, "_http_requests_total")


def counted(app: Application) -> Series:
    """Return the series of an application now."""
    return series(generate_latest(app.state.metrics.registry).decode())


Found = TypeVar("Found")


def until(read: Callable[[], Found], holds: Callable[[Found], Any]) -> Found:
    """Return what is read once something holds for it."""
    end = time.monotonic() + 120
    while not holds(found := read()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def scrape(port: int) -> Series:
    """Return the series that a server of metrics answers with, none while it is being replaced."""
    with suppress(ConnectionRefusedError, urllib.error.URLError):
        return _scrape(port)
    return {}


def _scrape(port: int) -> Series:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return series(answer.read().decode())


@pytest.fixture(autouse=True)
def looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the numbers of an application in this process be read soon."""
    monkeypatch.setattr(metrics, "LOOK_SECONDS", 0.02)


@contextmanager
def counting(store: Store, **settings: Any) -> Iterator[tuple[Application, TestClient]]:
    """Give an application that counts, and a client of it."""
    app = create_app(Settings(database_url=store.url, metrics_port=0, **settings))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield app, client


def route(method: str, template: str, status: str) -> str:
    return (
        f'claimbase_http_requests_total{{method="{method}",route="{template}",status="{status}"}}'
    )


def test_requests_are_counted_by_method_route_and_status(seeded: Store) -> None:
    claim = "/v1/claims/ccsvi-causes-ms"
    with counting(seeded) as (app, client):
        for _ in range(3):
            assert client.get(claim).status_code == 200
        assert client.head(claim).status_code == 200
        assert client.get("/v1/claims/no-such-claim").status_code == 404
        assert client.post(claim).status_code == 405
        assert client.put(f"{claim}", json={}).status_code == 401
        assert client.get("/v1/claims?limit=x").status_code == 400
        found = counted(app)
        template = "/v1/claims/{claim}"
        assert found[route("GET", template, "2xx")] == 3
        assert found[route("HEAD", template, "2xx")] == 1
        assert found[route("GET", template, "4xx")] == 1
        assert found[route("POST", "unmatched", "4xx")] == 1
        assert found[route("PUT", template, "4xx")] == 1
        assert found[route("GET", "/v1/claims", "4xx")] == 1
        times = f'_seconds_count{{method="GET",route="{template}"}}'
        assert found[f"claimbase_http_request_duration{times}"] == 4
        # The first of each address was not in the cache, and errors are never kept.
        assert found['claimbase_cache_requests_total{result="hit"}'] == 2
        assert found['claimbase_cache_requests_total{result="miss"}'] == 3
        for reason in ("not_found", "method_not_allowed", "key_required", "invalid_parameter"):
            assert found[f'claimbase_http_problems_total{{reason="{reason}"}}'] == 1
        size = app.cache.size
        found = until(lambda: counted(app), lambda found: found["claimbase_cache_answers"] == 1)
        assert found["claimbase_cache_bytes"] == size > 0


def test_the_audit_record_of_a_head_names_its_operation(
    seeded: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with counting(seeded) as (_, client):
        assert client.head("/v1/keys").status_code == 401
    (record,) = (record for record in caplog.records if record.name == "claimbase.audit")
    assert record.__dict__["operation"] == "list_keys"


def test_refusals_are_counted_by_the_limit_that_refused(seeded: Store) -> None:
    with counting(seeded, address_writes_per_minute=1, stream_limit=0) as (app, client):
        statuses = [
            client.post("/v1/topics", json={}).status_code,
            client.post("/v1/topics", json={}).status_code,
            client.get("/v1/changes/stream").status_code,
            client.post("/v1/topics", content=b"x" * (request_body.MOST_BYTES + 1)).status_code,
            client.get("/v1?" + "x" * 9000).status_code,
        ]
        assert statuses == [401, 429, 503, 413, 414]
        found = counted(app)
        for reason in ("writes_by_address", "unavailable", "body_too_large", "address_too_long"):
            assert found[f'claimbase_http_problems_total{{reason="{reason}"}}'] == 1


def test_writes_and_what_is_under_way_are_counted(seeded: Store) -> None:
    (admin,) = people(seeded.database, 1, "admin")
    with counting(seeded) as (app, client):
        key = {"Authorization": f"Bearer {admin}"}
        topic = {"id": "counted", "label": "Counted", "definition": "A topic."}
        assert client.post("/v1/topics", json=topic, headers=key).status_code == 201
        until(lambda: counted(app), lambda found: found["claimbase_database_commits_total"] == 1)
        assert client.portal is not None
        with (
            client.portal.wrap_async_context_manager(app.state.readers.place("somebody")),
            app.state.database.read(),
        ):
            held = 'claimbase_queue_held{queue="readers"}'
            used = 'claimbase_database_connections{pool="reader"}'
            found = until(lambda: counted(app), lambda found: found[held] == found[used] == 1)
            assert found['claimbase_queue_waiting{queue="readers"}'] == 0
        until(lambda: counted(app), lambda found: found[held] == found[used] == 0)


def test_who_waits_for_a_turn_is_counted(seeded: Store) -> None:
    with counting(seeded) as (app, client):
        assert client.portal is not None
        turns = app.state.writers
        for _ in range(2):
            client.portal.call(turns.acquire)
        waits = client.portal.start_task_soon(turns.acquire)
        names = [f'claimbase_queue_{what}{{queue="writers"}}' for what in ("held", "waiting")]
        until(lambda: counted(app), lambda found: [found[name] for name in names] == [2, 1])
        client.portal.call(turns.release)
        waits.result(20)
        until(lambda: counted(app), lambda found: [found[name] for name in names] == [2, 0])
        # Who gives up waits no longer.
        waits = client.portal.start_task_soon(turns.acquire)
        until(lambda: counted(app), lambda found: found[names[1]] == 1)
        waits.cancel()
        until(lambda: counted(app), lambda found: [found[name] for name in names] == [2, 0])


def test_time_that_the_event_loop_is_late_is_counted(seeded: Store) -> None:
    with counting(seeded) as (app, client):
        assert client.portal is not None
        client.portal.call(time.sleep, 0.5)
        late = "claimbase_event_loop_late_seconds_total"
        until(lambda: counted(app), lambda found: found[late] > 0.3)


def test_nobody_can_make_series_at_will(seeded: Store) -> None:
    with counting(seeded) as (app, client):
        assert client.portal is not None

        async def ask(method: str, path: str, query: str = "") -> None:
            async def receive() -> Message:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(_message: Message) -> None:
                """Take what is sent."""

            scope = {"type": "http", "http_version": "1.1", "method": method, "path": path}
            more = {"query_string": query.encode(), "headers": [], "scheme": "http", "state": {}}
            await app({**scope, **more, "client": ("127.0.0.1", 1)}, receive, send)

        async def ask_all(numbers: range) -> None:
            for number in numbers:
                await ask("GET", f"/v1/no-such-thing-{number}")
                if number < 50:
                    await ask("GET", f"/v1/claims/no-such-claim-{number}")
                    await ask("GET", "/v1/claims", f"x{number}={number}")
                    await ask(f"METHOD{number}", f"/v1/claims/{number}")

        client.portal.call(ask_all, range(1))
        before = counted(app).keys()
        client.portal.call(ask_all, range(1, 1001))
        found = counted(app)
        assert found.keys() == before
        assert requests_of(found) == 1001 + 3 * 50
        # What is remembered of series is bounded with them.
        assert len(app.state.metrics._series) == 4


def test_nothing_is_counted_or_imported_unless_the_port_is_set(tmp_path: Path) -> None:
    program = (
        "import sys; from api.main import create_app; from api.settings import Settings;"
        "from api.cli import serve; from api.http import server;"
        f"app = create_app(Settings(database_url={file_url(tmp_path / 'a.db')!r}));"
        "assert app.entry.app is app.cache; assert app.state.metrics is None;"
        "print([name for name in sys.modules if 'prometheus' in name])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert printed == "[]\n"
    assert Settings.model_fields["metrics_host"].default == "127.0.0.1"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("metrics"), metrics_port=0) as process:
        yield process


def port_of(process: Running) -> int:
    """Return the port of a server's metrics."""
    (record,) = (each for each in process.records() if each["message"] == "metrics are served")
    assert record["host"] == "127.0.0.1"
    return int(record["port"])


def test_a_server_answers_with_its_metrics(process: Running) -> None:
    port = port_of(process)
    assert process.get("/healthz")[0] == 200
    assert process.get("/metrics")[0] == 404
    # A request is counted once its answer has been sent.
    found = until(lambda: scrape(port), lambda found: requests_of(found) == 2)
    assert found[route("GET", "/healthz", "2xx")] == 1
    assert found[route("GET", "unmatched", "4xx")] == 1
    assert found["process_resident_memory_bytes"] > 10_000_000
    # What the server refuses before there is a request is counted, too.
    for sent, reason in (
        (b"GET / HTTP/1.1\r\n\r\n", "malformed_request"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2 * server.MOST_FIELDS, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n", "request_timeout"),
    ):
        with process.open() as connection:
            connection.sendall(sent)
            rest(connection)
        counted_as = f'_problems_total{{reason="{reason}"}}'
        until(lambda: scrape(port), partial(has_one, counted_as))
    with process.open():
        until(lambda: scrape(port), lambda found: found["claimbase_http_connections"] == 1)
    until(lambda: scrape(port), lambda found: found["claimbase_http_connections"] == 0)


def test_clients_of_the_metrics_have_the_same_limits(process: Running) -> None:
    port = port_of(process)
    for sent, status in (
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 2 * server.MOST_FIELDS, b"431"),
        (b"GET /metrics HTTP/1.1\r\n", b"408"),
    ):
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            connection.sendall(sent)
            assert rest(connection).split()[1] == status
    # They are no clients of the API.
    assert scrape(port)["claimbase_http_connections"] == 0
    for path, body, refusal in (("/", None, 404), ("/metrics", b"", 405)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=body)
        assert refused.value.code == refusal
        refused.value.close()
    idle = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(server.MOST_SCRAPES)]
    try:
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert rest(connection).split()[1] == b"503"
    finally:
        for connection in idle:
            connection.close()


def test_scrapes_cost_no_more_however_many_there_are(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "LOOK_SECONDS", 60)
    written = []

    def write(registry: CollectorRegistry) -> bytes:
        written.append(registry)
        return generate_latest(registry)

    monkeypatch.setattr("prometheus_client.generate_latest", write)
    with counting(seeded) as (app, _):
        scraper = TestClient(metrics.exporter(app.state.metrics.registry))
        texts = {scraper.get("/metrics").text for _ in range(50)}
    assert len(texts) == len(written) == 1


def test_a_stop_ends_the_server_of_the_metrics(tmp_path: Path) -> None:
    with running(tmp_path, metrics_port=0) as process:
        port = port_of(process)
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\n")
            assert process.stop() < 5
        assert process.process.returncode == -signal.SIGTERM
        with pytest.raises(ConnectionRefusedError):
            scrape_once(port)


def scrape_once(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5):
        pass


def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        environment = {"CLAIMBASE_METRICS_PORT": str(port), "CLAIMBASE_PORT": "0"}
        url = file_url(tmp_path / "a.db")
        ended = subprocess.run(
            [sys.executable, "-m", "api", "serve", "--database-url", url],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    message = json.loads(line)["message"]
    assert f"cannot be served at 127.0.0.1:{port}: Address already in use" in message
    assert message.endswith("Set CLAIMBASE_METRICS_PORT and CLAIMBASE_METRICS_HOST.")


def test_counts_of_several_processes_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMBASE_METRICS_PORT", "0")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving(file_url(tmp_path / "a.db"), tmp_path, "--workers", "2") as server:
        log = server.log.read_text("utf-8")
        port = json.loads(next(line for line in log.splitlines() if "are served" in line))["port"]
        both = until(lambda: scrape(port), lambda found: len(processes(found)) == 2)
        # They count before they listen.
        until(lambda: is_listening(server.port), bool)
        until(lambda: scrape(port), lambda _: len(writing(tmp_path)) == 2)
        for number in range(40):
            assert server.client().ask("GET", f"/v1/claims?limit={number % 3 + 1}").status == 200
        until(lambda: scrape(port), lambda found: requests_of(found) == 40)
        pid = min(processes(both))
        os.kill(pid, signal.SIGKILL)
        # It is replaced, and what it counted still counts.
        found = until(lambda: scrape(port), lambda found: len(processes(found) - {pid}) == 2)
        until(lambda: scrape(port), lambda _: len(writing(tmp_path) - {str(pid)}) == 3)
        assert requests_of(found) == 40
        for _ in range(10):
            assert server.client().ask("GET", "/v1").status == 200
        # A request is counted once its answer has been sent, and its time after it.
        until(
            lambda: scrape(port),
            lambda found: (
                [requests_of(found), total(found, "_count{"), total(found, 'le="+Inf"')] == [50] * 3
            ),
        )
        # Its files are not kept.
        assert str(pid) not in writing(tmp_path)
        server.process.terminate()
        assert server.process.wait(40) == 0
    assert [*tmp_path.glob("claimbase-metrics-*")] == []


def is_listening(port: int) -> bool:
    """Say whether somebody takes connections at a port."""
    with closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def processes(found: Series) -> set[int]:
    """Return the processes that the metrics tell of."""
    return {int(pid[1]) for name in found if (pid := re.search(r'_fds{pid="(\d+)"', name))}


def writing(folder: Path) -> set[str]:
    """Return which processes have a file of counts."""
    files = folder.glob("claimbase-metrics-*/counter_*.db")
    return {file.stem.removeprefix("counter_") for file in files}


def test_every_metric_is_in_the_operations() -> None:
    documented = re.findall(r"^\| `claimbase_(\w+)` \|([^|]*)\| ", OPERATIONS, flags=re.MULTILINE)
    declared = [(metric.name, ", ".join(metric.labels)) for metric in metrics.METRICS]
    assert [(name, labels.strip().replace("`", "")) for name, labels in documented] == declared
