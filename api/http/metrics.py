"""What this process counts and measures, in the text format of Prometheus.

This is the only module that imports the client library, and it is imported only if the setting
`metrics_port` is set: without it nothing is counted. `METRICS` declares every metric.

The event loop itself reads the numbers of queues and pools, once a second: they belong to its
thread. A collector that reads them at the moment of a scrape would do so from another thread, and
the library has none for several worker processes, which count in files that their parent adds up.
"""

import asyncio
import multiprocessing
import tempfile
import time
from collections import Counter as Counts
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import settings
from api.http.middleware import NotingStatus

# The largest time in each bucket, in seconds: a kept answer takes less than the first, and the
# database is given up after the last, unless a setting says otherwise.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
# How often the event loop reads the numbers of queues and pools, and the most often that the text
# of a scrape is written.
LOOK_SECONDS = 1.0
# Labels have few values, whatever is sent: each value is a series that is kept for ever.
METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
UNMATCHED = "unmatched"

# The values of a metric by the values of its label; a metric without a label has one, named "".
Values: TypeAlias = Mapping[str, float]


def _connections(app: Any) -> Values:
    return {"": app.state.connections.total()}


def _cached_answers(app: Any) -> Values:
    return {"": len(app.cache.kept)}


def _cached_bytes(app: Any) -> Values:
    return {"": app.cache.size}


def _pool_connections(app: Any) -> Values:
    in_use: Values = app.state.database.connections_in_use()
    return in_use


def _servers(app: Any) -> Values:
    replicas = app.state.database.replicas
    states = Counts(each.state for each in replicas.servers) if replicas else Counts()
    return {state: states[state] for state in ("answering", "behind", "lost")}


def _waiting(app: Any) -> Values:
    return {name: queue.count_waiting() for name, queue in _queues(app).items()}


def _served(app: Any) -> Values:
    return {name: queue.count_held() for name, queue in _queues(app).items()}


def _queues(app: Any) -> dict[str, Any]:
    state = app.state
    return {
        "files": state.files.turns,
        "readers": state.readers,
        "short_readers": state.short_readers,
        "writers": state.writers,
    }


def _streams(app: Any) -> Values:
    return {"": app.state.streams.open}


def _exports(app: Any) -> Values:
    return {"": len(app.state.exports)}


@dataclass(frozen=True)
class Declared:
    """A metric: its name without `claimbase_`, its kind, what it means, and its labels."""

    name: str
    kind: type[Counter] | type[Gauge] | type[Histogram]
    meaning: str
    labels: tuple[str, ...] = ()
    # Returns the values of a gauge now.
    read: Callable[[Any], Values] | None = None


METRICS = (
    Declared(
        "http_requests_total",
        Counter,
        "Requests that have ended, by method, route and class of status.",
        ("method", "route", "status"),
    ),
    Declared(
        "http_request_duration_seconds",
        Histogram,
        "Time from the headers of a request to the end of its answer.",
        ("method", "route"),
    ),
    Declared(
        "http_problems_total",
        Counter,
        "Answers with an error: the code of the problem, or the limit that was used up.",
        ("reason",),
    ),
    Declared("http_connections", Gauge, "Open connections of clients.", (), _connections),
    Declared(
        "cache_requests_total",
        Counter,
        "Requests for which the response cache was asked, by whether it had the answer.",
        ("result",),
    ),
    Declared("cache_answers", Gauge, "Answers in the response cache.", (), _cached_answers),
    Declared("cache_bytes", Gauge, "Memory of the response cache.", (), _cached_bytes),
    Declared(
        "database_connections",
        Gauge,
        "Connections to the database that are in use, by pool.",
        ("pool",),
        _pool_connections,
    ),
    Declared(
        "database_servers",
        Gauge,
        "Servers of one database that are read from, by what is known of them.",
        ("state",),
        _servers,
    ),
    Declared("database_commits_total", Counter, "Transactions that were committed."),
    Declared("queue_waiting", Gauge, "Requests that wait for their turn.", ("queue",), _waiting),
    Declared("queue_held", Gauge, "Requests whose turn it is.", ("queue",), _served),
    Declared("streams", Gauge, "Open streams of changes.", (), _streams),
    Declared("exports", Gauge, "Exports that are being sent.", (), _exports),
    Declared(
        "event_loop_late_seconds_total",
        Counter,
        "Time that the event loop was late, which is what all requests waited for one.",
    ),
)
PREFIX = "claimbase_"


def _create(declared: Declared, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    about = (PREFIX + declared.name, declared.meaning, declared.labels)
    if declared.kind is Gauge:
        return Gauge(*about, registry=registry, multiprocess_mode="livesum")
    if declared.kind is Histogram:
        return Histogram(*about, registry=registry, buckets=BUCKETS)
    return Counter(*about, registry=registry)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        # Each series would come with another one that holds the time of its first count.
        prometheus_client.disable_created_metrics()
        self.registry = CollectorRegistry()
        self._metrics: dict[str, Any] = {
            declared.name: _create(declared, self.registry) for declared in METRICS
        }
        ProcessCollector(registry=self.registry)
        self._requests = self._metrics["http_requests_total"]
        self._durations = self._metrics["http_request_duration_seconds"]
        self._problems = self._metrics["http_problems_total"]
        cached = self._metrics["cache_requests_total"]
        self._hits, self._misses = cached.labels("hit"), cached.labels("miss")
        self._commits = 0
        # The series of a request, since to look each one up takes longer than to count.
        self._series: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}

    def count_request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request that has ended; its status is 0 if its client left before an answer."""
        route = scope.get("route")
        if "kept" in scope:
            kept = scope["kept"]
            (self._misses if kept is None else self._hits).inc()
            route = route if kept is None else kept.route
        method = scope["method"] if scope["method"] in METHODS else "other"
        # With 405 the route is one for another method.
        template = UNMATCHED if status == 405 else getattr(route, "path_format", UNMATCHED)
        key = method, template, f"{status // 100}xx" if status else "none"
        series = self._series.get(key)
        if series is None:
            series = self._requests.labels(*key), self._durations.labels(method, template)
            self._series[key] = series
        requests, durations = series
        requests.inc()
        durations.observe(seconds)
        if status >= 400 and (reason := scope.get("state", {}).get("denied")) is not None:
            self.count_problem(reason)

    def count_problem(self, reason: str) -> None:
        """Count an answer with an error. Reasons come from the program, never from a request."""
        self._problems.labels(reason).inc()

    @asynccontextmanager
    async def watching(self, app: Any) -> AsyncIterator[None]:
        """Read the numbers of an application every second while the context lasts."""
        watching = asyncio.create_task(self._watch(app))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            self._look(app)

    async def _watch(self, app: Any) -> None:
        late = self._metrics["event_loop_late_seconds_total"]
        while True:
            self._look(app)
            due = time.monotonic() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            late.inc(max(0.0, time.monotonic() - due))

    def _look(self, app: Any) -> None:
        for declared in METRICS:
            if declared.read is not None:
                self._set(declared, declared.read(app))
        commits = app.state.database.commits
        self._metrics["database_commits_total"].inc(commits - self._commits)
        self._commits = commits

    def _set(self, declared: Declared, values: Values) -> None:
        metric = self._metrics[declared.name]
        for label, value in values.items():
            (metric.labels(label) if declared.labels else metric).set(value)


class CountingRequests:
    """An ASGI application that counts the requests to another one."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, noting = time.perf_counter(), NotingStatus(send)
        try:
            await self.app(scope, receive, noting)
        finally:
            self.metrics.count_request(scope, noting.status, time.perf_counter() - began)


class Workers(Collector):
    """What all worker processes counted in the files of a folder.

    The library keeps the files of processes that have ended, since a count must not fall. Here
    they are added to one file each, so that a worker which ends again and again fills no disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = MultiProcessCollector(None, str(folder))

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of all workers, and those of each live process by its number."""
        live = {str(process.pid) for process in multiprocessing.active_children()}
        self._add_up_ended(live)
        yield from self._files.collect()
        yield from _of_processes(sorted(live))

    def _add_up_ended(self, live: set[str]) -> None:
        for file in self.folder.glob("*.db"):
            kind, _, process = file.stem.rpartition("_")
            if process in live or process == "ended":
                continue
            # Gauges are true of live processes alone.
            if not kind.startswith("gauge"):
                _add(file, self.folder / f"{kind}_ended.db")
            file.unlink()


def _add(file: Path, to: Path) -> None:
    """Add the values in a file of the library to those in another one."""
    sums = MmapedDict(str(to))
    for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
        sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
    sums.close()


def _of_processes(processes: list[str]) -> Iterator[Metric]:
    """Yield what the library tells of a process for each of them, with the label `pid`."""
    families: dict[str, Metric] = {}
    for process in processes:
        collector = ProcessCollector(pid=partial(str, process), registry=None)
        for metric in collector.collect():
            family = families.setdefault(metric.name, metric)
            samples = [sample._replace(labels={"pid": process}) for sample in metric.samples]
            family.samples = samples if family is metric else family.samples + samples
    yield from families.values()


@contextmanager
def shared_by_workers() -> Iterator[CollectorRegistry]:
    """Let the processes that start in this context count in files, and yield their sums."""
    with (
        tempfile.TemporaryDirectory(prefix="claimbase-metrics-") as folder,
        settings.counting_in(Path(folder)),
    ):
        registry = CollectorRegistry()
        registry.register(Workers(Path(folder)))
        yield registry


def exporter(registry: CollectorRegistry) -> ASGIApp:
    """Return the application that answers with the metrics of a registry.

    The text is written at most once in `LOOK_SECONDS`, however many ask: with the series of every
    route that takes as long as a hundred reads.
    """
    text, written = b"", float("-inf")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal text, written
        if scope["path"] != "/metrics":
            response = Response("The metrics are at /metrics.\n", 404, media_type="text/plain")
        elif scope["method"] not in ("GET", "HEAD"):
            response = Response(status_code=405, headers={"Allow": "GET, HEAD"})
        else:
            if time.monotonic() - written > LOOK_SECONDS:
                text, written = prometheus_client.generate_latest(registry), time.monotonic()
            response = Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)
        await response(scope, receive, send)

    return answer
