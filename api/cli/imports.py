"""Commands that bring records in from files: records, SciFact, sources."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from typer.core import TyperGroup

from api.cli.common import (
    STANDARD_INPUT,
    DatabaseUrl,
    Overwrite,
    migrate_if_needed,
    open_database,
    read_file,
)
from api.cli.progress import progress_bar, working
from models.core.errors import ClaimbaseError, describe_fault
from models.database.connections import Database
from models.transfer import jsonl_reader, load
from models.transfer.changed_here import IMPORT_ACTOR, MAX_NAMES, ChangedHere
from models.transfer.line_records import Problem

if TYPE_CHECKING:
    from api.routes.parse import ParsedRecord


class RecordsByDefault(TyperGroup):
    """A group of commands in which `import PATH` means `import records PATH`.

    A file that has the name of a command is written `./sources`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `records` before arguments that do not begin with a command."""
        if args and args[0] not in (*self.commands, *self.get_help_option_names(ctx)):
            args = ["records", *args]
        return super().parse_args(ctx, args)


commands = typer.Typer(
    cls=RecordsByDefault,
    help="Bring records in from files; `import PATH` means `import records PATH`.",
    no_args_is_help=True,
)

SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave bad records out and store the others.")
]


@commands.command("records")
def import_records(
    path: Annotated[
        str,
        typer.Argument(
            metavar="DIR|FILE|-", help="A release's folder, lines of JSON, or - for them."
        ),
    ],
    database_url: DatabaseUrl = None,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Load an export, or records as lines of JSON: all of them or nothing.

    An empty database takes an export as it is, revisions and times included.

    Into another one its records come as changes. What people changed here since they were loaded
    stays as it is, and is named.
    """
    file: Path | BinaryIO = sys.stdin.buffer if path == STANDARD_INPUT else Path(path)
    with open_database(database_url) as database, jsonl_reader.open_input(file) as lines:
        migrate_if_needed(database)
        _load(database, lines, skip_bad, overwrite)


@commands.command("scifact")
def import_scifact(
    claims: Annotated[Path, typer.Argument(help="claims_train.jsonl or claims_dev.jsonl.")],
    corpus: Annotated[Path, typer.Argument(help="corpus.jsonl.")],
    database_url: DatabaseUrl = None,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Load SciFact: its abstracts as sources, its claims, and its annotations as evidence."""
    from models.transfer.datasets import scifact

    with open_database(database_url) as database, scifact.open_input(claims, corpus) as lines:
        migrate_if_needed(database)
        _load(database, lines, skip_bad, overwrite)


def _load(database: Database, lines: jsonl_reader.Input, skip_bad: bool, overwrite: bool) -> None:
    """Load records, print what became of them, and exit 1 if some were left out."""
    left = _NamedChanges()
    with progress_bar("Loading") as report_progress:
        result = load.load(
            database,
            lines,
            report=_print_problem,
            report_left=left.name,
            progress=report_progress,
            skip_bad=skip_bad,
            overwrite=overwrite,
        )
    _print_tally(result.stored, "stored")
    _print_tally(result.unchanged, "unchanged")
    _print_tally(result.left, "left as it was changed here")
    left.finish()
    typer.echo(
        f"{result.lines} lines: {result.records} records = {result.stored.total()} stored"
        f" + {result.unchanged.total()} unchanged + {result.left.total()} left"
        f" + {result.reported} reported; {result.revisions} revisions."
    )
    if result.restored:
        typer.echo(f"Restored as it was, up to serial {result.revisions}.")
    elif result.revisions:
        typer.echo(
            "The revisions were not taken: the database had its own,"
            " and the records came as changes to it."
        )
    if result.differing:
        typer.echo(
            f"{result.differing} claims come out otherwise here than where the file was made,"
            " by other rules."
        )
    for missing in result.missing:
        typer.echo(str(missing))
    if result.reported:
        raise typer.Exit(1)


@dataclass
class _NamedChanges:
    """Prints the first changes that a load left alone, and how many more there are."""

    number: int = 0

    def name(self, change: ChangedHere) -> None:
        self.number += 1
        if self.number <= MAX_NAMES:
            typer.echo(str(change), err=True)

    def finish(self) -> None:
        if self.number > MAX_NAMES:
            typer.echo(f"… and {self.number - MAX_NAMES} more.", err=True)
        if self.number:
            typer.echo("To overwrite them nevertheless: --overwrite.", err=True)


def _print_problem(problem: Problem) -> None:
    typer.echo(describe_fault(problem.location, problem.fault), err=True)


def _print_tally(tally: Counter[str], outcome: str) -> None:
    for kind, number in sorted((+tally).items()):
        typer.echo(f"{number:6} {kind} {outcome}")


@commands.command("sources")
def import_sources(
    file: Annotated[
        str,
        typer.Argument(help="BibTeX, RIS, CSL-JSON, PubMed and others; - for standard input."),
    ],
    database_url: DatabaseUrl = None,
    format: Annotated[
        str | None, typer.Option(help="bibtex, ris, csl_json or nbib; detected where not given.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be stored, and store nothing.")
    ] = False,
) -> None:
    """Store the new sources of a file, and say of every entry what became of it.

    A source that is stored already is matched, and its differences shown; it stays as it is.

    Exits with 1 if an entry was reported, or tells of a notice, such as a retraction, that is not
    recorded.
    """
    from api.citations import detect
    from api.routes.parse import reconciled
    from models.transfer import citation_matching
    from models.write import changes

    content = read_file(file)
    with open_database(database_url) as database:
        migrate_if_needed(database)
        try:
            format_name = format or detect.detect(content)
            parsed_file = detect.read(content, format_name)
        except ValueError as error:
            raise ClaimbaseError(str(error)) from None
        comment = f"Imported from {file}."
        with (
            working("Matching"),
            changes.begin(database, actor=IMPORT_ACTOR, comment=comment) as change,
        ):
            records = ((entry.line, entry.record, entry.dropped) for entry in parsed_file.entries)
            outcomes = list(citation_matching.reconcile(change.connection, records, proposed=True))
            stored = 0 if dry_run else citation_matching.store_new(change, outcomes)
    parsed = reconciled(format_name, parsed_file, outcomes)
    for record in parsed.data:
        typer.echo(f"line {record.line}: {_outcome(record)}")
    typer.echo(
        f"{parsed.found} found = {parsed.new} new ({stored} stored)"
        f" + {parsed.matched} matched + {parsed.reported} reported."
    )
    noticed = [record.id for record in parsed.data if _has_new_notice(record)]
    if noticed:
        typer.echo(
            f"Notices that are not recorded here: {', '.join(map(str, noticed))}."
            " To record one, set integrity, integrity_date and integrity_note:"
            " PATCH /v1/sources/{id}."
        )
    if parsed.reported or noticed:
        raise typer.Exit(1)


def _has_new_notice(record: "ParsedRecord") -> bool:
    return any(difference.field == "integrity" for difference in record.differences)


def _outcome(record: "ParsedRecord") -> str:
    """Return what became of an entry: the outcome, the source, the differences and errors."""
    remarks = [
        f"{difference.field}: here {_in_words(difference.stored)},"
        f" there {_in_words(difference.given)}"
        for difference in record.differences
    ]
    remarks += [
        f"{error.pointer.lstrip('/')}: {error.detail}" if error.pointer else error.detail
        for error in record.errors
    ]
    parts = [record.outcome, record.id, "; ".join(remarks)]
    if record.dropped:
        parts.append(f"(no place for {', '.join(record.dropped)})")
    return " ".join(part for part in parts if part)


def _in_words(value: object) -> str:
    """Return a field of a source for people: a list of authors by their names, else the value."""
    from api.citations.clean import name_line

    if not isinstance(value, list):
        return repr(value)
    return "; ".join(name_line(author) for author in value) or "none"
