"""One run of the benchmark: its settings, the servers that are up, and how contenders are compared."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import load, machine, servers
from benchmarks.figures import Figure
from benchmarks.load import Ask, LoadFailed, Local
from benchmarks.servers import Server
from benchmarks.stores import Postgres, Stores


@dataclass(frozen=True)
class Contender:
    """Who is asked what; how the ids, or whatever else tells that an answer is right, are read; what the first has to be."""

    server: Server
    paths: Sequence[str]
    read: Callable[[bytes], Any]
    right: Any


Driven = dict[str, Contender | Local]


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
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    up: dict[tuple[str, ...], Server] = field(default_factory=dict)

    @property
    def stores(self) -> Stores:
        """Return the stores of the main size."""
        return self.sizes[self.main]

    def ours(self, store: str, size: int | None = None, *, cached: bool = False) -> Server:
        """Return our server on a store, started at its first use; it keeps no answers, unless that is what is measured."""
        size = size or self.main
        settings = {} if cached else {"CLAIMBASE_CACHE_MB": "0"}
        start = partial(servers.claimbase, self.sizes[size].urls[store], **settings)
        return self._up((store, str(size), str(cached)), start)

    def contestant(self, name: str, given: Path, ready: str) -> Server:
        """Return another's server, started at its first use."""
        return self._up((name, str(given)), lambda: servers.contestant(name, given, ready))

    def stop_all(self) -> None:
        """Stop every server, so that none is beside what comes next."""
        self.stack.close()
        self.up.clear()

    def compare(
        self, title: str, contenders: Driven, seconds: float | None = None
    ) -> dict[str, Ask | Local]:
        """Drive the contenders in turn and return them with their samples; each one's first answer must be right."""
        driven: dict[str, Ask | Local] = {}
        for name, contender in contenders.items():
            driven[name] = (
                contender if isinstance(contender, Local) else self.ask(contender, len(driven))
            )
        load.in_turn(driven.values(), self.rounds, self.seconds if seconds is None else seconds)
        self.details[title] = {}
        for name, contender in contenders.items():
            told: dict[str, Any] = {"rounds": [asdict(sample) for sample in driven[name].samples]}
            if isinstance(contender, Contender):
                told |= {
                    "memory_mb": round(machine.memory(contender.server.pid)),
                    "asked_first": contender.paths[0],
                }
            self.details[title][name] = told
        return driven

    def ask(self, contender: Contender, place: int = 0) -> Ask:
        """Return what drives a contender, whose first answer must be right."""
        file = self.scratch / f"paths-{place}.txt"
        ask = Ask(contender.server.base, contender.paths, file, self.with_wrk)
        if (read := contender.read(ask.first())) != contender.right:
            raise LoadFailed(
                f"{ask.base}{ask.paths[0]} is {contender.right}, but the answer is {read}"
            )
        return ask

    def add(self, *figures: Figure) -> None:
        """Put figures into the table."""
        self.figures += figures

    def _up(self, name: tuple[str, ...], start: Callable[[], Any]) -> Server:
        if name not in self.up:
            self.up[name] = self.stack.enter_context(start())
        return self.up[name]


def rates(driven: Ask | Local) -> list[float]:
    """Return how many were done a second in each round."""
    return [sample.rate for sample in driven.samples]


def medians(driven: Ask | Local) -> list[float]:
    """Return the median latency of each round, in milliseconds."""
    return [sample.p50 for sample in driven.samples]
