"""Rows 9 and 10: everything in, everything out."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from benchmarks import load, machine
from benchmarks.bench import Bench, rates
from benchmarks.figures import STORES, Figure, at_least, at_most, ratios
from benchmarks.load import LoadFailed, LocalLoad
from benchmarks.rows.reads import CLAIMS

CHUNK = 1 << 16


def imports(bench: Bench) -> None:
    """Row 9: the loading of the stores by `claimbase import`, when this run began."""
    for size in sorted(bench.sizes):
        _add_import_rates(bench, size)
    _add_import_memory(bench)


def _add_import_rates(bench: Bench, size: int) -> None:
    for store, loading in bench.sizes[size].loadings.items():
        bounded = store == "SQLite" and size >= bench.main
        bound = at_least(5000) if bounded else None
        name = f"import of {size:,} claims"
        bench.add(Figure(9, name, store, "claims/s", [loading.rate], bound))


def _add_import_memory(bench: Bench) -> None:
    smaller, largest = sorted(bench.sizes)[-2:]
    for store, loading in bench.sizes[largest].loadings.items():
        before = bench.sizes[smaller].loadings[store].peak
        name = f"its peak memory at {largest:,} claims: at {smaller:,} ({before:.0f} MB)"
        # In smaller stores SQLite's cache of pages is not full yet.
        bounded = store == "SQLite" and largest > bench.main
        bound = at_most(1.1) if bounded else None
        bench.add(Figure(9, name, store, "×", [loading.peak / before], bound))


def exports(bench: Bench) -> None:
    """Row 10: the export over HTTP, its memory, and how much it slows other requests down."""
    for store in STORES:
        _measure_export(bench, store)
        _measure_claims_beside_export(bench, store)


def _measure_export(bench: Bench, store: str) -> None:
    server = bench.ours(store)
    idle = machine.memory(server.pid)
    machine.reset_peak(server.pid)

    def export(_position: int) -> None:
        read_export(server.base)

    export_load = LocalLoad(export, machine.LOAD_CPU)
    loads = bench.compare(f"10 export, {store}", {store: export_load}, 0)
    memory = machine.memory(server.pid, "VmHWM") - idle
    claim_rates = [rate * bench.main for rate in rates(loads[store])]
    bounded = store == "SQLite"
    bench.add(
        Figure(10, "export", store, "claims/s", claim_rates, at_least(30_000) if bounded else None),
        Figure(
            10, "its memory above idle", store, "MB", [memory], at_most(150) if bounded else None
        ),
    )


def _measure_claims_beside_export(bench: Bench, store: str) -> None:
    claims = bench.http_load(CLAIMS.contender(bench, store))
    alone: list[float] = []
    beside: list[float] = []
    claims.drive(1)
    for _ in range(bench.rounds):
        alone.append(claims.drive(bench.seconds).p99)
        with exporting(claims.base):
            beside.append(claims.drive(bench.seconds).p99)
    bound = at_most(2) if store == "SQLite" else None
    name = "p99 of one claim meanwhile: alone"
    bench.add(Figure(10, name, store, "×", ratios(beside, alone), bound))


def read_export(base: str, stop: threading.Event | None = None) -> None:
    """Read an export, to its end or until `stop` is set.

    Raises LoadFailed if a complete one has not as many lines as its header says.
    """
    with closing(load.connect(base)) as connection:
        connection.request("GET", "/v1/export")
        answer = connection.getresponse()
        header = answer.readline()
        lines = 0
        while chunk := answer.read(CHUNK):
            lines += chunk.count(b"\n")
            if stop is not None and stop.is_set():
                return
    counts = json.loads(header)["counts"]
    if lines != sum(counts.values()):
        raise LoadFailed(f"{base}/v1/export has {lines} lines after its header, {counts}")


@contextmanager
def exporting(base: str) -> Iterator[None]:
    """Read one export after another in the background."""
    stop = threading.Event()
    errors: list[Exception] = []

    def read_exports() -> None:
        try:
            while not stop.is_set():
                read_export(base, stop)
        except (OSError, http.client.HTTPException, LoadFailed) as error:
            errors.append(error)

    reader = threading.Thread(target=read_exports)
    reader.start()
    try:
        yield
    finally:
        stop.set()
        reader.join()
    if errors:
        raise errors[0]
