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
from benchmarks.load import LoadFailed
from benchmarks.rows import bulk, citations, lookups, reads, search, start, writes

CACHE = Path(__file__).with_name("cache")
RESULTS = Path(__file__).with_name("results")
# Most rows are measured at this size, however far rows 8 and 9 go beyond it.
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
    13: lookups.good_evidence,
    14: lookups.one_record,
    15: lookups.others_pace,
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
    keep_stores: bool = False,
) -> Bench:
    """Measure some rows at so many claims and return the run with its figures.

    Row 9 builds the stores anew, except with `keep_stores`.
    """
    main = min(claims, MAIN)
    postgres = postgres or stores.started(cache / "postgres")
    anew = BUILDING in rows and not keep_stores
    sizes = {}
    for size in sorted({main // 10, main, claims}):
        say(f"{size:,} claims …")
        sizes[size] = stores.built(size, corpus, cache, postgres, anew=anew, ours_alone=size > main)
    with (
        ExitStack() as stack,
        tempfile.TemporaryDirectory(dir=cache, prefix="scratch-") as scratch,
    ):
        bench = Bench(sizes, main, postgres, rounds, seconds, with_wrk, Path(scratch), stack)
        for row in rows:
            _measure(row, bench, say)
        bench.stop_all()
    return bench


def _measure(row: int, bench: Bench, say: Callable[[str], Any]) -> None:
    start = time.perf_counter()
    figure_count, note_count = len(bench.figures), len(bench.notes)
    try:
        ROWS[row](bench)
    except LoadFailed as failure:
        # The other rows took half an hour and are kept; the results say what is missing.
        bench.broken.append(row)
        bench.notes.append(f"Row {row} broke off: {failure}")
    say(f"row {row}, {time.perf_counter() - start:.0f} s")
    for figure in bench.figures[figure_count:]:
        value = f"{figure.text} {figure.unit} {figure.verdict}"
        say(f"  {figure.store}, {figure.name}: {value}")
    for note in bench.notes[note_count:]:
        say(f"  {note}")


def results(bench: Bench, corpus: Path | None, seconds: float) -> tuple[str, str]:
    """Return the results of a run that took so long, as JSON and as a page of Markdown."""
    about: dict[str, Any] = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "claims": max(bench.sizes),
        "sentences": corpus.name if corpus else "seed",
        "rounds": bench.rounds,
        "seconds": bench.seconds,
        "took_minutes": round(seconds / 60, 1),
        "machine": machine.description(),
    }
    content = {
        "about": about,
        "figures": [figure.as_json() for figure in bench.figures],
        "notes": bench.notes,
        "details": bench.details,
    }
    versions = about["machine"]["versions"].items()
    parts = [
        f"# {about['claims']:,} claims",
        _introduction(about),
        figures.table(bench.figures),
        "\n".join(f"- {note}" for note in bench.notes),
        "## Behind the ratios",
        details_table(bench),
        "Versions: " + ", ".join(f"{name} {version}" for name, version in versions) + ".",
    ]
    page = "\n\n".join(part for part in parts if part)
    return json.dumps(content, indent=1) + "\n", page + "\n"


def _introduction(about: dict[str, Any]) -> str:
    host = about["machine"]
    return (
        f"{about['at']}, commit {host['commit']},"
        f" {host['processors']} processors ({host['processor']}), {host['memory_gb']} GB,"
        f" {host['system']}, Python {host['python']}; sentences: {about['sentences']}."
        f" Medians of {about['rounds']} rounds of {about['seconds']:g} s, with the least and the"
        f" most; {about['took_minutes']} minutes in all. The method: [README](../README.md)."
    )


DETAIL_HEADINGS = (
    "| driven | who | requests/s | p50 ms | p99 ms | processor ms | answer KB | memory MB |",
    "|---|---|---|---|---|---|---|---|",
)
DETAILS = ("rate", "p50", "p99", "cpu_ms", "kilobytes")


def details_table(bench: Bench) -> str:
    """Return the samples of everything that was driven, as a Markdown table."""
    lines = [*DETAIL_HEADINGS]
    for title, contenders in bench.details.items():
        for name, detail in contenders.items():
            cells = [title, name]
            for field in DETAILS:
                values = [sample[field] for sample in detail["rounds"] if sample[field] is not None]
                cells.append(figures.median_text(values) if values else "")
            cells.append(str(detail.get("memory_mb", "")))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def save(name: str, bench: Bench, corpus: Path | None, seconds: float) -> Path:
    """Write the results of a run, and return the path of the page."""
    RESULTS.mkdir(exist_ok=True)
    content, page = results(bench, corpus, seconds)
    (RESULTS / f"{name}.json").write_text(content, encoding="utf-8")
    path = RESULTS / f"{name}.md"
    path.write_text(page, encoding="utf-8")
    return path
