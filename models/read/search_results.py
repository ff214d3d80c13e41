"""What a search finds: lists with only that, the texts in which it stands, and suggestions while somebody types."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pydantic_core import from_json
from sqlalchemy import Connection, select

from models.database import full_text
from models.database.full_text import Query
from models.database.join_order import in_front
from models.read.listings import Listing, document, topic
from models.records.serializers import Row, sources_by_id
from models.search.index import WORD_TABLES, LocatedText, beginning, claim_texts, source_texts
from models.search.query import highlight, normalise_prefix

RELEVANCE = "relevance"
MOST_MARKED = 20
MOST_SUGGESTED = 10
# What `highlights` needs of a document.
MARKED_PARTS = ("occurrences", "evidence", "sources", "relations")


def search_listing(connection: Connection, listing: Listing, kind: str, query: Query) -> Listing:
    """Return a listing of claims or sources with only what a query finds, the best first unless it is sorted otherwise."""
    table, key = WORD_TABLES[kind]
    found = full_text.matches(connection, table, key)
    (record,) = listing.id
    return replace(
        listing,
        rows=in_front(found, found.c.record, listing.rows, record),
        sorts={**listing.sorts, RELEVANCE: found.c.score},
        name=f"{listing.name}, searched",
        default=(RELEVANCE,),
        given={"asked": full_text.query_text(connection, query)},
    )


def highlights(documents: Iterable[Row], query: Query, day: str | None) -> list[dict[str, str]]:
    """Return for each document, read with `MARKED_PARTS`, its texts in which the query's words stand, marked.

    By a day, those of them that had been published by then.
    """
    found = []
    for row in documents:
        parts = {name: from_json(row[name]) for name in MARKED_PARTS}
        statement = from_json(row["fields"])["statement"]
        found.append(
            _marked([(("statement",), statement), *claim_texts(parts, day or "9999")], query)
        )
    return found


def source_highlights(sources: Iterable[Row], query: Query) -> list[dict[str, str]]:
    """Return the same for sources."""
    return [
        _marked([(("title",), source["title"]), *source_texts(source)], query) for source in sources
    ]


def _marked(texts: Iterable[LocatedText], query: Query) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, text in texts:
        if len(found) == MOST_MARKED:
            break
        if (hit := highlight(text, query)) is not None:
            found["/".join(place)] = hit
    return found


def suggest(connection: Connection, text: str, kinds: Sequence[str]) -> list[Row]:
    """Return up to ten records (kind, id, label) in whose labels words begin so, the kinds by turns.

    One bounded range scan a kind.
    """
    begun = normalise_prefix(text)
    found = []
    for kind in kinds if begun else ():
        # Blanks, digits and letters alone stand in a beginning, and all of them sort before «~».
        so = (beginning.c.kind == kind, beginning.c.text >= begun, beginning.c.text < begun + "~")
        scan = select(beginning.c.record).where(*so).order_by(beginning.c.text, beginning.c.record)
        # A label may hold the same words more than once.
        ids = dict.fromkeys(connection.scalars(scan.limit(3 * MOST_SUGGESTED)))
        found += [(turn, kind, record) for turn, record in enumerate(ids)]
    found.sort(key=lambda each: each[0])
    chosen = found[:MOST_SUGGESTED]
    told = {
        kind: _labels(connection, kind, [record for _, of, record in chosen if of == kind])
        for kind in kinds
    }
    return [{"kind": kind, "id": record, **told[kind][record]} for _, kind, record in chosen]


def _labels(connection: Connection, kind: str, ids: Sequence[str]) -> dict[str, Row]:
    """Return what people know these records by."""
    if not ids:
        return {}
    if kind == "source":
        found = sources_by_id(connection, ids)
        return {
            slug: {"label": row["title"], "citation": row["citation"]}
            for slug, row in found.items()
        }
    column, label = (
        (document.c.claim, document.c.statement) if kind == "claim" else (topic.c.id, topic.c.label)
    )
    rows = connection.execute(select(column, label).where(column.in_(ids)))
    return {record: {"label": said} for record, said in rows}
