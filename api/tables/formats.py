"""The formats of tables: CSV (RFC 4180) and Apache Parquet.

Parquet needs pyarrow, which the extra `tables` installs; it is imported where it is used.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from api.citations import csv
from api.citations.formats import WrittenFormat
from api.tables import sources
from api.tables.columns import Column, Table
from models.records.serializers import Row

# By it some spreadsheets see that a file is UTF-8.
BYTE_ORDER_MARK = "\ufeff".encode()
# A group of rows of a Parquet file, which readers read as one, is held in memory.
GROUP_OF_ROWS = 10_000


@dataclass(frozen=True)
class TableFormat(WrittenFormat):
    """A format of tables. `write` writes a table of sources, `write_rows` any table."""

    write_rows: Callable[[Table, Iterable[Row]], Iterator[bytes]]


def write_csv(table: Table, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the header and then the rows; no cell runs as a formula."""
    yield csv.row(table.names)
    for row in rows:
        yield csv.row(row[name] for name in table.names)


def write_parquet(table: Table, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a Parquet file in pieces, a group of rows at a time.

    Each column has its description in the metadata of its field.
    """
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "string": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us", tz="UTC"),
    }

    def array(column: Column, values: Sequence[Any]) -> Any:
        is_written = column.type in ("date", "datetime")
        found = pa.array(values, pa.string() if is_written else types[column.type])
        return found.cast(types[column.type])

    schema = pa.schema(
        [
            pa.field(column.name, types[column.type], metadata={"description": column.description})
            for column in table.columns
        ]
    )
    sink, remaining = _Sink(), iter(rows)
    with parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        while group := list(islice(remaining, GROUP_OF_ROWS)):
            arrays = [
                array(column, [row[column.name] for row in group]) for column in table.columns
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file to write to, of which what was written is taken away as it comes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        piece = bytes(content)
        self.written.append(piece)
        return len(piece)

    def close(self) -> None:
        """Keep what was written: it is taken after the end."""

    def take(self) -> bytes:
        """Return what was written since this was last called."""
        taken, self.written = b"".join(self.written), []
        return taken


def _sources_as_parquet(given: Iterable[Row]) -> Iterator[bytes]:
    return write_parquet(sources.TABLE, sources.rows_of(given))


CSV = TableFormat("csv", csv.MEDIA_TYPES, csv.EXTENSION, csv.write, write_csv)
PARQUET = TableFormat(
    "parquet",
    ("application/vnd.apache.parquet",),
    "parquet",
    _sources_as_parquet,
    write_parquet,
    library="pyarrow",
)
FORMATS = {format.name: format for format in (CSV, PARQUET)}


def with_byte_order_mark(chosen: TableFormat) -> TableFormat:
    """Return a format with a byte order mark in front; its name, and so its ETag, is another."""

    def write(given: Iterable[Row]) -> Iterator[bytes]:
        yield BYTE_ORDER_MARK
        yield from chosen.write(given)

    def write_rows(table: Table, rows: Iterable[Row]) -> Iterator[bytes]:
        yield BYTE_ORDER_MARK
        yield from chosen.write_rows(table, rows)

    return replace(chosen, name=f"{chosen.name}-bom", write=write, write_rows=write_rows)
