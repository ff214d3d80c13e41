"""Looks unverified identifiers up where they are registered, and tells whether they name the work
they are written on.

Asks Crossref (DOI) and PubMed (PMID, PMCID), one request at a time and politely; what they answer
is treated as hostile: bounded in size and time, and read only where it has the expected form.
Reports; changes nothing.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from sqlalchemy import Connection, select

from api.citations import registries
from models.records.serializers import Row, sources_by_id, table
from models.records.source import SourceIdentifier, in_brackets, name_key
from models.transfer.citation_matching import same_title

MOST_BYTES = 2_000_000
SECONDS = 15.0


class NoNetwork(Exception):
    """The service cannot be reached at all."""


@dataclass(frozen=True)
class Verdict:
    """What was found of one identifier: `agrees`, `differs` (with the fields), `unknown` there, or
    `unanswered`.
    """

    source: str
    scheme: str
    value: str
    outcome: str
    detail: str


@dataclass(frozen=True)
class Work:
    """The fields of a service's record of a work that are compared."""

    title: str
    year: int | None
    first_author: str | None


def unverified(connection: Connection) -> list[tuple[str, str, str]]:
    """Return the source, scheme and value of every identifier that nobody has verified."""
    identifier = table(SourceIdentifier)
    statement = select(identifier.c.source, identifier.c.scheme, identifier.c.value)
    rows = connection.execute(
        statement.where(identifier.c.verification == "unverified").order_by(
            identifier.c.source, identifier.c.scheme
        )
    )
    return [(row.source, row.scheme, row.value) for row in rows]


def verify(
    connection: Connection,
    mailto: str,
    *,
    crossref: str = registries.CROSSREF,
    pubmed: str = registries.PUBMED,
    pause: float = registries.PAUSE,
) -> Iterator[Verdict]:
    """Yield a verdict for each unverified identifier; raises `NoNetwork` where a service cannot be
    reached.

    `mailto` is the address of whoever runs this, which both services ask for. The two base
    addresses are for tests.
    """
    identifiers = unverified(connection)
    sources = sources_by_id(connection, {source for source, _, _ in identifiers})
    bases = {"doi": crossref, "pmid": pubmed, "pmcid": pubmed}
    agent = registries.user_agent(mailto)
    with httpx2.Client(
        headers={"User-Agent": agent}, timeout=SECONDS, follow_redirects=False
    ) as client:
        for index, (source, scheme, value) in enumerate(identifiers):
            if scheme not in SERVICES:
                detail = "No service is asked for this scheme."
                yield Verdict(source, scheme, value, "unanswered", detail)
                continue
            if index:
                time.sleep(pause)
            path, read = SERVICES[scheme]
            number = quote(value.removeprefix("PMC"), safe="")
            url = bases[scheme] + path.format(value=number, mailto=quote(mailto))
            outcome, detail = _judge(client, url, read, value, sources[source])
            yield Verdict(source, scheme, value, outcome, detail)


def _judge(
    client: httpx2.Client,
    url: str,
    read: Callable[[Any, str], Work | None],
    value: str,
    source: Row,
) -> tuple[str, str]:
    """Return the outcome and the detail of one identifier."""
    try:
        status, _, content = registries.read_bounded(client, url, MOST_BYTES, SECONDS)
    except httpx2.ConnectError as error:
        raise NoNetwork(str(error)) from None
    except httpx2.TransportError as error:
        return "unanswered", f"No proper answer: {type(error).__name__}."
    if status == 404:
        return "unknown", "The service does not know it."
    if status != 200:
        return "unanswered", f"The service answered {status}."
    if content is None:
        size, seconds = f"{MOST_BYTES:,}", f"{SECONDS:.0f}"
        detail = f"The answer is larger than {size} bytes or took longer than {seconds} s."
        return "unanswered", detail
    try:
        work = read(json.loads(content), value)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return "unanswered", "The answer does not have the form that the service documents."
    if work is None:
        return "unknown", "The service does not know it."
    differences = _differences(source, work)
    if differences:
        return "differs", "; ".join(differences)
    return "agrees", "Title, year and first author agree."


def _differences(source: Row, work: Work) -> list[str]:
    """Return what differs. A title in brackets, which a curator supplied, is not compared."""
    differences = []
    title = source["title"]
    if not in_brackets(title) and not same_title(title, work.title):
        differences.append(f"title: here '{title}', there '{work.title[:300]}'")
    # A paper that is online in one year and in print in the next has both years.
    year = source["year"]
    if year and work.year and abs(year - work.year) > 1:
        differences.append(f"year: here {year}, there {work.year}")
    first = source["authors"][0]["family"] if source["authors"] else None
    if first and work.first_author and name_key(first) not in name_key(work.first_author):
        there = work.first_author[:100]
        differences.append(f"first author: here '{first}', there '{there}'")
    return differences


def _crossref(answer: Any, _value: str) -> Work | None:
    message = answer["message"]
    authors = message.get("author") or []
    issued = (message.get("issued") or {}).get("date-parts") or [[None]]
    first = authors[0].get("family") or authors[0].get("name") if authors else None
    return Work(str(message["title"][0]), _number(issued[0][0]), first and str(first))


def _pubmed(answer: Any, value: str) -> Work | None:
    result = answer["result"]
    record = result.get(value.removeprefix("PMC"))
    if record is None or "error" in record:
        return None
    authors = record.get("authors") or []
    return Work(
        str(record["title"]),
        _number(str(record.get("pubdate", ""))[:4]),
        str(authors[0]["name"]) if authors else None,
    )


def _number(value: Any) -> int | None:
    return int(value) if value is not None and str(value).isdigit() else None


_SUMMARY = "/entrez/eutils/esummary.fcgi?retmode=json&tool=claimbase&email={mailto}"
SERVICES: dict[str, tuple[str, Callable[[Any, str], Work | None]]] = {
    "doi": ("/works/{value}?mailto={mailto}", _crossref),
    "pmid": (_SUMMARY + "&db=pubmed&id={value}", _pubmed),
    "pmcid": (_SUMMARY + "&db=pmc&id={value}", _pubmed),
}
