"""python -m benchmarks: measures, prints the table, writes the results. `make bench` calls it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import figures, load, run

CORPUS_HELP = "SciFact's corpus.jsonl, for its sentences."
ROWS_HELP = "Only these, such as 1,3. Row 9 builds the stores anew."
KEPT_HELP = "Use the stores that were built before, for row 9, too."


def main(
    claims: Annotated[int, typer.Option(min=100, help="How many.")] = run.MAIN,
    corpus: Annotated[Path | None, typer.Option(help=CORPUS_HELP, exists=True)] = None,
    rows: Annotated[str, typer.Option(help=ROWS_HELP)] = "",
    rounds: Annotated[int, typer.Option(min=1)] = 4,
    keep_stores: Annotated[bool, typer.Option("--kept", help=KEPT_HELP)] = False,
    seconds: Annotated[int, typer.Option(min=1, help="The length of a drive.")] = 2,
) -> None:
    """Measure Claimbase beside the ways that people would use instead.

    A row that gets a wrong answer breaks off; the others go on, and the command fails at the end.
    """
    if not load.has_wrk():
        typer.echo(load.WRK_MISSING, err=True)
        raise typer.Exit(1)
    start = time.perf_counter()
    numbers = [int(row) for row in rows.split(",")] if rows else list(run.ROWS)
    bench = run.run(
        claims,
        numbers,
        typer.echo,
        corpus=corpus,
        rounds=rounds,
        seconds=seconds,
        keep_stores=keep_stores,
    )
    typer.echo(figures.table(bench.figures))
    # The name says so if some rows are missing.
    name = f"{claims}-rows-{rows.replace(',', '-')}" if rows else f"{claims}"
    path = run.save(name, bench, corpus, time.perf_counter() - start)
    missed = [figure for figure in bench.figures if figure.verdict == "MISSED"]
    typer.echo(f"{path}: {len(missed)} missed.")
    if bench.broken:
        typer.echo(f"Broke off, see the notes there: rows {bench.broken}.", err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
