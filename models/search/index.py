"""The search index: the words of claims and sources, and the beginnings of labels.

It is derived from the tables and kept in step with them. `tokenizer` turns text into words, `query`
reads what somebody searches for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, Index, delete, select
from sqlmodel import Field, SQLModel

from models.core.types import PartOfClaim, Strict
from models.database import full_text
from models.database.prepared_statements import insert_rows, replace_rows, rows_of, select_rows
from models.records import serializers
from models.records.claim import Topic
from models.records.serializers import Row
from models.records.source import Source
from models.search.query import label_prefixes
from models.search.tokenizer import index_text
from models.search.vectors import ClaimVector

BATCH_SIZE = 500


class ClaimSearch(PartOfClaim, table=True):
    """The words of a claim, from `tokenizer.index_text`.

    `number` is the claim's row number in the index, in a database whose index has row numbers.
    """

    __tablename__ = "claim_search"

    number: int | None = None
    title: str
    words: str


class SourceSearch(Strict, table=True):
    """The words of a source, in the same form."""

    __tablename__ = "source_search"

    source: str = Field(primary_key=True, foreign_key="source.id")
    number: int | None = None
    title: str
    words: str


class Beginning(Strict, table=True):
    """A beginning of a label, by which a claim, source or topic is found while it is typed."""

    __table_args__ = (Index(None, "kind", "text", "record"),)

    record: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    text: str = Field(primary_key=True)


claim_search, source_search = serializers.table(ClaimSearch), serializers.table(SourceSearch)
beginning = serializers.table(Beginning)
# The table of words of each record type, and its column with the record's id.
WORD_TABLES = {"claim": (claim_search, "claim"), "source": (source_search, "source")}
SEARCH_TABLES = (ClaimSearch, SourceSearch, Beginning, ClaimVector)
# The tables that are derived together with a claim's document.
CLAIM_TABLES = (ClaimSearch, Beginning)
# The tables, column and indexes of the full-text index. They have no table class, since they differ
# by database.
INDEX_OBJECTS = re.compile(r"\w+_search_index(_\w+)?|vector|ix_\w+_search_(vector|number_\w+)")

SearchRows = dict[str, list[Row]]
LocatedText = tuple[tuple[str, ...], str]  # The path of a text in its record, and the text.


def purge_deleted_words(connection: Connection) -> None:
    """Remove the words of deleted records from the indexes, which may still hold them."""
    for words, _ in WORD_TABLES.values():
        full_text.purge_deleted_words(connection, words)


def claim_texts(parts: Mapping[str, Sequence[Row]], day: str = "9999") -> Iterator[LocatedText]:
    """Yield the texts by which a claim is found, besides its statement.

    `parts` has the keys `occurrences`, `evidence`, `sources` and `relations`, as in the claim's
    document. Only texts whose source was published by the day count.
    """
    sources = [source for source in parts["sources"] if source["published"] <= day]
    published = {source["id"] for source in sources}
    for occurrence in parts["occurrences"]:
        if occurrence["source"] in published:
            yield ("occurrences", occurrence["key"], "quote"), occurrence["quote"]
    for line in _evidence_lines(parts):
        if line["source"] in published:
            yield ("evidence", line["key"], "finding"), line["finding"]
    for source in sources:
        if source["title"]:
            yield ("sources", source["id"], "title"), source["title"]
        yield from _author_texts(source, "sources", source["id"])


def _evidence_lines(parts: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """Yield the lines of evidence on a claim and on its relations."""
    yield from parts["evidence"]
    for relation in parts["relations"]:
        yield from relation["evidence"]


def source_texts(source: Row) -> Iterator[LocatedText]:
    """Yield the texts by which a source is found, besides its title."""
    yield from _author_texts(source)
    for number, contributor in enumerate(source["contributors"]):
        yield ("contributors", str(number)), _full_name(contributor)
    for name in _TEXTS_OF_SOURCES:
        if source[name]:
            yield (name,), source[name]
    for number, keyword in enumerate(source["keywords"]):
        yield ("keywords", str(number)), keyword


def _author_texts(source: Row, *path: str) -> Iterator[LocatedText]:
    for number, author in enumerate(source["authors"]):
        yield (*path, "authors", str(number)), _full_name(author)


def _full_name(person: Row) -> str:
    return " ".join(person[name] for name in _NAMES if person[name])


_TEXTS_OF_SOURCES = (
    *("title_short", "container_title", "container_title_short", "collection_title"),
    *("event_title", "publisher", "abstract", "note"),
)
_NAMES = ("given", "particle", "family", "suffix", "literal")


def claim_rows(claim: str, statement: str, parts: Mapping[str, Sequence[Row]]) -> SearchRows:
    """Return the rows of an accepted claim, by table."""
    texts = (text for _, text in claim_texts(parts))
    return _rows("claim", claim, statement, texts, [statement])


def _rows(
    kind: str, record: str, title: str, texts: Iterable[str], labels: Iterable[str]
) -> SearchRows:
    prefixes = sorted(label_prefixes(labels))
    rows: SearchRows = {
        beginning.name: [{"record": record, "kind": kind, "text": text} for text in prefixes]
    }
    if kind in WORD_TABLES:
        table, key = WORD_TABLES[kind]
        title_words, words = index_text(title, texts)
        rows[table.name] = [{key: record, "title": title_words, "words": words}]
    return rows


def _source_rows(source: Row) -> SearchRows:
    families = (author["family"] or author["literal"] for author in source["authors"])
    texts = (text for _, text in source_texts(source))
    title = source["title"] or ""
    return _rows("source", source["id"], title, texts, [title, *families])


def _topic_rows(topic: Row) -> SearchRows:
    return _rows("topic", topic["id"], "", (), [topic["label"]])


# The record types that are not derived with a claim: their table class, and the function that makes
# the search rows of a record from its body.
ROWS_OF: dict[str, tuple[type[SQLModel], Callable[[Row], SearchRows]]] = {
    "source": (Source, _source_rows),
    "topic": (Topic, _topic_rows),
}


def insert_search_rows(connection: Connection, kind: str, records: Iterable[SearchRows]) -> None:
    """Insert the rows of records of one type that have none yet."""
    words: list[Row] = []
    prefixes: list[Row] = []
    table = WORD_TABLES[kind][0] if kind in WORD_TABLES else None
    for rows in records:
        if table is not None:
            words += rows[table.name]
        prefixes += rows[beginning.name]
    if table is not None:
        full_text.insert_words(connection, table, words)
    insert_rows(connection, beginning, prefixes)


def update_search_rows(
    connection: Connection, kind: str, ids: Sequence[str], rows: SearchRows
) -> None:
    """Replace the rows of records of one type, writing only those that differ."""
    if kind in WORD_TABLES:
        table, _ = WORD_TABLES[kind]
        _update_words(connection, kind, ids, rows.get(table.name, ()))
    prefixes = rows.get(beginning.name, ())
    replace_rows(connection, beginning, "record", ids, prefixes, kind=kind)


def _update_words(
    connection: Connection, kind: str, ids: Sequence[str], rows: Iterable[Row]
) -> None:
    table, key = WORD_TABLES[kind]
    new = {row[key]: row for row in rows}
    old = {row[key]: row for row in select_rows(connection, table, key, ids)}
    differing = [record for record in ids if _words(new.get(record)) != _words(old.get(record))]
    deleted = [record for record in differing if record in old]
    inserted = [new[record] for record in differing if record in new]
    if deleted:
        full_text.delete_words(connection, table, key, deleted)
    if inserted:
        full_text.insert_words(connection, table, inserted)


def _words(row: Row | None) -> tuple[str, str] | None:
    """Return the content of a row of words, without its number in the index."""
    return None if row is None else (row["title"], row["words"])


def _rows_of(kind: str, body: Row) -> SearchRows:
    """Return the rows of a source or topic, none if it is not accepted."""
    _, make_rows = ROWS_OF[kind]
    return make_rows(body) if body["state"] == "accepted" else {}


def update_record(connection: Connection, kind: str, body: Row) -> None:
    """Bring the rows of a source or topic up to date with its body."""
    update_search_rows(connection, kind, [body["id"]], _rows_of(kind, body))


def insert_records(connection: Connection, kind: str, bodies: Iterable[Row]) -> None:
    """Insert the rows of many new sources or topics."""
    accepted = (body for body in bodies if body["state"] == "accepted")
    insert_search_rows(connection, kind, (_rows_of(kind, body) for body in accepted))


def clear(connection: Connection) -> None:
    """Delete all rows and empty the indexes, whatever state they are in."""
    for table, _ in WORD_TABLES.values():
        full_text.clear_words(connection, table)
    connection.execute(delete(beginning))


def rebuild(connection: Connection) -> None:
    """Insert the rows of all sources and topics, which have none yet."""
    for kind in ROWS_OF:
        for batch in _accepted_bodies(connection, kind):
            insert_records(connection, kind, batch)


def _accepted_bodies(connection: Connection, kind: str) -> Iterator[list[Row]]:
    """Yield all accepted sources or topics, in batches."""
    table = serializers.table(ROWS_OF[kind][0])
    accepted = select(table.c.id).where(table.c.state == "accepted").order_by(table.c.id)
    ids = connection.scalars(accepted).all()
    for start in range(0, len(ids), BATCH_SIZE):
        batch = ids[start : start + BATCH_SIZE]
        if kind == "source":
            yield list(serializers.sources_by_id(connection, batch).values())
        else:
            rows = select(table).where(table.c.id.in_(batch))
            yield list(rows_of(connection, rows))


def read_search_rows(
    connection: Connection, kind: str, ids: Sequence[str]
) -> dict[str, SearchRows]:
    """Return the stored rows of records of one type, by record. Records without rows are absent."""
    by_record: dict[str, SearchRows] = {}
    if kind in WORD_TABLES:
        table, key = WORD_TABLES[kind]
        words = select(table).where(table.c[key].in_(ids))
        for row in rows_of(connection, words):
            del row["number"]
            by_record.setdefault(row[key], {})[table.name] = [row]
    prefixes = select(beginning).where(beginning.c.kind == kind, beginning.c.record.in_(ids))
    prefixes = prefixes.order_by(beginning.c.record, beginning.c.text)
    for row in rows_of(connection, prefixes):
        rows = by_record.setdefault(row["record"], {})
        rows.setdefault(beginning.name, []).append(row)
    return by_record


def differences(connection: Connection) -> Iterator[str]:
    """Yield a message for each source or topic that its rows do not agree with, and each stray."""
    for kind in ROWS_OF:
        accepted: set[str] = set()
        for bodies in _accepted_bodies(connection, kind):
            ids = [body["id"] for body in bodies]
            accepted.update(ids)
            stored = read_search_rows(connection, kind, ids)
            for body in bodies:
                if stored.get(body["id"], {}) != _without_empty(_rows_of(kind, body)):
                    yield (
                        f"the search of {kind} {body['id']} does not agree with it;"
                        " run claimbase rebuild"
                    )
        yield from stray_rows(connection, kind, accepted)


def _without_empty(rows: SearchRows) -> SearchRows:
    return {name: rows_of_table for name, rows_of_table in rows.items() if rows_of_table}


def claim_differences(
    connection: Connection, claims: Sequence[str], derived: SearchRows
) -> Iterator[str]:
    """Yield a message for each claim whose stored rows are not those that were just derived."""
    stored = read_search_rows(connection, "claim", claims)
    expected: dict[str, SearchRows] = {claim: {} for claim in claims}
    for table, key in ((claim_search, "claim"), (beginning, "record")):
        for row in derived[table.name]:
            expected[row[key]].setdefault(table.name, []).append(row)
    for claim in claims:
        if stored.get(claim, {}) != expected[claim]:
            yield (
                f"the search of claim {claim} does not agree with the tables; run claimbase rebuild"
            )


def stray_rows(connection: Connection, kind: str, accepted: set[str]) -> Iterator[str]:
    """Yield a message for each record that has rows but is not an accepted one of its type.

    Also yields a message if the full-text index does not hold what its table does.
    """
    record_ids = [select(beginning.c.record).where(beginning.c.kind == kind)]
    if kind in WORD_TABLES:
        table, key = WORD_TABLES[kind]
        record_ids.append(select(table.c[key]))
        if full_text.index_differs(connection, table):
            yield f"the index of {table.name} does not hold its rows; run claimbase rebuild"
    for statement in record_ids:
        (column,) = statement.selected_columns
        for record in sorted(set(connection.scalars(statement.distinct())) - accepted):
            yield f"{column.table.name} has rows of {record}, not an accepted {kind}"
