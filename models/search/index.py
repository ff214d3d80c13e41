"""What search reads: the words of claims and sources, and what labels begin with; derived, and kept in step with the tables.

`models/search/tokenizer.py` makes words of text; `models/search/query.py` looks for them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, Index, delete, select
from sqlmodel import Field, SQLModel

from models.core.types import PartOfClaim, Strict
from models.database import full_text
from models.database.prepared_statements import insert_rows, replace_rows, rows_of_any
from models.records import serializers
from models.records.claim import Topic
from models.records.serializers import Row
from models.records.source import Source
from models.search.query import label_prefixes
from models.search.tokenizer import index_text

BATCH = 500


class ClaimSearch(PartOfClaim, table=True):
    """The words of a claim as `models.words.indexed` gives them; `number` is its place in the index, where one has places."""

    __tablename__ = "claim_search"

    number: int | None = None
    title: str
    words: str


class SourceSearch(Strict, table=True):
    """The words of a source, likewise."""

    __tablename__ = "source_search"

    source: str = Field(primary_key=True, foreign_key="source.id")
    number: int | None = None
    title: str
    words: str


class Beginning(Strict, table=True):
    """What a claim, a source or a topic is found by while its label is typed. Keyed by the record, like a revision."""

    __table_args__ = (Index(None, "kind", "text", "record"),)

    record: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    text: str = Field(primary_key=True)


claim_search, source_search = serializers.table(ClaimSearch), serializers.table(SourceSearch)
beginning = serializers.table(Beginning)
# The tables of words by the kind of record, with the column that names the record.
WORD_TABLES = {"claim": (claim_search, "claim"), "source": (source_search, "source")}
SEARCH_TABLES = (ClaimSearch, SourceSearch, Beginning)
# Those of them that are derived with a claim's document.
CLAIM_TABLES = (ClaimSearch, Beginning)
# What the indexes consist of differs by database, and no table class names it: tables, a column, indexes.
INDEX_OBJECTS = re.compile(r"\w+_search_index(_\w+)?|vector|ix_\w+_search_(vector|number_\w+)")

SearchRows = dict[str, list[Row]]
LocatedText = tuple[tuple[str, ...], str]  # Where a text stands in its record, and the text.


def purge_deleted_words(connection: Connection) -> None:
    """Let the indexes hold no word any more that was deleted."""
    for words, _ in WORD_TABLES.values():
        full_text.purge_deleted_words(connection, words)


def claim_texts(parts: Mapping[str, Sequence[Row]], day: str = "9999") -> Iterator[LocatedText]:
    """Yield what a claim is found by beside its statement, of its parts as `whole.parts` gives them and by a day."""
    sources = [source for source in parts["sources"] if source["published"] <= day]
    known = {source["id"] for source in sources}
    for row in parts["occurrences"]:
        if row["source"] in known:
            yield ("occurrences", row["key"], "quote"), row["quote"]
    for row in (
        *parts["evidence"],
        *(line for tie in parts["relations"] for line in tie["evidence"]),
    ):
        if row["source"] in known:
            yield ("evidence", row["key"], "finding"), row["finding"]
    for source in sources:
        yield ("sources", source["id"], "title"), source["title"]
        yield from _author_texts(source, "sources", source["id"])


def source_texts(source: Row) -> Iterator[LocatedText]:
    """Yield what a source is found by beside its title."""
    yield from _author_texts(source)
    for name in ("container_title", "container_title_short", "publisher", "note"):
        if source[name]:
            yield (name,), source[name]


def _author_texts(source: Row, *place: str) -> Iterator[LocatedText]:
    for number, author in enumerate(source["authors"]):
        names = [author[name] for name in _NAMES if author[name]]
        yield (*place, "authors", str(number)), " ".join(names)


_NAMES = ("given", "particle", "family", "suffix", "literal")


def claim_rows(claim: str, statement: str, parts: Mapping[str, Sequence[Row]]) -> SearchRows:
    """Return the rows of an accepted claim, by table."""
    return _rows("claim", claim, statement, (text for _, text in claim_texts(parts)), [statement])


def _rows(
    kind: str, record: str, title: str, texts: Iterable[str], labels: Iterable[str]
) -> SearchRows:
    found: SearchRows = {
        beginning.name: [
            {"record": record, "kind": kind, "text": text}
            for text in sorted(label_prefixes(labels))
        ]
    }
    if kind in WORD_TABLES:
        table, key = WORD_TABLES[kind]
        head, words = index_text(title, texts)
        found[table.name] = [{key: record, "title": head, "words": words}]
    return found


def _source_rows(source: Row) -> SearchRows:
    families = (author["family"] or author["literal"] for author in source["authors"])
    texts = (text for _, text in source_texts(source))
    return _rows("source", source["id"], source["title"], texts, [source["title"], *families])


def _topic_rows(topic: Row) -> SearchRows:
    return _rows("topic", topic["id"], "", (), [topic["label"]])


# What is not derived with a claim: how the rows of such a record are made of it as a revision holds it.
ROWS_OF: dict[str, tuple[type[SQLModel], Callable[[Row], SearchRows]]] = {
    "source": (Source, _source_rows),
    "topic": (Topic, _topic_rows),
}


def insert_search_rows(connection: Connection, kind: str, rows: Iterable[SearchRows]) -> None:
    """Store the rows of records of one kind that have none yet."""
    found = list(rows)
    if kind in WORD_TABLES:
        table, _ = WORD_TABLES[kind]
        full_text.insert_words(
            connection, table, [row for each in found for row in each[table.name]]
        )
    insert_rows(connection, beginning, [row for each in found for row in each[beginning.name]])


def update_search_rows(
    connection: Connection, kind: str, ids: Sequence[str], rows: SearchRows
) -> None:
    """Let these be the rows of these records of one kind; what is as it was is not written again."""
    if kind in WORD_TABLES:
        table, key = WORD_TABLES[kind]
        wanted = {row[key]: row for row in rows.get(table.name, ())}
        there = {row[key]: row for row in rows_of_any(connection, table, key, ids)}
        differing = [each for each in ids if _words(wanted.get(each)) != _words(there.get(each))]
        if gone := [each for each in differing if each in there]:
            full_text.delete_words(connection, table, key, gone)
        if new := [wanted[each] for each in differing if each in wanted]:
            full_text.insert_words(connection, table, new)
    replace_rows(connection, beginning, "record", ids, rows.get(beginning.name, ()), kind=kind)


def _words(row: Row | None) -> tuple[str, str] | None:
    """Return what a row of words says; its place in the index is its own affair."""
    return None if row is None else (row["title"], row["words"])


def update_record(connection: Connection, kind: str, body: Row) -> None:
    """Bring a source or a topic, as a revision holds it, up to date: only what is accepted is found."""
    update_search_rows(
        connection,
        kind,
        [body["id"]],
        ROWS_OF[kind][1](body) if body["state"] == "accepted" else {},
    )


def insert_records(connection: Connection, kind: str, bodies: Iterable[Row]) -> None:
    """Store the rows of many new sources or topics."""
    insert_search_rows(
        connection, kind, (ROWS_OF[kind][1](body) for body in bodies if body["state"] == "accepted")
    )


def clear(connection: Connection) -> None:
    """Take everything away, whatever state it is in."""
    for table, _ in WORD_TABLES.values():
        full_text.clear_words(connection, table)
    connection.execute(delete(beginning))


def rebuild(connection: Connection) -> None:
    """Make the rows of all sources and topics; they have none yet."""
    for kind in ROWS_OF:
        for batch in _own_bodies(connection, kind):
            insert_records(connection, kind, batch)


def _own_bodies(connection: Connection, kind: str) -> Iterator[list[Row]]:
    """Yield all accepted records of a kind that is not derived with claims, in batches."""
    table = serializers.table(ROWS_OF[kind][0])
    ids = connection.scalars(
        select(table.c.id).where(table.c.state == "accepted").order_by(table.c.id)
    ).all()
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        if kind == "source":
            yield list(serializers.sources_by_id(connection, batch).values())
        else:
            yield list(serializers.rows_of(connection, select(table).where(table.c.id.in_(batch))))


def read_search_rows(
    connection: Connection, kind: str, ids: Sequence[str]
) -> dict[str, SearchRows]:
    """Return the stored rows of records of one kind, by record; such as have none are absent."""
    found: dict[str, SearchRows] = {}
    if kind in WORD_TABLES:
        table, key = WORD_TABLES[kind]
        for row in serializers.rows_of(connection, select(table).where(table.c[key].in_(ids))):
            del row["number"]
            found.setdefault(row[key], {})[table.name] = [row]
    of_kind = select(beginning).where(beginning.c.kind == kind, beginning.c.record.in_(ids))
    for row in serializers.rows_of(
        connection, of_kind.order_by(beginning.c.record, beginning.c.text)
    ):
        found.setdefault(row["record"], {}).setdefault(beginning.name, []).append(row)
    return found


def differences(connection: Connection) -> Iterator[str]:
    """Yield one line for each source or topic whose rows do not agree with it, and for each stray row."""
    for kind in ROWS_OF:
        known: set[str] = set()
        for bodies in _own_bodies(connection, kind):
            there = read_search_rows(connection, kind, [body["id"] for body in bodies])
            known |= {body["id"] for body in bodies}
            for body in bodies:
                if there.get(body["id"], {}) != {
                    name: rows for name, rows in ROWS_OF[kind][1](body).items() if rows
                }:
                    yield f"the search of {kind} {body['id']} does not agree with it; run claimbase rebuild"
        yield from stray_rows(connection, kind, known)


def claim_differences(
    connection: Connection, claims: Sequence[str], derived: SearchRows
) -> Iterator[str]:
    """Yield one line for each claim whose rows are not those that were derived now."""
    there = read_search_rows(connection, "claim", claims)
    wanted: dict[str, SearchRows] = {claim: {} for claim in claims}
    for table, key in ((claim_search, "claim"), (beginning, "record")):
        for row in derived[table.name]:
            wanted[row[key]].setdefault(table.name, []).append(row)
    for claim in claims:
        if there.get(claim, {}) != wanted[claim]:
            yield f"the search of claim {claim} does not agree with the tables; run claimbase rebuild"


def stray_rows(connection: Connection, kind: str, known: set[str]) -> Iterator[str]:
    """Yield one line for each row of a record that is not among the accepted ones of its kind, and for each lost place."""
    columns = [(beginning.c.record, beginning.c.kind == kind)]
    if kind in WORD_TABLES:
        table, key = WORD_TABLES[kind]
        columns.append((table.c[key], table.c[key].is_not(None)))
        if full_text.index_differs(connection, table):
            yield f"the index of {table.name} does not hold its rows; run claimbase rebuild"
    for column, meant in columns:
        found = set(connection.scalars(select(column).where(meant).distinct()))
        yield from (
            f"{column.table.name} has rows of {each}, not an accepted {kind}"
            for each in sorted(found - known)
        )
