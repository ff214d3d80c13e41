"""A backup: every table that is not derived, whole and private, as it stood at one moment; and how it comes back.

Unlike an export it holds what is only proposed, the hashes of keys, and answers kept for repeats. It is the same for both
kinds of database, so that it may come back into the other one. See docs/operations.md.
"""

import base64
import gzip
import hashlib
import os
import zlib
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, LargeBinary, MetaData, Table, delete, func, select
from sqlmodel import SQLModel

from models import migrations
from models.core.errors import ClaimbaseError
from models.database import schema_version
from models.database.connections import Database
from models.database.prepared_statements import insert_rows, prepare_for_many
from models.migrations.tables import tables
from models.projection import rebuild
from models.projection import tables as tables_module
from models.projection.integrity_check import check
from models.records.revision import Serial
from models.records.serializers import Row, table
from models.search import index
from models.transfer.export import sync_folder

FORMAT = 1
BATCH_SIZE = 1000


class BadBackup(ClaimbaseError):
    """The backup cannot be made there, or cannot be used."""

    code = "bad_backup"


def write_backup(database: Database, path: Path) -> Row:
    """Write a backup to a file that is not there yet, readable for its owner alone; return its header.

    The file has its name only when it is whole. Writers go on meanwhile; they are not in it.
    """
    if path.exists():
        raise BadBackup(f"{path} is there already; a backup is never written over.")
    partial = path.absolute().with_name(f".{path.name}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            try:
                # Without the time, so that the same state makes the same file.
                with (
                    gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
                    database.read() as reading,
                ):
                    header = _write(reading, packed)
                file.flush()
                os.fsync(file.fileno())
                partial.rename(path)
            except BaseException:
                partial.unlink()
                raise
        sync_folder(path.absolute().parent)
    except FileExistsError:
        raise BadBackup(
            f"{partial} is there: another backup to {path} is under way, or was broken off."
        ) from None
    except OSError as error:
        raise BadBackup(f"{path} cannot be written: {error.strerror}.") from None
    return header


def restore_backup(database: Database, path: Path) -> Row:
    """Bring a backup back into a database without content; return its header.

    The file is held against its own checksum before anything is stored, and what came back against itself after it.
    Raises `BadBackup`. One of an older program is brought to the newest shape.
    """
    header = _verified(path)
    with database.read() as connection:
        _must_be_empty(connection)
    migrations.migrate(database, header["schema"])
    with database.write(fills=True) as connection:
        prepare_for_many(connection)
        _load(connection, path)
        if header["schema"] == schema_version.HEAD:
            rebuild.rebuild(connection)
            _must_agree(connection)
    if header["schema"] != schema_version.HEAD:
        migrations.migrate(database)
        with database.read() as connection:
            _must_agree(connection)
    return header


def _kept() -> list[Table]:
    """Return the tables that are not derived, each after those that it points to."""
    kept = {
        table(model).name
        for model in tables
        if model not in (*tables_module.DERIVED, *index.SEARCH_TABLES)
    }
    return [found for found in SQLModel.metadata.sorted_tables if found.name in kept]


def _write(connection: Connection, file: gzip.GzipFile) -> Row:
    at = schema_version.current(connection)
    if at != schema_version.HEAD:
        raise BadBackup(
            f"The database is at migration {at}, this program at {schema_version.HEAD}; run claimbase migrate."
        )
    serial = connection.scalar(select(table(Serial).c.value))
    header = {"backup": FORMAT, "schema": schema_version.HEAD, "serial": serial}
    digest, number = hashlib.sha256(), 0

    def put(content: Any) -> None:
        line = to_json(content, bytes_mode="base64") + b"\n"
        digest.update(line)
        file.write(line)

    put(header)
    for found in _kept():
        put({"table": found.name, "columns": found.c.keys()})
        statement = select(found).order_by(*found.primary_key.columns)
        for rows in (
            connection.execution_options(yield_per=BATCH_SIZE).execute(statement).partitions()
        ):
            for row in rows:
                put(list(row))
            number += len(rows)
    file.write(to_json({"rows": number, "sha256": digest.hexdigest()}) + b"\n")
    return {**header, "rows": number}


def _verified(path: Path) -> Row:
    """Read a backup to its end and return its header; raises where it is damaged, cut short, or another program's."""
    digest, number = hashlib.sha256(), 0
    header: Any = None
    end: Any = None
    for line in _lines(path):
        if end is not None:
            digest.update(end)
        number += end is not None and end.startswith(b"[")
        if header is None:
            header = _read(path, line)
        end = line
    told = _read(path, end or b"null")
    if not isinstance(header, dict) or "backup" not in header:
        raise BadBackup(f"{path} is not a backup.")
    if told != {"rows": number, "sha256": digest.hexdigest()}:
        raise BadBackup(f"{path} is damaged or was cut short; nothing was stored.")
    _must_be_of_this_age(path, header)
    return {**header, "rows": number}


def _must_be_of_this_age(path: Path, header: Row) -> None:
    schema = header["schema"]
    if header["backup"] != FORMAT or schema > schema_version.HEAD:
        raise BadBackup(
            f"{path} was made by a newer program (at migration {schema}); use that one."
        )
    if schema < schema_version.OLDEST:
        raise BadBackup(
            f"{path} was made at migration {schema}, from before the first release; this program"
            f" starts at {schema_version.OLDEST}. Restore it with the program of commit"
            f" {schema_version.LAST_BEFORE_OLDEST}, run its `claimbase migrate`, and back it up again."
        )


def _load(connection: Connection, path: Path) -> None:
    """Insert the rows of a backup. The tables are as the database has them: they may be of an older shape."""
    shape = MetaData()
    shape.reflect(connection)
    connection.execute(delete(table(Serial)))  # The first migration made its row.
    found: Table | None = None
    names: list[str] = []
    rows: list[Row] = []
    packed: set[str] = set()
    with closing(_lines(path)) as lines:
        next(lines)
        for line in lines:
            content = _read(path, line)
            if isinstance(content, list):
                row = dict(zip(names, content, strict=True))
                rows.append(row | {name: base64.urlsafe_b64decode(row[name]) for name in packed})
            if found is not None and (len(rows) >= BATCH_SIZE or not isinstance(content, list)):
                insert_rows(connection, found, rows)
                rows = []
            if isinstance(content, dict) and "table" in content:
                found, names = shape.tables[content["table"]], content["columns"]
                packed = {name for name in names if isinstance(found.c[name].type, LargeBinary)}


def _lines(path: Path) -> Generator[bytes, None, None]:
    try:
        with gzip.open(path, "rb") as file:
            yield from file
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadBackup(
            f"{path} is damaged, was cut short, or is not a backup; nothing was stored."
        ) from None
    except OSError as error:
        raise BadBackup(f"{path}: {error.strerror}.") from None


def _read(path: Path, line: bytes) -> Any:
    try:
        return from_json(line)
    except ValueError:
        raise BadBackup(f"{path} is damaged or is not a backup; nothing was stored.") from None


def _must_be_empty(connection: Connection) -> None:
    if schema_version.current(connection) is None:
        return
    shape = MetaData()
    shape.reflect(connection)
    for name, found in sorted(shape.tables.items()):
        counted = select(func.count()).select_from(found)
        if name == table(Serial).name:
            counted = counted.where(found.c.value > 0)
        # The index has rows that say that it is empty.
        if (
            name != "alembic_version"
            and not index.INDEX_OBJECTS.fullmatch(name)
            and connection.scalar(counted)
        ):
            raise BadBackup(
                f"The database has content (in the table {name}); a backup comes back into an empty one."
            )


def _must_agree(connection: Connection) -> None:
    if found := list(check(connection)):
        raise BadBackup("What came back does not agree with itself:\n" + "\n".join(found))
