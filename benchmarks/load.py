"""Drives a server with addresses, one after the other on several connections, and tells how fast it answered."""

import http.client
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import LOAD_CPU, on, pinned

SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 8
MOST_SECONDS = 60
WRK_MISSING = (
    "The benchmark drives its servers with wrk, which is not here. On Debian: apt-get install wrk"
)


class LoadFailed(Exception):
    """Some requests were not answered, or not with what was asked for: then there is nothing to compare."""


class NothingAnswered(LoadFailed):
    """No request was answered in time."""


@dataclass(frozen=True)
class Sample:
    """One drive: requests a second, and latencies in milliseconds."""

    rate: float
    p50: float
    p99: float


@dataclass
class Ask:
    """Addresses of one server, asked in turn; each drive goes on where the last one ended, so that none is asked twice
    before all were."""

    base: str
    paths: Sequence[str]
    file: Path
    with_wrk: bool = True
    connections: int = CONNECTIONS
    place: int = 0
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file.write_text("\n".join(self.paths) + "\n", encoding="utf-8")

    def first(self) -> bytes:
        """Return the answer to the first address."""
        return get(self.base, self.paths[0])

    def drive(self, seconds: float) -> Sample:
        """Ask for so long, or until anything was answered; raise where an answer failed, or there is none in a minute."""
        while True:
            try:
                return (_with_wrk if self.with_wrk else _in_python)(self, seconds)
            except NothingAnswered:
                if seconds > MOST_SECONDS:
                    raise
                seconds *= 2


@dataclass
class Local:
    """Something that is done again and again in this process, on one processor; it is told how often it was done before."""

    work: Callable[[int], object]
    cpu: int
    place: int = 0
    samples: list[Sample] = field(default_factory=list)

    def drive(self, seconds: float) -> Sample:
        """Do it for so long, once at least."""
        took: list[float] = []
        with on(self.cpu):
            begun = time.perf_counter()
            while not took or time.perf_counter() - begun < seconds:
                last = time.perf_counter()
                self.work(self.place)
                took.append((time.perf_counter() - last) * 1000)
                self.place += 1
            return _sample(took, time.perf_counter() - begun)


def _sample(took: list[float], seconds: float) -> Sample:
    took.sort()
    return Sample(
        len(took) / seconds,
        statistics.median(took),
        took[min(len(took) - 1, len(took) * 99 // 100)],
    )


def get(base: str, path: str) -> bytes:
    """Return an answer; raise where it is none."""
    with closing(
        http.client.HTTPConnection(base.removeprefix("http://"), timeout=60)
    ) as connection:
        return _get(connection, path)


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK:
        raise LoadFailed(f"{path}: {answer.status} {content[:300]!r}")
    return content


def has_wrk() -> bool:
    """Say whether wrk is installed."""
    return shutil.which("wrk") is not None


def _with_wrk(ask: Ask, seconds: float) -> Sample:
    told = ["--", str(ask.file), str(ask.place)]
    # wrk takes whole seconds only.
    options = [
        "-t1",
        f"-c{ask.connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "30s",
        "-s",
        str(SCRIPT),
    ]
    command = ["wrk", *options, ask.base, *told]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=pinned(LOAD_CPU)
    )
    _, mark, line = done.stdout.partition("\nTOLD ")
    if done.returncode or not mark:
        raise LoadFailed(f"wrk failed: {done.stdout[-500:]} {done.stderr[-500:]}")
    result = json.loads(line)
    if result["failed"] or not result["requests"]:
        raise (LoadFailed if result["failed"] else NothingAnswered)(
            f"{ask.base}{ask.paths[0]} and so on: {result['failed']} failed, {result['requests']} answered"
        )
    ask.place += result["requests"]
    return Sample(result["requests"] / result["seconds"], result["p50"], result["p99"])


def _in_python(ask: Ask, seconds: float) -> Sample:
    """Do without wrk: slower itself than what it measures, good for seeing that everything works."""
    until = time.perf_counter() + seconds

    def one(worker: int) -> list[float]:
        took: list[float] = []
        place = ask.place + worker
        with closing(
            http.client.HTTPConnection(ask.base.removeprefix("http://"), timeout=60)
        ) as connection:
            while not took or time.perf_counter() < until:
                last = time.perf_counter()
                _get(connection, ask.paths[place % len(ask.paths)])
                took.append((time.perf_counter() - last) * 1000)
                place += ask.connections
        return took

    begun = time.perf_counter()
    with ThreadPoolExecutor(ask.connections) as workers:
        took = [each for found in workers.map(one, range(ask.connections)) for each in found]
    ask.place += len(took)
    return _sample(took, time.perf_counter() - begun)


def in_turn(driven: Collection[Ask | Local], rounds: int, seconds: float) -> None:
    """Drive all of them in turn, A B A B, so that whatever else the machine does meets all alike; add to their samples."""
    for each in driven:
        each.drive(min(seconds, 1))
    for _ in range(rounds):
        for each in driven:
            each.samples.append(each.drive(seconds))
