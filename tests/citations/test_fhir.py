"""FHIR: every claim of the seed is valid R5, and what is said there is what is recorded here."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from fastapi.testclient import TestClient
from fhir.resources.bundle import Bundle
from fhir.resources.coding import Coding
from pydantic import BaseModel

from api.citations import fhir
from models.core import vocabularies as v
from models.core.notice import NOTICE
from models.records.serializers import Row
from models.status.rules import RULE_BY_NAME
from tests.api.requests import all_claims, get_json

BASE = "https://claims.example"
TERMS = f"{BASE}/v1/vocabularies"
MEDIA_TYPE = "application/fhir+json"


# The codes of the value sets to which R5 binds what we write, by code system: those of
# https://hl7.org/fhir/R5/valueset-variable-role.html, -statistic-type, -attribute-estimate-type,
# -certainty-type, -certainty-rating and -study-design, of the last the designs themselves.
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
R5_CODES = {
    f"{TERMINOLOGY}/variable-role": {
        *("population", "subpopulation", "exposure", "referenceExposure", "measuredVariable"),
        "confounder",
    },
    f"{TERMINOLOGY}/statistic-type": {
        *("absolute-MedianDiff", "C25463", "0000301", "predictedRisk", "descriptive", "C93150"),
        *("C16726", "rate-ratio", "C25564", "C53319", "0000457", "C28007", "C25570", "C16932"),
        *("C65172", "C17010", "C44256", "0000565", "C93152", "0000424", "C65171", "0000100"),
    },
    f"{TERMINOLOGY}/attribute-estimate-type": {
        *("0000419", "C53324", "0000455", "0000420", "C53245", "C44185", "C38013", "C53322"),
        *("0000037", "0000421", "C48918"),
    },
    "http://hl7.org/fhir/certainty-type": {
        *("Overall", "RiskOfBias", "Inconsistency", "Indirectness", "Imprecision"),
        *("PublicationBias", "DoseResponseGradient", "PlausibleConfounding", "LargeEffect"),
    },
    "http://hl7.org/fhir/certainty-rating": {
        *("high", "moderate", "low", "very-low", "no-concern", "serious-concern"),
        *("very-serious-concern", "extremely-serious-concern", "present", "absent", "no-change"),
        *("downcode1", "downcode2", "downcode3", "upcode1", "upcode2"),
    },
    "http://hl7.org/fhir/study-design": {f"SEVCO:010{number:02}" for number in range(1, 52)}
    - {"SEVCO:01047"},
}


def wrong_codes(element: Any) -> Iterator[str]:
    """Yield the codes in an element that R5 does not have. The library validates none."""
    if isinstance(element, list):
        yield from chain.from_iterable(map(wrong_codes, element))
    if not isinstance(element, BaseModel):
        return
    if isinstance(element, Coding) and element.code not in R5_CODES.get(str(element.system), ()):
        vocabulary, _, _ = str(element.system).removeprefix(f"{BASE}/v1").partition("#")
        if "/vocabularies/" not in vocabulary:
            yield f"{element.system}: {element.code}"
    for name, field in type(element).model_fields.items():
        value, told = getattr(element, name), field.json_schema_extra
        allowed = told.get("enum_values") if isinstance(told, dict) else None
        if value is not None and isinstance(allowed, list) and value not in allowed:
            yield f"{name}: {value}"
        yield from wrong_codes(value)


def resources(bundle: Row, resource_type: str) -> list[Row]:
    """Return the resources of a type in a bundle, which must be valid, with codes of R5."""
    assert [*wrong_codes(Bundle.model_validate(bundle))] == []
    entries = [entry["resource"] for entry in bundle["entry"]]
    return [each for each in entries if each["resourceType"] == resource_type]


def the_bundle(document: Row) -> Row:
    bundle: Row = json.loads(fhir.claim_as_bundle(document, BASE))
    return bundle


def a_source() -> Row:
    return {
        "id": "siddiqui-2014",
        "citation": "Siddiqui et al. 2014",
        "title": "Venous angioplasty",
    }


def a_line(**fields: Any) -> Row:
    return {
        "id": "opening-helps:siddiqui-2014", "key": "siddiqui-2014", "source": "siddiqui-2014",
        "citation": "Siddiqui et al. 2014", "direction": "disputes", "level": "2",
        "question": "treatment_benefit", "directness": "direct", "state": "accepted",
        "graded_down": ["imprecision", "imprecision"], "graded_up": [],
        "study_design": "sham_controlled_trial", "sample_size": 19, "sample": None,
        "finding": "No fewer relapses.", "groups": [{"name": "sham", "n": 10, "events": 0}],
        "effects": [
            {"measure": "Odds ratio", "estimate": 1.2, "low": 0.0, "high": 3.5, "p": 0.4,
             "unit": None}
        ],
        "population": "people with MS", "exposure": "angioplasty", "comparator": "sham",
        "outcome": "relapses", "follow_up": "6 months",
        "risk_of_bias": {"overall": "low", "tool": "RoB 2"}, "pools": [], "pooled": [],
        "studies": None, "independence_group": "buffalo", "searched_found_none": False,
        "extraction": "manual", "checked_against": None, "note": None, "work": "siddiqui-2014",
        "published": "2014-07-31", "integrity": "no_notice", "integrity_date": None,
        "date_inferred": False, "relation_type": None,
        "updated": "2026-01-02T03:04:05.000006Z", **fields,
    }  # fmt: skip


def a_claim(**fields: Any) -> Row:
    return {
        "id": "opening-helps", "statement": "Opening veins helps.", "kind": "treatment_effect",
        "status": "disputed", "status_rule": "nothing_supports", "status_since": "2014-07-31",
        "certainty": "very_low", "notice": None, "revision": 12,
        "updated": "2026-02-02T03:04:05.000006Z",
        "evidence": [a_line()], "sources": [a_source()], "assessments": [], **fields,
    }  # fmt: skip


def coded(system: str, code: str, display: str, text: str | None = None) -> Row:
    concept: Row = {"coding": [{"system": system, "code": code, "display": display}]}
    return concept | ({"text": text} if text else {})


def variable(description: str, code: str, display: str, text: str) -> Row:
    role = coded("http://terminology.hl7.org/CodeSystem/variable-role", code, display, text)
    return {"description": description, "variableRole": role}


def test_a_line_becomes_evidence() -> None:
    (found,) = resources(the_bundle(a_claim()), "Evidence")
    terms = [
        ("directions", "disputes", "disputes"),
        ("evidence-levels", "2", "level 2"),
        ("questions", "treatment_benefit", "treatment benefit"),
        ("directness", "direct", "direct"),
        ("integrities", "no_notice", "no notice"),
        ("extractions", "manual", "by hand"),
    ]
    imprecision = {
        "type": coded(
            "http://hl7.org/fhir/certainty-type", "Imprecision", "Imprecision", "imprecision"
        ),
        "rating": coded(
            "http://hl7.org/fhir/certainty-rating",
            "very-serious-concern",
            "very serious concern",
        ),
    }
    assert found == {
        "resourceType": "Evidence",
        "extension": [
            {
                "url": f"{TERMS}/{name}",
                "valueCoding": {"system": f"{TERMS}/{name}", "code": code, "display": display},
            }
            for name, code, display in terms
        ],
        "url": f"{BASE}/v1/evidence/opening-helps:siddiqui-2014",
        "version": "12",
        "title": "Siddiqui et al. 2014",
        "status": "active",
        "date": "2026-01-02T03:04:05.000006Z",
        "publisher": "Claimbase",
        "relatedArtifact": [
            {
                "type": "citation",
                "label": "Siddiqui et al. 2014",
                "display": "Venous angioplasty",
                "document": {"url": f"{BASE}/v1/sources/siddiqui-2014"},
            }
        ],
        "description": "No fewer relapses.",
        "assertion": "The source speaks against the claim. The claim: Opening veins helps.",
        "note": [
            {"text": "Rank: 4, where 1 is best and 6 worst."},
            {"text": "Independence group: buffalo"},
            {"text": "Follow-up: 6 months"},
        ],
        "variableDefinition": [
            variable("people with MS", "population", "population", "population"),
            variable("angioplasty", "exposure", "exposure", "exposure"),
            variable("sham", "referenceExposure", "reference exposure", "comparator"),
            variable("relapses", "measuredVariable", "measured variable", "outcome"),
        ],
        "studyDesign": [
            {
                "coding": [
                    {
                        "system": f"{TERMS}/study-designs",
                        "code": "sham_controlled_trial",
                        "display": "randomised sham-controlled trial",
                    },
                    {
                        "system": "http://hl7.org/fhir/study-design",
                        "code": "SEVCO:01003",
                        "display": "randomized assignment",
                    },
                ],
                "text": "randomised sham-controlled trial",
            }
        ],
        "statistic": [
            {
                "statisticType": coded(
                    "http://terminology.hl7.org/CodeSystem/statistic-type",
                    "C16932",
                    "Odds Ratio",
                    "Odds ratio",
                ),
                "quantity": {"value": 1.2},
                "attributeEstimate": [
                    {
                        "type": {"text": "interval"},
                        "range": {"low": {"value": 0.0}, "high": {"value": 3.5}},
                    },
                    {
                        "type": coded(
                            "http://terminology.hl7.org/CodeSystem/attribute-estimate-type",
                            "C44185",
                            "P-value",
                            "P value",
                        ),
                        "quantity": {"value": 0.4},
                    },
                ],
                "sampleSize": {"numberOfParticipants": 19},
            },
            {
                "description": "sham",
                "numberAffected": 0,
                "sampleSize": {"numberOfParticipants": 10},
            },
        ],
        "certainty": [
            {
                "type": coded(
                    "http://hl7.org/fhir/certainty-type",
                    "Overall",
                    "Overall certainty",
                    "certainty",
                ),
                "rating": coded(
                    "http://hl7.org/fhir/certainty-rating", "low", "Low quality", "low"
                ),
                "description": f"Of a conclusion from this line alone. {fhir.DERIVED}",
                "rater": "Claimbase",
                "subcomponent": [imprecision],
            },
            {
                "description": "By RoB 2.",
                "type": coded(
                    "http://hl7.org/fhir/certainty-type",
                    "RiskOfBias",
                    "Risk of bias",
                    "risk of bias",
                ),
                "rating": {"text": "low"},
            },
        ],
    }


def test_a_line_on_a_relation_says_so() -> None:
    line = a_line(relation_type="leads_to", relation_target="iron-in-brain")
    bundle = json.loads(fhir.line_as_bundle(line, a_claim(), a_source(), BASE))
    (found,) = resources(bundle, "Evidence")
    assert found["assertion"].startswith("Disputes that the claim leads to iron-in-brain. ")


def test_lines_without_pico_are_left_out_and_counted() -> None:
    nothing = dict.fromkeys(fhir.PICO)
    lines = [a_line(), a_line(**nothing), a_line(**{**nothing, "outcome": "relapses"})]
    bundle = the_bundle(a_claim(evidence=[{**line, "id": str(n)} for n, line in enumerate(lines)]))
    found = resources(bundle, "Evidence")
    assert [each["url"].rpartition("/")[2] for each in found] == ["0", "2"]
    (status,) = resources(bundle, "ArtifactAssessment")
    (counted,) = (each for each in status["content"] if "quantity" in each)
    assert counted["quantity"] == {"value": 1, "unit": "lines of evidence"}


@pytest.mark.parametrize("field", [{"integrity": "retracted"}, {"level": "not_gradable"}])
def test_what_has_no_grade_has_no_certainty(field: Row) -> None:
    line = a_line(**field, risk_of_bias=None)
    (found,) = resources(the_bundle(a_claim(evidence=[line])), "Evidence")
    assert "certainty" not in found


def test_a_retraction_is_told_in_words() -> None:
    (found,) = resources(the_bundle(a_claim(evidence=[a_line(integrity="retracted")])), "Evidence")
    assert found["note"][0]["text"].startswith("About the source: Retracted")


def test_the_size_is_told_without_effects() -> None:
    line = a_line(effects=[], groups=[], studies=4, sample="9 and 10")
    (found,) = resources(the_bundle(a_claim(evidence=[line])), "Evidence")
    size = {"description": "9 and 10", "numberOfStudies": 4, "numberOfParticipants": 19}
    assert found["statistic"] == [{"sampleSize": size}]


def test_a_status_is_said_to_be_derived() -> None:
    (found,) = resources(the_bundle(a_claim()), "ArtifactAssessment")
    status, certainty, notice = found["content"]
    assert found["artifactUri"] == f"{BASE}/v1/claims/opening-helps"
    assert status["classifier"] == [coded(f"{TERMS}/statuses", "disputed", "disputed", "disputed")]
    assert status["summary"].startswith(RULE_BY_NAME["nothing_supports"].sentence)
    assert all(fhir.DERIVED in each["summary"] for each in (status, certainty))
    assert certainty["classifier"][0]["coding"][0]["code"] == "very-low"
    assert notice == {"informationType": "comment", "summary": NOTICE}


def test_an_assessment_keeps_its_words() -> None:
    decision = {
        "id": "opening-helps:nice", "key": "nice", "assessor": "NICE", "status": None,
        "verdict": "Only in research.", "jurisdiction": "England", "assessed": "2012-03",
        "rationale": "Little is known.", "source": "siddiqui-2014", "outdated": True,
    }  # fmt: skip
    bundle = the_bundle(a_claim(assessments=[decision]))
    _, found = resources(bundle, "ArtifactAssessment")
    assert bundle["entry"][-1]["fullUrl"] == f"{BASE}/v1/assessments/opening-helps:nice"
    assert found["title"] == "Assessment by NICE of the claim: Opening veins helps."
    assert found["date"] == "2012-03"
    first, *comments = found["content"]
    assert first["author"] == {"display": "NICE"}
    assert (first["informationType"], first["summary"]) == ("comment", "Little is known.")
    assert first["relatedArtifact"][0]["label"] == "Siddiqui et al. 2014"
    assert [each["summary"] for each in comments] == [
        "Verdict, verbatim: Only in research.",
        "Where it holds: England",
        "Outdated: evidence that counts was published after it",
    ]


def test_each_reason_to_grade_has_a_word() -> None:
    reasons = {*v.GRADED_DOWN.ids, *v.GRADED_UP.ids}
    assert fhir.CONCERNS.keys() == reasons - {"small_effect"}
    assert fhir.SEVCO.keys() <= {*v.STUDY_DESIGNS.ids}


def test_all_that_can_be_written_is_a_code_of_r5() -> None:
    written = {
        fhir.VARIABLE_ROLES: fhir.PICO.values(),
        fhir.STATISTIC_TYPES: fhir.MEASURES.values(),
        fhir.STUDY_DESIGNS: fhir.SEVCO.values(),
        fhir.CERTAINTY_TYPES: [*fhir.CONCERNS.values(), fhir.OVERALL],
        fhir.CERTAINTY_RATINGS: [
            *fhir.SERIOUS.values(),
            fhir.PRESENT,
            *((certainty.replace("_", "-"), "") for certainty in v.CERTAINTIES.ids),
        ],
    }
    for system, codes in written.items():
        assert {code for code, _ in codes} <= R5_CODES[system], system


def test_a_code_that_r5_has_not_is_found() -> None:
    for right, wrong in (
        ("SEVCO:01003", "SEVCO:99999"),
        ('"active"', '"activ"'),
        ('"citation"', '"cited"'),
        ("very-serious-concern", "grave-concern"),
        ("http://hl7.org/fhir/certainty-type", "http://hl7.org/fhir/certainty-sort"),
    ):
        content = fhir.claim_as_bundle(a_claim(), BASE).decode()
        assert right in content
        bundle = Bundle.model_validate_json(content.replace(right, wrong))
        assert [*wrong_codes(bundle)], wrong


def test_every_claim_of_the_seed_is_valid(client: TestClient) -> None:
    written = 0
    for claim in all_claims(client):
        bundle = get_json(client, f"/v1/claims/{claim['id']}?format=fhir")
        lines = [line for line in claim["evidence"] if any(line[name] for name in fhir.PICO)]
        urls = [each["url"].rpartition("/")[2] for each in resources(bundle, "Evidence")]
        assert urls == [line["id"] for line in lines]
        assessments = resources(bundle, "ArtifactAssessment")
        assert len(assessments) == 1 + len(claim["assessments"])
        written += len(lines)
    assert written > 100


def test_it_is_asked_for_by_accept_and_as_of_a_day(client: TestClient) -> None:
    path = "/v1/claims/opening-veins-helps-ms"
    answer = client.get(f"{path}?as_of=2012", headers={"Accept": MEDIA_TYPE})
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "-fhir" in answer.headers["etag"]
    assert 'filename="opening-veins-helps-ms.fhir.json"' in answer.headers["content-disposition"]
    then, now = (
        len(resources(bundle, "Evidence"))
        for bundle in (answer.json(), get_json(client, f"{path}?format=fhir"))
    )
    assert 0 < then < now
    assert client.get("/v1/claims?format=fhir").status_code == 400
