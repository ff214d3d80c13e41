"""Linked data in schema.org's words (JSON-LD 1.1): sources as works, claims as `Claim` with a `ClaimReview`.

The context stands in the file, so that a processor needs no network. Authors are an ordered list, as in CodeMeta. An
identifier that nobody has verified is a `PropertyValue` that says so, and never `sameAs`. The integrity of a source is
its `creativeWorkStatus`, and what was announced a `correction`.

The rating of a claim is the rank of its derived status, from 1 (refuted) to 7 (established); the status is its
`alternateName`, and the sentence of the rule that decided its `ratingExplanation`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from models.core import vocabularies as v
from models.records.serializers import Row
from models.status.rules import RULE_BY_NAME

MEDIA_TYPES: tuple[str, ...] = ("application/ld+json",)
EXTENSION = "jsonld"
# What schema.org has no term for.
CANNOT_CARRY: tuple[str, ...] = ("issued_inferred", "sample_size", "sample", "accessed")

_LINKS = ("url", "sameAs", "firstAppearance")
CONTEXT: Row = {
    "@vocab": "https://schema.org/",
    **{term: {"@type": "@id"} for term in _LINKS},
    # Otherwise the order of the authors would mean nothing.
    "author": {"@container": "@list"},
}
TYPES = {term.id: term.crosswalk["schema.org"] for term in v.SOURCE_TYPES.terms}
CONTAINERS = {
    **dict.fromkeys(("article-journal", "article"), "Periodical"),
    **dict.fromkeys(("chapter", "paper-conference", "book"), "Book"),
    "webpage": "WebSite",
    "dataset": "DataCatalog",
}
# Where a scheme's identifiers resolve.
RESOLVERS = {
    "doi": "https://doi.org/",
    "pmid": "https://pubmed.ncbi.nlm.nih.gov/",
    "pmcid": "https://pmc.ncbi.nlm.nih.gov/articles/",
}
LABELS = {term.id: term.label for term in v.IDENTIFIER_SCHEMES.terms}
UNVERIFIED = next(term for term in v.VERIFICATIONS.terms if term.id == "unverified")
DESIGNS = {
    term.id: term.label
    for term in v.STUDY_DESIGNS.terms
    if term.id not in ("not_recorded", "not_applicable")
}
INTEGRITIES = {term.id: term.label for term in v.INTEGRITIES.terms if term.id != "no_notice"}
STATUSES = {term.id: term for term in v.STATUSES.terms}
CERTAINTIES = {term.id: term.label for term in v.CERTAINTIES.terms}
WORST, BEST = 1, len(STATUSES)


def write(sources: Iterable[Row], keys: Mapping[str, str], base: str = "") -> Iterator[bytes]:
    """Yield a graph with a node for each source; `base` is where the API stands, such as `https://claims.example`.

    Without it the nodes' ids are relative to the address that the file comes from. Each has its citation key as
    `alternateName`.
    """
    return _graph({**work(source, base), "alternateName": keys[source["id"]]} for source in sources)


def claim(document: Row, base: str) -> Row:
    """Return a whole claim, as `ClaimWhole` gives it, as a graph: the claim, its review, then the sources they name."""
    return {"@context": CONTEXT, "@graph": list(_nodes(document, base))}


def work(source: Row, base: str) -> Row:
    """Return a source as a node of schema.org, without a context."""
    kind = TYPES[source["type"]]
    start, end = _ends(source["page"])
    verified = [one for one in source["identifiers"] if one["verification"] == "verified"]
    unfinished = ", ".join(_name(author) for author in source["authors"])
    return _told(
        {
            **_reference(source, base),
            "author": [_author(author) for author in source["authors"]],
            "creditText": None if source["authors_complete"] else f"{unfinished} et al.".strip(),
            "datePublished": source["issued"],
            "publication": source["epub_date"]
            and {
                "@type": "PublicationEvent",
                "name": "published online",
                "startDate": source["epub_date"],
            },
            "publisher": source["publisher"]
            and {"@type": "Organization", "name": source["publisher"]},
            "isPartOf": _container(source),
            "pagination": source["page"],
            "pageStart": start,
            "pageEnd": end,
            "inLanguage": source["language"],
            "url": source["url"] and quote(source["url"], safe="%/:=&?~#+!$,;'@()*[]"),
            "identifier": [*map(_identifier, source["identifiers"]), *_number(source)],
            "isbn": [
                one["value"] for one in verified if one["scheme"] == "isbn" and kind == "Book"
            ],
            "sameAs": [_resolved(one) for one in verified if one["scheme"] in RESOLVERS],
            "genre": DESIGNS.get(source["study_design"]),
            "creativeWorkStatus": INTEGRITIES.get(source["integrity"]),
            "correction": source["integrity_note"]
            and _told(
                {
                    "@type": "CorrectionComment",
                    "text": source["integrity_note"],
                    "datePublished": source["integrity_date"],
                }
            ),
            "comment": source["note"] and {"@type": "Comment", "text": source["note"]},
            "encoding": source["text_sha256"]
            and {
                "@type": "MediaObject",
                "encodingFormat": "text/plain",
                "sha256": source["text_sha256"],
            },
        }
    )


def _graph(nodes: Iterable[Row]) -> Iterator[bytes]:
    yield f'{{"@context": {json.dumps(CONTEXT)},\n"@graph": ['.encode()
    before = "\n"
    for node in nodes:
        yield f"{before}{json.dumps(node, ensure_ascii=False)}".encode()
        before = ",\n"
    yield b"\n]}\n"


def _nodes(document: Row, base: str) -> Iterator[Row]:
    sources = {source["id"]: source for source in document["sources"]}
    yield _claim(document, sources, base)
    yield _review(document, sources, base)
    for source in sources.values():
        yield work(source, base)


def _claim(document: Row, sources: Mapping[str, Row], base: str) -> Row:
    stated = {row["source"]: sources[row["source"]] for row in document["occurrences"]}
    first = min(
        stated.values(), key=lambda source: (source["published"], source["id"]), default=None
    )
    return _told(
        {
            "@type": "Claim",
            "@id": _address(document, base),
            "url": _address(document, base),
            "text": document["statement"],
            "appearance": [_reference(source, base) for source in stated.values()],
            "firstAppearance": first and f"{base}/v1/sources/{first['id']}",
            "dateCreated": document["created"][:10],
            "dateModified": document["updated"][:10],
            "version": str(document["revision"]),
        }
    )


def _review(document: Row, sources: Mapping[str, Row], base: str) -> Row:
    status = STATUSES[document["status"]]
    certainty = CERTAINTIES.get(document["certainty"], "not applicable")
    cited = dict.fromkeys(row["source"] for row in document["evidence"])
    return _told(
        {
            "@type": "ClaimReview",
            "@id": f"{_address(document, base)}#review",
            "url": _address(document, base),
            "claimReviewed": document["statement"],
            "itemReviewed": {"@type": "Claim", "@id": _address(document, base)},
            "reviewRating": {
                "@type": "Rating",
                "ratingValue": v.STATUSES.rank(status.id) + WORST,
                "worstRating": WORST,
                "bestRating": BEST,
                "alternateName": status.label,
                "ratingExplanation": RULE_BY_NAME[document["status_rule"]].sentence,
            },
            "reviewBody": f"{status.label.capitalize()} since {document['status_since']}. {status.definition} "
            f"Certainty: {certainty}. Status and certainty are derived by rule from the recorded evidence.",
            "author": [{"@type": "Organization", "name": "Claimbase"}],
            "datePublished": document["updated"][:10],
            "citation": [_reference(sources[slug], base) for slug in cited],
        }
    )


def _told(node: Row) -> Row:
    return {term: value for term, value in node.items() if value not in (None, "", [])}


def _address(document: Row, base: str) -> str:
    return f"{base}/v1/claims/{document['id']}"


def _reference(source: Row, base: str) -> Row:
    return {
        "@type": TYPES[source["type"]],
        "@id": f"{base}/v1/sources/{source['id']}",
        "name": source["title"],
    }


def _name(author: Row) -> str:
    parts = (author["given"], author["particle"], author["family"], author["suffix"])
    return author["literal"] or " ".join(part for part in parts if part)


def _author(author: Row) -> Row:
    if author["literal"]:
        return {"@type": "Organization", "name": author["literal"]}
    family = " ".join(part for part in (author["particle"], author["family"]) if part)
    person = {
        "@type": "Person",
        "name": _name(author),
        "givenName": author["given"],
        "familyName": family,
    }
    return _told({**person, "honorificSuffix": author["suffix"]})


def _container(source: Row) -> Row | None:
    """Return the issue, in its volume, in the journal or book, as far as they are known."""
    part: Row | None = None
    if source["container_title"]:
        kind = CONTAINERS.get(source["type"], "CreativeWork")
        short = source["container_title_short"]
        part = _told({"@type": kind, "name": source["container_title"], "alternateName": short})
    elif source["container_title_short"]:
        part = {
            "@type": CONTAINERS.get(source["type"], "CreativeWork"),
            "name": source["container_title_short"],
        }
    if source["volume"]:
        part = _told(
            {"@type": "PublicationVolume", "volumeNumber": source["volume"], "isPartOf": part}
        )
    if source["issue"]:
        part = _told(
            {"@type": "PublicationIssue", "issueNumber": source["issue"], "isPartOf": part}
        )
    return part


def _ends(page: str | None) -> tuple[str | None, str | None]:
    match = re.fullmatch(r"([A-Za-z]*[0-9]+[A-Za-z]*)-([A-Za-z]*[0-9]+[A-Za-z]*)", page or "")
    return (match[1], match[2]) if match else (None, None)


def _identifier(identifier: Row) -> Row:
    scheme = identifier["scheme"]
    node: Row = {
        "@type": "PropertyValue",
        "propertyID": LABELS[scheme],
        "value": identifier["value"],
    }
    if identifier["verification"] == "unverified":
        return {**node, "description": f"{UNVERIFIED.label}: {UNVERIFIED.definition}"}
    return {**node, "url": _resolved(identifier)} if scheme in RESOLVERS else node


def _number(source: Row) -> Iterator[Row]:
    if source["number"]:
        yield {"@type": "PropertyValue", "propertyID": "number", "value": source["number"]}


def _resolved(identifier: Row) -> str:
    # The characters that RFC 3986 lets stand in a path; DOIs have others, such as < and #.
    return RESOLVERS[identifier["scheme"]] + quote(identifier["value"], safe="/:;()!$&'*+,=@-._~")
