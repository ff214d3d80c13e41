"""Matching imported citations with stored sources. Nothing is merged silently."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from models.core.errors import Fault, record_faults
from models.core.types import REVIEW_FIELDS, Strict
from models.records import retired
from models.records.record_types import RECORD_TYPES, current_id
from models.records.serializers import Row, columns_of, sources_by_id, table
from models.records.source import Source, SourceAuthor, SourceIdentifier, SourceIn, name_key
from models.write import changes

# A record is matched by these, in this order, and then by title, year and first author.
BY_IDENTIFIER = ("doi", "pmid", "pmcid", "isbn")
# Imported records do not have these fields, so they are not compared.
NOT_COMPARED = (
    "id",
    *REVIEW_FIELDS,
    "authors_complete",
    "study_design",
    "sample_size",
    "sample",
    "integrity",
    "integrity_note",
    "text_sha256",
    "note",
)


class Difference(Strict):
    """A field in which an imported record differs from the stored source that it matches."""

    field: str
    stored: Any
    given: Any


@dataclass
class Outcome:
    """The outcome of an imported record: `new`, `matched` or, with its faults, `reported`.

    `line` is the number of its first line in the file, and `dropped` what its format has that a
    source has not.
    """

    line: int
    outcome: str
    id: str | None = None
    matched_by: str | None = None
    differences: list[Difference] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    source: SourceIn | None = None


# What identifies a source within a file: an identifier, or the words of its title, year and author.
_Identity = tuple[Any, ...]
BY_TITLE = "title, year and first author"


@dataclass
class _NewSources:
    """The new sources in a file so far."""

    by_slug: dict[str, SourceIn] = field(default_factory=dict)
    slugs: dict[_Identity, str] = field(default_factory=dict)
    # The last number that was appended to each stem of a slug.
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, source: SourceIn) -> None:
        self.by_slug[source.id] = source
        for identity, _ in _identities(source):
            self.slugs.setdefault(identity, source.id)

    def match(self, source: SourceIn) -> tuple[str, str] | None:
        """Return the slug of the same source and by what it was matched, or None."""
        for identity, matched_by in _identities(source):
            if identity in self.slugs:
                return self.slugs[identity], matched_by
        return None


def reconcile(
    connection: Connection,
    records: Iterable[tuple[int, Mapping[str, Any], tuple[str, ...]]],
    *,
    proposed: bool,
) -> list[Outcome]:
    """Return the outcome of each imported record, without storing anything.

    A record is the number of its line, its fields, and what was dropped from it. `proposed` says
    whether sources that wait for review count: a caller who may not see them must not learn of
    them. A source that was merged counts as the one that it was merged into. If two records of a
    file are the same new source, one is `new` and the other `matched`.
    """
    states = (*(retired.STANDING if proposed else ("accepted",)), "merged")
    new_sources = _NewSources()
    outcomes: list[Outcome] = []
    for line, record, dropped in records:
        outcome = _reconcile_one(connection, line, record, new_sources, states)
        outcome.dropped = dropped
        outcomes.append(outcome)
    return outcomes


def store_new(change: changes.Change, outcomes: Iterable[Outcome]) -> int:
    """Store the new sources and return their number. Matched sources stay as they are."""
    stored = 0
    for outcome in outcomes:
        if outcome.outcome == "new" and outcome.source is not None:
            stored += changes.put_source(change, outcome.source)
    return stored


def _reconcile_one(
    connection: Connection,
    line: int,
    record: Mapping[str, Any],
    new_sources: _NewSources,
    states: tuple[str, ...],
) -> Outcome:
    try:
        source = SourceIn.model_validate({**record, "id": "import"})
    except ValidationError as error:
        faults = record_faults(error, SourceIn.model_fields)
        return Outcome(line, "reported", faults=faults)
    if match := _match_stored(connection, source, states):
        slug, matched_by = match
        stored = sources_by_id(connection, [slug])[slug]
        return Outcome(line, "matched", slug, matched_by, _differences(stored, source))
    if match := new_sources.match(source):
        slug, matched_by = match
        new = new_sources.by_slug[slug].model_dump()
        return Outcome(line, "matched", slug, matched_by, _differences(new, source))
    source.id = _free_slug(connection, source, new_sources)
    new_sources.add(source)
    return Outcome(line, "new", source.id, source=source)


def _match_stored(
    connection: Connection, source: SourceIn, states: tuple[str, ...]
) -> tuple[str, str] | None:
    """Return the slug of the same stored source and by what it was matched, or None."""
    identifiers = _identifier_values(source)
    for scheme in BY_IDENTIFIER:
        if scheme in identifiers:
            slug = _owner(connection, scheme, identifiers[scheme], states)
            if slug is not None:
                return current_id(connection, RECORD_TYPES["source"], slug), scheme
    for slug, title in _of_same_author_and_year(connection, source, states):
        if same_title(title, source.title):
            return current_id(connection, RECORD_TYPES["source"], slug), BY_TITLE
    return None


def _owner(connection: Connection, scheme: str, value: str, states: tuple[str, ...]) -> str | None:
    """Return the slug of the source with an identifier, or None."""
    identifier, stored = table(SourceIdentifier), table(Source)
    owner: str | None = connection.scalar(
        select(identifier.c.source)
        .join(stored, stored.c.id == identifier.c.source)
        .where(identifier.c.scheme == scheme, identifier.c.value == value)
        .where(stored.c.state.in_(states))
    )
    return owner


def _of_same_author_and_year(
    connection: Connection, source: SourceIn, states: tuple[str, ...]
) -> Iterable[tuple[str, str]]:
    """Return the slug and title of each source with the same first author and year.

    A source without an author or a year is only like another one without.
    """
    author, stored = table(SourceAuthor), table(Source)
    is_first_author = (author.c.source == stored.c.id) & (author.c.position == 0)
    similar = (
        select(stored.c.id, stored.c.title)
        .outerjoin(author, is_first_author)
        .where(
            stored.c.state.in_(states),
            author.c.name_key.is_not_distinct_from(_first_author(source)),
            stored.c.year.is_not_distinct_from(_year(source)),
        )
    )
    return [(slug, title) for slug, title in connection.execute(similar)]


def _identities(source: SourceIn) -> list[tuple[_Identity, str]]:
    """Return what identifies a source within a file, the surest first, each with its name."""
    identifiers = _identifier_values(source)
    identities: list[tuple[_Identity, str]] = [
        ((scheme, identifiers[scheme]), scheme) for scheme in BY_IDENTIFIER if scheme in identifiers
    ]
    by_title = (_words(source.title), _year(source), _first_author(source))
    return [*identities, (by_title, BY_TITLE)]


def _identifier_values(source: SourceIn) -> dict[str, str]:
    return {identifier.scheme: identifier.value for identifier in source.identifiers}


def _first_author(source: SourceIn) -> str | None:
    if not source.authors:
        return None
    first = source.authors[0]
    return name_key(first.family or first.literal or "")


def _differences(stored: Row, source: SourceIn) -> list[Difference]:
    differences = []
    for name, value in columns_of(source.model_dump(), SourceIn).items():
        if name in NOT_COMPARED or value in (None, [], False):
            continue
        old = stored[name]
        if name == "identifiers":
            old = _values_by_scheme(old)
            new_values = _values_by_scheme(value)
            value = {scheme: new for scheme, new in new_values.items() if old.get(scheme) != new}
            if not value:
                continue
        if old != value:
            differences.append(Difference(field=name, stored=old, given=value))
    return differences


def _values_by_scheme(identifiers: Iterable[Row]) -> dict[str, str]:
    return {identifier["scheme"]: identifier["value"] for identifier in identifiers}


def _year(source: SourceIn) -> int | None:
    date = source.issued or source.epub_date
    return int(date[:4]) if date else None


def same_title(title: str, other: str) -> bool:
    """Return whether two titles have the same words, apart from case, accents and punctuation."""
    return _words(title) == _words(other)


def _words(title: str) -> str:
    return " ".join(re.findall(r"\w+", name_key(title)))


def _free_slug(connection: Connection, source: SourceIn, new_sources: _NewSources) -> str:
    """Return an unused slug of family name and year: `zamboni-2009` or `zamboni-2009-2`."""
    stem = _slug_stem(source)
    while True:
        number = new_sources.numbers[stem] = new_sources.numbers.get(stem, 0) + 1
        slug = stem if number == 1 else f"{stem}-{number}"
        if slug not in new_sources.by_slug and not sources_by_id(connection, [slug]):
            return slug


def _slug_stem(source: SourceIn) -> str:
    name: str | None = source.title
    if source.authors:
        name = source.authors[0].family or source.authors[0].literal
    words = re.findall(r"[a-z0-9]+", name_key(name or ""))
    stem = "-".join(words)[:60].strip("-") or "source"
    year = _year(source)
    return f"{stem}-{year}" if year else stem
