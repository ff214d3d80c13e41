"""Vocabularies as concept schemes (https://www.w3.org/TR/skos-reference/), with the addresses of
their terms, which other documents name.
"""

from api.citations.json_ld import term_address, vocabulary_address
from models.core.vocabulary import Vocabulary
from models.records.serializers import Row

CONTEXT: Row = {
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dct": "http://purl.org/dc/terms/",
    **{
        name: {"@id": name, "@type": "@id"}
        for name in ("skos:inScheme", "skos:topConceptOf", "skos:hasTopConcept")
    },
    # Texts here are in English.
    "@language": "en",
}


def scheme(vocabulary: Vocabulary, base: str) -> Row:
    """Return a vocabulary as a concept scheme with its terms."""
    address = vocabulary_address(vocabulary.name, base)
    concepts = [
        {
            "@id": term_address(vocabulary.name, term.id, base),
            "@type": "skos:Concept",
            "skos:inScheme": address,
            "skos:topConceptOf": address,
            "skos:notation": {"@value": term.id},
            "skos:prefLabel": term.label,
            "skos:definition": term.definition,
            "skos:note": [f"{other}: {same}" for other, same in term.crosswalk.items()],
        }
        for term in vocabulary.terms
    ]
    whole: Row = {
        "@id": address,
        "@type": "skos:ConceptScheme",
        "dct:title": vocabulary.title,
        "dct:description": vocabulary.definition,
        "skos:hasTopConcept": [concept["@id"] for concept in concepts],
    }
    if vocabulary.reference is not None:
        whole["dct:source"] = {"@value": vocabulary.reference}
    return {"@context": CONTEXT, "@graph": [whole, *concepts]}
