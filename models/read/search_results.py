"""Search results: filtered listings, highlighted texts, and suggestions while somebody types."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import itemgetter

from pydantic_core import from_json
from sqlalchemy import Connection, select

from models.database import full_text
from models.database.full_text import Query
from models.database.join_order import prepend_to_join
from models.read.listings import Listing, document, topic
from models.records.serializers import Row, sources_by_id
from models.search.index import WORD_TABLES, LocatedText, beginning, claim_texts, source_texts
from models.search.query import highlight, normalise_prefix

RELEVANCE = "relevance"
MAX_HIGHLIGHTS = 20
MAX_SUGGESTIONS = 10
# The parts of a document that `highlights` needs.
HIGHLIGHT_PARTS = ("occurrences", "evidence", "sources", "relations")


def search_listing(connection: Connection, listing: Listing, kind: str, query: Query) -> Listing:
    """Return a listing of only the claims or sources that match a query.

    The best match comes first unless the listing is sorted otherwise.
    """
    table, key = WORD_TABLES[kind]
    matches = full_text.matches(connection, table, key)
    (record,) = listing.id
    return replace(
        listing,
        rows=prepend_to_join(matches, matches.c.record, listing.rows, record),
        sorts={**listing.sorts, RELEVANCE: matches.c.score},
        name=f"{listing.name}, searched",
        default=(RELEVANCE,),
        extra_values={"search_query": full_text.query_text(connection, query)},
    )


def highlights(documents: Iterable[Row], query: Query, day: str | None) -> list[dict[str, str]]:
    """Return for each document its texts that match a query, with `<mark>`, by their path.

    The documents are read with `HIGHLIGHT_PARTS`. With a day, only texts published by then count.
    """
    results = []
    for row in documents:
        parts = {name: from_json(row[name]) for name in HIGHLIGHT_PARTS}
        statement = from_json(row["fields"])["statement"]
        texts = [(("statement",), statement), *claim_texts(parts, day or "9999")]
        results.append(_highlight_texts(texts, query))
    return results


def source_highlights(sources: Iterable[Row], query: Query) -> list[dict[str, str]]:
    """Return for each source its texts that match a query, with `<mark>`, by their path."""
    results = []
    for source in sources:
        texts = [(("title",), source["title"] or ""), *source_texts(source)]
        results.append(_highlight_texts(texts, query))
    return results


def _highlight_texts(texts: Iterable[LocatedText], query: Query) -> dict[str, str]:
    highlighted: dict[str, str] = {}
    for path, text in texts:
        if len(highlighted) == MAX_HIGHLIGHTS:
            break
        html = highlight(text, query)
        if html is not None:
            highlighted["/".join(path)] = html
    return highlighted


def suggest(connection: Connection, text: str, kinds: Sequence[str]) -> list[Row]:
    """Return up to ten records (kind, id, label) with a label that has words beginning so.

    The types take turns. This takes one bounded range scan for each type.
    """
    prefix = normalise_prefix(text)
    if not prefix:
        return []
    by_turn: list[tuple[int, str, str]] = []
    for kind in kinds:
        ids = _matching_ids(connection, kind, prefix)
        by_turn += [(turn, kind, record) for turn, record in enumerate(ids)]
    by_turn.sort(key=itemgetter(0))
    chosen = [(kind, record) for _, kind, record in by_turn[:MAX_SUGGESTIONS]]
    labels: dict[tuple[str, str], Row] = {}
    for kind in kinds:
        ids = [record for chosen_kind, record in chosen if chosen_kind == kind]
        for record, label in _labels(connection, kind, ids).items():
            labels[kind, record] = label
    return [{"kind": kind, "id": record, **labels[kind, record]} for kind, record in chosen]


def _matching_ids(connection: Connection, kind: str, prefix: str) -> list[str]:
    # A beginning consists of blanks, digits and letters, all of which sort before «~».
    scan = (
        select(beginning.c.record)
        .where(beginning.c.kind == kind)
        .where(beginning.c.text >= prefix, beginning.c.text < prefix + "~")
        .order_by(beginning.c.text, beginning.c.record)
        .limit(3 * MAX_SUGGESTIONS)
    )
    # A label may have the same words more than once.
    return list(dict.fromkeys(connection.scalars(scan)))


def _labels(connection: Connection, kind: str, ids: Sequence[str]) -> dict[str, Row]:
    """Return the labels of records of one type by id, and of sources also the citation."""
    if not ids:
        return {}
    if kind == "source":
        return {
            slug: {"label": source["title"] or source["citation"], "citation": source["citation"]}
            for slug, source in sources_by_id(connection, ids).items()
        }
    if kind == "claim":
        column, label = document.c.claim, document.c.statement
    else:
        column, label = topic.c.id, topic.c.label
    rows = connection.execute(select(column, label).where(column.in_(ids)))
    return {record: {"label": text} for record, text in rows}
