"""What commands share at a terminal: a bar that shows how far a load is, and a default for a group of commands."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from models.transfer.jsonl_reader import Input


class OrRecords(TyperGroup):
    """A group in which `import PATH` means `import records PATH`; a file that is named as a command is written `./sources`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `records` in front of what does not begin with a command."""
        if args and args[0] not in (*self.commands, *self.get_help_option_names(ctx)):
            args = ["records", *args]
        return super().parse_args(ctx, args)


@contextmanager
def progress(what: str) -> Iterator[Callable[[Input, int], None]]:
    """Give a function that is told how far a load is, and shows it on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _source, _lines: None
        return
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
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=None)

        def tell(source: Input, lines: int) -> None:
            done = source.position if source.size else None
            shown.update(
                task, description=f"{what} {lines:,} lines", total=source.size, completed=done
            )

        yield tell
