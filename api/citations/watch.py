"""Asks Crossref and PubMed for notices about stored works: retractions, corrections, concerns.

Both are asked for the notices about a work, and whether the work is itself a notice about another
one. What is returned is what they say: held against what is recorded it is elsewhere
(`models.transfer.notice_matching`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import httpx2
from sqlalchemy import Connection, func, select
from sqlalchemy.sql.selectable import Subquery

from api.citations import crossref_notices, pubmed_notices
from api.citations.registries import Registry, Unanswered, Unknown
from models.records.serializers import Row, table
from models.records.source import Source, SourceIdentifier
from models.transfer.notice_matching import Identifier, Notice

SCHEMES = ("doi", "pmid", "pmcid")


@dataclass(frozen=True)
class Registries:
    """The two registries that are asked for notices."""

    crossref: Registry
    pubmed: Registry

    @classmethod
    def at(cls, crossref: str, pubmed: str, client: httpx2.Client, mailto: str) -> "Registries":
        """Return the registries at two addresses, to be asked by whoever has an e-mail address."""
        return cls(
            Registry("Crossref", crossref, client, {"mailto": mailto}),
            Registry("PubMed", pubmed, client, {"tool": "claimbase", "email": mailto}),
        )


@dataclass
class Answers:
    """What the registries said of some works.

    `unknown` are the identifiers that they do not know, and `unanswered` those of which they said
    nothing, with the reason.
    """

    notices: list[Notice] = field(default_factory=list)
    unknown: set[Identifier] = field(default_factory=set)
    unanswered: dict[Identifier, str] = field(default_factory=dict)

    def ask(
        self,
        scheme: str,
        values: Sequence[str],
        request: Callable[[Sequence[str]], tuple[Iterable[Notice], Iterable[str]]],
    ) -> None:
        """Ask for all values at once and, if there is no answer, for each half by itself.

        `request` returns the notices, and which values are known there.
        """
        try:
            notices, known = request(values)
        except Unanswered as error:
            if len(values) > 1:
                middle = len(values) // 2
                self.ask(scheme, values[:middle], request)
                self.ask(scheme, values[middle:], request)
            elif isinstance(error, Unknown):
                self.unknown.add((scheme, values[0]))
            else:
                self.unanswered[scheme, values[0]] = str(error)
            return
        self.notices += notices
        self.unknown |= {(scheme, value) for value in set(values) - set(known)}


def count_watched(connection: Connection, after: str) -> int:
    """Return how many accepted sources that can be looked up come after a slug."""
    return connection.scalar(select(func.count()).select_from(_watched(after, None))) or 0


def watched(connection: Connection, after: str, limit: int) -> dict[str, list[Identifier]]:
    """Return the identifiers of the next accepted sources that can be looked up, by slug."""
    identifier, sources = table(SourceIdentifier), _watched(after, limit)
    columns = select(identifier.c.source, identifier.c.scheme, identifier.c.value)
    rows = connection.execute(
        columns.join(sources, sources.c.id == identifier.c.source)
        .where(identifier.c.scheme.in_(SCHEMES))
        .order_by(identifier.c.source, identifier.c.scheme)
    )
    found: dict[str, list[Identifier]] = {}
    for slug, scheme, value in rows:
        found.setdefault(slug, []).append((scheme, value))
    return found


def _watched(after: str, limit: int | None) -> Subquery:
    identifier, source = table(SourceIdentifier), table(Source)
    of_source = (identifier.c.source == source.c.id) & identifier.c.scheme.in_(SCHEMES)
    return (
        select(source.c.id)
        .where(source.c.state == "accepted", source.c.id > after)
        .where(select(identifier.c.source).where(of_source).exists())
        .order_by(source.c.id)
        .limit(limit)
        .subquery()
    )


def ask(registries: Registries, sources: Iterable[Sequence[Identifier]]) -> Answers:
    """Return what Crossref and PubMed say of works with these identifiers.

    Raises `registries.Unavailable` if one of them answers nobody.
    """
    answers = Answers()
    known = [dict(identifiers) for identifiers in sources]
    _ask_crossref(registries.crossref, [each["doi"] for each in known if "doi" in each], answers)
    pmids = {each["pmid"]: None for each in known if "pmid" in each}
    pmcids = [each["pmcid"] for each in known if "pmcid" in each and "pmid" not in each]
    by_pmid = _pmids_of(registries.pubmed, pmcids, answers)
    _ask_pubmed(registries.pubmed, {**by_pmid, **pmids}, answers)
    return answers


def _ask_crossref(crossref: Registry, dois: Sequence[str], answers: Answers) -> None:
    for batch in crossref_notices.batches(dois):
        for request in (crossref_notices.ask_for_notices, crossref_notices.ask_for_works):
            answers.ask("doi", batch, partial(request, crossref))


def _pmids_of(pubmed: Registry, pmcids: Sequence[str], answers: Answers) -> dict[str, str]:
    """Return PMCIDs by the PMID of the same work, under which PubMed has the notices."""
    found: dict[str, str] = {}

    def request(values: Sequence[str]) -> tuple[list[Notice], Iterable[str]]:
        pmids = pubmed_notices.ask_for_pmids(pubmed, values)
        found.update({pmid: pmcid for pmcid, pmid in pmids.items()})
        return [], pmids

    for batch in pubmed_notices.batches(pmcids):
        answers.ask("pmcid", batch, request)
    return found


def _ask_pubmed(pubmed: Registry, pmids: dict[str, str | None], answers: Answers) -> None:
    """Ask for works by PMID; some of them are stored with a PMCID alone."""
    of_works = Answers()
    for batch in pubmed_notices.batches(list(pmids)):
        of_works.ask("pmid", batch, partial(pubmed_notices.ask_for_works, pubmed))
    # Those that are not among the works themselves have records of their own.
    numbers = {
        value
        for notice in of_works.notices
        for scheme, value in notice.identifiers
        if scheme == "pmid" and value not in pmids
    }
    records: dict[str, Row] = {}

    def request(values: Sequence[str]) -> tuple[list[Notice], Iterable[str]]:
        found = pubmed_notices.ask_for_records(pubmed, values)
        records.update(found)
        return [], found

    of_notices = Answers()
    for batch in pubmed_notices.batches(sorted(numbers)):
        of_notices.ask("pmid", batch, request)
    answers.unknown |= of_works.unknown
    # A notice whose record could not be read now is told next time, with its title.
    answers.unanswered |= of_works.unanswered | of_notices.unanswered
    answers.notices += [
        _about_stored(pubmed_notices.with_record(notice, records.get(number)), pmids)
        for notice in of_works.notices
        if ("pmid", number := dict(notice.identifiers).get("pmid", "")) not in of_notices.unanswered
    ]


def _about_stored(notice: Notice, pmids: dict[str, str | None]) -> Notice:
    """Return a notice with the PMCIDs of the works that are stored with a PMCID alone."""
    stored = {("pmid", pmid): ("pmcid", pmcid) for pmid, pmcid in pmids.items() if pmcid}
    return replace(
        notice,
        about=tuple(stored.get(each, each) for each in notice.about),
        identifiers=tuple(stored.get(each, each) for each in notice.identifiers),
    )
