"""The command line, put together from its groups of commands."""

import typer

from api.cli import agents, anchors, database, imports, keys, matching, sources
from api.cli.serve import serve

app = typer.Typer(
    help="Claimbase: claims, their evidence and its strength, as JSON.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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
