"""Commands on API keys: create, list, revoke."""

from typing import Annotated

import typer

from api.cli.common import DatabaseUrl, migrate_if_needed, open_database
from models.access import api_keys
from models.core import vocabularies as v

commands = typer.Typer(help="Make and revoke keys: who may write.", no_args_is_help=True)


@commands.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Who uses it; the actor of what is written with it.")],
    role: Annotated[str, typer.Option(help=", ".join(v.ROLES.ids))],
    expires: Annotated[
        str | None, typer.Option(help="2027-01-01, or in so many days: 90d.")
    ] = None,
    orcid: Annotated[str | None, typer.Option(help="The person's ORCID iD.")] = None,
    conflict_of_interest: Annotated[
        str | None,
        typer.Option(help="What the person declares of their interests; none is a declaration."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key and show it, this once.

    The key alone goes to standard output, what it is to standard error.
    """
    with open_database(database_url) as database:
        given = {
            "name": name,
            "role": role,
            "expires": expires,
            "orcid": orcid,
            "conflict_of_interest": conflict_of_interest,
        }
        key_input = api_keys.parse_key_request(given)
        migrate_if_needed(database)
        with database.write() as connection:
            key, plain_key = api_keys.create_key(connection, key_input)
    until = f"until {key.expires}" if key.expires else "until it is revoked"
    typer.echo(
        f"Key {key.id} of {key.name}, {key.role}, good {until}. It is not shown again:", err=True
    )
    typer.echo(plain_key)


@commands.command("list")
def list_keys(database_url: DatabaseUrl = None) -> None:
    """List all keys, also those that were revoked or have expired.

    A line for each key, its fields separated by tabs.
    """
    with open_database(database_url) as database, database.read() as connection:
        keys = api_keys.list_keys(connection)
    for key in keys:
        typer.echo("\t".join([key.id, key.role, f"created {key.created}", _end(key), key.name]))


def _end(key: api_keys.Key) -> str:
    if key.revoked:
        return f"revoked {key.revoked}"
    return f"expires {key.expires}" if key.expires else "no end"


@commands.command("revoke")
def revoke_key(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Revoke a key, at once and for good, also for servers that run."""
    with open_database(database_url) as database, database.write() as connection:
        key = api_keys.revoke_key(connection, identity)
    typer.echo(f"Key {key.id} of {key.name} is revoked since {key.revoked}.")
