"""Row 11: how long a start takes, and what a server needs that nobody asks anything."""

import sys

from benchmarks import machine, servers
from benchmarks.bench import Bench, Driven, medians
from benchmarks.figures import Figure, at_most, ratios
from benchmarks.load import Local
from models.database.connections import file_url

IMPORTS = [sys.executable, "-c", "import fastapi, sqlmodel"]
ANSWER = "/v1/claims?limit=1"


def start(bench: Bench) -> None:
    """Start a server on the seeded store until it answers, beside importing what it is built on."""
    bench.stop_all()
    url = file_url(bench.scratch / "seeded.db")
    took: list[float] = []
    idle: list[float] = []

    def answer(_place: int) -> None:
        with servers.claimbase(url, ANSWER) as server:
            took.append(server.seconds * 1000)
            idle.append(machine.memory(server.pid))

    with servers.claimbase(url, ANSWER):
        pass  # The first start fills it.
    contenders: Driven = {
        "start": Local(answer, machine.SERVER_CPU),
        "import": Local(lambda _place: machine.child(IMPORTS), machine.SERVER_CPU),
    }
    driven = bench.compare("11 start to first answer (and stop)", contenders, 0)
    values = ratios(took[-bench.rounds :], medians(driven["import"]))
    bench.add(
        Figure(
            11,
            "start to first answer: import fastapi, sqlmodel",
            "SQLite",
            "×",
            values,
            at_most(1.6),
        ),
        Figure(11, "memory idle", "SQLite", "MB", idle[-bench.rounds :], at_most(120)),
    )
