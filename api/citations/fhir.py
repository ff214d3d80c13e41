"""A line of evidence in FHIR R5 (https://hl7.org/fhir/R5/evidence.html): a bundle of an `Evidence`
and of an `ArtifactAssessment` of it.

FHIR wants to know what was compared with what, so only a line with a population, exposure,
comparator or outcome can be written.
"""

from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from api.citations.json_ld import vocabulary_address
from models.core import vocabularies as v
from models.core.vocabulary import Vocabulary
from models.records.serializers import Row

MEDIA_TYPES = ("application/fhir+json",)
EXTENSION = "json"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
# The roles of variables in FHIR, by the fields of a line.
ROLES = {
    "population": "population",
    "exposure": "exposure",
    "comparator": "referenceExposure",
    "outcome": "measuredVariable",
}
# Of attribute-estimate-type.
CONFIDENCE_INTERVAL = ("C53324", "Confidence interval")
P_VALUE = ("C44185", "P-value")


def can_write(line: Row) -> bool:
    """Return whether a line tells what FHIR needs."""
    return any(line[name] for name in ROLES)


def write(line: Row, statement: str, source: Row, revision: int, base: str) -> bytes:
    """Return the JSON of `bundle`."""
    return to_json(bundle(line, statement, source, revision, base))


def bundle(line: Row, statement: str, source: Row, revision: int, base: str) -> Row:
    """Return the bundle of a line on a claim from a source."""
    address = f"{base}/v1/evidence/{line['id']}"
    entries = {
        address: _evidence(line, source, revision, address, base),
        f"{address}#assessment": _assessment(line, statement, address, base),
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": line["updated"],
        "entry": [
            {"fullUrl": url, "resource": _without_empty(resource)}
            for url, resource in entries.items()
        ],
    }


def _evidence(line: Row, source: Row, revision: int, address: str, base: str) -> Row:
    level = v.EVIDENCE_LEVELS
    return {
        "resourceType": "Evidence",
        "url": address,
        "version": str(revision),
        "status": "active",
        "date": line["updated"],
        "assertion": line["finding"],
        "relatedArtifact": [_citation(line, source, base)],
        "variableDefinition": [
            {"description": line[name], "variableRole": _coded(f"{_TERMINOLOGY}/variable-role", it)}
            for name, it in ROLES.items()
            if line[name]
        ],
        "studyDesign": [_term(v.STUDY_DESIGNS, line["study_design"], base)],
        "statistic": [_statistic(effect, line) for effect in line["effects"]]
        or _sample_alone(line),
        "certainty": [{"type": {"text": level.title}, "rating": _term(level, line["level"], base)}],
    }


def _citation(line: Row, source: Row, base: str) -> Row:
    dois = [each["value"] for each in source["identifiers"] if each["scheme"] == "doi"]
    return {
        "type": "derived-from",
        "label": line["citation"],
        "citation": source["title"] or line["citation"],
        "document": {
            "url": f"https://doi.org/{dois[0]}" if dois else f"{base}/v1/sources/{source['id']}"
        },
    }


def _statistic(effect: Row, line: Row) -> Row:
    unit = {"unit": effect["unit"]} if effect["unit"] else {}
    statistic: Row = {"statisticType": {"text": effect["measure"]}, "attributeEstimate": []}
    if effect["estimate"] is not None:
        statistic["quantity"] = {"value": effect["estimate"], **unit}
    ends = {
        end: {"value": effect[end], **unit} for end in ("low", "high") if effect[end] is not None
    }
    if ends:
        statistic["attributeEstimate"].append(
            {"type": _attribute(CONFIDENCE_INTERVAL), "range": ends}
        )
    if effect["p"] is not None:
        p = {"type": _attribute(P_VALUE), "quantity": {"value": effect["p"]}}
        statistic["attributeEstimate"].append(p)
    for sample in _sample_alone(line):
        statistic |= sample
    return _without_empty(statistic)


def _sample_alone(line: Row) -> list[Row]:
    if line["sample_size"] is None:
        return []
    return [{"sampleSize": {"numberOfParticipants": line["sample_size"]}}]


def _assessment(line: Row, statement: str, address: str, base: str) -> Row:
    return {
        "resourceType": "ArtifactAssessment",
        "title": f"What it says of: {statement}",
        "date": line["updated"],
        "artifactUri": address,
        "content": [_without_empty(content) for content in _judgements(line, base)],
    }


def _judgements(line: Row, base: str) -> Iterator[Row]:
    """Yield what is judged of a line: its side, its level with what moves it, its bias."""
    judged: tuple[tuple[str, Vocabulary, list[Any]], ...] = (
        ("classifier", v.DIRECTIONS, [line["direction"]]),
        ("rating", v.EVIDENCE_LEVELS, [line["level"]]),
        ("rating", v.GRADED_DOWN, line["graded_down"]),
        ("rating", v.GRADED_UP, line["graded_up"]),
        ("classifier", v.INTEGRITIES, [line["integrity"]]),
    )
    for kind, vocabulary, terms in judged:
        if terms:
            yield {
                "informationType": kind,
                "type": {"text": vocabulary.title},
                "classifier": [_term(vocabulary, term, base) for term in dict.fromkeys(terms)],
            }
    if bias := line["risk_of_bias"]:
        yield {
            "informationType": "rating",
            "type": {"text": "Risk of bias" + (f" ({bias['tool']})" if bias["tool"] else "")},
            "classifier": [{"text": bias["overall"]}],
        }
    if line["note"]:
        yield {"informationType": "comment", "summary": line["note"]}


def _term(vocabulary: Vocabulary, term: str, base: str) -> Row:
    label = vocabulary.terms[vocabulary.rank(term)].label
    return _coded(vocabulary_address(vocabulary.name, base), term, label)


def _attribute(code: tuple[str, str]) -> Row:
    return _coded(f"{_TERMINOLOGY}/attribute-estimate-type", *code)


def _coded(system: str, code: str, display: str | None = None) -> Row:
    return {"coding": [_without_empty({"system": system, "code": code, "display": display})]}


def _without_empty(resource: Row) -> Row:
    """Return a resource without what is empty, which FHIR does not allow."""
    return {name: value for name, value in resource.items() if value not in (None, "", [])}
