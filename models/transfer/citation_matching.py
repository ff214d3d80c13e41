"""Citations from elsewhere: which of them are stored already, and which are new. Nothing is merged silently."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from models.core.errors import Fault, validation_faults
from models.core.types import REVIEW_FIELDS, Strict
from models.records import retired
from models.records.record_types import RECORD_TYPES, current_id
from models.records.serializers import Row, columns_of, sources_by_id, table
from models.records.source import Source, SourceAuthor, SourceIdentifier, SourceIn, name_key
from models.write import changes

# A record is looked for by these, in this order, and then by title, year and first author.
BY_IDENTIFIER = ("doi", "pmid", "pmcid", "isbn")
# What an import says nothing about is no difference.
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
    """A field in which a stored source and a record differ."""

    field: str
    stored: Any
    given: Any


@dataclass
class Outcome:
    """What became of one record: `new`, `matched` (with a stored source) or `reported` (with the faults)."""

    line: int
    outcome: str
    id: str | None = None
    matched_by: str | None = None
    differences: list[Difference] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    source: SourceIn | None = None


@dataclass
class _Taken:
    """The new sources of a file so far: what each is known by, and the last number behind each stem of a slug."""

    sources: dict[str, SourceIn] = field(default_factory=dict)
    slugs: dict[tuple[Any, ...], str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, source: SourceIn) -> None:
        self.sources[source.id] = source
        for mark, _ in _marks(source):
            self.slugs.setdefault(mark, source.id)

    def find(self, source: SourceIn) -> tuple[str | None, str | None]:
        return next(
            ((self.slugs[mark], by) for mark, by in _marks(source) if mark in self.slugs),
            (None, None),
        )


def reconcile(
    connection: Connection,
    records: Iterable[tuple[int, Mapping[str, Any], tuple[str, ...]]],
    *,
    proposed: bool,
) -> list[Outcome]:
    """Say of each record (its line, its fields, what its format could not give us) what it is; stores nothing.

    Sources that are only proposed are looked at where `proposed` says so: who may not see them learns nothing of them.
    What was merged into another matches that one.
    Two records of one file that would become the same source are one `new` and one `matched`.
    """
    outcomes: list[Outcome] = []
    taken = _Taken()
    for line, record, dropped in records:
        outcomes.append(
            _outcome(
                connection,
                line,
                record,
                dropped,
                taken,
                retired.STANDING if proposed else ("accepted",),
            )
        )
    return outcomes


def store_new(change: changes.Change, outcomes: Iterable[Outcome]) -> int:
    """Store what is new; return how many. Sources that were matched stay as they are."""
    new = [
        outcome.source
        for outcome in outcomes
        if outcome.outcome == "new" and outcome.source is not None
    ]
    return sum(changes.put_source(change, source) for source in new)


def _outcome(
    connection: Connection,
    line: int,
    record: Mapping[str, Any],
    dropped: tuple[str, ...],
    taken: _Taken,
    states: tuple[str, ...],
) -> Outcome:
    try:
        source = SourceIn.model_validate({**record, "id": "import"})
    except ValidationError as error:
        return Outcome(
            line,
            "reported",
            faults=validation_faults(error.errors(), SourceIn.model_fields),
            dropped=dropped,
        )
    slug, by = _find(connection, source, states)
    stored = sources_by_id(connection, [slug])[slug] if slug else None
    if stored is None:
        slug, by = taken.find(source)
        stored = taken.sources[slug].model_dump() if slug else None
    if stored is not None and slug is not None:
        return Outcome(line, "matched", slug, by, _differences(stored, source), dropped=dropped)
    source.id = _free_slug(connection, source, taken)
    taken.add(source)
    return Outcome(line, "new", source.id, dropped=dropped, source=source)


def _find(
    connection: Connection, source: SourceIn, states: tuple[str, ...]
) -> tuple[str | None, str | None]:
    identifier, author, stored = table(SourceIdentifier), table(SourceAuthor), table(Source)
    owned = select(identifier.c.source).join(stored, stored.c.id == identifier.c.source)
    given = {each.scheme: each.value for each in source.identifiers}
    for scheme in BY_IDENTIFIER:
        if scheme in given:
            named = (identifier.c.scheme == scheme, identifier.c.value == given[scheme])
            if slug := connection.scalar(
                owned.where(*named, stored.c.state.in_((*states, "merged")))
            ):
                return current_id(connection, RECORD_TYPES["source"], str(slug)), scheme
    first = (author.c.source == stored.c.id) & (author.c.position == 0)
    # A work that names nobody, or has no year, is only like one that does not either.
    like = (
        select(stored.c.id, stored.c.title)
        .outerjoin(author, first)
        .where(
            stored.c.state.in_((*states, "merged")),
            author.c.name_key.is_not_distinct_from(_first_author(source)),
            stored.c.year.is_not_distinct_from(_year(source)),
        )
    )
    for slug, title in connection.execute(like):
        if _words(title) == _words(source.title):
            return current_id(
                connection, RECORD_TYPES["source"], str(slug)
            ), "title, year and first author"
    return None, None


def _marks(source: SourceIn) -> list[tuple[tuple[Any, ...], str]]:
    """Return what a source is known by within a file, each with its name, the surest first."""
    given = {each.scheme: each.value for each in source.identifiers}
    known: list[tuple[tuple[Any, ...], str]] = [
        ((name, given[name]), name) for name in BY_IDENTIFIER if name in given
    ]
    return [
        *known,
        (
            (_words(source.title), _year(source), _first_author(source)),
            "title, year and first author",
        ),
    ]


def _first_author(source: SourceIn) -> str | None:
    return (
        name_key(source.authors[0].family or source.authors[0].literal or "")
        if source.authors
        else None
    )


def _differences(stored: Row, source: SourceIn) -> list[Difference]:
    given = source.model_dump()
    found = []
    for name, value in columns_of(given, SourceIn).items():
        if name in NOT_COMPARED or value in (None, [], False):
            continue
        old = stored[name]
        if name == "identifiers":
            old, value = ({each["scheme"]: each["value"] for each in side} for side in (old, value))
            value = {scheme: each for scheme, each in value.items() if old.get(scheme) != each}
            if not value:
                continue
        if old != value:
            found.append(Difference(field=name, stored=old, given=value))
    return found


def _year(source: SourceIn) -> int | None:
    date = source.issued or source.epub_date
    return int(date[:4]) if date else None


def same_title(one: str, other: str) -> bool:
    """Say whether two titles have the same words, whatever their case, accents and punctuation."""
    return _words(one) == _words(other)


def _words(title: str) -> str:
    return " ".join(re.findall(r"\w+", name_key(title)))


def _free_slug(connection: Connection, source: SourceIn, taken: _Taken) -> str:
    """Return a slug of family name and year that is free, such as `zamboni-2009` or `zamboni-2009-2`."""
    author = source.authors[0] if source.authors else None
    who = (author.family or author.literal) if author else source.title
    stem = "-".join(re.findall(r"[a-z0-9]+", name_key(who or "")))[:60].strip("-") or "source"
    stem = f"{stem}-{_year(source)}" if _year(source) else stem
    while True:
        number = taken.numbers[stem] = taken.numbers.get(stem, 0) + 1
        slug = stem if number == 1 else f"{stem}-{number}"
        if slug not in taken.sources and not sources_by_id(connection, [slug]):
            return slug
