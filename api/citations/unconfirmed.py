"""What is stated of sources and nobody has confirmed.

Three things of a source can be confirmed: each identifier (somebody read it on a public page of the
work), the title (printed or translated, not described by a curator) and each date, of the issue
and online (read, not inferred). The share is that of the unconfirmed ones among all that are
stated. What is missing is listed beside them: a source without identifier or address, or without a
date, states nothing that could be confirmed. So are lines of evidence that nobody held against
their source.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from models.records.evidence import Evidence
from models.records.serializers import Row, sources_by_id, table
from models.records.source import Source

CONFIRMED_TITLES = ("printed", "translated")


@dataclass(frozen=True)
class Statement:
    """Something that is stated of a source, and why it is unconfirmed, None if it is confirmed."""

    source: str
    kind: str
    text: str
    doubt: str | None


@dataclass(frozen=True)
class Report:
    """What is stated of accepted sources, what is missing of them, and lines held against nothing.

    `lines` is the number of accepted lines of evidence.
    """

    statements: list[Statement]
    missing: list[str]
    unchecked_lines: list[str]
    lines: int

    def of_kind(self, kind: str | None = None) -> tuple[int, int]:
        """Return how many statements of a kind, or of all, are unconfirmed, and how many are."""
        found = [each for each in self.statements if kind in (None, each.kind)]
        return sum(each.doubt is not None for each in found), len(found)


KINDS = ("identifier", "title", "date")


def report(connection: Connection) -> Report:
    """Return what is stated of the accepted sources, in their order."""
    rows, evidence = table(Source), table(Evidence)
    accepted = select(rows.c.id).where(rows.c.state == "accepted").order_by(rows.c.id)
    slugs = connection.scalars(accepted).all()
    by_id = sources_by_id(connection, slugs)
    sources = [by_id[slug] for slug in slugs]
    lines = connection.execute(
        select(evidence.c.claim, evidence.c.key, evidence.c.checked_against)
        .where(evidence.c.state == "accepted")
        .order_by(evidence.c.claim, evidence.c.key)
    ).all()
    return Report(
        [statement for source in sources for statement in _statements(source)],
        [missing for source in sources for missing in _missing(source)],
        [f"{line.claim}:{line.key}" for line in lines if line.checked_against is None],
        len(lines),
    )


def _statements(source: Row) -> Iterator[Statement]:
    slug = source["id"]
    for identifier in source["identifiers"]:
        doubt = None if identifier["verification"] == "verified" else "unverified"
        yield Statement(slug, "identifier", f"{identifier['scheme']}:{identifier['value']}", doubt)
    if source["title"]:
        is_confirmed = source["title_status"] in CONFIRMED_TITLES
        doubt = None if is_confirmed else source["title_status"] or "nobody says whether printed"
        yield Statement(slug, "title", source["title"], doubt)
    if source["issued"]:
        doubt = "inferred" if source["issued_inferred"] else None
        yield Statement(slug, "date", source["issued"], doubt)
    if source["epub_date"]:
        yield Statement(slug, "date", source["epub_date"], None)


def _missing(source: Row) -> Iterator[str]:
    if not source["identifiers"] and not source["url"]:
        yield f"{source['id']} has no identifier and no address."
    if not (source["issued"] or source["epub_date"]):
        yield f"{source['id']} has no date."


def sentences(found: Report) -> Iterator[str]:
    """Yield the report line by line: each statement that is unconfirmed, then the shares."""
    for each in found.statements:
        if each.doubt is not None:
            yield f"{each.source} {each.kind} {each.text}: {each.doubt}."
    yield from found.missing
    for line in found.unchecked_lines:
        yield f"{line} was held against nothing that is known."
    for kind in KINDS:
        yield _share(f"{kind}s", *found.of_kind(kind))
    yield _share("lines of evidence", len(found.unchecked_lines), found.lines)
    yield _share("identifiers, titles and dates together", *found.of_kind())


def _share(what: str, number: int, of: int) -> str:
    share = 100 * number / of if of else 0.0
    return f"{number} of {of} {what} ({share:.1f} %) nobody has confirmed."
