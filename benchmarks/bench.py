"""One run of the benchmark: its settings, the servers that are up, and how contenders are compared."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import load, machine, servers
from benchmarks.figures import STORES, Figure
from benchmarks.load import Ask, LoadFailed
from benchmarks.servers import Server
from benchmarks.stores import Stores


@dataclass(frozen=True)
class Contender:
    """Who is asked what; how the ids, or whatever else tells that an answer is right, are read; what the first has to be."""

    server: Server
    paths: Sequence[str]
    read: Callable[[bytes], Any]
    right: Any


@dataclass
class Bench:
    """A run. `main` is the size that most rows are measured at; row 8 compares all of `sizes`."""

    sizes: dict[int, Stores]
    main: int
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

    def ours(self, store: str, size: int | None = None) -> Server:
        """Return our server on a store, started at its first use."""
        size = size or self.main
        return self._up((store, str(size)), lambda: servers.claimbase(self.sizes[size].urls[store]))

    def contestant(self, name: str, given: Path, ready: str) -> Server:
        """Return another's server, started at its first use."""
        return self._up((name, str(given)), lambda: servers.contestant(name, given, ready))

    def stop_all(self) -> None:
        """Stop every server, so that none is beside what comes next."""
        self.stack.close()
        self.up.clear()

    def compare(self, title: str, contenders: dict[str, Contender]) -> dict[str, Ask]:
        """Drive the contenders in turn and return their samples by name; each one's first answer must be right."""
        asks = {}
        for place, (name, contender) in enumerate(contenders.items()):
            file = self.scratch / f"paths-{place}.txt"
            ask = asks[name] = Ask(contender.server.base, contender.paths, file)
            if (read := contender.read(ask.first())) != contender.right:
                raise LoadFailed(f"{title}, {name}: {ask.paths[0]} is {contender.right}, but the answer is {read}")
        load.in_turn(asks, self.rounds, self.seconds, with_wrk=self.with_wrk)
        self.details[title] = {
            name: {
                "rounds": [asdict(sample) for sample in ask.samples],
                "memory_mb": machine.memory(contenders[name].server.pid),
                "asked_first": ask.paths[0],
            }
            for name, ask in asks.items()
        }
        return asks

    def add(self, *figures: Figure) -> None:
        """Put figures into the table."""
        self.figures += figures

    def _up(self, name: tuple[str, ...], start: Callable[[], Any]) -> Server:
        if name not in self.up:
            self.up[name] = self.stack.enter_context(start())
        return self.up[name]


def rates(ask: Ask) -> list[float]:
    """Return the requests a second of each round."""
    return [sample.rate for sample in ask.samples]


def medians(ask: Ask) -> list[float]:
    """Return the median latency of each round."""
    return [sample.p50 for sample in ask.samples]


__all__ = ["STORES", "Bench", "Contender", "medians", "rates"]
