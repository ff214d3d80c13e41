"""The command line, put together from its groups of commands."""

from typing import Annotated

import typer

from api.cli import agents, anchors, database, imports, keys, matching, nanopubs, sources
from api.cli.serve import serve
from api.settings import installed_version, unknown_variables

app = typer.Typer(
    help="Claimbase: claims, their evidence and its strength, as JSON.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"claimbase {installed_version()}")
        raise typer.Exit


@app.callback()
def before_each_command(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Name variables that are meant as settings and are none."""
    for line in unknown_variables():
        typer.echo(line, err=True)


# In the order in which the help lists them.
for command in (
    serve,
    agents.mcp,
    database.migrate,
    database.seed,
    database.check,
    database.rebuild,
    database.embed,
    database.export,
):
    app.command()(command)
app.command("backup")(database.back_up)
app.command()(database.restore)
app.command()(matching.match)
app.add_typer(keys.commands, name="keys")
app.add_typer(imports.commands, name="import")
app.add_typer(sources.commands, name="sources")
app.add_typer(anchors.commands, name="anchors")
app.add_typer(nanopubs.commands, name="nanopub")
