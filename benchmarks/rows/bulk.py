"""Rows 9 and 10: everything in, everything out."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import load, machine
from benchmarks.bench import Bench, rates
from benchmarks.figures import STORES, Figure, at_least, at_most, ratios
from benchmarks.load import LoadFailed, Local
from benchmarks.rows.reads import CLAIMS

PIECE = 1 << 16


def imports(bench: Bench) -> None:
    """Row 9: what loading the stores took; they were built by `claimbase import` when this run began."""
    for size, stores in sorted(bench.sizes.items()):
        for store, loaded in stores.loads.items():
            must = at_least(5000) if store == "SQLite" and size >= bench.main else None
            bench.add(
                Figure(9, f"import of {size:,} claims", store, "claims/s", [loaded.rate], must)
            )
    smaller, largest = sorted(bench.sizes)[-2:]
    for store in bench.sizes[largest].loads:
        peaks = [bench.sizes[size].loads[store].peak for size in (smaller, largest)]
        what = f"its peak memory at {largest:,} claims: at {smaller:,} ({peaks[0]:.0f} MB)"
        # Before that, SQLite's pages have not reached their bound.
        must = at_most(1.1) if store == "SQLite" and largest > bench.main else None
        bench.add(Figure(9, what, store, "×", [peaks[1] / peaks[0]], must))


def exports(bench: Bench) -> None:
    """Row 10: the export over HTTP, its memory, and what other requests notice of it."""
    for store in STORES:
        server = bench.ours(store)
        idle = machine.memory(server.pid)
        machine.forget_peak(server.pid)
        first = store == "SQLite"
        export = Local(lambda _place, base=server.base: exported(base), machine.LOAD_CPU)  # type: ignore[misc]
        driven = bench.compare(f"10 export, {store}", {store: export}, 0)[store]
        more = machine.memory(server.pid, "VmHWM") - idle
        served = [rate * bench.main for rate in rates(driven)]
        alone, beside = bench.ask(CLAIMS.of(bench, store)), []
        alone.drive(1)
        for _ in range(bench.rounds):
            alone.samples.append(alone.drive(bench.seconds))
            with exporting(server.base):
                beside.append(alone.drive(bench.seconds))
        slower = ratios([each.p99 for each in beside], [each.p99 for each in alone.samples])
        bench.add(
            Figure(10, "export", store, "claims/s", served, at_least(30_000) if first else None),
            Figure(
                10, "its memory above idle", store, "MB", [more], at_most(150) if first else None
            ),
            Figure(
                10,
                "p99 of one claim meanwhile: alone",
                store,
                "×",
                slower,
                at_most(2) if first else None,
            ),
        )


def exported(base: str, stop: threading.Event | None = None) -> None:
    """Read a whole export, or until told to stop; it must hold as many lines as its header says."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", "/v1/export")
        answer = connection.getresponse()
        header = answer.readline()
        lines = 0
        while piece := answer.read(PIECE):
            lines += piece.count(b"\n")
            if stop is not None and stop.is_set():
                return
    finally:
        connection.close()
    counts = json.loads(header)["counts"]
    if lines != sum(counts.values()):
        raise LoadFailed(f"{base}/v1/export has {lines} lines after its first, which says {counts}")


@contextmanager
def exporting(base: str) -> Iterator[None]:
    """Read exports all the while."""
    stop = threading.Event()
    failed: list[Exception] = []

    def go_on() -> None:
        try:
            while not stop.is_set():
                exported(base, stop)
        except (OSError, http.client.HTTPException, load.LoadFailed) as error:
            failed.append(error)

    reader = threading.Thread(target=go_on)
    reader.start()
    try:
        yield
    finally:
        stop.set()
        reader.join()
    if failed:
        raise failed[0]
