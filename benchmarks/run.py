"""A run from its settings to its results."""

import datetime
import json
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import figures, machine, stores
from benchmarks.bench import Bench
from benchmarks.rows import bulk, citations, reads, search, start, writes

CACHE = Path(__file__).with_name("cache")
RESULTS = Path(__file__).with_name("results")
# Most rows are about so many claims, however many more row 8 and row 9 go up to.
MAIN = 100_000
ROWS: dict[int, Callable[[Bench], None]] = {
    1: reads.pages,
    2: reads.same_page,
    3: reads.one_claim,
    4: reads.facets,
    5: search.search,
    6: reads.as_of,
    7: citations.citations,
    8: reads.growth,
    9: bulk.imports,
    10: bulk.exports,
    11: start.start,
    12: writes.one_line,
}
BUILDING = 9


def run(
    claims: int,
    rows: Collection[int],
    say: Callable[[str], Any],
    *,
    corpus: Path | None = None,
    cache: Path = CACHE,
    postgres: stores.Postgres | None = None,
    rounds: int,
    seconds: float,
    with_wrk: bool = True,
    kept: bool = False,
) -> Bench:
    """Measure these rows at so many claims, on stores that are `kept` from before if asked for, and return what was found."""
    main = min(claims, MAIN)
    postgres = postgres or stores.started(cache / "postgres")
    sizes = {}
    for size in sorted({main // 10, main, claims}):
        say(f"{size:,} claims …")
        sizes[size] = stores.built(
            size,
            corpus,
            cache,
            postgres,
            anew=BUILDING in rows and not kept,
            ours_alone=size > main,
        )
    with ExitStack() as stack, tempfile.TemporaryDirectory(dir=cache, prefix="scratch-") as scratch:
        bench = Bench(sizes, main, postgres, rounds, seconds, with_wrk, Path(scratch), stack)
        for row in rows:
            begun = time.perf_counter()
            already = len(bench.figures), len(bench.notes)
            ROWS[row](bench)
            say(f"row {row}, {time.perf_counter() - begun:.0f} s")
            for figure in bench.figures[already[0] :]:
                say(
                    f"  {figure.store}, {figure.what}: {figure.shown} {figure.unit} {figure.verdict}"
                )
            for note in bench.notes[already[1] :]:
                say(f"  {note}")
        bench.stop_all()
    return bench


def results(bench: Bench, corpus: Path | None, took: float) -> tuple[str, str]:
    """Return what a run found, as JSON and as a page of Markdown."""
    host = machine.told()
    about: dict[str, Any] = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "claims": max(bench.sizes),
        "sentences": corpus.name if corpus else "seed",
        "rounds": bench.rounds,
        "seconds": bench.seconds,
        "took_minutes": round(took / 60, 1),
        "machine": host,
    }
    all_of_it = {
        "about": about,
        "figures": [figure.told() for figure in bench.figures],
        "notes": bench.notes,
        "details": bench.details,
    }
    page = [
        f"# {about['claims']:,} claims",
        f"{about['at']}, commit {host['commit']}, {host['processors']} processors ({host['processor']}), "
        f"{host['memory_gb']} GB, {host['system']}, Python {host['python']}; sentences: {about['sentences']}. "
        f"Medians of {bench.rounds} rounds of {bench.seconds:g} s, with the least and the most; "
        f"{about['took_minutes']} minutes in all. The method: [README](../README.md).",
        figures.table(bench.figures),
        "\n".join(f"- {note}" for note in bench.notes),
        "## Behind the ratios",
        details(bench),
        "Versions: "
        + ", ".join(f"{name} {number}" for name, number in host["versions"].items())
        + ".",
    ]
    return json.dumps(all_of_it, indent=1) + "\n", "\n\n".join(part for part in page if part) + "\n"


def details(bench: Bench) -> str:
    """Return the requests a second, latencies and memory of all that were driven, as a Markdown table."""
    lines = [
        "| driven | who | requests/s | p50 ms | p99 ms | memory MB |",
        "|---|---|---|---|---|---|",
    ]
    for title, found in bench.details.items():
        for who, each in found.items():
            cells = [
                figures.shown([sample[name] for sample in each["rounds"]])
                for name in ("rate", "p50", "p99")
            ]
            lines.append(f"| {title} | {who} | {' | '.join(cells)} | {each.get('memory_mb', '')} |")
    return "\n".join(lines)


def keep(name: str, bench: Bench, corpus: Path | None, took: float) -> Path:
    """Write the results of a run, and return the page."""
    RESULTS.mkdir(exist_ok=True)
    content, page = results(bench, corpus, took)
    (RESULTS / f"{name}.json").write_text(content, encoding="utf-8")
    path = RESULTS / f"{name}.md"
    path.write_text(page, encoding="utf-8")
    return path
