"""Progress bars for what takes long, shown on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.core.progress import Report, no_report
from models.transfer.jsonl_reader import Input


@contextmanager
def progress_bar(activity: str) -> Iterator[Callable[[Input, int], None]]:
    """Return a function to call with the input and the number of lines read so far.

    It shows a bar on standard error if that is a terminal, else it does nothing.
    """
    if not sys.stderr.isatty():
        yield lambda _source, _lines: None
        return
    # Imported here, since most commands show no bar.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(activity, total=None)

        def report(source: Input, lines: int) -> None:
            # The size of a pipe is unknown, so the bar then shows the number of lines alone.
            completed = source.position if source.size else None
            description = f"{activity} {lines:,} lines"
            bar.update(task, description=description, total=source.size, completed=completed)

        yield report


@contextmanager
def working(activity: str) -> Iterator[None]:
    """Show on standard error that work goes on, and for how long; nothing if it is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as spinner:
        spinner.add_task(activity, total=None)
        yield


@contextmanager
def count_bar(activity: str, total: int | None = None) -> Iterator[Report]:
    """Return a function to call with how many more are done, of a number that may be unknown.

    It shows a bar on standard error if that is a terminal, else it does nothing.
    """
    if not sys.stderr.isatty():
        yield no_report
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        # What is printed meanwhile would go to standard error, too.
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        task = bar.add_task(activity, total=total)
        yield lambda more, total=None: bar.update(task, advance=more, total=total)
