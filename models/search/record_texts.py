"""The texts by which claims, lines of evidence and sources are found, each with its place.

The labels of a record are what it is called: a claim's statement and its other wordings, a line's
finding, a source's title and citation. A word in a label counts more than in another text.
"""

from collections.abc import Iterator, Mapping, Sequence

from models.records.serializers import Row

LocatedText = tuple[tuple[str, ...], str]  # The path of a text in its record, and the text.

_NAMES = ("given", "particle", "family", "suffix", "literal")
_TEXTS_OF_SOURCES = (
    *("title_short", "container_title", "container_title_short", "collection_title"),
    *("event_title", "publisher", "abstract", "note", "url"),
)
TEXTS_OF_LINES = ("quote", "sample", "population", "exposure", "comparator", "outcome")


def claim_labels(fields: Row) -> Iterator[LocatedText]:
    """Yield the labels of a claim, given as it is served."""
    yield ("statement",), fields["statement"]
    for number, wording in enumerate(fields["wordings"]):
        yield ("wordings", str(number)), wording


def claim_texts(parts: Mapping[str, Sequence[Row]], day: str = "9999") -> Iterator[LocatedText]:
    """Yield the other texts of a claim.

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
            if line["quote"]:
                yield ("evidence", line["key"], "quote"), line["quote"]
    for source in sources:
        at = ("sources", source["id"])
        yield from _labels_of_source(source, *at)
        yield from _author_texts(source, *at)
        if source["container_title"]:
            yield (*at, "container_title"), source["container_title"]
        yield from _identifier_texts(source, *at)


def _evidence_lines(parts: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """Yield the lines of evidence on a claim and on its relations."""
    yield from parts["evidence"]
    for relation in parts["relations"]:
        yield from relation["evidence"]


def line_labels(line: Row) -> Iterator[LocatedText]:
    """Yield the labels of a line of evidence, given as it is served."""
    yield ("finding",), line["finding"]


def line_texts(line: Row) -> Iterator[LocatedText]:
    """Yield the other texts of a line of evidence."""
    for name in ("citation", *TEXTS_OF_LINES):
        if line[name]:
            yield (name,), line[name]


def source_labels(source: Row) -> Iterator[LocatedText]:
    """Yield the labels of a source, given as it is served."""
    yield from _labels_of_source(source)


def source_texts(source: Row) -> Iterator[LocatedText]:
    """Yield the other texts of a source."""
    yield from _author_texts(source)
    for number, contributor in enumerate(source["contributors"]):
        yield ("contributors", str(number)), _full_name(contributor)
    for name in _TEXTS_OF_SOURCES:
        if source[name]:
            yield (name,), source[name]
    for number, keyword in enumerate(source["keywords"]):
        yield ("keywords", str(number)), keyword
    yield from _identifier_texts(source)


def _labels_of_source(source: Row, *path: str) -> Iterator[LocatedText]:
    if source["title"]:
        yield (*path, "title"), source["title"]
    yield (*path, "citation"), source["citation"]


def _author_texts(source: Row, *path: str) -> Iterator[LocatedText]:
    for number, author in enumerate(source["authors"]):
        yield (*path, "authors", str(number)), _full_name(author)


def _identifier_texts(source: Row, *path: str) -> Iterator[LocatedText]:
    for number, identifier in enumerate(source["identifiers"]):
        value = f"{identifier['scheme']} {identifier['value']}"
        yield (*path, "identifiers", str(number)), value


def _full_name(person: Row) -> str:
    return " ".join(person[name] for name in _NAMES if person[name])
