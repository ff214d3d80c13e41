"""JSON-LD: written in schema.org's words, and whole after a processor has expanded it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pyld import jsonld  # type: ignore[import-untyped]

from api.citations import json_ld
from models.core import vocabularies as v
from models.core.notice import NOTICE
from models.core.types import REVIEW_FIELDS
from models.records.serializers import Row
from models.records.source import SourceIn
from models.status.rules import RULE_BY_NAME
from tests.citations.sources import row, seed_source, seed_sources, sources
from tests.generated import generated

BASE = "https://claims.example"
SCHEMA = "https://schema.org/"
# Types and properties of schema.org that may come up, after its published vocabulary.
TYPES = {
    "Book",
    "Chapter",
    "Claim",
    "ClaimReview",
    "Comment",
    "CorrectionComment",
    "CreativeWork",
    "DataCatalog",
    "Dataset",
    "MediaObject",
    "Organization",
    "Periodical",
    "Person",
    "PropertyValue",
    "PublicationEvent",
    "PublicationIssue",
    "PublicationVolume",
    "Rating",
    "Report",
    "ScholarlyArticle",
    "Thesis",
    "WebPage",
    "WebSite",
    *("Article", "NewsArticle", "Legislation", "Episode", "Collection", "DefinedTerm", "Event"),
    *("ImageObject", "VisualArtwork", "Manuscript", "Map", "Movie", "SheetMusic", "Message"),
    *("SocialMediaPosting", "BlogPosting", "Review", "SoftwareApplication", "MusicRecording"),
    *("Place", "CreativeWorkSeries"),
}
# Those of CiTO 2.8.1.
CITO_PROPERTIES = {
    *("cito:supports", "cito:disputes", "cito:discusses", "cito:hasCitingEntity"),
    *("cito:hasCitedEntity", "cito:hasCitationCharacterization", "cito:hasCitationCreationDate"),
}
# The registered relation of RFC 6903, as an address by RFC 4287.
DISCLAIMER = "http://www.iana.org/assignments/relation/disclaimer"
PROPERTIES = {
    "additionalProperty",
    "alternateName",
    "appearance",
    "author",
    "abstract",
    "bestRating",
    "bookEdition",
    "citation",
    "claimReviewed",
    "comment",
    "contributor",
    "correction",
    "creativeWorkStatus",
    "creditText",
    "dateCreated",
    "dateModified",
    "datePublished",
    "description",
    "director",
    "editor",
    "encoding",
    "encodingFormat",
    "familyName",
    "firstAppearance",
    "genre",
    "givenName",
    "honorificSuffix",
    "identifier",
    "illustrator",
    "inLanguage",
    "isPartOf",
    "isbn",
    "issn",
    "issueNumber",
    "itemReviewed",
    "keywords",
    "license",
    "location",
    "name",
    "pageEnd",
    "pageStart",
    "pagination",
    "position",
    "producer",
    "propertyID",
    "publication",
    "publisher",
    "ratingExplanation",
    "ratingValue",
    "reviewBody",
    "reviewRating",
    "sameAs",
    "sha256",
    "startDate",
    "text",
    "translator",
    "url",
    "value",
    "version",
    "volumeNumber",
    "worstRating",
}
PROV_PROPERTIES = {"prov:generated", "prov:endedAtTime"}


def written(*given: Row) -> Any:
    return json.loads(b"".join(json_ld.write(given, BASE)))


def nodes_of(value: Any) -> Iterator[Row]:
    """Yield every object within a plain or an expanded document, but not the context and bare
    values.
    """
    if isinstance(value, list):
        for one in value:
            yield from nodes_of(one)
    elif isinstance(value, dict) and "@value" not in value:
        if "@list" not in value:
            yield value
        for name, inner in value.items():
            if name != "@context":
                yield from nodes_of(inner)


def _shortened(name: str) -> str:
    """Return a type or a property as it stands in a document."""
    if name == DISCLAIMER:
        return "disclaimer"
    return name.removeprefix(SCHEMA).replace(json_ld.CITO, "cito:").replace(json_ld.PROV, "prov:")


def _without_prefix(node: Row) -> str:
    """Return an expanded node's type and the names of its properties, without the prefix."""
    names = sorted(_shortened(name) for name in set(node) - {"@type"})
    return f"{_shortened(node['@type'][0])} {names}"


def check(document: Any) -> list[Row]:
    """Expand, and hold the result against the document: every node with its type, every term in its
    place.
    """
    expanded: list[Row] = jsonld.expand(document)
    plain = [node for node in nodes_of(document) if "@graph" not in node]
    # A link alone is an object after expansion, and none before.
    nodes = [node for node in nodes_of(expanded) if set(node) != {"@id"}]
    compact = sorted(f"{node['@type']} {sorted(set(node) - {'@type'})}" for node in plain)
    names = sorted(_without_prefix(node) for node in nodes)
    assert names == compact
    kinds = {_shortened(kind) for node in nodes for kind in node["@type"]}
    assert kinds <= TYPES | {"cito:Citation", "prov:Activity"}
    properties = {_shortened(name) for node in nodes for name in node if name[0] != "@"}
    assert properties <= PROPERTIES | CITO_PROPERTIES | {"disclaimer"} | PROV_PROPERTIES
    links = [node["@id"] for node in nodes_of(expanded) if "@id" in node]
    assert all(link.startswith(("https://", "http://")) for link in links)
    return expanded


def test_the_three_sources_of_the_article() -> None:
    document = written(*map(seed_source, ("zamboni-2009-jnnp", "singh-2009", "zamboni-2009-cnr")))
    jnnp, singh, cnr = document["@graph"]
    assert jnnp.pop("comment")["text"].startswith("Third of the three")
    unverified = "unverified: Believed, not checked: do not rely on it."
    assert jnnp == {
        "@type": "ScholarlyArticle",
        "@id": "https://claims.example/v1/sources/zamboni-2009-jnnp",
        "name": "Chronic cerebrospinal venous insufficiency in patients with multiple sclerosis",
        "author": [
            {"@type": "Person", "name": f"{given} {family}", "givenName": given,
             "familyName": family}
            for given, family in (
                ("P", "Zamboni"), ("R", "Galeotti"), ("E", "Menegatti"), ("A M", "Malagoni"), ("G",
                    "Tacconi"),
                ("S", "Dall'Ara"), ("I", "Bartolomei"), ("F", "Salvi"),
            )
        ],
        "datePublished": "2009-04",
        "isPartOf": {
            "@type": "PublicationIssue",
            "issueNumber": "4",
            "isPartOf": {
                "@type": "PublicationVolume",
                "volumeNumber": "80",
                "isPartOf": {
                    "@type": "Periodical",
                    "name": "Journal of Neurology, Neurosurgery & Psychiatry",
                    "alternateName": "J Neurol Neurosurg Psychiatry",
                },
            },
        },
        "pagination": "392-399",
        "pageStart": "392",
        "pageEnd": "399",
        "identifier": [
            {"@type": "PropertyValue", "propertyID": "DOI", "value": "10.1136/jnnp.2008.157164",
             "description": unverified},
            {"@type": "PropertyValue", "propertyID": "PMCID", "value": "PMC2647682",
             "url": "https://pmc.ncbi.nlm.nih.gov/articles/PMC2647682"},
            {"@type": "PropertyValue", "propertyID": "PMID", "value": "19060024",
             "url": "https://pubmed.ncbi.nlm.nih.gov/19060024"},
        ],
        "sameAs": [
            "https://pmc.ncbi.nlm.nih.gov/articles/PMC2647682",
            "https://pubmed.ncbi.nlm.nih.gov/19060024",
        ],
        "genre": "case-control study",
    }  # fmt: skip
    assert singh["sameAs"] == ["https://doi.org/10.1038/jcbfm.2009.180"]
    assert singh["publication"]["startDate"] == "2009-09-02"
    assert "sameAs" not in cnr  # Neither of its identifiers is verified.
    check(document)


def test_no_sources_are_an_empty_graph() -> None:
    assert written()["@graph"] == []
    assert jsonld.expand(written()) == []


def test_the_context_needs_no_network() -> None:
    prefixes = {"@vocab": SCHEMA, "cito": json_ld.CITO, "prov": json_ld.PROV}
    named = {name: value for name, value in json_ld.CONTEXT.items() if isinstance(value, str)}
    assert named == prefixes


def test_authors_keep_their_order() -> None:
    (node,) = check(written(seed_source("zamboni-2009-jnnp")))
    (listed,) = node[f"{SCHEMA}author"]
    families = [author[f"{SCHEMA}familyName"][0]["@value"] for author in listed["@list"]]
    assert families[:3] == ["Zamboni", "Galeotti", "Menegatti"]


def test_a_retraction_is_printed() -> None:
    source = row(
        id="x", type="book", title="T", study_design="not_recorded", integrity="retracted",
        integrity_note="In 2011.",
        authors=[{"family": "Berg", "given": "Jan", "particle": "van den"}, {"literal": "WHO"}],
        authors_complete=False,
        identifiers=[
            {"scheme": "isbn", "value": "9780131103627", "verification": "verified"},
            {"scheme": "doi", "value": "10.1002/(sici)1097-0258<1661::aid>3.0.co;2-2",
             "verification": "verified"},
        ],
    )  # fmt: skip
    (node,) = written(source)["@graph"]
    assert node["creativeWorkStatus"] == "retracted"
    assert node["correction"] == {"@type": "CorrectionComment", "text": "In 2011."}
    assert node["creditText"] == "Jan van den Berg, WHO et al."
    assert node["author"][1] == {"@type": "Organization", "name": "WHO"}
    assert node["isbn"] == ["9780131103627"]
    assert node["sameAs"] == ["https://doi.org/10.1002/(sici)1097-0258%3C1661::aid%3E3.0.co;2-2"]


def test_every_seed_source_survives_expansion() -> None:
    assert len(check(written(*seed_sources()))) == len(seed_sources())


@generated(sources())
def test_generated_sources_survive_expansion(source: Row) -> None:
    check(written(source))


FULL = row(
    id="x", type="thesis", title="T1", study_design="cohort", authors=[{"family": "F2"}],
    authors_complete=False,
    container_title="C3", container_title_short="C4", publisher="P5", volume="V6", issue="I7",
    page="8", number="N9",
    issued="2010", issued_inferred=True, epub_date="2011", url="https://u12.example/",
    language="it", sample_size=1234,
    sample="S13", integrity="concern", integrity_note="N14", text_sha256="f" * 64, note="N15",
    identifiers=[{"scheme": "pmid", "value": "161616", "verification": "verified"}],
    title_short="T16", edition="E17", genre="G18", collection_title="C19", collection_number="C20",
    event_title="E21", event_place="P22", publisher_place="P23", container_isbn="9783161484100",
    issn=["1364-503X"], abstract="A24", keywords=["K25"], licence="CC0-1.0",
    contributors=[{"role": "editor", "family": "F26"}],
)  # fmt: skip
CHANGED = {
    "type": "book", "study_design": "pathology", "integrity": "corrected", "authors_complete": True,
    "issued_inferred": False,
    "authors": [], "identifiers": [], "text_sha256": "e" * 64, "issued": "1999",
    "epub_date": "1998", "sample_size": 9, "id": "y",
    "url": "https://y.example/", "cites": [{"source": "z"}],
    "issn": [], "keywords": [], "contributors": [],
    "text": {"licence": "MIT", "sha256": "d" * 64, "length": 9},
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [name for name in SourceIn.model_fields if name not in REVIEW_FIELDS]
)
def test_just_the_fields_named_cannot_be_carried(name: str) -> None:
    other = {**FULL, name: CHANGED.get(name, "other")}
    same = list(json_ld.write([FULL])) == list(json_ld.write([other]))
    assert same == (name in json_ld.CANNOT_CARRY)


def a_line(direction: str, source: str = "zamboni-2009-jnnp", **fields: Any) -> Row:
    return {
        "id": f"ccsvi-causes-ms:{source}", "claim": "ccsvi-causes-ms", "source": source,
        "direction": direction, "level": "4",
        "question": "diagnosis", "study_design": "case_control", "year": 2009,
        "published": "2009-04-30", "finding": "All of them had it.", **fields,
    }  # fmt: skip


def a_claim(**fields: Any) -> Row:
    given = [seed_source("zamboni-2009-jnnp"), seed_source("singh-2009")]
    return {
        "id": "ccsvi-causes-ms", "statement": "CCSVI causes MS.", "kind": "causal_hypothesis",
        "status": "refuted",
        "status_rule": "strong_against", "status_since": "2014-01-31", "certainty": "high",
        "revision": 12,
        "created": "2026-01-02T03:04:05.000006Z", "updated": "2026-02-02T03:04:05.000006Z",
        "occurrences": [{"source": "singh-2009"}, {"source": "singh-2009"}],
        "notice": None,
        "evidence": [a_line("supports"), a_line("inconclusive", "singh-2009")],
        "sources": given, "relations": [], "assessments": [], **fields,
    }  # fmt: skip


def test_a_claim_has_a_review() -> None:
    document = json_ld.claim(a_claim(), BASE)
    claim, review, *others = document["@graph"]
    works = [node for node in others if node["@type"] not in ("cito:Citation", "prov:Activity")]
    appearance = {
        "@type": "ScholarlyArticle",
        "@id": f"{BASE}/v1/sources/singh-2009",
        "name": "Anomalous venous blood flow and iron deposition in multiple sclerosis",
    }
    assert claim == {
        "@type": "Claim",
        "@id": f"{BASE}/v1/claims/ccsvi-causes-ms",
        "url": f"{BASE}/v1/claims/ccsvi-causes-ms",
        "text": "CCSVI causes MS.",
        "appearance": [appearance],
        "firstAppearance": f"{BASE}/v1/sources/singh-2009",
        "dateCreated": "2026-01-02",
        "dateModified": "2026-02-02",
        "version": "12",
    }
    assert review["reviewRating"] == {
        "@type": "Rating",
        "ratingValue": 1,
        "worstRating": 1,
        "bestRating": 5,
        "alternateName": "refuted",
        "url": f"{BASE}/v1/vocabularies/statuses#refuted",
        "ratingExplanation": RULE_BY_NAME["strong_against"].sentence,
    }
    assert review["claimReviewed"] == "CCSVI causes MS."
    assert review["itemReviewed"] == {"@type": "Claim", "@id": claim["@id"]}
    assert [node["@id"] for node in review["citation"]] == [
        f"{BASE}/v1/sources/zamboni-2009-jnnp",
        f"{BASE}/v1/sources/singh-2009",
    ]
    assert review["disclaimer"] == {
        "@type": "CreativeWork",
        "url": f"{BASE}/v1/notice",
        "text": NOTICE,
    }
    assert len(works) == 2
    check(document)


@pytest.mark.parametrize("part", ["occurrences", "evidence"])
def test_a_claim_that_nothing_hangs_on(part: str) -> None:
    check(json_ld.claim(a_claim(**{part: [], "certainty": None}), BASE))


def test_each_source_is_on_its_side() -> None:
    lines = [
        a_line("supports"),
        a_line("disputes", "singh-2009", level="not_gradable", question=None, year=None),
    ]
    document = json_ld.claim(a_claim(evidence=lines), BASE)
    check(document)
    nodes = {node["@id"].removeprefix(f"{BASE}/v1/"): node for node in document["@graph"]}
    claim = f"{BASE}/v1/claims/ccsvi-causes-ms"
    assert nodes["sources/zamboni-2009-jnnp"]["cito:supports"] == claim
    assert nodes["sources/singh-2009"]["cito:disputes"] == claim
    assert "cito:disputes" not in nodes["sources/zamboni-2009-jnnp"]
    citation = nodes["evidence/ccsvi-causes-ms:zamboni-2009-jnnp"]
    graded = citation.pop("additionalProperty")
    assert graded[0]["url"] == f"{BASE}/v1/vocabularies/evidence-levels#4"
    told = {each["name"]: each["value"] for each in graded}
    assert told == {"level": "4", "question": "diagnosis", "study_design": "case_control"}
    assert citation == {
        "@type": "cito:Citation",
        "@id": f"{BASE}/v1/evidence/ccsvi-causes-ms:zamboni-2009-jnnp",
        "cito:hasCitingEntity": f"{BASE}/v1/sources/zamboni-2009-jnnp",
        "cito:hasCitedEntity": claim,
        "cito:hasCitationCharacterization": "cito:supports",
        "cito:hasCitationCreationDate": "2009-04-30",
        "text": "All of them had it.",
    }
    undated = nodes["evidence/ccsvi-causes-ms:singh-2009"]
    assert "cito:hasCitationCreationDate" not in undated
    assert [each["name"] for each in undated["additionalProperty"]] == ["level", "study_design"]


def test_a_rating_is_what_a_reader_of_fact_checks_expects() -> None:
    ratings = {}
    for status in v.STATUSES.ids:
        _, review, *_ = json_ld.claim(a_claim(status=status), BASE)["@graph"]
        ratings[status] = review.get("reviewRating", {}).get("ratingValue")
    # Nothing was rated of a claim on which nothing takes a side.
    assert ratings.pop("unassessed") is None
    assert ratings["unconfirmed"] <= ratings["contested"] == (json_ld.WORST + json_ld.BEST) / 2
    values = list(ratings.values())
    assert values == sorted(values)
    assert (values[0], values[-1]) == (json_ld.WORST, json_ld.BEST)


def test_the_notice_of_the_claim_follows_the_general_one() -> None:
    _, review, *_ = json_ld.claim(a_claim(notice="Ask first."), BASE)["@graph"]
    assert review["disclaimer"]["text"] == f"{NOTICE} Ask first."
