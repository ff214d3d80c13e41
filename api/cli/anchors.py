"""Commands on quotes and their anchors: check them against the text of the source."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import DatabaseUrl, open_database, read_file
from api.cli.progress import working
from models.core.errors import ClaimbaseError
from models.read import listings
from models.read.filters import SOURCE_REFERENCE

if TYPE_CHECKING:
    from models.transfer.quote_check import Verdict

commands = typer.Typer(help="Work on quotes and their places.", no_args_is_help=True)


@commands.command("check")
def check_anchors(
    file: Annotated[
        str, typer.Argument(help="The plain text of the source, in UTF-8; - for standard input.")
    ],
    source: Annotated[str, typer.Option(help=f"The source: {SOURCE_REFERENCE}")],
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say of every quote whether it stands in the text of its source.

    Exits with 1 if one is not where it was recorded, or not there. Changes nothing.
    """
    from models.transfer import quote_check

    content = read_file(file)
    with open_database(database_url) as database, database.read() as connection:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise ClaimbaseError(f"{file}: not UTF-8 at byte {error.start}.") from None
        slug = listings.resolve_source(connection, source)
        with working("Checking quotes"):
            checked_text, verdicts = quote_check.check_quotes(connection, slug, text)
    if as_json:
        report = {"source": slug, **quote_check.report_as_data(checked_text, verdicts)}
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        typer.echo(checked_text.sentence)
        for verdict in verdicts:
            typer.echo(f"{verdict.outcome} {verdict.id} {verdict.detail}")
        typer.echo(f"{len(verdicts)} quotes of {slug}: {_counts(verdicts)}.")
    if any(verdict.outcome not in ("exact", "typographic") for verdict in verdicts):
        raise typer.Exit(1)


def _counts(verdicts: list["Verdict"]) -> str:
    tally = Counter(verdict.outcome for verdict in verdicts)
    counts = [f"{number} {outcome}" for outcome, number in tally.items()]
    return ", ".join(counts) or "nothing to check"
