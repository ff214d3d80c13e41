"""Matching imported citations with stored sources. Nothing is merged silently."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, or_, select

from models.access.api_keys import Key
from models.access.proposal_ownership import is_own_proposal
from models.core.dates import now
from models.core.errors import Fault, record_faults
from models.core.types import REVIEW_FIELDS, Strict, numbered_slug
from models.database.prepared_statements import select_rows
from models.records import retired
from models.records.record_types import RECORD_TYPES, current_id, read_states
from models.records.serializers import Row, columns_of, sources_by_id, table
from models.records.source import (
    Source,
    SourceAuthor,
    SourceIdentifier,
    SourceIn,
    dates_in_future,
    name_key,
)
from models.write import changes

# A record is matched by these, in this order, and then by title, year and first author.
BY_IDENTIFIER = ("doi", "pmid", "pmcid", "isbn", "nct", "uri")
# What two descriptions of one work cannot have differently.
NAMING_ONE_WORK = ("doi", "pmid", "pmcid")
NAMING_ONE_PLACE = ("volume", "issue", "number", "page")
# Imported records do not have these fields, or have them in the words of a database, so they are
# not compared.
NOT_COMPARED = (
    "id",
    *REVIEW_FIELDS,
    "authors_complete",
    "study_design",
    "sample_size",
    "sample",
    "text_sha256",
    "abstract",
    "keywords",
    "note",
)


class CitationDifference(Strict):
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
    differences: list[CitationDifference] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    dropped: tuple[str, ...] = ()
    source: SourceIn | None = None


# What identifies a source within a file: an identifier, or the words of its title, year and author.
_Identity = tuple[Any, ...]
BY_TITLE = "title, year and first author"
# The states of a record whose id everybody may know.
_PUBLIC = ("accepted", "retracted", "merged")
# How many entries are compared with what is stored at once, by a few statements for all of them.
BATCH = 200
# The most faults that are told of one entry: each of thousands of authors may have one.
MOST_FAULTS = 20


class _NewSource:
    """A new source of a file. After its batch it is kept as text, which takes less memory."""

    def __init__(self, source: SourceIn) -> None:
        self._kept: SourceIn | str = source

    def read(self) -> SourceIn:
        """Return the source."""
        kept = self._kept
        return SourceIn.model_validate_json(kept) if isinstance(kept, str) else kept

    def pack(self) -> None:
        """Keep the source as text from now on."""
        self._kept = self.read().model_dump_json(exclude_defaults=True)


@dataclass
class _Match:
    """What an entry is the same as, a stored source (its slug) or a new one, and by what."""

    same: str | SourceIn
    by: str


@dataclass
class _Entry:
    """One imported record on its way: its source is None if it has faults."""

    outcome: Outcome
    source: SourceIn | None
    match: _Match | None = None


@dataclass
class NewSources:
    """The new sources in a file so far."""

    slugs: set[str] = field(default_factory=set)
    by_identity: dict[bytes, list[_NewSource]] = field(default_factory=dict)
    # The last number that was appended to each stem of a slug.
    numbers: dict[str, int] = field(default_factory=dict)
    # Those of the batch that is being compared.
    unpacked: list[_NewSource] = field(default_factory=list)

    def match_or_add(self, source: SourceIn, disowned: list[str]) -> _Match | None:
        """Return the new source that is the same and by what it was matched; else add this one.

        The names of its identifiers that belong to another work are added to `disowned`.
        """
        identities = [(_digest(identity), by) for identity, by in _identities(source)]
        for identity, matched_by in identities:
            for kept in self.by_identity.get(identity, ()):
                known = kept.read()
                if not _is_other_work(known.model_dump(), source, matched_by):
                    return _Match(known, matched_by)
                if matched_by != BY_TITLE:
                    disowned.append(matched_by)
        new = _NewSource(source)
        self.unpacked.append(new)
        for identity, matched_by in identities:
            if matched_by not in disowned:
                self.by_identity.setdefault(identity, []).append(new)
        return None

    def pack(self) -> None:
        """Keep the new sources of the batch, which have their slugs by now, as text."""
        for new in self.unpacked:
            new.pack()
        self.unpacked.clear()


def _digest(identity: _Identity) -> bytes:
    return hashlib.sha256(repr(identity).encode()).digest()[:16]


Record = tuple[int, Mapping[str, Any], tuple[str, ...]]


def reconcile(
    connection: Connection,
    records: Iterable[Record],
    *,
    proposed: bool,
    caller: Key | None = None,
    new_sources: NewSources | None = None,
) -> Iterator[Outcome]:
    """Yield the outcome of each imported record, without storing anything.

    A record is the number of its line, its fields, and what was dropped from it. `proposed` says
    whether sources that wait for review, or were not taken, count: a caller who may not see them
    must not learn of them, not even by an id that is not offered. A source that was merged counts
    as the one that it was merged into. The caller's own proposals always count. If two records of a
    file are the same new source, one is `new` and the other `matched`; a file that is reconciled in
    parts has one `new_sources` for all of them.
    """
    visible = _Visible(connection, caller, everything=proposed)
    new_sources = NewSources() if new_sources is None else new_sources
    remaining = iter(records)
    while batch := [_validated(record) for record in islice(remaining, BATCH)]:
        sources = [entry.source for entry in batch if entry.source is not None]
        stored = _Stored(connection, sources, visible)
        for entry in batch:
            if entry.source is not None:
                _match(entry, entry.source, stored, new_sources)
        new = [entry.source for entry in batch if entry.source is not None and not entry.match]
        _give_slugs(connection, new, new_sources, visible)
        matches = [entry.match.same for entry in batch if entry.match]
        bodies = stored.bodies_of(same for same in matches if isinstance(same, str))
        for entry in batch:
            yield _finished(entry, bodies)
        new_sources.pack()


@dataclass
class _Visible:
    """Which stored sources an import may know of: public ones, and more for who may see more."""

    connection: Connection
    caller: Key | None
    everything: bool

    def matches(self, slug: str, state: str) -> bool:
        """Return whether a source is one that an entry may be the same as."""
        if state == "submitted":
            return self.everything or self._is_own(slug)
        return state in ("accepted", "merged")

    def is_taken(self, slug: str, state: str) -> bool:
        """Return whether the slug of a source is not offered to a new one."""
        if self.everything or state in _PUBLIC:
            return True
        return state == "submitted" and self._is_own(slug)

    def _is_own(self, slug: str) -> bool:
        return is_own_proposal(self.connection, self.caller, RECORD_TYPES["source"], slug)


def _validated(record: Record) -> _Entry:
    line, fields, dropped = record
    if ahead := dates_in_future(fields, now()[:10]):
        fields = {name: value for name, value in fields.items() if name not in ahead}
        dropped = (*dropped, *(f"{name} in the future" for name in ahead))
    try:
        source = SourceIn.model_validate({**fields, "id": "import"})
    except ValidationError as error:
        faults = record_faults(error, SourceIn.model_fields, MOST_FAULTS)
        return _Entry(Outcome(line, "reported", faults=faults, dropped=dropped), None)
    return _Entry(Outcome(line, "new", dropped=dropped, source=source), source)


def _match(entry: _Entry, source: SourceIn, stored: "_Stored", new: NewSources) -> None:
    """Match an entry. A new one loses the identifiers that belong to another work."""
    disowned: list[str] = []
    entry.match = stored.match(source, disowned) or new.match_or_add(source, disowned)
    if disowned and entry.match is None:
        source.identifiers = [each for each in source.identifiers if each.scheme not in disowned]
        told = (f"{scheme} of another work" for scheme in dict.fromkeys(disowned))
        entry.outcome.dropped = (*entry.outcome.dropped, *told)


def _finished(entry: _Entry, bodies: Mapping[str, Row]) -> Outcome:
    """Return the outcome of an entry whose match, or whose slug, is known."""
    outcome, source, match = entry.outcome, entry.source, entry.match
    if source is None:
        return outcome
    if match is None:
        outcome.id = source.id
        return outcome
    same = match.same
    body = bodies[same] if isinstance(same, str) else same.model_dump()
    outcome.outcome, outcome.source = "matched", None
    outcome.id = same if isinstance(same, str) else same.id
    outcome.matched_by, outcome.differences = match.by, _differences(body, source)
    return outcome


def store_new(change: changes.Change, outcomes: Iterable[Outcome]) -> int:
    """Store the new sources and return their number. Matched sources stay as they are."""
    stored = 0
    for outcome in outcomes:
        if outcome.outcome == "new" and outcome.source is not None:
            stored += changes.put_source(change, outcome.source)
    return stored


# The slug and the state of a stored source.
_Owner = tuple[str, str]


class _Stored:
    """The stored sources that some sources may be the same as, read at once."""

    def __init__(
        self, connection: Connection, sources: Sequence[SourceIn], visible: _Visible
    ) -> None:
        self._connection = connection
        self._owners = _owners(connection, sources, visible)
        self._similar = _of_same_author_and_year(connection, sources, visible)
        candidates = [owner for source in sources for owner, _ in self._candidates(source)]
        self._bodies = sources_by_id(connection, list({slug for slug, _ in candidates}))

    def _candidates(self, source: SourceIn) -> Iterator[tuple[_Owner, str]]:
        """Yield the stored sources that may be the same and by what, the surest first."""
        identifiers = _identifier_values(source)
        for scheme in BY_IDENTIFIER:
            owner = self._owners.get((scheme, identifiers.get(scheme, "")))
            if owner is not None:
                yield owner, scheme
        if source.title:
            like = (_words(source.title), _year(source), _first_author(source))
            yield from ((owner, BY_TITLE) for owner in self._similar.get(like, ()))

    def match(self, source: SourceIn, disowned: list[str]) -> _Match | None:
        """Return the slug of the same stored source and by what it was matched, or None.

        The names of its identifiers that belong to another work are added to `disowned`.
        """
        for (slug, state), matched_by in self._candidates(source):
            if not _is_other_work(self._bodies[slug], source, matched_by):
                return _Match(self._current(slug, state), matched_by)
            if matched_by != BY_TITLE:
                disowned.append(matched_by)
        return None

    def bodies_of(self, slugs: Iterable[str]) -> dict[str, Row]:
        """Return these sources. Those that others were merged into are not read yet."""
        unread = [slug for slug in slugs if slug not in self._bodies]
        return (
            {**self._bodies, **sources_by_id(self._connection, unread)} if unread else self._bodies
        )

    def _current(self, slug: str, state: str) -> str:
        if state != "merged":
            return slug
        return current_id(self._connection, RECORD_TYPES["source"], slug)


def _owners(
    connection: Connection, sources: Sequence[SourceIn], visible: _Visible
) -> dict[tuple[str, str], _Owner]:
    """Return the stored source with each identifier that one of these sources has."""
    values: dict[str, dict[str, None]] = {scheme: {} for scheme in BY_IDENTIFIER}
    for source in sources:
        for scheme, value in _identifier_values(source).items():
            values[scheme][value] = None
    rows = [
        row
        for scheme, wanted in values.items()
        for row in select_rows(
            connection, table(SourceIdentifier), "value", list(wanted), scheme=scheme
        )
    ]
    state_of = read_states(connection, {("source", row["source"]) for row in rows})
    return {
        (row["scheme"], row["value"]): (row["source"], state)
        for row in rows
        if visible.matches(row["source"], state := state_of["source", row["source"]])
    }


def _of_same_author_and_year(
    connection: Connection, sources: Sequence[SourceIn], visible: _Visible
) -> dict[_Identity, list[_Owner]]:
    """Return the stored sources with the first author and the year of one of these, by their words.

    A source without an author or a year is only like another one without.
    """
    author, stored = table(SourceAuthor), table(Source)
    is_first_author = (author.c.source == stored.c.id) & (author.c.position == 0)
    names = {_first_author(source) for source in sources}
    wanted = {
        (_words(each.title), _year(each), _first_author(each)) for each in sources if each.title
    }
    found: dict[_Identity, list[_Owner]] = {}
    for with_author in (True, False):
        years = {_year(source) for source in sources if bool(source.authors) == with_author}
        if not years:
            continue
        similar = (
            select(stored.c.id, stored.c.state, stored.c.title, stored.c.year, author.c.name_key)
            .outerjoin(author, is_first_author)
            .where(
                _one_of(author.c.name_key, names if with_author else {None}),
                _one_of(stored.c.year, years),
                stored.c.state.in_((*retired.STANDING, "merged")),
            )
            .order_by(stored.c.id)
        )
        for slug, state, title, year, name in connection.execute(similar):
            like = (_words(title or ""), year, name)
            if like in wanted and visible.matches(slug, state):
                found.setdefault(like, []).append((slug, state))
    return found


def _is_other_work(known: Row, source: SourceIn, by: str) -> bool:
    """Return whether two sources that have something in common are different works all the same.

    Of one title, year and author they are if both have a DOI, PMID or PMCID, a volume, issue,
    number or first page, and another. Of one identifier, if their titles differ and another
    identifier contradicts; an ISBN names no more than the book of one title. Where one of them has
    no title, the identifier alone says that they are the same.
    """
    given = source.model_dump()
    if not (known["title"] and source.title):
        return False
    if by == BY_TITLE:
        return _contradict(known, given, (*NAMING_ONE_WORK, *NAMING_ONE_PLACE))
    if same_title(known["title"], source.title):
        return False
    return by == "isbn" or _contradict(known, given, NAMING_ONE_WORK)


def _contradict(source: Row, other: Row, names: Iterable[str]) -> bool:
    """Return whether both have something of these names, and not the same."""
    ours, theirs = (
        {
            **_values_by_scheme(each["identifiers"]),
            **{name: _first_word(each[name]) for name in NAMING_ONE_PLACE},
        }
        for each in (source, other)
    )
    return any(ours.get(name) and theirs.get(name) and ours[name] != theirs[name] for name in names)


def _first_word(text: str | None) -> str:
    """Return the first number or word of a place: the first page, a volume without its part."""
    words = re.findall(r"\w+", text or "")
    return words[0].lower() if words else ""


def _one_of(column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values, of which one may be None."""
    wanted = set(values)
    conditions: list[ColumnElement[bool]] = []
    if None in wanted:
        conditions.append(column.is_(None))
    if known := sorted(wanted - {None}):
        conditions.append(column.in_(known))
    return or_(*conditions)


def _identities(source: SourceIn) -> list[tuple[_Identity, str]]:
    """Return what identifies a source within a file, the surest first, each with its name."""
    identifiers = _identifier_values(source)
    identities: list[tuple[_Identity, str]] = [
        ((scheme, identifiers[scheme]), scheme) for scheme in BY_IDENTIFIER if scheme in identifiers
    ]
    if not source.title:
        return identities
    by_title = (_words(source.title), _year(source), _first_author(source))
    return [*identities, (by_title, BY_TITLE)]


def _identifier_values(source: SourceIn) -> dict[str, str]:
    return {identifier.scheme: identifier.value for identifier in source.identifiers}


def _first_author(source: SourceIn) -> str | None:
    if not source.authors:
        return None
    first = source.authors[0]
    return name_key(first.family or first.literal or "")


# What a publisher announced: a file that says so tells what nobody may have noticed.
_NOTICE = ("integrity", "integrity_date", "integrity_note")


def _differences(stored: Row, source: SourceIn) -> list[CitationDifference]:
    """Return what the entry says otherwise, a notice that is not recorded first."""
    given = columns_of(source.model_dump(), SourceIn)
    has_new_notice = given["integrity"] not in ("no_notice", stored["integrity"])
    names = [*(_NOTICE if has_new_notice else ()), *(name for name in given if name not in _NOTICE)]
    differences = []
    for name in names:
        value = given[name]
        if name in NOT_COMPARED or value in (None, [], False):
            continue
        old = stored[name]
        if name == "identifiers":
            old = _values_by_scheme(old)
            new_values = _values_by_scheme(value)
            value = {scheme: new for scheme, new in new_values.items() if old.get(scheme) != new}
            if not value:
                continue
        if name == "authors" and not any(author["orcid"] for author in value):
            old = [{**author, "orcid": None} for author in old]
        if old != value:
            differences.append(CitationDifference(field=name, stored=old, given=value))
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


def _give_slugs(
    connection: Connection,
    sources: Sequence[SourceIn],
    new_sources: NewSources,
    visible: _Visible,
) -> None:
    """Give each source an unused slug of family name and year: `zamboni-2009`, `zamboni-2009-2`.

    A slug that is taken by what nobody may know of is offered all the same.
    """
    waiting: dict[str, list[SourceIn]] = {}
    for source in reversed(sources):
        waiting.setdefault(_slug_stem(source), []).append(source)
    ahead = 1
    while waiting:
        # The next numbers of each stem, ever more of them where many are used.
        tried = {
            stem: [
                numbered_slug(stem, new_sources.numbers.get(stem, 0) + more + 1)
                for more in range(ahead * len(of_stem))
            ]
            for stem, of_stem in waiting.items()
        }
        used = _used(connection, [slug for slugs in tried.values() for slug in slugs], visible)
        for stem, of_stem in list(waiting.items()):
            for slug in tried[stem]:
                if not of_stem:
                    break
                new_sources.numbers[stem] = new_sources.numbers.get(stem, 0) + 1
                if slug not in used and slug not in new_sources.slugs:
                    new_sources.slugs.add(slug)
                    of_stem.pop().id = slug
            if not of_stem:
                del waiting[stem]
        ahead *= 2


def _used(connection: Connection, slugs: Sequence[str], visible: _Visible) -> set[str]:
    """Return which of these slugs are taken."""
    states = read_states(connection, [("source", slug) for slug in slugs])
    return {slug for (_, slug), state in states.items() if visible.is_taken(slug, state)}


def _slug_stem(source: SourceIn) -> str:
    name: str | None = source.title
    if source.authors:
        name = source.authors[0].family or source.authors[0].literal
    words = re.findall(r"[a-z0-9]+", name_key(name or "").replace("'", ""))
    stem = "-".join(words)[:60].strip("-") or "source"
    year = _year(source)
    return f"{stem}-{year}" if year else stem
