"""Many identifiers at once: the sources that they name, those that name none, and what is none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Select, select

from models.core.errors import InvalidRecord
from models.core.types import is_slug
from models.database.prepared_statements import fetch, is_one_of, padded
from models.read.references import parse_identifier
from models.records.identifiers import IDENTIFIER_FORMATS, as_reference
from models.records.record_types import RECORD_TYPES, batches, current_id, read_states
from models.records.serializers import table
from models.records.source import Source, SourceIdentifier

# A slug, or a scheme and an identifier.
Name = str | tuple[str, str]
source, owner = table(Source), table(SourceIdentifier)


@dataclass(frozen=True)
class Unreadable:
    """What was given and is no identifier, and why."""

    given: str
    detail: str


@dataclass(frozen=True)
class LookedUp:
    """What became of each text that was given: a source's slug, nothing, or no identifier."""

    found: dict[str, str]
    not_found: list[str]
    unreadable: list[Unreadable]


def look_up(connection: Connection, given: Iterable[str]) -> LookedUp:
    """Return the accepted sources with these slugs or identifiers, in any form that a path takes.

    A source that was merged is the one that it was merged into.
    """
    names: dict[str, list[Name]] = {}
    unreadable = []
    for text in dict.fromkeys(given):
        try:
            names[text] = _names_in(text)
        except InvalidRecord as error:
            unreadable.append(Unreadable(text, error.detail))
    slugs = _slugs_of(connection, set(chain(*names.values())))
    named = {
        text: next((slugs[name] for name in candidates if name in slugs), None)
        for text, candidates in names.items()
    }
    found = {text: slug for text, slug in named.items() if slug is not None}
    return LookedUp(found, [text for text in named if text not in found], unreadable)


def _names_in(text: str) -> list[Name]:
    """Return what a text may name, the surest first. Raises `InvalidRecord` if that is nothing."""
    scheme, colon, value = as_reference(text.strip()).partition(":")
    if colon:
        return [parse_identifier(scheme.lower(), value, "identifier")]
    if not is_slug(scheme):
        raise InvalidRecord(f"'{text}' is neither an identifier nor a slug.")
    # If it is no slug, a number is what PubMed calls it.
    is_pmid = IDENTIFIER_FORMATS["pmid"].pattern.fullmatch(scheme) is not None
    return [scheme, ("pmid", scheme)] if is_pmid else [scheme]


def _slugs_of(connection: Connection, names: set[Name]) -> dict[Name, str]:
    """Return the slug of the source with each of these names that one has."""
    rows: list[tuple[Name, str, str]] = []
    for slugs in batches(sorted(name for name in names if isinstance(name, str))):
        rows += [(slug, slug, state) for slug, state in _fetched(connection, slugs, _by_slug)]
    pairs = {name for name in names if not isinstance(name, str)}
    for values in batches(sorted({value for _, value in pairs})):
        for scheme, value, slug, state in _fetched(connection, values, _by_identifier):
            rows.append(((scheme, value), slug, state))
    accepted = {name: slug for name, slug, state in rows if state == "accepted"}
    merged = {
        name: current_id(connection, RECORD_TYPES["source"], slug)
        for name, slug, state in rows
        if name in names and state == "merged"
    }
    states = read_states(connection, [("source", slug) for slug in merged.values()])
    moved = {name: slug for name, slug in merged.items() if states["source", slug] == "accepted"}
    return moved | accepted


def _fetched(connection: Connection, values: Sequence[str], build: Any) -> list[tuple[Any, ...]]:
    wanted = padded(values)
    key = ("look up", build, len(wanted))
    return fetch(connection, key, lambda: build(wanted), wanted)[1]


def _by_slug(wanted: Iterable[str]) -> Select[Any]:
    return select(source.c.id, source.c.state).where(is_one_of(source.c.id, wanted))


def _by_identifier(wanted: Iterable[str]) -> Select[Any]:
    # Its index begins with the scheme, so all of them are named.
    joined = select(owner.c.scheme, owner.c.value, owner.c.source, source.c.state).join(
        source, source.c.id == owner.c.source
    )
    return joined.where(owner.c.scheme.in_([*IDENTIFIER_FORMATS]), is_one_of(owner.c.value, wanted))
