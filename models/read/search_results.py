"""Search results: filtered listings, highlighted texts, and suggestions while somebody types."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Any

from pydantic_core import from_json
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    literal,
    or_,
    select,
)

from models.database import full_text
from models.database.full_text import Query, Term
from models.database.join_order import prepend_to_join
from models.database.prepared_statements import padded
from models.read.listings import (
    RELEVANCE,
    Listing,
    RowsAndMark,
    document,
    fetch_listing,
    read_page,
    topic,
)
from models.records.near_matches import most_alike
from models.records.serializers import Row, sources_by_id
from models.search import ranking, record_texts
from models.search.index import LABEL_WORDS, WORD_TABLES, beginning
from models.search.query import (
    any_word,
    highlight,
    label_prefixes,
    normalise_prefix,
    parse_query,
)
from models.search.record_texts import LocatedText
from models.search.synonyms import Synonyms
from models.search.tokenizer import tokenize
from models.search.word_counts import (
    number_of_records,
    records_with,
    spelt_out,
    words_between,
)

# Whether all words of a search must match, or any.
ALL, ANY = "all", "any"
# Ranking more would take long where many records match, and people read the first of them.
MAX_RANKED = 500
# The score of what is not ranked: worse than every other.
UNRANKED = 0
# A word is corrected to one that begins with as many same letters and is about as long.
SAME_LETTERS = 2
LENGTH_DIFFERENCE = 2
_LETTERS = re.compile(r"[^\W\d_]{4,}")
MAX_HIGHLIGHTS = 20
MAX_SUGGESTIONS = 10
# The parts of a document that `highlights` needs.
HIGHLIGHT_PARTS = ("occurrences", "evidence", "sources", "relations")


@dataclass(frozen=True)
class Search:
    """What is searched for: the query, and how it is to be understood.

    `match` is `all` if all its words must be there, or `any`. `did_you_mean` is the text with words
    that are in the index in the place of those that no record has. `is_beginning` says that the
    last word is understood as the beginning of one.
    """

    query: Query
    match: str
    did_you_mean: str | None = None
    is_beginning: bool = False


def search(
    connection: Connection, kind: str, text: str, synonyms: Synonyms, match: str | None
) -> Search:
    """Return what a text asks for among the records of one type.

    All words must match, or, if no record has all of them and `match` is None, all with the last
    one as the beginning of a word, or any of them.
    """
    full_text.plan_searches(connection)
    query = parse_query(text, synonyms)
    if match == ANY:
        return Search(any_word(query), ANY)
    if match == ALL or not query or _finds(connection, kind, query):
        return Search(query, ALL)
    begun = parse_query(f"{text.rstrip()}*", synonyms)
    if text.rstrip()[-1].isalpha() and _finds(connection, kind, begun):
        return Search(begun, ALL, is_beginning=True)
    meant = did_you_mean(connection, kind, text, synonyms)
    some = any_word(query)
    if some == query or not _finds(connection, kind, some):
        return Search(query, ALL, meant)
    return Search(some, ANY, meant)


def _finds(connection: Connection, kind: str, query: Query) -> bool:
    """Return whether any record has the words of a query."""
    found = full_text.unscored_matches(connection, WORD_TABLES[kind])
    statement = select(*found.c).limit(1)
    values = full_text.query_values(connection, query)
    return connection.execute(statement, values).first() is not None


def did_you_mean(connection: Connection, kind: str, text: str, synonyms: Synonyms) -> str | None:
    """Return a text with the words that no record has replaced by the most similar words of labels.

    Return None if there are none such, or if that finds nothing either.
    """

    def corrected(word: re.Match[str]) -> str:
        return _corrected(connection, kind, word[0]) or word[0]

    meant = _LETTERS.sub(corrected, text)
    found = meant != text and _finds(connection, kind, parse_query(meant, synonyms))
    return meant if found else None


def _corrected(connection: Connection, kind: str, word: str) -> str | None:
    tokens = tokenize(word)
    if len(tokens) != 1 or _finds(connection, kind, parse_query(word, {})):
        return None
    (token,) = tokens
    start = token[:SAME_LETTERS]
    words = [
        other
        for labels in LABEL_WORDS
        for other in words_between(connection, labels, start, start + "~")
        if abs(len(other) - len(token)) <= LENGTH_DIFFERENCE
    ]
    similar = most_alike(token, words)
    return spelt_out(connection, similar[0]) if similar else None


def search_listing(
    connection: Connection, listing: Listing, kind: str, search: Search, sort: Sequence[str]
) -> Listing:
    """Return a listing of only the records that match a search, the best match first by default.

    A sort by relevance alone is ranked here, within `MAX_RANKED`. Where relevance is one sort of
    several, the order is that of the database's own score.
    """
    table = WORD_TABLES[kind]
    scored = any(name.endswith(RELEVANCE) for name in sort) and tuple(sort) != (RELEVANCE,)
    matches = full_text.matches if scored else full_text.unscored_matches
    found = matches(connection, table)
    return replace(
        listing,
        rows=_matching(found, table, listing),
        sorts={**listing.sorts, RELEVANCE: found.c.score if scored else literal(UNRANKED)},
        name=f"{listing.name}, searched" + (" with scores" if scored else ""),
        default=(RELEVANCE,),
        extra_values=full_text.query_values(connection, search.query),
        rank=None if scored else partial(_ranked_page, kind, search, listing),
    )


def _matching(found: FromClause, table: Table, listing: Listing) -> FromClause:
    """Return the rows of a listing joined to the matches in a table of words."""
    same = [
        found.c[key] == part
        for key, part in zip(table.primary_key.columns.keys(), listing.id, strict=True)
    ]
    return prepend_to_join(found, and_(*same), listing.rows)


def _ranked_page(
    kind: str,
    search: Search,
    unsearched: Listing,
    connection: Connection,
    listing: Listing,
    statement: Select[Any],
    parameters: Mapping[str, Any],
    after: Sequence[Any] | None,
    limit: int,
) -> RowsAndMark:
    """Return a page of the records that match, the best first; see `listings.read_page`.

    Not more than `MAX_RANKED` are ranked; those that match too come after them, by their ids.
    """
    scores, is_complete = _scores(kind, search, unsearched, connection, parameters)
    marks = sorted((score, *record) for record, score in scores.items())
    if after is not None:
        marks = marks[bisect_right(marks, tuple(after)) :]
    marks = marks[: limit + 1]
    if len(marks) <= limit and not is_complete:
        passed = after[1:] if after is not None and after[0] == UNRANKED else None
        ids = _unranked(connection, listing, parameters, passed, limit + 1 + len(scores))
        marks += [(UNRANKED, *record) for record in ids if record not in scores]
    rows = _rows_of(connection, listing, statement, parameters, marks[:limit])
    return rows, list(marks[limit - 1]) if len(marks) > limit else None


Scores = dict[tuple[str, ...], int]


def _scores(
    kind: str,
    search: Search,
    listing: Listing,
    connection: Connection,
    parameters: Mapping[str, Any],
) -> tuple[Scores, bool]:
    """Return the score of the first records that match, by their ids, and whether these are all.

    Where there are more, those come first that have the words in their labels.
    """
    ids = len(listing.id)
    table = WORD_TABLES[kind]

    def candidates(query: Query, labels_only: bool) -> Sequence[Sequence[Any]]:
        found = full_text.unscored_matches(
            connection, table, "title", "words", labels_only=labels_only
        )
        values = full_text.query_values(connection, query, labels_only=labels_only)

        def build(places: Mapping[str, Any]) -> Select[Any]:
            chosen = select(*listing.id, found.c.title, found.c.words)
            chosen = chosen.select_from(_matching(found, table, listing))
            return chosen.where(*listing.conditions(places)).limit(bindparam("most", type_=Integer))

        what = ("candidates", labels_only)
        more = {**values, "most": MAX_RANKED + 1}
        return fetch_listing(connection, listing, parameters, what, build, more)[1]

    rows = candidates(search.query, labels_only=False)
    is_complete = len(rows) <= MAX_RANKED
    terms = ranking.wanted_terms(search.query)
    tokens = [token for term in terms for phrase in term[0] for token in phrase]
    counts = records_with(connection, kind, tokens)
    weights = ranking.weights(search.query, counts, number_of_records(connection, kind))
    if not is_complete:
        telling = _most_telling(search, weights)
        rows = [*rows[:-1], *candidates(telling, labels_only=True)]
    ranked = ranking.RankedQuery(search.query, weights)
    return {tuple(row[:ids]): ranked.score(row[ids], row[ids + 1]) for row in rows}, is_complete


def _most_telling(search: Search, weights: Mapping[Term, float]) -> Query:
    """Return the branches of a search for any word whose word is rarest, or the whole search."""
    if search.match == ALL:
        return search.query
    rarest = max(weights[branch.wanted[0]] for branch in search.query)
    return tuple(branch for branch in search.query if weights[branch.wanted[0]] == rarest)


def _unranked(
    connection: Connection,
    listing: Listing,
    parameters: Mapping[str, Any],
    passed: Sequence[str] | None,
    limit: int,
) -> list[tuple[str, ...]]:
    """Return the ids of the first records that match, by their ids, after one if given."""
    statement = select(*listing.id)
    rows, _ = read_page(connection, listing, statement, parameters, ("id",), passed, limit)
    names = [part.name for part in listing.id]
    return [tuple(row[name] for name in names) for row in rows]


def _rows_of(
    connection: Connection,
    listing: Listing,
    statement: Select[Any],
    parameters: Mapping[str, Any],
    marks: Sequence[tuple[Any, ...]],
) -> list[Row]:
    """Return the rows with these ids, in this order, with their marks."""
    if not marks:
        return []
    records = padded([mark[1:] for mark in marks])
    values = {
        f"{name}_{place}": value
        for name, record in records.items()
        for place, value in enumerate(record)
    }

    def is_record(name: str) -> ColumnElement[bool]:
        parts = enumerate(listing.id)
        return and_(*(part == bindparam(f"{name}_{place}") for place, part in parts))

    def build(_places: Mapping[str, Any]) -> Select[Any]:
        return statement.add_columns(*listing.id).where(or_(*map(is_record, records)))

    what = ("ranked rows", statement, len(records))
    names, found = fetch_listing(connection, listing, parameters, what, build, values)
    own, ids = names[: -len(listing.id)], len(listing.id)
    by_id = {tuple(row[-ids:]): dict(zip(own, row, strict=False)) for row in found}
    return [
        {**by_id[record], **{f"mark_{place}": value for place, value in enumerate(mark)}}
        for mark in marks
        for record in [mark[1:]]
        if record in by_id
    ]


def highlights(documents: Iterable[Row], query: Query, day: str | None) -> list[dict[str, str]]:
    """Return for each document its texts that match a query, with `<mark>`, by their path.

    The documents are read with `HIGHLIGHT_PARTS`. With a day, only texts published by then count.
    """
    results = []
    for row in documents:
        parts = {name: from_json(row[name]) for name in HIGHLIGHT_PARTS}
        labels = record_texts.claim_labels(from_json(row["fields"]))
        texts = [*labels, *record_texts.claim_texts(parts, day or "9999")]
        results.append(_highlight_texts(texts, query))
    return results


def source_highlights(sources: Iterable[Row], query: Query) -> list[dict[str, str]]:
    """Return for each source its texts that match a query, with `<mark>`, by their path."""
    results = []
    for source in sources:
        texts = [*record_texts.source_labels(source), *record_texts.source_texts(source)]
        results.append(_highlight_texts(texts, query))
    return results


def line_highlights(lines: Iterable[Row], query: Query) -> list[dict[str, str]]:
    """Return for each line of evidence its texts that match a query, likewise."""
    results = []
    for line in lines:
        texts = [*record_texts.line_labels(line), *record_texts.line_texts(line)]
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
        for record, label in _labels(connection, kind, ids, prefix).items():
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


def _labels(connection: Connection, kind: str, ids: Sequence[str], prefix: str) -> dict[str, Row]:
    """Return the labels of records of one type by id, of sources also the citation.

    Of a claim whose statement has no words that begin so, also the wording that has.
    """
    if not ids:
        return {}
    if kind == "source":
        return {
            slug: {"label": source["title"] or source["citation"], "citation": source["citation"]}
            for slug, source in sources_by_id(connection, ids).items()
        }
    if kind == "claim":
        rows = connection.execute(
            select(document.c.claim, document.c.fields).where(document.c.claim.in_(ids))
        )
        return {record: _claim_label(from_json(fields), prefix) for record, fields in rows}
    labels = connection.execute(select(topic.c.id, topic.c.label).where(topic.c.id.in_(ids)))
    return {record: {"label": text} for record, text in labels}


def _claim_label(fields: Row, prefix: str) -> Row:
    label: Row = {"label": fields["statement"]}
    matching = (
        text
        for _, text in record_texts.claim_labels(fields)
        if any(start.startswith(prefix) for start in label_prefixes([text]))
    )
    wording = next(matching, fields["statement"])
    return label if wording == fields["statement"] else {**label, "wording": wording}
