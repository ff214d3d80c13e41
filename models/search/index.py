"""The search index: the words of claims and sources, and the beginnings of labels.

It is derived from the tables and kept in step with them. `tokenizer` turns text into words, `query`
reads what somebody searches for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    PrimaryKeyConstraint,
    Select,
    Table,
    delete,
    func,
    select,
    tuple_,
)
from sqlmodel import Field, SQLModel

from models.core.types import PartOfClaim, Strict
from models.database import full_text
from models.database.compressed import CompressedJson, CompressedWords
from models.database.prepared_statements import (
    delete_rows,
    insert_rows,
    replace_rows,
    rows_of,
    select_rows,
)
from models.records import serializers
from models.records.claim import Topic
from models.records.serializers import Row
from models.records.source import Source, citation_of, year_of
from models.search import record_texts
from models.search.query import label_prefixes
from models.search.record_texts import LocatedText
from models.search.tokenizer import index_text, label_tokens, label_words
from models.search.vectors import ClaimVector

BATCH_SIZE = 500


class Words(Strict):
    """The words of a record, from `tokenizer.index_text`: of its labels, and of its other texts.

    `number` is the record's row number in the index, in a database whose index has row numbers.
    """

    number: int | None = None
    title: str = Field(sa_type=CompressedWords)
    words: str = Field(sa_type=CompressedWords)


class Labelled(Words):
    """Words with those of the record's labels, each once, and the beginnings of its labels.

    These are rows of other tables, in the order in which they are looked up. What a record has
    there is repeated here, so that no second tree has to hold those rows by record.
    """

    label_words: list[str] = Field(sa_type=CompressedJson)
    beginnings: list[str] = Field(sa_type=CompressedJson)


class ClaimSearch(Labelled, PartOfClaim, table=True):
    """The words of a claim.

    `quotes` are those of its quotes alone, which a text is compared with, from `label_tokens`.
    """

    __tablename__ = "claim_search"

    quotes: str = Field(sa_type=CompressedWords)


class EvidenceSearch(Words, PartOfClaim, table=True):
    """The words of an accepted line of evidence."""

    __tablename__ = "evidence_search"

    key: str = Field(primary_key=True)


class SourceSearch(Labelled, table=True):
    """The words of a source."""

    __tablename__ = "source_search"

    source: str = Field(primary_key=True, foreign_key="source.id")


class ClaimWord(PartOfClaim, table=True):
    """A word of a claim's labels or quotes, by which the claim is a candidate for a text."""

    __tablename__ = "claim_word"
    __table_args__ = (PrimaryKeyConstraint("word", "claim"),)

    word: str = Field(primary_key=True)


class SourceWord(Strict, table=True):
    """A word of a source's labels, likewise."""

    __tablename__ = "source_word"
    word: str = Field(primary_key=True)
    source: str = Field(primary_key=True, foreign_key="source.id")


class Beginning(Strict, table=True):
    """A beginning of a label, by which a claim, source or topic is found while it is typed."""

    kind: str = Field(primary_key=True)
    text: str = Field(primary_key=True)
    record: str = Field(primary_key=True)


claim_search, source_search = serializers.table(ClaimSearch), serializers.table(SourceSearch)
evidence_search = serializers.table(EvidenceSearch)
claim_word, source_word = serializers.table(ClaimWord), serializers.table(SourceWord)
beginning = serializers.table(Beginning)
# The table with the words of each record type in which people search.
WORD_TABLES = {"claim": claim_search, "evidence": evidence_search, "source": source_search}
# The tables with the words of labels, one a row.
LABEL_WORDS = {"claim": claim_word, "source": source_word}
# The tables with rows of each record type besides its beginnings. Each begins with the record.
INDEXED = {"claim": (claim_search, evidence_search), "source": (source_search,), "topic": ()}
SEARCH_TABLES = (
    *(ClaimSearch, EvidenceSearch, SourceSearch, ClaimWord, SourceWord, Beginning),
    ClaimVector,
)
# The tables that are derived together with a claim's document.
CLAIM_TABLES = (ClaimSearch, EvidenceSearch, ClaimWord, Beginning)
# The indexes by the numbers that the full-text index gives to rows.
NUMBER_INDEXES = tuple(
    f"ix_{table.name}_number_{'_'.join(table.primary_key.columns.keys())}"
    for table in WORD_TABLES.values()
)
# The tables, columns and indexes of the full-text index. They have no table class, since they
# differ by database.
INDEX_OBJECTS = re.compile(
    r"\w+_search_index(_\w+)?|vector|labels|ix_\w+_search_(vector|labels|number_\w+)"
)

SearchRows = dict[str, list[Row]]


def purge_deleted_words(connection: Connection) -> None:
    """Remove the words of deleted records from the indexes, which may still hold them."""
    for words in WORD_TABLES.values():
        full_text.purge_deleted_words(connection, words)


def claim_rows(fields: Row, parts: Mapping[str, Sequence[Row]], lines: Iterable[Row]) -> SearchRows:
    """Return the rows of an accepted claim and of its accepted lines of evidence, by table.

    `fields` and `lines` are as served; see `claim_texts` for the parts.
    """
    claim = fields["id"]
    labels = _texts(record_texts.claim_labels(fields))
    quotes = list(dict.fromkeys(occurrence["quote"] for occurrence in parts["occurrences"]))
    title, words = index_text(labels, _texts(record_texts.claim_texts(parts)))
    row = {
        "claim": claim,
        "title": title,
        "words": words,
        "label_words": sorted(label_words([*labels, *quotes])),
        "beginnings": sorted(label_prefixes(labels)),
        "quotes": label_tokens(quotes),
    }
    return {
        claim_search.name: [row],
        evidence_search.name: [_line_row(line) for line in lines],
        **_label_rows("claim", row),
    }


def _label_rows(kind: str, row: Row) -> SearchRows:
    """Return what a row of words repeats of the other tables, as their rows."""
    record = row[kind]
    return {
        LABEL_WORDS[kind].name: [{kind: record, "word": word} for word in row["label_words"]],
        beginning.name: _beginnings(kind, record, row["beginnings"]),
    }


def _line_row(line: Row) -> Row:
    labels = _texts(record_texts.line_labels(line))
    title, words = index_text(labels, _texts(record_texts.line_texts(line)))
    return {"claim": line["claim"], "key": line["key"], "title": title, "words": words}


def _source_rows(source: Row) -> SearchRows:
    slug = source["id"]
    year = year_of(source["issued"], source["epub_date"])
    source = {**source, "citation": citation_of(source, year)}
    labels = _texts(record_texts.source_labels(source))
    title, words = index_text(labels, _texts(record_texts.source_texts(source)))
    families = [author["family"] or author["literal"] for author in source["authors"]]
    row = {
        "source": slug,
        "title": title,
        "words": words,
        "label_words": sorted(label_words(labels)),
        "beginnings": sorted(label_prefixes([*labels, *families])),
    }
    return {source_search.name: [row], **_label_rows("source", row)}


def _topic_rows(topic: Row) -> SearchRows:
    texts = sorted(label_prefixes([topic["label"]]))
    return {beginning.name: _beginnings("topic", topic["id"], texts)}


def _texts(located: Iterable[LocatedText]) -> list[str]:
    return [text for _, text in located]


def _beginnings(kind: str, record: str, texts: Iterable[str]) -> list[Row]:
    return [{"record": record, "kind": kind, "text": text} for text in texts]


# The record types that are not derived with a claim: their table class, and the function that makes
# the search rows of a record from its body.
ROWS_OF: dict[str, tuple[type[SQLModel], Callable[[Row], SearchRows]]] = {
    "source": (Source, _source_rows),
    "topic": (Topic, _topic_rows),
}


def insert_search_rows(connection: Connection, kind: str, records: Iterable[SearchRows]) -> None:
    """Insert the rows of records of one type that have none yet."""
    together: SearchRows = {}
    for rows in records:
        for name, of_table in rows.items():
            together.setdefault(name, []).extend(of_table)
    insert_words(connection, kind, together)
    for table in plain_tables(kind):
        insert_rows(connection, table, together.get(table.name, ()))


def insert_words(connection: Connection, kind: str, rows: SearchRows) -> None:
    """Insert the rows of records that have none yet into the tables with a full-text index."""
    for table in INDEXED[kind]:
        full_text.insert_words(connection, table, rows.get(table.name, ()))


def plain_tables(kind: str) -> list[Table]:
    """Return the tables of a record type that have no full-text index."""
    return [LABEL_WORDS[kind], beginning] if kind in LABEL_WORDS else [beginning]


def update_search_rows(
    connection: Connection, kind: str, ids: Sequence[str], rows: SearchRows
) -> None:
    """Replace the rows of records of one type, writing only those that differ."""
    for table in INDEXED[kind]:
        old, new = _update_words(connection, table, kind, ids, rows.get(table.name, ()))
        if "label_words" in table.c:
            _update_labels(connection, kind, old, new)
    if kind not in LABEL_WORDS:
        # There are few of them, so they are all read.
        prefixes = rows.get(beginning.name, ())
        replace_rows(connection, beginning, "record", ids, prefixes, kind=kind)


def _update_labels(
    connection: Connection, kind: str, old: Iterable[Row], new: Iterable[Row]
) -> None:
    """Bring the words and beginnings of labels up to date with rows of words that were replaced."""
    for table in plain_tables(kind):
        keys = table.primary_key.columns.keys()
        before, after = (
            {
                tuple(each[key] for key in keys): each
                for row in rows
                for each in _label_rows(kind, row)[table.name]
            }
            for rows in (old, new)
        )
        delete_rows(connection, table, *(before[key] for key in before.keys() - after.keys()))
        insert_rows(connection, table, [after[key] for key in sorted(after.keys() - before.keys())])


def _update_words(
    connection: Connection, table: Table, kind: str, ids: Sequence[str], rows: Iterable[Row]
) -> tuple[list[Row], list[Row]]:
    """Replace rows of words; return those that were deleted, and those that were inserted."""
    keys = table.primary_key.columns.keys()

    def by_key(of_table: Iterable[Row]) -> dict[tuple[str, ...], Row]:
        return {tuple(row[name] for name in keys): row for row in of_table}

    new, old = by_key(rows), by_key(select_rows(connection, table, kind, ids))
    differing = [key for key in {**old, **new} if new.get(key) != _without_number(old.get(key))]
    deleted = [old[key] for key in differing if key in old]
    inserted = [new[key] for key in differing if key in new]
    full_text.delete_words(connection, table, deleted)
    full_text.insert_words(connection, table, inserted)
    return deleted, inserted


def _without_number(row: Row | None) -> Row | None:
    """Return a stored row without its number in the index."""
    return row and {name: value for name, value in row.items() if name != "number"}


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
    for words in WORD_TABLES.values():
        full_text.clear_words(connection, words)
    for table in (*LABEL_WORDS.values(), beginning):
        connection.execute(delete(table))


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
    """Return the stored rows of words of records of one type, by record, those without any left
    out.
    """
    by_record: dict[str, SearchRows] = {}
    for table in INDEXED[kind]:
        record, *others = table.primary_key.columns
        stored = select(table).where(record.in_(ids)).order_by(record, *others)
        for row in rows_of(connection, stored):
            row.pop("number", None)
            by_record.setdefault(row[record.name], {}).setdefault(table.name, []).append(row)
    return by_record


def differences(connection: Connection) -> Iterator[str]:
    """Yield a message for each source or topic that its rows do not agree with, and each stray."""
    for kind in ROWS_OF:
        accepted: set[str] = set()
        for bodies in _accepted_bodies(connection, kind):
            ids = [body["id"] for body in bodies]
            accepted.update(ids)
            expected = {body["id"]: _rows_of(kind, body) for body in bodies}
            for record in _differing(connection, kind, expected):
                yield (
                    f"the search of {kind} {record} does not agree with it; run claimbase rebuild"
                )
        yield from stray_rows(connection, kind, accepted)


def claim_differences(
    connection: Connection, claims: Sequence[str], derived: SearchRows
) -> Iterator[str]:
    """Yield a message for each claim whose stored rows are not those that were just derived."""
    expected: dict[str, SearchRows] = {claim: {} for claim in claims}
    for table in (*INDEXED["claim"], *plain_tables("claim")):
        record = "record" if table is beginning else "claim"
        for row in derived[table.name]:
            expected[row[record]].setdefault(table.name, []).append(row)
    for claim in _differing(connection, "claim", expected):
        yield f"the search of claim {claim} does not agree with the tables; run claimbase rebuild"


def _differing(
    connection: Connection, kind: str, expected: Mapping[str, SearchRows]
) -> Iterator[str]:
    """Yield the records whose stored rows of words, of labels or of beginnings are others."""
    stored = read_search_rows(connection, kind, list(expected))
    absent: set[str] = set()
    for table in plain_tables(kind):
        record = "record" if table is beginning else kind
        wanted = [row for rows in expected.values() for row in rows.get(table.name, ())]
        absent |= {row[record] for row in _absent(connection, table, wanted)}
    in_words = [table.name for table in INDEXED[kind]]
    for slug, rows in expected.items():
        words = {name: rows[name] for name in in_words if rows.get(name)}
        if slug in absent or stored.get(slug, {}) != words:
            yield slug


def _absent(connection: Connection, table: Table, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield those of the rows that a table does not have."""
    key = list(table.primary_key.columns)
    for start in range(0, len(rows), BATCH_SIZE):
        batch = {
            tuple(row[column.name] for column in key): row
            for row in rows[start : start + BATCH_SIZE]
        }
        there = select(*key).where(tuple_(*key).in_(list(batch)))
        for found in connection.execute(there):
            batch.pop(tuple(found))
        yield from batch.values()


def stray_rows(connection: Connection, kind: str, accepted: set[str]) -> Iterator[str]:
    """Yield a message for each record that has rows but is not an accepted one of its type.

    Also yields a message if the full-text index does not hold what its table does, or the tables of
    words and beginnings hold more than the records have.
    """
    for table in INDEXED[kind]:
        if full_text.index_differs(connection, table):
            yield f"the index of {table.name} does not hold its rows; run claimbase rebuild"
        yield from _strays(connection, table.name, select(table.c[kind]), kind, accepted)
        if "label_words" in table.c:
            yield from _surplus(connection, kind, table)
    if kind not in LABEL_WORDS:
        records = select(beginning.c.record).where(beginning.c.kind == kind)
        yield from _strays(connection, beginning.name, records, kind, accepted)


def _strays(
    connection: Connection, name: str, records: Select[Any], kind: str, accepted: set[str]
) -> Iterator[str]:
    for record in sorted(set(connection.scalars(records.distinct())) - accepted):
        yield f"{name} has rows of {record}, not an accepted {kind}"


def _surplus(connection: Connection, kind: str, table: Table) -> Iterator[str]:
    """Yield a message for each table that has more rows of a type of record than its words say."""
    words = beginnings = 0
    for row in connection.execute(select(table.c.label_words, table.c.beginnings)):
        words += len(row.label_words)
        beginnings += len(row.beginnings)
    of_kind = select(func.count()).select_from(beginning).where(beginning.c.kind == kind)
    in_all = select(func.count()).select_from(LABEL_WORDS[kind])
    for name, number, expected in (
        (LABEL_WORDS[kind].name, connection.scalar(in_all) or 0, words),
        (beginning.name, connection.scalar(of_kind) or 0, beginnings),
    ):
        if number > expected:
            yield f"{name} has {number - expected} rows too many; run claimbase rebuild"
