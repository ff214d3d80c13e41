"""One run of the benchmark: its settings, its running servers, and how contenders are compared."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from benchmarks import load, machine, servers
from benchmarks.figures import Figure
from benchmarks.load import HttpLoad, Load, LoadFailed, LocalLoad
from benchmarks.servers import Server
from benchmarks.stores import Postgres, Stores


@dataclass(frozen=True)
class Contender:
    """A server, the paths to request of it, and its first right answer as `parse` reads it."""

    server: Server
    paths: Sequence[str]
    parse: Callable[[bytes], Any]
    expected: Any
    accept_encoding: str = ""
    status: int = HTTPStatus.OK
    connections: int = load.CONNECTIONS


Contenders = dict[str, Contender | LocalLoad]


@dataclass
class Bench:
    """A run. `main` is the size that most rows are measured at; row 8 compares all of `sizes`."""

    sizes: dict[int, Stores]
    main: int
    postgres: Postgres
    rounds: int
    seconds: float
    with_wrk: bool
    scratch: Path
    stack: ExitStack
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Rows that ended with a LoadFailed.
    broken: list[int] = field(default_factory=list)
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: dict[tuple[str, ...], Server] = field(default_factory=dict)

    @property
    def stores(self) -> Stores:
        """Return the stores of the main size."""
        return self.sizes[self.main]

    def ours(self, store: str, size: int | None = None, *, cached: bool = False) -> Server:
        """Return our server on a store, started at its first use. It caches no answers, unless the
        cache is what is measured."""
        size = size or self.main
        settings = {} if cached else {"CLAIMBASE_CACHE_MB": "0"}
        start = partial(servers.claimbase, self.sizes[size].urls[store], **settings)
        return self._running((store, str(size), str(cached)), start)

    def contestant(self, name: str, content: Path, ready: str, *, compress: bool = False) -> Server:
        """Return the server of another way, started at its first use."""
        start = partial(servers.contestant, name, content, ready, compress=compress)
        return self._running((name, str(content), str(compress)), start)

    def stop_all(self) -> None:
        """Stop every server, so that none runs beside what comes next."""
        self.stack.close()
        self.running.clear()

    def compare(
        self, title: str, contenders: Contenders, seconds: float | None = None
    ) -> dict[str, Load]:
        """Drive the contenders in turn and return their loads with samples.

        Raises LoadFailed if the first answer of one is wrong.
        """
        loads: dict[str, Load] = {}
        for name, contender in contenders.items():
            if isinstance(contender, LocalLoad):
                loads[name] = contender
            else:
                loads[name] = self.http_load(contender, len(loads))
        load.in_turn(loads.values(), self.rounds, self.seconds if seconds is None else seconds)
        self.details[title] = {
            name: _detail(contender, loads[name]) for name, contender in contenders.items()
        }
        return loads

    def http_load(self, contender: Contender, number: int = 0) -> HttpLoad:
        """Return the load of a contender. Loads that are used in turn need different numbers.

        Raises LoadFailed if the first answer is wrong.
        """
        server = contender.server
        made = HttpLoad(
            server.base,
            contender.paths,
            self.scratch / f"paths-{number}.txt",
            self.with_wrk,
            connections=contender.connections,
            accept_encoding=contender.accept_encoding,
            status=contender.status,
            processes=server.processes,
        )
        answer = contender.parse(made.first_answer())
        if answer != contender.expected:
            path = f"{server.base}{contender.paths[0]}"
            raise LoadFailed(f"{path} must be {contender.expected}, but the answer is {answer}")
        return made

    def add(self, *figures: Figure) -> None:
        """Put figures into the table."""
        self.figures += figures

    def _running(
        self, name: tuple[str, ...], start: Callable[[], AbstractContextManager[Server]]
    ) -> Server:
        if name not in self.running:
            self.running[name] = self.stack.enter_context(start())
        return self.running[name]


def _detail(contender: Contender | LocalLoad, driven: Load) -> dict[str, Any]:
    detail: dict[str, Any] = {"rounds": [asdict(sample) for sample in driven.samples]}
    if isinstance(contender, Contender):
        detail["memory_mb"] = round(machine.memory(contender.server.pid))
        detail["first_path"] = contender.paths[0]
        detail["accept_encoding"] = contender.accept_encoding or None
    return detail


def rates(driven: Load) -> list[float]:
    """Return the requests a second of each round."""
    return [sample.rate for sample in driven.samples]


def medians(driven: Load) -> list[float]:
    """Return the median latency of each round, in milliseconds."""
    return [sample.p50 for sample in driven.samples]


def cpu_times(driven: Load) -> list[float]:
    """Return the server's processor time for one request in each round, in milliseconds."""
    return [sample.cpu_ms for sample in driven.samples if sample.cpu_ms is not None]
