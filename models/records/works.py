"""Works: sources that are tied as versions of one another are one body of evidence."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from models.database.prepared_statements import fetch, is_one_of, padded
from models.records.record_types import LISTS_OF
from models.records.serializers import Row, table
from models.records.source import Source, SourceVersion

BATCH_SIZE = 500


def works_of(connection: Connection, sources: Collection[str]) -> dict[str, str]:
    """Return, for each of these sources, the source that stands for all versions of it.

    That is the first of them by its slug. Ties of sources that are not accepted tie nothing.
    """
    groups = _grouped(_all_ties(connection, sources))
    return {slug: min(groups.get(slug, {slug})) for slug in sources}


def versions_of(connection: Connection, sources: Collection[str]) -> set[str]:
    """Return these sources with all that are tied to one of them, directly or through others."""
    groups = _grouped(_all_ties(connection, sources))
    return set().union(*(groups.get(slug, {slug}) for slug in sources))


def works_by(sources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the works of sources by the ties in their own bodies, as `works_of` does."""
    known = list(sources)
    ties = {
        (body["id"], version["source"])
        for body in known
        if body["state"] == "accepted"
        for version in body["versions"]
    }
    groups = _grouped(ties)
    return {body["id"]: min(groups.get(body["id"], {body["id"]})) for body in known}


def _all_ties(connection: Connection, sources: Collection[str]) -> set[tuple[str, str]]:
    """Return the ties of accepted sources that can be reached from these sources."""
    ties: set[tuple[str, str]] = set()
    read: set[str] = set()
    unread = set(sources)
    while unread:
        found = set(_ties_at(connection, sorted(unread)))
        read |= unread
        ties |= found
        unread = {slug for tie in found for slug in tie} - read
    return ties


def _ties_at(connection: Connection, sources: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the ties of accepted sources that begin or end at one of these sources."""
    rows, source = table(SourceVersion), table(Source)
    for start in range(0, len(sources), BATCH_SIZE):
        wanted = padded(sources[start : start + BATCH_SIZE])

        def build(wanted: Mapping[str, Any] = wanted) -> Select[Any]:
            touching = or_(is_one_of(rows.c.source, wanted), is_one_of(rows.c.other, wanted))
            joined = rows.join(source, source.c.id == rows.c.source)
            return (
                select(rows.c.source, rows.c.other)
                .select_from(joined)
                .where(touching, source.c.state == "accepted")
            )

        _, found = fetch(connection, ("ties", len(wanted)), build, wanted)
        yield from ((tie[0], tie[1]) for tie in found)


def _grouped(ties: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Return the group of each source that has a tie: all that are tied, through others too."""
    groups: dict[str, set[str]] = {}
    for tie in ties:
        first, second = (groups.get(slug, {slug}) for slug in tie)
        if first is second:
            continue
        small, large = sorted((first, second), key=len)
        large |= small
        groups.update(dict.fromkeys((*small, *tie), large))
    return groups


def ties_of(source: Row) -> Iterator[str]:
    """Yield the sources that a source is a version of or cites."""
    for listed in LISTS_OF["source"]:
        yield from (slug for _, slug in listed.items(source))


def in_order_of_ties(sources: Iterable[Row]) -> list[str]:
    """Return the slugs of sources, each after those that it is a version of or cites.

    Of sources that are tied to each other in a circle one comes first.
    """
    by_slug = {source["id"]: source for source in sources}
    ordered: list[str] = []
    entered: set[str] = set()

    def unentered(slugs: Iterable[str]) -> Iterator[str]:
        for slug in slugs:
            if slug in by_slug and slug not in entered:
                entered.add(slug)
                yield slug

    for first in unentered(by_slug):
        # Each source of the path, with those of its ties that were not followed yet.
        path = [(first, unentered(ties_of(by_slug[first])))]
        while path:
            slug, ties = path[-1]
            before = next(ties, None)
            if before is None:
                ordered.append(slug)
                path.pop()
            else:
                path.append((before, unentered(ties_of(by_slug[before]))))
    return ordered


def find_cycle(connection: Connection, source: str, others: Collection[str]) -> str | None:
    """Return which of the sources that a source is to be tied to leads back to it, or None."""
    rows = table(SourceVersion)
    for other in others:
        read: set[str] = set()
        unread = {other}
        while unread:
            if source in unread:
                return other
            read |= unread
            onward = select(rows.c.other).where(rows.c.source.in_(sorted(unread)))
            unread = set(connection.scalars(onward)) - read
    return None
