"""Backups: all tables that are not derived, as they were at one moment, private content included.

Unlike an export, a backup has proposals, the hashes of keys, and answers kept for repeated
requests. It is the same for both kinds of database, so it can be restored into the other one. See
docs/operations.md.
"""

import base64
import gzip
import hashlib
import os
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from pydantic_core import from_json, to_json
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    delete,
    func,
    select,
    update,
)
from sqlmodel import SQLModel

from models import migrations
from models.access import webhooks
from models.core.errors import ClaimbaseError
from models.core.progress import Counts, Report, no_counts, no_report
from models.database import schema_version
from models.database.compressed import pack
from models.database.connections import Database
from models.database.prepared_statements import insert_rows, prepare_for_bulk_write
from models.migrations.tables import tables
from models.projection import rebuild
from models.projection import tables as tables_module
from models.projection.integrity_check import check
from models.records.revision import Revision, Serial, current_serial, revision_time, root_of
from models.records.serializers import Row, table
from models.search import index
from models.transfer.export import sync_folder

FORMAT = 1
BATCH_SIZE = 1000
CLAIMS_DERIVED = "Claims derived"
# The root of a revision, and the time of the last one.
FOLLOWING = {table(Revision).name: "root", table(Serial).name: "at"}
RESTORED = "It was restored from a backup: enable it where it is to deliver."


class BadBackup(ClaimbaseError):
    """The backup cannot be written there, or cannot be restored."""

    code = "bad_backup"


def write_backup(database: Database, path: Path, report: Report = no_report) -> Row:
    """Write a backup to a new file, which only its owner may read. Return its header.

    The file gets its name only when it is complete. Others may write to the database meanwhile;
    their changes are not in the backup. `report` is told of the rows. Raises `BadBackup`, or
    `Damaged`.
    """
    if path.exists():
        raise BadBackup(f"{path} is there already; a backup is never written over.")
    database.damage.refuse()
    partial = path.absolute().with_name(f".{path.name}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            try:
                header = _write_compressed(database, file, report)
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


def _write_compressed(database: Database, file: IO[bytes], report: Report) -> Row:
    # Without a time in the file, the same content gives the same bytes.
    compressed = gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
    with compressed, database.read() as connection:
        return _write(connection, compressed, report)


def restore_backup(database: Database, path: Path, counts: Counts = no_counts) -> Row:
    """Restore a backup into a database without content. Return its header.

    The file's checksum is verified before anything is stored, and the database is checked
    afterwards. A backup of an older program is migrated to the newest schema. `counts` begins a
    count for each step. Webhooks are disabled: the copy may stand beside what it was made of, and
    both would deliver. Raises `BadBackup`.
    """
    with counts("Rows verified") as report:
        header = _verify(path, report)
    database.damage.refuse()
    with database.read() as connection:
        _require_empty(connection)
    migrations.migrate(database, header["schema"])
    with database.write(bulk=True) as connection:
        prepare_for_bulk_write(connection)
        with counts("Rows restored") as report:
            _load(connection, path, header["rows"], report)
        if header["schema"] == schema_version.HEAD:
            with counts(CLAIMS_DERIVED) as report:
                rebuild.rebuild(connection, report)
            _require_consistent(connection, counts)
    if header["schema"] != schema_version.HEAD:
        with counts(CLAIMS_DERIVED) as report:
            migrations.migrate(database, report=report)
        with database.read() as connection:
            _require_consistent(connection, counts)
    with database.write() as connection:
        webhooks.disable_all(connection, RESTORED)
    return header


def _kept() -> list[Table]:
    """Return the tables that are not derived, each after those to which it refers."""
    derived = (*tables_module.DERIVED, *index.SEARCH_TABLES)
    names = {table(model).name for model in tables if model not in derived}
    return [kept for kept in SQLModel.metadata.sorted_tables if kept.name in names]


def _columns(kept: Table) -> dict[str, ColumnElement[Any]]:
    """Return the columns of a table that a backup holds: not those that follow from others."""
    left_out = FOLLOWING.get(kept.name)
    return {name: column for name, column in kept.c.items() if name != left_out}


def _write(connection: Connection, file: gzip.GzipFile, report: Report) -> Row:
    """Write a backup: its header, then each table's columns and rows, then a checksum."""
    revision = schema_version.current(connection)
    if revision != schema_version.HEAD:
        raise BadBackup(
            f"The database is at migration {revision}, this program at {schema_version.HEAD};"
            " run claimbase migrate."
        )
    serial = connection.scalar(select(table(Serial).c.value))
    header = {"backup": FORMAT, "schema": schema_version.HEAD, "serial": serial}
    digest = hashlib.sha256()
    number = 0
    total = sum(connection.scalar(select(func.count()).select_from(kept)) or 0 for kept in _kept())

    def put(content: Any) -> None:
        text_line = to_json(content, bytes_mode="base64") + b"\n"
        digest.update(text_line)
        file.write(text_line)

    put(header)
    for kept in _kept():
        put({"table": kept.name, "columns": list(_columns(kept))})
        for rows in _batches_of_rows(connection, kept):
            for row in rows:
                put(list(row))
            number += len(rows)
            report(len(rows), total)
    file.write(to_json({"rows": number, "sha256": digest.hexdigest()}) + b"\n")
    return {**header, "rows": number}


def _batches_of_rows(connection: Connection, kept: Table) -> Iterator[Sequence[Any]]:
    """Yield all rows of a table in the order of its key, without holding all of them in memory."""
    statement = select(*_columns(kept).values()).order_by(*kept.primary_key.columns)
    streamed = connection.execution_options(yield_per=BATCH_SIZE)
    yield from streamed.execute(statement).partitions()


def _verify(path: Path, report: Report) -> Row:
    """Read a backup to its end and return its header.

    Raises `BadBackup` if it is damaged or incomplete, or if a newer program wrote it.
    """
    digest = hashlib.sha256()
    number = 0
    header: Any = None
    last: Any = None
    for text_line in _lines(path):
        # The last line has the checksum of all others.
        if last is not None:
            digest.update(last)
            if last.startswith(b"["):
                number += 1
                if number % BATCH_SIZE == 0:
                    report(BATCH_SIZE)
        if header is None:
            header = _parse(path, text_line)
        last = text_line
    end = _parse(path, last or b"null")
    if not isinstance(header, dict) or "backup" not in header:
        raise BadBackup(f"{path} is not a backup.")
    if end != {"rows": number, "sha256": digest.hexdigest()}:
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
            f" {schema_version.LAST_BEFORE_OLDEST}, run its `claimbase migrate`,"
            " and back it up again."
        )


def _load(connection: Connection, path: Path, total: int, report: Report) -> None:
    """Insert the rows of a backup. The tables may be of an older schema than this program's."""
    schema = MetaData()
    schema.reflect(connection)
    for column in (each for target in schema.tables.values() for each in target.c):
        if isinstance(column.type, JSON):
            # A null of the backup is none of JSON, also where a row is inserted by itself.
            column.type = JSON(none_as_null=True)
    connection.execute(delete(table(Serial)))  # The first migration inserted its row.
    current: _TableRows | None = None
    with closing(_lines(path)) as text_lines:
        next(text_lines)
        for text_line in text_lines:
            content = _parse(path, text_line)
            if isinstance(content, list):
                assert current is not None, "the columns of a table come before its rows"
                current.add(connection, content)
                continue
            if current is not None:
                current.flush(connection)
            if "table" in content:
                columns = content["columns"]
                current = _TableRows(schema.tables[content["table"]], columns, total, report)
    if "at" in schema.tables[table(Serial).name].c:
        at = revision_time(connection, current_serial(connection))
        connection.execute(update(table(Serial)).values(at=at))


class _TableRows:
    """The rows of a table, inserted in batches."""

    def __init__(self, target: Table, names: list[str], total: int, report: Report) -> None:
        self.target = target
        self.total, self.report = total, report
        self.names = names
        # An older schema has none, and a migration computes it.
        self.has_root = target.name == table(Revision).name and "root" in target.c
        self.binary = [name for name in names if isinstance(target.c[name].type, LargeBinary)]
        self.rows: list[Row] = []

    def add(self, connection: Connection, values: list[Any]) -> None:
        row = dict(zip(self.names, values, strict=True))
        for name in self.binary:
            row[name] = _as_bytes(row[name])
        if self.has_root:
            row["root"] = root_of(row["record"], row["claim"])
        self.rows.append(row)
        if len(self.rows) >= BATCH_SIZE:
            self.flush(connection)

    def flush(self, connection: Connection) -> None:
        insert_rows(connection, self.target, self.rows)
        self.report(len(self.rows), self.total)
        self.rows = []


def _as_bytes(value: Any) -> bytes:
    """Return what is stored in a binary column: bytes, or an object of JSON compressed."""
    return base64.urlsafe_b64decode(value) if isinstance(value, str) else pack(to_json(value))


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


def _parse(path: Path, text_line: bytes) -> Any:
    try:
        return from_json(text_line)
    except ValueError:
        raise BadBackup(f"{path} is damaged or is not a backup; nothing was stored.") from None


def _require_empty(connection: Connection) -> None:
    """Refuse a database that has content."""
    if schema_version.current(connection) is None:
        return
    schema = MetaData()
    schema.reflect(connection)
    for name, existing in sorted(schema.tables.items()):
        # The full-text index has rows even if it is empty.
        if name == "alembic_version" or index.INDEX_OBJECTS.fullmatch(name):
            continue
        rows = select(func.count()).select_from(existing)
        if name == table(Serial).name:
            rows = rows.where(existing.c.value > 0)
        if connection.scalar(rows):
            raise BadBackup(
                f"The database has content (in the table {name});"
                " a backup comes back into an empty one."
            )


def _require_consistent(connection: Connection, counts: Counts) -> None:
    """Refuse restored content that does not agree with itself."""
    problems = list(check(connection, counts))
    if problems:
        raise BadBackup("What came back does not agree with itself:\n" + "\n".join(problems))
