"""Linked data in the words of schema.org and CiTO (JSON-LD 1.1): sources as works, claims as
`Claim` with a `ClaimReview`, lines of evidence as `cito:Citation`.

The context stands in the file, so that a processor needs no network. Authors are an ordered list,
as in CodeMeta. An identifier that nobody has verified is a `PropertyValue` that says so, and never
`sameAs`. The integrity of a source is its `creativeWorkStatus`, and what was announced a
`correction`.

The rating of a claim goes from 1 to 5, as readers of fact checks expect: 1 (refuted) is false, 5
(established) is true, and in the middle stand the claims of which neither is known: contested ones
and unconfirmed ones. The status is its `alternateName`, and the sentence of the rule that decided
is its `ratingExplanation`. A claim on which nothing takes a side has no rating.

A source `cito:supports` or `cito:disputes` a claim, or `cito:discusses` it where it is inconclusive
(https://w3id.org/spar/cito). The citation of each line has the finding, its level, design and date.
Neither has a word for a notice, so `disclaimer` is the registered relation of RFC 6903.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from models.core import vocabularies as v
from models.core.notice import with_general
from models.records.identifiers import RESOLVERS, address_of
from models.records.serializers import Row
from models.status.rules import RULE_BY_NAME

MEDIA_TYPES: tuple[str, ...] = ("application/ld+json",)
EXTENSION = "jsonld"
# What schema.org has no term for.
CANNOT_CARRY: tuple[str, ...] = (
    *("title_status", "issued_inferred", "sample_size", "sample", "accessed", "versions"),
    *("main_claim", "collection", "event_title", "event_place"),
)

_LINKS = ("url", "sameAs", "license", "firstAppearance", "citation")
CITO = "http://purl.org/spar/cito/"
PROV = "http://www.w3.org/ns/prov#"
# How a source is tied to a claim, by the direction of a line.
TIES = {term.id: f"cito:{term.crosswalk['cito']}" for term in v.DIRECTIONS.terms}
_CITO_LINKS = (
    *TIES.values(),
    *(f"cito:hasCit{end}" for end in ("ingEntity", "edEntity", "ationCharacterization")),
)
CONTEXT: Row = {
    "@vocab": "https://schema.org/",
    "cito": CITO,
    "prov": PROV,
    "prov:generated": {"@id": "prov:generated", "@type": "@id"},
    "prov:endedAtTime": {
        "@id": "prov:endedAtTime",
        "@type": "http://www.w3.org/2001/XMLSchema#dateTime",
    },
    **{term: {"@type": "@id"} for term in _LINKS},
    **{term: {"@id": term, "@type": "@id"} for term in _CITO_LINKS},
    "cito:hasCitationCreationDate": {
        "@id": "cito:hasCitationCreationDate",
        "@type": "http://www.w3.org/2001/XMLSchema#date",
    },
    "disclaimer": {"@id": "http://www.iana.org/assignments/relation/disclaimer"},
    # Otherwise the order of the authors would mean nothing.
    "author": {"@container": "@list"},
}
TYPES = {term.id: term.crosswalk["schema.org"] for term in v.SOURCE_TYPES.terms}
CONTAINERS = {
    **dict.fromkeys(
        ("article-journal", "article", "article-magazine", "article-newspaper", "review"),
        "Periodical",
    ),
    **dict.fromkeys((*v.PARTS_OF_BOOKS, "book"), "Book"),
    "webpage": "WebSite",
    "dataset": "DataCatalog",
}
# The roles of contributors that are properties of schema.org, too.
_ROLES = ("editor", "translator", "illustrator", "director", "producer")
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
# Of the statuses that are rated.
RATINGS = {
    "refuted": 1,
    "disputed": 2,
    "contested": 3,
    "unconfirmed": 3,
    "supported": 4,
    "established": 5,
}
WORST, BEST = min(RATINGS.values()), max(RATINGS.values())
# The vocabularies of what a citation tells of a line.
GRADED = {"level": v.EVIDENCE_LEVELS, "question": v.QUESTIONS, "study_design": v.STUDY_DESIGNS}


_RANGE_OF_PAGES = re.compile(r"([A-Za-z]*[0-9]+[A-Za-z]*)-([A-Za-z]*[0-9]+[A-Za-z]*)")
# The characters that may stand in an address as they are, and in the path of one by RFC 3986.
_SAFE_IN_URL = "%/:=&?~#+!$,;'@()*[]"


def write(sources: Iterable[Row], base: str = "") -> Iterator[bytes]:
    """Yield a graph with a node for each source.

    `base` is the address of the API, such as `https://claims.example`. Without it the nodes' ids
    are relative to the address of the file.
    """
    yield f'{{"@context": {json.dumps(CONTEXT)},\n"@graph": ['.encode()
    separator = "\n"
    for source in sources:
        yield f"{separator}{json.dumps(work(source, base), ensure_ascii=False)}".encode()
        separator = ",\n"
    yield b"\n]}\n"


def claim(document: Row, base: str) -> Row:
    """Return a claim with all its parts (a `ClaimWhole`) as a graph.

    The graph has the claim, its review, the sources that they refer to, each with its side, a
    citation for each line of evidence, and the revision that last touched any of it (PROV).
    """
    sources = {source["id"]: source for source in document["sources"]}
    nodes = [_claim(document, sources, base), _review(document, sources, base)]
    for source in sources.values():
        sides = {
            TIES[line["direction"]]: _address(document, base)
            for line in document["evidence"]
            if line["source"] == source["id"]
        }
        nodes.append({**work(source, base), **sides})
    nodes += [_citation(line, base) for line in document["evidence"]]
    nodes.append(_last_revision(document, base))
    return {"@context": CONTEXT, "@graph": nodes}


def evidence(line: Row, statement: str, source: Row, base: str) -> Row:
    """Return a line of evidence on a claim with this statement as a graph: its source with its
    side, the claim, and the citation.
    """
    claimed = _claim_address(line["claim"], base)
    nodes = [
        {**work(source, base), TIES[line["direction"]]: claimed},
        {"@type": "Claim", "@id": claimed, "text": statement},
        _citation(line, base),
    ]
    return {"@context": CONTEXT, "@graph": nodes}


def claim_and_review(document: Row, base: str) -> Row:
    """Return a claim (a `ClaimWhole`) and its review alone, for its page."""
    sources = {source["id"]: source for source in document["sources"]}
    nodes = [_claim(document, sources, base), _review(document, sources, base)]
    return {"@context": CONTEXT, "@graph": nodes}


def one_work(source: Row, base: str) -> Row:
    """Return a source as a graph of its own, for its page."""
    return {"@context": CONTEXT, **work(source, base)}


def work(source: Row, base: str) -> Row:
    """Return a source as a node of schema.org, without a context."""
    node = {
        **_reference(source, base),
        "alternateName": source["title_short"],
        "author": [_person(author) for author in source["authors"]],
        **_contributors(source),
        "creditText": _credit_of_incomplete_list(source),
        "datePublished": source["issued"],
        "publication": _online_publication(source),
        "publisher": _publisher(source),
        "isPartOf": _one_or_all([_container(source), _series(source)]),
        "bookEdition" if TYPES[source["type"]] == "Book" else "version": source["edition"],
        "abstract": source["abstract"],
        "keywords": source["keywords"],
        "license": licence_address(source["licence"]),
        **_pages(source["page"]),
        "inLanguage": source["language"],
        "url": source["url"] and quote(source["url"], safe=_SAFE_IN_URL),
        **_identifiers(source),
        "genre": _one_or_all([source["genre"], DESIGNS.get(source["study_design"])]),
        "creativeWorkStatus": INTEGRITIES.get(source["integrity"]),
        "correction": _correction(source),
        "comment": _typed("Comment", text=source["note"]),
        "encoding": _encoding(source, base),
        "citation": [f"{base}/v1/sources/{cited['source']}" for cited in source["cites"]],
    }
    return _without_empty(node)


def _without_empty(node: Row) -> Row:
    return {term: value for term, value in node.items() if value not in (None, "", [])}


def _typed(schema_type: str, **terms: Any) -> Row | None:
    """Return a node of a type with one term, or None if the term has no value."""
    ((term, value),) = terms.items()
    return {"@type": schema_type, term: value} if value else None


def _one_or_all(values: Iterable[Any]) -> Any:
    """Return the values that there are, one of them alone."""
    known = [value for value in values if value]
    return known[0] if len(known) == 1 else known


def _reference(source: Row, base: str) -> Row:
    reference = {
        "@type": TYPES[source["type"]],
        "@id": f"{base}/v1/sources/{source['id']}",
        "name": source["title"],
    }
    return _without_empty(reference)


def licence_address(licence: str | None) -> str | None:
    """Return a licence as an address; SPDX gives each of its identifiers one."""
    if not licence or licence.startswith("http"):
        return licence
    return f"https://spdx.org/licenses/{quote(licence)}"


def _publisher(source: Row) -> Row | None:
    publisher = {
        "name": source["publisher"],
        "location": _typed("Place", name=source["publisher_place"]),
    }
    known = _without_empty(publisher)
    return {"@type": "Organization", **known} if known else None


def _contributors(source: Row) -> Row:
    """Return people by their roles, those for which schema.org has no word as `contributor`."""
    found: Row = {}
    for person in source["contributors"]:
        term = person["role"] if person["role"] in _ROLES else "contributor"
        found.setdefault(term, []).append(_person(person))
    return found


def _series(source: Row) -> Row | None:
    series = {"name": source["collection_title"], "position": source["collection_number"]}
    known = _without_empty(series)
    return {"@type": "CreativeWorkSeries", **known} if known else None


def _person(author: Row) -> Row:
    if author["literal"]:
        return {"@type": "Organization", "name": author["literal"]}
    family_parts = (author["particle"], author["family"])
    person = {
        "@type": "Person",
        "name": _name(author),
        "givenName": author["given"],
        "familyName": " ".join(part for part in family_parts if part),
        "honorificSuffix": author["suffix"],
        "sameAs": author["orcid"] and f"https://orcid.org/{author['orcid']}",
    }
    return _without_empty(person)


def _name(author: Row) -> str:
    parts = (author["given"], author["particle"], author["family"], author["suffix"])
    return author["literal"] or " ".join(part for part in parts if part)


def _credit_of_incomplete_list(source: Row) -> str | None:
    if source["authors_complete"]:
        return None
    names = ", ".join(_name(author) for author in source["authors"])
    return f"{names} et al.".strip()


def _online_publication(source: Row) -> Row | None:
    if not source["epub_date"]:
        return None
    return {
        "@type": "PublicationEvent",
        "name": "published online",
        "startDate": source["epub_date"],
    }


def _container(source: Row) -> Row | None:
    """Return the issue, in its volume, in the journal or book, as far as they are known."""
    title, short_title = source["container_title"], source["container_title_short"]
    part: Row | None = None
    whole = {
        "name": title or short_title,
        "alternateName": short_title if title else None,
        "issn": source["issn"],
        "isbn": source["container_isbn"],
    }
    if known := _without_empty(whole):
        part = {"@type": CONTAINERS.get(source["type"], "CreativeWork"), **known}
    if source["volume"]:
        part = {"@type": "PublicationVolume", "volumeNumber": source["volume"], "isPartOf": part}
        part = _without_empty(part)
    if source["issue"]:
        part = {"@type": "PublicationIssue", "issueNumber": source["issue"], "isPartOf": part}
        part = _without_empty(part)
    return part


def _pages(page: str | None) -> Row:
    match = _RANGE_OF_PAGES.fullmatch(page or "")
    start, end = match.groups() if match else (None, None)
    return {"pagination": page, "pageStart": start, "pageEnd": end}


def _identifiers(source: Row) -> Row:
    is_book = TYPES[source["type"]] == "Book"
    nodes = [_identifier(identifier) for identifier in source["identifiers"]]
    if source["number"]:
        number = {"@type": "PropertyValue", "propertyID": "number", "value": source["number"]}
        nodes.append(number)
    isbns, addresses = [], []
    for identifier in source["identifiers"]:
        if identifier["verification"] != "verified":
            continue
        if identifier["scheme"] == "isbn" and is_book:
            isbns.append(identifier["value"])
        if identifier["scheme"] in RESOLVERS:
            addresses.append(address_of(identifier["scheme"], identifier["value"]))
    return {"identifier": nodes, "isbn": isbns, "sameAs": addresses}


def _identifier(identifier: Row) -> Row:
    scheme = identifier["scheme"]
    node: Row = {
        "@type": "PropertyValue",
        "propertyID": LABELS[scheme],
        "value": identifier["value"],
    }
    if identifier["verification"] == "unverified":
        node["description"] = f"{UNVERIFIED.label}: {UNVERIFIED.definition}"
    elif scheme in RESOLVERS:
        node["url"] = address_of(scheme, identifier["value"])
    return node


def _correction(source: Row) -> Row | None:
    if not source["integrity_note"]:
        return None
    comment = {
        "@type": "CorrectionComment",
        "text": source["integrity_note"],
        "datePublished": source["integrity_date"],
    }
    return _without_empty(comment)


def _encoding(source: Row, base: str) -> Row | None:
    text = source["text"]
    if text:
        return {
            "@type": "MediaObject",
            "encodingFormat": "text/plain",
            "contentUrl": f"{base}/v1/sources/{source['id']}/text",
            "license": licence_address(text["licence"]),
            "sha256": text["sha256"],
        }
    if not source["text_sha256"]:
        return None
    return {
        "@type": "MediaObject",
        "encodingFormat": "text/plain",
        "sha256": source["text_sha256"],
    }


def _claim(document: Row, sources: Mapping[str, Row], base: str) -> Row:
    cited = dict.fromkeys(occurrence["source"] for occurrence in document["occurrences"])
    appearances = [sources[slug] for slug in cited]
    first = min(appearances, key=lambda source: (source["published"], source["id"]), default=None)
    node = {
        "@type": "Claim",
        "@id": _address(document, base),
        "url": _address(document, base),
        "text": document["statement"],
        "appearance": [_reference(source, base) for source in appearances],
        "firstAppearance": first and f"{base}/v1/sources/{first['id']}",
        "dateCreated": document["created"][:10],
        "dateModified": document["updated"][:10],
        "version": str(document["revision"]),
    }
    return _without_empty(node)


def _review(document: Row, sources: Mapping[str, Row], base: str) -> Row:
    status = STATUSES[document["status"]]
    certainty = CERTAINTIES.get(document["certainty"], "not applicable")
    cited = dict.fromkeys(line["source"] for line in document["evidence"])
    rating = {
        "@type": "Rating",
        "ratingValue": RATINGS.get(status.id),
        "worstRating": WORST,
        "bestRating": BEST,
        "alternateName": status.label,
        "url": term_address(v.STATUSES.name, status.id, base),
        "ratingExplanation": RULE_BY_NAME[document["status_rule"]].sentence,
    }
    notice = {
        "@type": "CreativeWork",
        "url": f"{base}/v1/notice",
        "text": with_general(document["notice"]),
    }
    body = (
        f"{status.label.capitalize()} since {document['status_since']}. {status.definition} "
        f"Certainty: {certainty}. Status and certainty are derived by rule from the recorded"
        " evidence."
    )
    node = {
        "@type": "ClaimReview",
        "@id": f"{_address(document, base)}#review",
        "url": _address(document, base),
        "claimReviewed": document["statement"],
        "itemReviewed": {"@type": "Claim", "@id": _address(document, base)},
        "reviewRating": rating if status.id in RATINGS else None,
        "reviewBody": body,
        "author": [{"@type": "Organization", "name": "Claimbase"}],
        "datePublished": document["updated"][:10],
        "citation": [_reference(sources[slug], base) for slug in cited],
        "disclaimer": notice,
    }
    return _without_empty(node)


def _citation(line: Row, base: str) -> Row:
    """Return a line of evidence as the citation of the claim by its source."""
    node = {
        "@type": "cito:Citation",
        "@id": f"{base}/v1/evidence/{line['id']}",
        "cito:hasCitingEntity": f"{base}/v1/sources/{line['source']}",
        "cito:hasCitedEntity": _claim_address(line["claim"], base),
        "cito:hasCitationCharacterization": TIES[line["direction"]],
        # Of an undated source only the day is known on which it was recorded.
        "cito:hasCitationCreationDate": line["published"] if line["year"] else None,
        "text": line["finding"],
        "additionalProperty": [
            {
                "@type": "PropertyValue",
                "propertyID": vocabulary_address(vocabulary.name, base),
                "name": name,
                "value": line[name],
                "url": term_address(vocabulary.name, line[name], base),
            }
            for name, vocabulary in GRADED.items()
            if line[name] is not None
        ],
    }
    return _without_empty(node)


def _last_revision(document: Row, base: str) -> Row:
    """Return the change that last touched a claim, as the activity that made it as it is."""
    return {
        "@type": "prov:Activity",
        "@id": f"{base}/v1/revisions/{document['revision']}",
        "prov:generated": _address(document, base),
        "prov:endedAtTime": document["updated"],
    }


def vocabulary_address(name: str, base: str) -> str:
    """Return the address of a vocabulary."""
    return f"{base}/v1/vocabularies/{name}"


def term_address(vocabulary: str, term: str, base: str) -> str:
    """Return the address of a term of a vocabulary, which never changes."""
    return f"{vocabulary_address(vocabulary, base)}#{term}"


def _claim_address(slug: str, base: str) -> str:
    return f"{base}/v1/claims/{slug}"


def _address(document: Row, base: str) -> str:
    return _claim_address(document["id"], base)
