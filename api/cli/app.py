"""The command line: claimbase serve · seed · migrate · check · rebuild · keys · import · export · backup · restore · sources."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from api.cli.garbage_collection import without_garbage_collection
from api.cli.progress import OrRecords, progress
from api.settings import Settings, installed_version
from models import migrations
from models.access import api_keys
from models.core import vocabularies as v
from models.core.errors import ClaimbaseError, in_words
from models.database import schema_version
from models.database.connections import URL_FORMS, Database, connect
from models.projection import rebuild as rebuild_module
from models.projection.integrity_check import check as disagreements
from models.read import listings
from models.records.claim import Claim
from models.records.serializers import table
from models.records.source import Source
from models.transfer import backup, jsonl_reader, load
from models.transfer import export as exporting
from models.transfer import seed as seeds
from models.transfer.line_records import Problem

app = typer.Typer(
    help="Claimbase: claims, their evidence and its strength, as JSON.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", help=URL_FORMS),
]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    database_url: DatabaseUrl = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that serve.")
    ] = None,
) -> None:
    """Migrate, seed an empty database, and serve the API."""
    with without_garbage_collection():
        from api.http import server
        from api.main import create_app

    given = {"host": host, "port": port, "database_url": database_url, "workers": workers}
    settings = Settings().model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    with _database(settings.database_url) as database:
        _migrate(database)
        _seed_if_empty(database, settings.seed_dir)
        with database.read() as connection:
            claims, sources = (
                connection.scalar(select(func.count()).select_from(table(model)))
                for model in (Claim, Source)
            )
            serial = listings.serial(connection)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{shown}:{settings.port}"
    typer.echo(
        f"Claimbase {installed_version()}: {claims} claims, {sources} sources, serial {serial}, {database.shown}\n"
        f"  API   {address}/v1\n"
        f"  Docs  {address}/docs\n"
        f"  Try   curl '{address}/v1/claims?status=refuted&include=evidence'"
    )
    if not server.run(partial(create_app, settings), settings):
        raise typer.Exit(1)


@app.command()
def migrate(
    database_url: DatabaseUrl = None,
    to: Annotated[
        str, typer.Option(help="A revision, `head`, or `base` (drops everything).")
    ] = "head",
) -> None:
    """Bring the database to the newest shape (or to another one) and derive the read model where that made it anew."""
    with _database(database_url) as database:
        _migrate(database, to)
        with database.read() as connection:
            typer.echo(
                f"{database.shown} is at migration {schema_version.current(connection) or 'base'}."
            )


@app.command()
def seed(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with sources/, claims/, vocabularies/.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Load seed files: all of them or, where one is bad, none. Loading them again changes nothing."""
    with _database(database_url) as database:
        _migrate(database)
        tally = seeds.seed(database, folder or Settings().seed_dir)
        for (kind, outcome), number in sorted(tally.items()):
            typer.echo(f"{number:6} {kind} {outcome}")


@app.command()
def check(database_url: DatabaseUrl = None) -> None:
    """Prove that revisions, tables and read model agree; exit 1 with one line for each disagreement."""
    with _database(database_url) as database, database.read() as connection:
        found = list(disagreements(connection))
    for line in found:
        typer.echo(line, err=True)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{database.shown}: all agrees.")


@app.command()
def rebuild(database_url: DatabaseUrl = None) -> None:
    """Derive every claim's document, terms and status periods anew from the tables."""
    with _database(database_url) as database, database.write() as connection:
        number = rebuild_module.rebuild(connection)
    typer.echo(f"{number} claims derived anew.")


key_commands = typer.Typer(help="Make and revoke keys: who may write.", no_args_is_help=True)
app.add_typer(key_commands, name="keys")


@key_commands.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Who uses it; the actor of what is written with it.")],
    role: Annotated[str, typer.Option(help=", ".join(v.ROLES.ids))],
    expires: Annotated[
        str | None, typer.Option(help="2027-01-01, or in so many days: 90d.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key and show it, this once: the key alone on standard output, what it is on standard error."""
    with _database(database_url) as database:
        wanted = api_keys.read({"name": name, "role": role, "expires": expires})
        _migrate(database)
        with database.write() as connection:
            made, plain = api_keys.create(connection, wanted)
    until = f"until {made.expires}" if made.expires else "until it is revoked"
    typer.echo(
        f"Key {made.id} of {made.name}, {made.role}, good {until}. It is not shown again:", err=True
    )
    typer.echo(plain)


@key_commands.command("list")
def list_keys(database_url: DatabaseUrl = None) -> None:
    """List the keys, also those that are good for nothing any more; a line each, its fields parted by tabs."""
    with _database(database_url) as database, database.read() as connection:
        found = api_keys.stored(connection)
    for key in found:
        until = (
            f"revoked {key.revoked}"
            if key.revoked
            else f"expires {key.expires}"
            if key.expires
            else "no end"
        )
        typer.echo("\t".join([key.id, key.role, f"created {key.created}", until, key.name]))


@key_commands.command("revoke")
def revoke_key(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Revoke a key, at once and for good, also for servers that run."""
    with _database(database_url) as database, database.write() as connection:
        revoked = api_keys.revoke(connection, identity)
    typer.echo(f"Key {revoked.id} of {revoked.name} is revoked since {revoked.revoked}.")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to; must not be there, or be empty.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Write everything that is public as a release: a folder of files with a manifest, which is never altered."""
    with _database(database_url) as database:
        manifest = exporting.release(database, folder)
    told = ", ".join(f"{number} {name}" for name, number in manifest["counts"].items())
    typer.echo(f"{folder}: serial {manifest['serial']}, {told}.")


@app.command("backup")
def back_up(
    file: Annotated[Path, typer.Argument(help="Where to; must not be there yet.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Write everything, also what is not public, to a file that only its owner may read. The server may go on meanwhile."""
    with _database(database_url) as database:
        header = backup.write(database, file)
    typer.echo(
        f"{file}: serial {header['serial']}, {header['rows']} rows. It holds what is not public."
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Bring a backup back into an empty database, and prove that it agrees with itself."""
    with _database(database_url) as database:
        header = backup.restore(database, file)
        typer.echo(
            f"{database.shown}: restored up to serial {header['serial']}, {header['rows']} rows; all agrees."
        )


imports = typer.Typer(
    cls=OrRecords,
    help="Bring records in from files; `import PATH` means `import records PATH`.",
    no_args_is_help=True,
)
app.add_typer(imports, name="import")


@imports.command("records")
def import_records(
    path: Annotated[
        str,
        typer.Argument(
            metavar="DIR|FILE|-", help="A release's folder, lines of JSON, or - for them."
        ),
    ],
    database_url: DatabaseUrl = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad records out and store the others.")
    ] = False,
) -> None:
    """Load an export, or records as lines of JSON: all of them or nothing.

    An empty database takes an export as it is, revisions and times included. Into another one its records come as changes.
    """
    with _database(database_url) as database, jsonl_reader.opened(_input(path)) as source:
        _migrate(database)
        _load(database, source, skip_bad)


@imports.command("scifact")
def import_scifact(
    claims: Annotated[Path, typer.Argument(help="claims_train.jsonl or claims_dev.jsonl.")],
    corpus: Annotated[Path, typer.Argument(help="corpus.jsonl.")],
    database_url: DatabaseUrl = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad records out and store the others.")
    ] = False,
) -> None:
    """Load SciFact: its abstracts as sources, its claims with what its annotators found in the abstracts that they cite."""
    from models.transfer.datasets import scifact

    with _database(database_url) as database, scifact.opened(claims, corpus) as source:
        _migrate(database)
        _load(database, source, skip_bad)


@imports.command("sources")
def import_sources(
    file: Annotated[
        str, typer.Argument(help="BibTeX, RIS, CSL-JSON or PubMed NBIB; - for standard input.")
    ],
    database_url: DatabaseUrl = None,
    format: Annotated[
        str | None, typer.Option(help="bibtex, ris, csl_json or nbib; detected where not given.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be stored, and store nothing.")
    ] = False,
) -> None:
    """Store the new sources of a file, and say of every entry what became of it; exit 1 where one was reported.

    A source that is stored already is matched, and shown field by field where it differs; it stays as it is.
    """
    from api.citations import detect
    from api.routes.parse import reconciled
    from models.transfer import citation_matching
    from models.write import changes

    content = _read(file)
    with _database(database_url) as database:
        _migrate(database)
        try:
            name = format or detect.detect(content)
            reading = detect.read(content, name)
        except ValueError as error:
            raise ClaimbaseError(str(error)) from None
        with changes.begin(database, actor="import", comment=f"Imported from {file}.") as change:
            records = ((found.line, found.record, found.dropped) for found in reading.found)
            outcomes = citation_matching.reconcile(change.connection, records, proposed=True)
            stored = 0 if dry_run else citation_matching.store(change, outcomes)
    told = reconciled(name, reading, outcomes)
    for record in told.data:
        said = [
            f"{each.field}: here {_shown(each.stored)}, there {_shown(each.given)}"
            for each in record.differences
        ]
        said += [error.detail for error in record.errors]
        dropped = f"(no place for {', '.join(record.dropped)})" if record.dropped else ""
        told_of = filter(None, (record.outcome, record.id, "; ".join(said), dropped))
        typer.echo(f"line {record.line}: {' '.join(told_of)}")
    typer.echo(
        f"{told.found} found = {told.new} new ({stored} stored) + {told.matched} matched + {told.reported} reported."
    )
    if told.reported:
        raise typer.Exit(1)


sources = typer.Typer(help="Work on the sources that are stored.", no_args_is_help=True)
app.add_typer(sources, name="sources")


@sources.command("verify")
def verify_sources(
    mailto: Annotated[
        str, typer.Option(help="Your e-mail address; Crossref and PubMed ask who asks.")
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Look unverified identifiers up at Crossref and PubMed, and say where they agree or differ. Changes nothing."""
    from api.citations import verify

    with _database(database_url) as database, database.read() as connection:
        try:
            for verdict in verify.verify(connection, mailto):
                typer.echo(
                    f"{verdict.source} {verdict.scheme}:{verdict.value}: {verdict.outcome}. {verdict.detail}"
                )
        except verify.NoNetwork:
            raise ClaimbaseError(
                "Crossref and PubMed cannot be reached; is there a network?"
            ) from None


anchors = typer.Typer(help="Work on quotes and their places.", no_args_is_help=True)
app.add_typer(anchors, name="anchors")


@anchors.command("check")
def check_anchors(
    file: Annotated[
        str, typer.Argument(help="The plain text of the source, in UTF-8; - for standard input.")
    ],
    source: Annotated[str, typer.Option(help="The source: slug, doi:…, pmid:…, pmcid:… or isbn:…")],
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say of every quote whether it stands in the text of its source; exit 1 where one is not exact. Changes nothing."""
    from models.transfer import quote_check as quoted

    content = _read(file)
    with _database(database_url) as database, database.read() as connection:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise ClaimbaseError(f"{file}: not UTF-8 at byte {error.start}.") from None
        slug = listings.source_slug(connection, source)
        read, verdicts = quoted.checked(connection, slug, text)
    if as_json:
        typer.echo(json.dumps({"source": slug, **quoted.told(read, verdicts)}, ensure_ascii=False))
    else:
        typer.echo(read.sentence)
        for verdict in verdicts:
            typer.echo(f"{verdict.outcome} {verdict.id} {verdict.detail}")
        tally = Counter(verdict.outcome for verdict in verdicts)
        counts = ", ".join(f"{number} {outcome}" for outcome, number in tally.items())
        typer.echo(f"{len(verdicts)} quotes of {slug}: {counts or 'nothing to check'}.")
    if any(verdict.outcome != "exact" for verdict in verdicts):
        raise typer.Exit(1)


def _shown(value: object) -> str:
    """Return a field of a source for people: a list of authors by their names, anything else as it is."""
    from api.citations.tagged_lines import name_line

    if not isinstance(value, list):
        return repr(value)
    return "; ".join(name_line(author) for author in value) or "none"


def _input(path: str) -> Path | BinaryIO:
    return sys.stdin.buffer if path == "-" else Path(path)


def _load(database: Database, source: jsonl_reader.Input, skip_bad: bool) -> None:
    """Load lines, say what became of them, and exit 1 where some were left out."""
    with progress("Loading") as tell:
        told = load.load(database, source, report=_report, progress=tell, skip_bad=skip_bad)
    for outcome, counts in (("stored", told.stored), ("unchanged", told.unchanged)):
        for kind, number in sorted(counts.items()):
            typer.echo(f"{number:6} {kind} {outcome}")
    made = f"{told.stored.total()} stored + {told.unchanged.total()} unchanged + {told.reported} reported"
    typer.echo(f"{told.lines} lines: {told.records} records = {made}; {told.revisions} revisions.")
    if told.restored:
        typer.echo(f"Restored as it was, up to serial {told.revisions}.")
    elif told.revisions:
        typer.echo(
            "The revisions were not taken: the database had its own, and the records came as changes to it."
        )
    if told.differing:
        typer.echo(
            f"{told.differing} claims come out otherwise here than where the file was made, by other rules."
        )
    if told.reported:
        raise typer.Exit(1)


def _report(problem: Problem) -> None:
    typer.echo(in_words(problem.place, problem.fault), err=True)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        typer.echo(f"{file}: {error.strerror}.", err=True)
        raise typer.Exit(1) from None


@contextmanager
def _database(url: str | None) -> Iterator[Database]:
    """Open the database; say in one line what is wrong where it cannot be used, and exit 1."""
    try:
        database = connect(url or Settings().database_url)
        try:
            yield database
        finally:
            database.close()
    except ClaimbaseError as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(1) from None
    except DBAPIError as error:
        typer.echo(f"The database cannot be used: {error.orig}", err=True)
        raise typer.Exit(1) from None


def _migrate(database: Database, to: str = "head") -> None:
    with database.read() as connection:
        at = schema_version.current(connection)
        if at is not None and at > schema_version.HEAD:
            raise migrations.BadMigration(
                f"The database is at migration {at}, newer than this program's {schema_version.HEAD}; use a newer program."
            )
        if at == schema_version.HEAD and to == "head" and rebuild_module.is_current(connection):
            return
    migrations.migrate(database, to)


def _seed_if_empty(database: Database, folder: Path) -> None:
    with database.read() as connection:
        if listings.serial(connection):
            return
    tally = seeds.seed(database, folder)
    typer.echo(f"Seeded an empty database with {sum(tally.values())} records from {folder}.")
