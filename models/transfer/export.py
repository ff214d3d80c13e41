"""Exports all public data as lines of JSON, in an order that loads, or as a release of files.

The same state gives the same bytes, on both databases and after a load elsewhere, so an export has
no time in it. See docs/export.md.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, type_coerce

from models.core.errors import ClaimbaseError
from models.core.notice import NOTICE
from models.core.progress import Report, no_report
from models.database import schema_version
from models.database.compressed import CompressedBytes
from models.database.connections import Database
from models.projection.documents import claim_json
from models.projection.rebuild import DERIVATION
from models.projection.tables import ClaimDocument
from models.records.collection import Collection
from models.records.record_types import (
    DISCUSSION_TYPES,
    RECORD_TYPES,
    RecordType,
    batches,
    record_bodies,
)
from models.records.revision import (
    TOOK_BACK,
    Revision,
    RevisionOut,
    Serial,
    last_change,
    withhold_private,
)
from models.records.serializers import Row, table
from models.records.source import Source
from models.records.source_text import SourceText
from models.transfer.collection_part import Ids, find_part, records_in
from models.transfer.licences import EXPORTED_STATES, Some, all_records, licences_of
from models.transfer.release_metadata import Credits, Release, citation_cff, datacite_json

FORMAT = 1
Section = Callable[[Connection], Iterator[bytes]]
BATCH_SIZE = 500
# Documents are long, so fewer of them are held at once.
DOCUMENT_BATCH_SIZE = 50
# No name of a field is longer.
MAX_NAME_LENGTH = 60
# What a line of a claim holds beside its core. Its sources have lines of their own.
CLAIM_PARTS = ("occurrences", "evidence", "relations", "assessments")
RETIRED_STATES = ("retracted", "merged")
STAMPS = ("revision", "created", "updated")
MANIFEST = "manifest.json"
METADATA = {"CITATION.cff": citation_cff, "datacite.json": datacite_json}
NO_CREDITS = Credits()
# What a line of a source's text is a record of.
TEXT_RECORD = "text"


class CannotExport(ClaimbaseError):
    """The release cannot be written there."""

    code = "cannot_export"


def jsonl_line(record: str, content: bytes) -> bytes:
    """Return a line: the object with its type first, as `record`, since claims have a `kind`."""
    return b'{"record":"%s",%s\n' % (record.encode(), content[1:])


def export_header(
    connection: Connection, collection: str | None = None, part: Ids | None = None
) -> Row:
    """Return the header: the format, the state, and the number of lines in each section.

    `part` has the ids of what is exported of a `collection`; otherwise it is everything.
    """
    records: Iterable[Some]
    texts: Sequence[ColumnElement[bool]]
    if part is None:
        records, texts = all_records(), _OF_EXPORTED_SOURCES
        counts = {name: connection.scalar(statement) for name, statement in _counts().items()}
    else:
        records, texts = records_in(part), _of_sources(part["source"])
        counts = {RECORD_TYPES[name].plural: len(part[name]) for name in PART_SECTIONS}
    found = Counter(
        licence
        for which in texts
        for licence in connection.scalars(_texts_where(which, _LICENCE_OF_TEXT))
    )
    counts["texts"] = found.total()
    licences = sorted(
        {*licences_of(connection, records), *found},
        key=lambda licence: (licence is None, licence or ""),
    )
    return {
        "format": FORMAT,
        "schema": schema_version.HEAD,
        "derivation": DERIVATION,
        "serial": connection.scalar(select(table(Serial).c.value)),
        "licence": licences[0] if len(licences) == 1 else None,
        "licences": licences,
        "collection": collection,
        "notice": NOTICE,
        "counts": counts,
    }


def export_lines(connection: Connection, collection: str | None = None) -> Iterator[bytes]:
    """Yield an export in pieces of many lines; the transaction is its snapshot.

    Of a `collection` that is its records with all that they refer to. Raises `InvalidRecord` if
    there is no such collection.
    """
    header, sections = _begin(connection, collection)
    yield jsonl_line("export", to_json(header))
    for section in sections.values():
        yield from section(connection)


def _begin(connection: Connection, collection: str | None) -> tuple[Row, Mapping[str, Section]]:
    """Return the header of an export and its sections by name, in an order that loads."""
    if collection is None:
        return export_header(connection), SECTIONS
    part = find_part(connection, collection)
    sections: dict[str, Section] = {"texts": partial(_texts, _of_sources(part["source"]))}
    sections |= {
        RECORD_TYPES[name].plural: partial(_records_with_ids, RECORD_TYPES[name], part[name])
        for name in PART_SECTIONS
    }
    return export_header(connection, collection, part), sections


def _records_with_ids(
    kind: RecordType, ids: Iterable[str], connection: Connection
) -> Iterator[bytes]:
    for batch in batches(sorted(ids)):
        if kind.name == "claim":
            yield from _claims(connection, table(ClaimDocument).c.claim.in_(batch))
        else:
            rows = table(kind.model)
            yield from _records(connection, kind, _accepted(kind) & rows.c.id.in_(batch))


def write_release(
    database: Database,
    folder: Path,
    collection: str | None = None,
    credits: Credits = NO_CREDITS,
    report: Report = no_report,
) -> Row:
    """Write an export as a folder of files with a manifest, all of it or nothing; return the
    manifest. Of a `collection` it is what `export_lines` says. `report` is told of the lines.

    Beside them are the files of METADATA, by which the release is cited, unless there never was a
    change.

    Raises `CannotExport` where something is in the folder already: a release is never altered.
    """
    with new_folder(folder) as begun, database.read() as connection:
        header, sections = _begin(connection, collection)
        told = partial(_told, report, sum(header["counts"].values()))
        manifest = {**header, "files": {}}
        for name, section in sections.items():
            manifest["files"][f"{name}.jsonl"] = write_file(
                begun / f"{name}.jsonl", told(section(connection))
            )
        if release := _release(connection, header):
            manifest["metadata"] = {
                name: write_file(begun / name, [write(release, credits)])
                for name, write in METADATA.items()
            }
        write_file(begun / MANIFEST, [json.dumps(manifest, indent=2).encode() + b"\n"])
    return manifest


def _told(report: Report, total: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces of whole lines, and report the lines of each."""
    for piece in pieces:
        yield piece
        report(piece.count(b"\n"), total)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which becomes `folder` if all went well.

    Raises `CannotExport` where something is in the folder already, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CannotExport(
            f"{folder} is there already and is not an empty folder; a release is never altered."
        )
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield partial
        # A temporary folder is readable by its owner alone, and a release by everybody.
        partial.chmod(0o755)
        sync_folder(partial)
        partial.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise CannotExport(f"{folder} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _release(connection: Connection, header: Row) -> Release | None:
    """Return what is cited, None if there never was a change."""
    serial, updated = last_change(connection)
    if updated is None:
        return None
    rows = table(Collection)
    name = connection.scalar(select(rows.c.name).where(rows.c.id == header["collection"]))
    return Release(name, serial, updated[: len("YYYY-MM-DD")], header["licences"])


def claim_line(document: Mapping[str, Any]) -> bytes:
    """Return the line of a claim from a row of `claim_document`."""
    return jsonl_line("claim", claim_json(document, CLAIM_PARTS))


def sync_folder(folder: Path) -> None:
    """Make sure that what was named in a folder is still there after a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: Path, content: Iterable[bytes]) -> Row:
    """Write a new file to the disk; return its SHA-256 and its size."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in content:
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return {"sha256": digest.hexdigest(), "bytes": size}


def _all_accepted(kind: RecordType, connection: Connection) -> Iterator[bytes]:
    return _records(connection, kind, _accepted(kind))


def _claims(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[bytes]:
    document = table(ClaimDocument)
    columns = [document.c[name] for name in ("fields", "derived", "stamps", *CLAIM_PARTS)]
    statement = select(*columns).where(*conditions).order_by(document.c.claim)
    for rows in _batches(connection, statement, DOCUMENT_BATCH_SIZE):
        yield b"".join(map(claim_line, rows))


def _retired(connection: Connection) -> Iterator[bytes]:
    """Yield retired records by kind, so that records come before references to them."""
    for kind in RECORD_TYPES.values():
        yield from _records(connection, kind, _is_retired(kind))


def _revisions(connection: Connection) -> Iterator[bytes]:
    revision = table(Revision)
    columns = [revision.c[name] for name in RevisionOut.model_fields]
    # The body is exported as its column has it, without an object made of it.
    body = type_coerce(revision.c.body, CompressedBytes).label("body")
    statement = select(*columns, body, TOOK_BACK.label("took_back"))
    for rows in _batches(connection, statement.order_by(revision.c.serial)):
        yield b"".join(map(_revision_line, rows))


def _revision_line(row: Row) -> bytes:
    """Return the line of a revision; of one that is withheld, no more than its place."""
    row = withhold_private(row)
    body = row.pop("body")
    body = b"null" if body is None else canonical_json(body)
    # `record` already says what the line is a record of.
    head = to_json({"of": row.pop("record"), **row})
    return jsonl_line("revision", head[:-1] + b',"body":' + body + b"}")


def canonical_json(body: bytes) -> bytes:
    """Return compact JSON; earlier programs wrote a blank after each colon, and escapes."""
    return to_json(from_json(body)) if b'": ' in body[:MAX_NAME_LENGTH] else body


_LICENCE_OF_TEXT = table(Source).c.text["licence"].as_string()


def _texts(some: Iterable[ColumnElement[bool]], connection: Connection) -> Iterator[bytes]:
    """Yield the texts of sources, which come before the sources that name them.

    `some` are conditions on sources, one after the other.
    """
    rows = table(SourceText)
    for which in some:
        statement = _texts_where(which, *rows.c).order_by(rows.c.source)
        for batch in _batches(connection, statement, DOCUMENT_BATCH_SIZE):
            yield b"".join(jsonl_line(TEXT_RECORD, to_json(row)) for row in batch)


def _texts_where(which: ColumnElement[bool], *columns: ColumnElement[Any]) -> Select[Any]:
    """Return the statement that reads columns of the texts that sources have now, with those of the
    sources.
    """
    rows, source = table(SourceText), table(Source)
    is_current = and_(
        rows.c.source == source.c.id,
        rows.c.sha256 == source.c.text["sha256"].as_string(),
    )
    return select(*columns).select_from(source.join(rows, is_current)).where(which)


_OF_EXPORTED_SOURCES: Sequence[ColumnElement[bool]] = [table(Source).c.state.in_(EXPORTED_STATES)]


def _of_sources(ids: Iterable[str]) -> list[ColumnElement[bool]]:
    source = table(Source)
    return [
        and_(source.c.state == "accepted", source.c.id.in_(batch)) for batch in batches(sorted(ids))
    ]


SECTIONS: Mapping[str, Section] = {
    "collections": partial(_all_accepted, RECORD_TYPES["collection"]),
    "topics": partial(_all_accepted, RECORD_TYPES["topic"]),
    "texts": partial(_texts, _OF_EXPORTED_SOURCES),
    "sources": partial(_all_accepted, RECORD_TYPES["source"]),
    "claims": _claims,
    **{kind.plural: partial(_all_accepted, kind) for kind in DISCUSSION_TYPES},
    "retired": _retired,
    "revisions": _revisions,
}
# The types of records in an export of one collection. Its past is not told there.
PART_SECTIONS = ("collection", "topic", "source", "claim")


def _records(
    connection: Connection, kind: RecordType, condition: ColumnElement[bool]
) -> Iterator[bytes]:
    """Yield lines of records as revisions hold them, with their stamps, in large pieces."""
    rows = table(kind.model)
    stamps = [name for name in STAMPS if name in rows.c]
    # A source is read with its authors and identifiers, so here only its id.
    columns = [rows.c[name] for name in ("id", *stamps)] if kind.name == "source" else rows.c
    statement = select(*columns).where(condition).order_by(*(rows.c[name] for name in kind.columns))
    for batch in _batches(connection, statement):
        records = zip(batch, record_bodies(connection, kind, batch), strict=True)
        yield b"".join(_record_line(kind, body, row, stamps) for row, body in records)


def _record_line(kind: RecordType, body: Row, row: Row, stamps: Iterable[str]) -> bytes:
    return jsonl_line(kind.name, to_json({**body, **{name: row[name] for name in stamps}}))


def _accepted(kind: RecordType) -> ColumnElement[bool]:
    return table(kind.model).c.state == "accepted"


def _is_retired(kind: RecordType) -> ColumnElement[bool]:
    """Return the condition for retired records, by the few revisions that retired any."""
    rows, revision = table(kind.model), table(Revision)
    of_claim = kind.part or kind.name == "claim"
    owner = (
        revision.c.root if of_claim else func.substr(revision.c.record, len(f"{kind.name}/") + 1)
    )
    retired = select(owner).where(
        revision.c.state.in_(RETIRED_STATES), revision.c.kind == kind.name
    )
    first_of_key = rows.c[kind.columns[0]]
    return and_(rows.c.state.in_(RETIRED_STATES), first_of_key.in_(retired))


def _counts() -> dict[str, Select[Any]]:
    def number(kind: RecordType, condition: ColumnElement[bool]) -> Select[Any]:
        return select(func.count()).select_from(table(kind.model)).where(condition)

    counts = {
        kind.plural: number(kind, _accepted(kind))
        for kind in RECORD_TYPES.values()
        if not kind.part
    }
    retired = [number(kind, _is_retired(kind)).scalar_subquery() for kind in RECORD_TYPES.values()]
    counts["retired"] = select(sum(retired[1:], start=retired[0]))
    counts["revisions"] = select(func.count()).select_from(table(Revision))
    return counts


def _batches(
    connection: Connection, statement: Select[Any], size: int = BATCH_SIZE
) -> Iterator[list[Row]]:
    """Yield the rows of a statement, so many at a time, without holding more of them."""
    with connection.execution_options(yield_per=size).execute(statement) as result:
        names = tuple(result.keys())
        for rows in result.partitions():
            yield [dict(zip(names, row, strict=True)) for row in rows]
