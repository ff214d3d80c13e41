"""One source: what it is, what became of it, what it says of which claims, and how to cite it."""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import from_json
from sqlalchemy import Connection, select

from api.citations import bibliography, json_ld, style_catalogue
from api.http import pagination
from api.http.read_connection import ThreadReader
from api.routes.sources import SourceReference
from api.site import forest_plot
from api.site.notes import names_in
from api.site.pages import PageRoute, page
from models.core import vocabularies as v
from models.read import discussion, facets, listings
from models.read.listings import assessment
from models.read.stated_in import MOST_STATEMENTS, statements_in
from models.records.identifiers import RESOLVERS, address_of
from models.records.serializers import Row, sources_by_id, table
from models.records.source import SourceVersion

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# The page stays light; the list of evidence has the others.
LINES_OF_SOURCE = 60
POSITIONS_OF_SOURCE = 20
SCHEMES = {term.id: term.label for term in v.IDENTIFIER_SCHEMES.terms}
TIES = {term.id: term.label for term in v.VERSION_TIES.terms}
# What a source says of itself and people look for, in the order of the page.
DETAILS = (
    ("container_title", "In"),
    ("volume", "Volume"),
    ("issue", "Issue"),
    ("page", "Pages"),
    ("number", "Number"),
    ("edition", "Edition"),
    ("event_title", "Presented at"),
    ("publisher", "Publisher"),
    ("sample", "Groups"),
    ("licence", "Licence"),
)
# Styles that many ask for; all others are at /v1/citation-styles.
STYLES = (
    ("apa", "APA"),
    ("vancouver", "Vancouver"),
    ("modern-language-association", "MLA"),
    ("chicago-author-date", "Chicago"),
)


@router.get("/sources/{source:reference}")
def show_source(request: Request, connection: ThreadReader, source: SourceReference) -> Response:
    """Show a source: its reference, notices about it, its evidence by claim, how to cite it."""
    found = listings.read_referenced_source(connection, source)
    slug = found["id"]
    lines, more_lines = _lines(connection, slug)
    stated = statements_in(connection, slug)
    positions = _positions(connection, slug)
    named = {line["claim"] for line in lines} | {each["claim"] for each in positions}
    named |= {line["relation_target"] for line in lines if line["relation_target"]}
    notes = [found["note"], found["integrity_note"], *(line["finding"] for line in lines)]
    return page(
        request,
        "source.html",
        title=found["title"] or found["citation"],
        description=f"{found['citation']}: what this source says, and of which claims.",
        json_address=f"/v1/sources/{slug}",
        graph=json_ld.one_work(found, pagination.base_of(request)),
        # One address, however the source was asked for.
        canonical=f"/sources/{slug}",
        source=found,
        details=[(label, found[name]) for name, label in DETAILS if found[name]],
        authors=[{**author, "name": full_name(author)} for author in found["authors"]],
        contributors=[{**each, "name": full_name(each)} for each in found["contributors"]],
        identifiers=[
            {**each, "label": SCHEMES[each["scheme"]], "address": _address(each)}
            for each in found["identifiers"]
        ],
        address=found["url"] if _is_web(found["url"]) else None,
        reference=bibliography.entry(found, 1, style_catalogue.find()),
        styles=STYLES,
        ties=_ties(connection, found),
        by_claim=[(claim, list(of)) for claim, of in groupby(lines, key=itemgetter("claim"))],
        more_lines=more_lines,
        claims=listings.claim_briefs(connection, named),
        names=names_in(connection, notes),
        stated=_first_of_each(stated),
        statements=len(stated),
        most=MOST_STATEMENTS,
        positions=positions,
        comments=discussion.comments_on(connection, f"source/{slug}"),
        cites=len(found["cites"]),
        cited_by=facets.count(connection, listings.SOURCES, {"cites": [slug]}),
    )


def _address(identifier: Row) -> str | None:
    """Return where an identifier resolves, None where it does not."""
    scheme, value = identifier["scheme"], identifier["value"]
    if scheme in RESOLVERS:
        return address_of(scheme, value)
    return str(value) if _is_web(value) else None


def _is_web(address: str | None) -> bool:
    """Return whether a page may lead to an address: not to `javascript:`, which would run."""
    return bool(address) and str(address).lower().startswith(("https://", "http://"))


def full_name(author: Row) -> str:
    """Return the name of a person as it is said, or that of a group."""
    if author["literal"]:
        return str(author["literal"])
    parts = (author[name] for name in ("given", "particle", "family", "suffix"))
    return " ".join(part for part in parts if part)


def _lines(connection: Connection, slug: str) -> tuple[list[Row], bool]:
    """Return the lines of evidence from a source in the order of their claims, and whether there
    are more.
    """
    rows, mark = listings.read_page(
        connection,
        listings.EVIDENCE,
        listings.evidence_statement(),
        {"source": [slug]},
        (),
        None,
        LINES_OF_SOURCE,
    )
    return [forest_plot.with_words(from_json(row["document"])) for row in rows], mark is not None


def _positions(connection: Connection, slug: str) -> list[Row]:
    """Return the positions of bodies that stand in a source."""
    names = ("claim", "assessor", "status", "verdict", "assessed")
    chosen = (
        select(*(assessment.c[name] for name in names))
        .where(assessment.c.source == slug, assessment.c.state == "accepted")
        .order_by(assessment.c.assessed.desc(), assessment.c.claim)
        .limit(POSITIONS_OF_SOURCE)
    )
    return [dict(row) for row in connection.execute(chosen).mappings()]


def _first_of_each(stated: Iterable[Row]) -> list[Row]:
    """Return the claims of statements once each, in the order in which they are first stated."""
    return list({each["claim"]["id"]: each["claim"] for each in stated}.values())


def _ties(connection: Connection, source: Row) -> list[dict[str, Any]]:
    """Return the ties of a source to its other versions, from both ends, each in words."""
    slug = source["id"]
    versions = table(SourceVersion)
    tied = select(versions.c.source).where(versions.c.other == slug).order_by(versions.c.source)
    inward = list(connection.scalars(tied))
    known = sources_by_id(connection, [*inward, *(tie["source"] for tie in source["versions"])])
    outward = [
        {"says": f"This {TIES[tie['type']]}", "source": known[tie["source"]], "ends": ""}
        for tie in source["versions"]
        if _is_shown(known.get(tie["source"]))
    ]
    return outward + [
        {"says": "", "source": known[other], "ends": f"{TIES[tie['type']]} this"}
        for other in inward
        if _is_shown(known.get(other))
        for tie in known[other]["versions"]
        if tie["source"] == slug
    ]


def _is_shown(source: Row | None) -> bool:
    return source is not None and source["state"] == "accepted"
