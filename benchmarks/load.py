"""Sends requests to a server, on several connections, and measures how fast it answers."""

import gzip
import http.client
import json
import shutil
import statistics
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import LOAD_CPU, cpu_seconds, on, pinned

SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 8
MOST_SECONDS = 60
# Processor time is counted in hundredths of a second.
IDLE_INTERVAL = 0.05
MOST_IDLE_WAIT = 10
# An answer of at least so many bytes must come compressed to a client that takes it compressed.
# Starlette's middleware begins at 500 bytes, ours and FastAPI's tutorial at 1,000.
COMPRESSED_FROM = 1000
WRK_MISSING = "The benchmark needs wrk, which is not installed. On Debian: apt-get install wrk"


class LoadFailed(Exception):
    """Requests failed, or the answers are not the right ones: then there is nothing to compare."""


class NothingAnswered(LoadFailed):
    """No request was answered in time."""


@dataclass(frozen=True)
class Sample:
    """One drive: requests a second; latencies in ms; an answer's size, headers and all, in KB;
    the server's processor time for one request in ms. The last two are None without a server."""

    rate: float
    p50: float
    p99: float
    kilobytes: float | None = None
    cpu_ms: float | None = None


@dataclass
class HttpLoad:
    """Requests for paths of one server, in turn. Each drive goes on where the last one ended, so
    that no path is requested twice before all were."""

    base: str
    paths: Sequence[str]
    file: Path
    with_wrk: bool = True
    connections: int = CONNECTIONS
    accept_encoding: str = ""
    status: int = http.client.OK
    # Returns the ids of the processes that answer.
    processes: Callable[[], Collection[int]] = tuple
    position: int = 0
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file.write_text("\n".join(self.paths) + "\n", encoding="utf-8")

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        return {"Accept-Encoding": self.accept_encoding} if self.accept_encoding else {}

    def first_answer(self) -> bytes:
        """Return the answer to the first path, decompressed.

        Raises LoadFailed if it is not compressed though the client takes it so, or the reverse.
        """
        with closing(connect(self.base)) as connection:
            answer, content = request(connection, self.paths[0], self.headers, self.status)
        coding = answer.getheader("Content-Encoding", "")
        if coding and coding not in self.accept_encoding:
            raise LoadFailed(f"{self.base}{self.paths[0]} is compressed as {coding} unasked")
        if self.accept_encoding and not coding and len(content) >= COMPRESSED_FROM:
            raise LoadFailed(f"{self.base}{self.paths[0]} is not compressed")
        return DECODERS[coding](content)

    def drive(self, seconds: float) -> Sample:
        """Send requests for so long, or for longer if none was answered.

        Raises LoadFailed if one fails, or if none is answered within a minute.
        """
        run = _with_wrk if self.with_wrk else _in_python
        while True:
            try:
                return run(self, seconds)
            except NothingAnswered:
                if seconds > MOST_SECONDS:
                    raise
                seconds *= 2


@dataclass
class LocalLoad:
    """A function that is called again and again in this process, on one processor, with the number
    of calls before."""

    work: Callable[[int], object]
    cpu: int
    position: int = 0
    samples: list[Sample] = field(default_factory=list)

    def drive(self, seconds: float) -> Sample:
        """Call it for so long, once at least."""
        latencies: list[float] = []
        with on(self.cpu):
            start = time.perf_counter()
            while not latencies or time.perf_counter() - start < seconds:
                before = time.perf_counter()
                self.work(self.position)
                latencies.append((time.perf_counter() - before) * 1000)
                self.position += 1
            elapsed = time.perf_counter() - start
        return Sample(len(latencies) / elapsed, *_percentiles(latencies))


Load = HttpLoad | LocalLoad


def _percentiles(latencies: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    latencies.sort()
    position = min(len(latencies) - 1, len(latencies) * 99 // 100)
    return statistics.median(latencies), latencies[position]


def _unzstd(content: bytes) -> bytes:
    import zstandard

    # A stream does not need to say how long its content is, which `decompress` would rely on.
    return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(content))


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": _unzstd,
}


def connect(base: str) -> http.client.HTTPConnection:
    """Return a connection to a server."""
    return http.client.HTTPConnection(base.removeprefix("http://"), timeout=60)


def get(base: str, path: str) -> bytes:
    """Return an answer. Raises LoadFailed if its status is not 200."""
    with closing(connect(base)) as connection:
        return request(connection, path)[1]


def request(
    connection: http.client.HTTPConnection,
    path: str,
    headers: dict[str, str] | None = None,
    status: int = http.client.OK,
) -> tuple[http.client.HTTPResponse, bytes]:
    """Return an answer and its content. Raises LoadFailed if it has another status."""
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != status:
        raise LoadFailed(f"{path}: {answer.status} {content[:300]!r}")
    return answer, content


def has_wrk() -> bool:
    """Return whether wrk is installed."""
    return shutil.which("wrk") is not None


def _with_wrk(load: HttpLoad, seconds: float) -> Sample:
    before = cpu_seconds(load.processes())
    summary = _run_wrk(load, seconds)
    cpu = _difference(before, cpu_seconds(load.processes()))
    requests, failed = summary["requests"], summary["failed"]
    path = load.paths[load.position % len(load.paths)]
    message = f"{load.base}{path} and so on: failed {failed}, {requests} answered"
    if failed:
        raise LoadFailed(message)
    if not requests:
        raise NothingAnswered(message)
    load.position += requests
    return Sample(
        rate=requests / summary["seconds"],
        p50=summary["p50"],
        p99=summary["p99"],
        kilobytes=summary["bytes"] / requests / 1000,
        cpu_ms=cpu / requests * 1000,
    )


def _run_wrk(load: HttpLoad, seconds: float) -> dict[str, Any]:
    command = ["wrk", "-t1", f"-c{load.connections}", "--timeout", "30s", "-s", str(SCRIPT)]
    # wrk takes whole seconds only.
    command.append(f"-d{max(1, round(seconds))}s")
    for name, value in load.headers.items():
        command += ["-H", f"{name}: {value}"]
    command += [load.base, "--", str(load.file), str(load.position), str(load.status)]
    process = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=pinned(LOAD_CPU)
    )
    _, mark, line = process.stdout.partition("\nSUMMARY ")
    if process.returncode or not mark:
        raise LoadFailed(f"wrk failed: {process.stdout[-500:]} {process.stderr[-500:]}")
    summary: dict[str, Any] = json.loads(line)
    return summary


def _difference(before: dict[int, float], after: dict[int, float]) -> float:
    """Return the processor time in between; a process that is new began at nothing."""
    return sum(seconds - before.get(pid, 0) for pid, seconds in after.items())


def _in_python(load: HttpLoad, seconds: float) -> Sample:
    """Do without wrk: slower than many servers, but enough to see that everything works."""
    before = cpu_seconds(load.processes())
    start = time.perf_counter()
    until = start + seconds
    latencies: list[float] = []
    size = 0

    def send_requests(worker: int) -> None:
        nonlocal size
        position = load.position + worker
        with closing(connect(load.base)) as connection:
            while position == load.position + worker or time.perf_counter() < until:
                sent = time.perf_counter()
                path = load.paths[position % len(load.paths)]
                _, content = request(connection, path, load.headers, load.status)
                latencies.append((time.perf_counter() - sent) * 1000)
                size += len(content)
                position += load.connections

    with ThreadPoolExecutor(load.connections) as workers:
        list(workers.map(send_requests, range(load.connections)))
    elapsed = time.perf_counter() - start
    cpu = _difference(before, cpu_seconds(load.processes()))
    requests = len(latencies)
    load.position += requests
    return Sample(
        requests / elapsed,
        *_percentiles(latencies),
        kilobytes=size / requests / 1000,
        cpu_ms=cpu / requests * 1000,
    )


def wait_until_idle(load: Load) -> None:
    """Wait until a server has finished the requests that were under way when a drive ended.

    It would work on them beside the next contender otherwise.
    """
    if isinstance(load, LocalLoad):
        return
    until = time.monotonic() + MOST_IDLE_WAIT
    while time.monotonic() < until:
        before = cpu_seconds(load.processes())
        time.sleep(IDLE_INTERVAL)
        used = _difference(before, cpu_seconds(load.processes()))
        if used < IDLE_INTERVAL / 2:
            return


def in_turn(loads: Collection[Load], rounds: int, seconds: float) -> None:
    """Drive all in turn, A B A B, and add to their samples. So whatever else the machine does
    hits all alike."""
    for load in loads:
        load.drive(min(seconds, 1))
        wait_until_idle(load)
    for _ in range(rounds):
        for load in loads:
            load.samples.append(load.drive(seconds))
            wait_until_idle(load)


def beside(load: HttpLoad, others: HttpLoad, seconds: float) -> Sample:
    """Drive a server while others drive it, too."""
    finished = threading.Event()

    def drive_others() -> None:
        # Once is enough, unless the server answers nothing in time, so that `load` goes on.
        while not finished.is_set():
            others.drive(seconds + 1)

    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(drive_others)
        time.sleep(min(seconds, 0.3))
        try:
            sample = load.drive(seconds)
        finally:
            finished.set()
        running.result()
    wait_until_idle(load)
    return sample
