"""python -m benchmarks: measures, prints the table, writes the results. `make bench` calls it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import figures, load, run


def main(
    claims: Annotated[int, typer.Option(min=100, help="How many.")] = run.MAIN,
    corpus: Annotated[
        Path | None, typer.Option(help="SciFact's corpus.jsonl, for its sentences.", exists=True)
    ] = None,
    rows: Annotated[
        str,
        typer.Option(help="Only these, such as 1,3; without 9 the stores that were built stay."),
    ] = "",
    rounds: Annotated[int, typer.Option(min=1)] = 4,
    kept: Annotated[
        bool, typer.Option("--kept", help="Take the stores that were built before, for row 9, too.")
    ] = False,
    seconds: Annotated[int, typer.Option(min=1, help="How long each is driven in a round.")] = 2,
) -> None:
    """Measure Claimbase beside what people would use instead."""
    if not load.has_wrk():
        typer.echo(load.WRK_MISSING, err=True)
        raise typer.Exit(1)
    begun = time.perf_counter()
    wanted = [int(row) for row in rows.split(",")] if rows else list(run.ROWS)
    bench = run.run(
        claims, wanted, typer.echo, corpus=corpus, rounds=rounds, seconds=seconds, kept=kept
    )
    typer.echo(figures.table(bench.figures))
    # What is not all of it must not pass for it.
    name = f"{claims}" if not rows else f"{claims}-rows-{rows.replace(',', '-')}"
    path = run.keep(name, bench, corpus, time.perf_counter() - begun)
    typer.echo(f"{path}: {sum(figure.verdict == 'MISSED' for figure in bench.figures)} missed.")


if __name__ == "__main__":
    typer.run(main)
