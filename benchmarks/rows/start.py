"""Row 11: the time of a start, and the memory of a server that nobody uses."""

import sys

from benchmarks import machine, servers
from benchmarks.bench import Bench, Contenders, medians
from benchmarks.figures import Figure, at_most, ratios
from benchmarks.load import LocalLoad
from models.database.connections import file_url

IMPORT = [sys.executable, "-c", "import fastapi, sqlmodel"]
READY = "/v1/claims?limit=1"
NAME = "start to first answer"
# The first start compiles the program, as its installation does, also where Python is told not to.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}


def start(bench: Bench) -> None:
    """Start a server on the seeded store until it answers, beside importing its foundations."""
    bench.stop_all()
    url = file_url(bench.scratch / "seeded.db")
    milliseconds: list[float] = []
    idle_memory: list[float] = []

    def start_once(_position: int) -> None:
        with servers.claimbase(url, READY, **COMPILED) as server:
            milliseconds.append(server.start_seconds * 1000)
            idle_memory.append(machine.memory(server.pid))

    def import_once(_position: int) -> None:
        machine.child(IMPORT)

    with servers.claimbase(url, READY, **COMPILED):
        pass  # The first start seeds the store, too.
    contenders: Contenders = {
        "start": LocalLoad(start_once, machine.SERVER_CPU),
        "import": LocalLoad(import_once, machine.SERVER_CPU),
    }
    loads = bench.compare(f"11 {NAME} (and stop)", contenders, 0)
    # The first one was the warm-up.
    values = ratios(milliseconds[-bench.rounds :], medians(loads["import"]))
    memory = idle_memory[-bench.rounds :]
    name = f"{NAME}: import fastapi, sqlmodel"
    bench.add(
        Figure(11, name, "SQLite", "×", values, at_most(1.6)),
        Figure(11, "memory idle", "SQLite", "MB", memory, at_most(120)),
    )
