"""FHIR R5: a claim as a Bundle of `Evidence` (its lines) and `ArtifactAssessment` (its status), and
a line as a Bundle of both.

The mapping follows https://hl7.org/fhir/R5/evidence.html and
https://hl7.org/fhir/R5/artifactassessment.html. `Evidence` needs a `status` and a
`variableDefinition` with a `variableRole`, so that a line of which neither population, exposure,
comparator nor outcome is recorded has no place in it: the assessment of the status counts those.
`ArtifactAssessment` needs the artifact, which is the claim's address.

| here | there |
|---|---|
| population, exposure, comparator, outcome | `variableDefinition`, in words |
| finding; direction with the statement | `description`; `assertion` |
| effect, its interval and P value | `statistic`, its `attributeEstimate` |
| group, with people and events | `statistic` with `sampleSize` and `numberAffected` |
| certainty of a conclusion from the line alone | `certainty`, said to be derived |
| reasons to grade down and up | `certainty.subcomponent` |
| risk of bias, as somebody judged it | a `certainty` of its own |
| status, certainty, verdict and rationale | `content` of an assessment |

Terms for which FHIR has no element are extensions at the address of their vocabulary, and the rank
and the independence group are notes. Whether an interval is one of confidence, and at what level,
is not recorded, so neither is said.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from pydantic_core import to_json

from api.citations.json_ld import vocabulary_address
from models.core import vocabularies as v
from models.core.notice import with_general
from models.core.vocabulary import Term, Vocabulary
from models.records.serializers import Row
from models.status.body_of_evidence import grade
from models.status.claim_aggregate import line_of
from models.status.rules import RULE_BY_NAME

MEDIA_TYPES: tuple[str, ...] = ("application/fhir+json",)
EXTENSION = "fhir.json"

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
VARIABLE_ROLES = f"{_TERMINOLOGY}/variable-role"
STATISTIC_TYPES = f"{_TERMINOLOGY}/statistic-type"
ATTRIBUTE_TYPES = f"{_TERMINOLOGY}/attribute-estimate-type"
CERTAINTY_TYPES = "http://hl7.org/fhir/certainty-type"
CERTAINTY_RATINGS = "http://hl7.org/fhir/certainty-rating"
STUDY_DESIGNS = "http://hl7.org/fhir/study-design"

PICO = {
    "population": ("population", "population"),
    "exposure": ("exposure", "exposure"),
    "comparator": ("referenceExposure", "reference exposure"),
    "outcome": ("measuredVariable", "measured variable"),
}
# Of the designs that FHIR's list, the Scientific Evidence Code System, has.
SEVCO = {
    **dict.fromkeys(
        ("randomised_trial", "sham_controlled_trial"), ("SEVCO:01003", "randomized assignment")
    ),
    "non_randomised_trial": ("SEVCO:01005", "Non-randomized assignment"),
    "open_label_trial": ("SEVCO:01029", "Clinical trial"),
    "cohort": ("SEVCO:01028", "Longitudinal data collection"),
    "case_control": ("SEVCO:01013", "Case control design"),
    "cross_sectional": ("SEVCO:01027", "Cross sectional data collection"),
    "case_series": ("SEVCO:01016", "Uncontrolled cohort design"),
    "case_report": ("SEVCO:01017", "Case report"),
}
NO_DESIGN = ("not_recorded", "not_applicable")
# By the measure as papers name it; any other is given in the paper's words alone.
MEASURES = {
    "odds ratio": ("C16932", "Odds Ratio"),
    "relative risk": ("C93152", "Relative Risk"),
    "risk ratio": ("C93152", "Relative Risk"),
    "hazard ratio": ("C93150", "Hazard Ratio"),
    "risk difference": ("0000424", "Risk Difference"),
    "mean difference": ("0000457", "Mean Difference"),
}
# `small_effect` is no concern of GRADE's, so that it stands in our word alone.
CONCERNS = {
    "quality": ("RiskOfBias", "Risk of bias"),
    "imprecision": ("Imprecision", "Imprecision"),
    "indirectness": ("Indirectness", "Indirectness"),
    "inconsistency": ("Inconsistency", "Inconsistency"),
    "publication_bias": ("PublicationBias", "Publication bias"),
    "large_effect": ("LargeEffect", "Large effect"),
    "dose_response": ("DoseResponseGradient", "Dose response gradient"),
    "plausible_confounding": ("PlausibleConfounding", "Plausible confounding"),
}
OVERALL = ("Overall", "Overall certainty")
RISK_OF_BIAS = CONCERNS["quality"]
# By how often a reason to grade down is given.
SERIOUS = {
    1: ("serious-concern", "serious concern"),
    2: ("very-serious-concern", "very serious concern"),
}
PRESENT = ("present", "present")
DERIVED = "Derived by rule from the recorded evidence, not a panel's judgement."
# What a line has that is an extension, by its vocabulary.
EXTENSIONS = {
    "direction": v.DIRECTIONS,
    "level": v.EVIDENCE_LEVELS,
    "question": v.QUESTIONS,
    "directness": v.DIRECTNESS,
    "integrity": v.INTEGRITIES,
    "extraction": v.EXTRACTIONS,
    "checked_against": v.CHECKED_AGAINST,
}


def claim_as_bundle(document: Row, base: str) -> bytes:
    """Return a claim with all its parts (a `ClaimWhole`) as a Bundle of type collection, in JSON.

    It has an `Evidence` for each line with PICO, an `ArtifactAssessment` for the derived status,
    and one for each recorded assessment. `base` is the address of the API.
    """
    sources = {source["id"]: source for source in document["sources"]}
    with_pico = [line for line in document["evidence"] if has_pico(line)]
    left_out = len(document["evidence"]) - len(with_pico)
    address = _address_of_claim(document, base)
    entries = {
        _address_of(line, base): _evidence(line, document, sources[line["source"]], base)
        for line in with_pico
    }
    entries[f"{address}#status"] = _derived_status(document, left_out, base)
    for decision in document["assessments"]:
        url = f"{base}/v1/assessments/{decision['id']}"
        entries[url] = _assessment(decision, document, sources, base)
    return _bundle(entries, document["updated"])


def line_as_bundle(line: Row, claim: Row, source: Row, base: str) -> bytes:
    """Return a line with PICO as a Bundle of its `Evidence` and an `ArtifactAssessment` of it.

    Of the claim only the statement, the kind and the revision are read.
    """
    address = _address_of(line, base)
    entries = {
        address: _evidence(line, claim, source, base),
        f"{address}#assessment": _line_assessment(line, claim, base),
    }
    return _bundle(entries, line["updated"])


def _bundle(entries: Mapping[str, Row], updated: str) -> bytes:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": updated,
        "entry": [{"fullUrl": url, "resource": entry} for url, entry in entries.items()],
    }
    return to_json(bundle)


def _address_of(line: Row, base: str) -> str:
    return f"{base}/v1/evidence/{line['id']}"


def _address_of_claim(document: Row, base: str) -> str:
    return f"{base}/v1/claims/{document['id']}"


def has_pico(line: Row) -> bool:
    """Return whether any of population, exposure, comparator and outcome is recorded of a line."""
    return any(line[name] for name in PICO)


def _evidence(line: Row, claim: Row, source: Row, base: str) -> Row:
    resource = {
        "resourceType": "Evidence",
        "extension": [
            _extension(vocabulary, line[name], base)
            for name, vocabulary in EXTENSIONS.items()
            if line[name] is not None
        ],
        "url": _address_of(line, base),
        "version": str(claim["revision"]),
        "title": line["citation"],
        "status": "active",
        "date": line["updated"],
        "publisher": "Claimbase",
        "relatedArtifact": [_cited(source, base)],
        "description": line["finding"],
        "assertion": _assertion(line, claim["statement"]),
        "note": [{"text": text} for text in _notes(line, claim)],
        "variableDefinition": [
            {"description": line[name], "variableRole": _concept(VARIABLE_ROLES, role, name)}
            for name, role in PICO.items()
            if line[name]
        ],
        "studyDesign": _study_design(line["study_design"], base),
        "statistic": list(_statistics(line)),
        "certainty": list(_certainties(line, claim)),
    }
    return _without_empty(resource)


def _assertion(line: Row, statement: str) -> str:
    """Return which side a line takes, and on what: the claim, or a relation of it."""
    direction = _term(v.DIRECTIONS, line["direction"])
    if line["relation_type"] is None:
        return f"{direction.definition} The claim: {statement}"
    relation = _term(v.RELATION_TYPES, line["relation_type"]).label
    return (
        f"{direction.label.capitalize()} that the claim {relation} {line['relation_target']}."
        f" The claim: {statement}"
    )


def _notes(line: Row, claim: Row) -> Iterator[str]:
    if line["integrity"] != "no_notice":
        yield f"About the source: {_term(v.INTEGRITIES, line['integrity']).definition}"
    yield f"Rank: {grade(line_of(line), claim['kind']).rank}, where 1 is best and 6 worst."
    yield f"Independence group: {line['independence_group']}"
    if line["follow_up"]:
        yield f"Follow-up: {line['follow_up']}"
    if line["note"]:
        yield line["note"]


def _study_design(design: str, base: str) -> list[Row]:
    if design in NO_DESIGN:
        return []
    codings = [_coding_of_term(v.STUDY_DESIGNS, design, base)]
    if design in SEVCO:
        codings.append(_coding(STUDY_DESIGNS, SEVCO[design]))
    return [{"coding": codings, "text": _term(v.STUDY_DESIGNS, design).label}]


def _statistics(line: Row) -> Iterator[Row]:
    """Yield the effects and the groups of a line; without any of them, its size alone."""
    size = _without_empty(
        {
            "description": line["sample"],
            "numberOfStudies": line["studies"],
            "numberOfParticipants": line["sample_size"],
        }
    )
    for effect in line["effects"]:
        yield _without_empty({**_effect(effect), "sampleSize": size})
    for group in line["groups"]:
        statistic = {
            "description": group["name"],
            "numberAffected": group["events"],
            "sampleSize": {"numberOfParticipants": group["n"]},
        }
        yield _without_empty(statistic)
    if size and not line["effects"]:
        yield {"sampleSize": size}


def _effect(effect: Row) -> Row:
    unit = effect["unit"]
    measure = MEASURES.get(effect["measure"].lower())
    interval = {name: _quantity(effect[name], unit) for name in ("low", "high")}
    estimates: list[Row] = [
        {"type": {"text": "interval"}, "range": _without_empty(interval)},
        {
            "type": _concept(ATTRIBUTE_TYPES, ("C44185", "P-value"), "P value"),
            "quantity": _quantity(effect["p"], None),
        },
    ]
    return {
        "statisticType": _concept(STATISTIC_TYPES, measure, effect["measure"]),
        "quantity": _quantity(effect["estimate"], unit),
        "attributeEstimate": [
            each for each in estimates if each.get("range") or each.get("quantity")
        ],
    }


def _quantity(value: float | None, unit: str | None) -> Row | None:
    return None if value is None else _without_empty({"value": value, "unit": unit})


def _certainties(line: Row, claim: Row) -> Iterator[Row]:
    """Yield the certainty of a conclusion from a line alone, and its risk of bias as judged.

    What is not gradable or retracted has none.
    """
    if line["level"] != "not_gradable" and line["integrity"] != "retracted":
        certainty = v.CERTAINTIES.ids[grade(line_of(line), claim["kind"]).certainty]
        overall = {
            **_certainty(certainty),
            "description": f"Of a conclusion from this line alone. {DERIVED}",
            "rater": "Claimbase",
            "subcomponent": list(_reasons(line)),
        }
        yield _without_empty(overall)
    if bias := line["risk_of_bias"]:
        judged = {
            "description": bias["tool"] and f"By {bias['tool']}.",
            "type": _concept(CERTAINTY_TYPES, RISK_OF_BIAS, "risk of bias"),
            "rating": {"text": bias["overall"]},
        }
        yield _without_empty(judged)


def _certainty(certainty: str) -> Row:
    label = _term(v.CERTAINTIES, certainty).label
    rating = (certainty.replace("_", "-"), f"{label.capitalize()} quality")
    return {
        "type": _concept(CERTAINTY_TYPES, OVERALL, "certainty"),
        "rating": _concept(CERTAINTY_RATINGS, rating, label),
    }


def _reasons(line: Row) -> Iterator[Row]:
    for reason, times in Counter[str](line["graded_down"]).items():
        yield {
            "type": _concept(
                CERTAINTY_TYPES, CONCERNS.get(reason), _term(v.GRADED_DOWN, reason).label
            ),
            "rating": _concept(CERTAINTY_RATINGS, SERIOUS[times]),
        }
    for reason in line["graded_up"]:
        yield {
            "type": _concept(CERTAINTY_TYPES, CONCERNS[reason], _term(v.GRADED_UP, reason).label),
            "rating": _concept(CERTAINTY_RATINGS, PRESENT),
        }


def _line_assessment(line: Row, claim: Row, base: str) -> Row:
    """Return what is judged of a line: its side, its level, and what moves it."""
    judged: Iterable[tuple[str, Vocabulary, list[str]]] = (
        ("classifier", v.DIRECTIONS, [line["direction"]]),
        ("rating", v.EVIDENCE_LEVELS, [line["level"]]),
        ("rating", v.GRADED_DOWN, line["graded_down"]),
        ("rating", v.GRADED_UP, line["graded_up"]),
        ("classifier", v.INTEGRITIES, [line["integrity"]]),
    )
    contents = [
        {
            "informationType": kind,
            "type": {"text": vocabulary.title},
            "classifier": [_term_concept(vocabulary, term, base) for term in dict.fromkeys(terms)],
        }
        for kind, vocabulary, terms in judged
        if terms
    ]
    about = f"What it says of: {claim['statement']}"
    return _artifact_assessment(_address_of(line, base), about, line["updated"], contents)


def _derived_status(document: Row, left_out: int, base: str) -> Row:
    """Return what the evidence on a claim amounts to; `left_out` lines have no `Evidence`."""
    author = {"display": "Claimbase"}
    rule = RULE_BY_NAME[document["status_rule"]]
    contents = [
        {
            "informationType": "classifier",
            "summary": f"{rule.sentence} {DERIVED} Since {document['status_since']}.",
            "classifier": [_term_concept(v.STATUSES, document["status"], base)],
            "author": author,
        }
    ]
    if document["certainty"] is not None:
        certainty = _certainty(document["certainty"])
        contents.append(
            {
                "informationType": "rating",
                "summary": f"Certainty of the conclusion. {DERIVED}",
                "type": certainty["type"],
                "classifier": [certainty["rating"]],
                "author": author,
            }
        )
    if left_out:
        contents.append(
            {
                "informationType": "comment",
                "summary": "Accepted lines of evidence that are left out here, since neither"
                " population, exposure, comparator nor outcome is recorded of them.",
                "quantity": {"value": left_out, "unit": "lines of evidence"},
            }
        )
    contents.append(_comment(with_general(document["notice"])))
    title = f"Derived status of the claim: {document['statement']}"
    address = _address_of_claim(document, base)
    return _artifact_assessment(address, title, document["updated"], contents)


def _assessment(decision: Row, document: Row, sources: Mapping[str, Row], base: str) -> Row:
    """Return what a person or body decided, with the words that were recorded."""
    source = decision["source"]
    content = {
        "informationType": "classifier" if decision["status"] else "comment",
        "summary": decision["rationale"],
        "classifier": decision["status"] and [_term_concept(v.STATUSES, decision["status"], base)],
        "author": {"display": decision["assessor"]},
        "relatedArtifact": source and [_cited(sources[source], base)],
    }
    comments = {
        "Verdict, verbatim": decision["verdict"],
        "Where it holds": decision["jurisdiction"],
        "Outdated": decision["outdated"] and "evidence that counts was published after it",
    }
    contents = [
        _without_empty(content),
        *(_comment(f"{name}: {text}") for name, text in comments.items() if text),
    ]
    title = f"Assessment by {decision['assessor']} of the claim: {document['statement']}"
    address = _address_of_claim(document, base)
    return _artifact_assessment(address, title, decision["assessed"], contents)


def _artifact_assessment(artifact: str, title: str, date: str, contents: Iterable[Row]) -> Row:
    return {
        "resourceType": "ArtifactAssessment",
        "title": title,
        "date": date,
        "artifactUri": artifact,
        "content": list(contents),
    }


def _comment(text: str) -> Row:
    return {"informationType": "comment", "summary": text}


def _term_concept(vocabulary: Vocabulary, term: str, base: str) -> Row:
    label = _term(vocabulary, term).label
    return {"coding": [_coding_of_term(vocabulary, term, base)], "text": label}


def _cited(source: Row, base: str) -> Row:
    return {
        "type": "citation",
        "label": source["citation"],
        "display": source["title"],
        "document": {"url": f"{base}/v1/sources/{source['id']}"},
    }


def _extension(vocabulary: Vocabulary, term: str, base: str) -> Row:
    coding = _coding_of_term(vocabulary, term, base)
    return {"url": coding["system"], "valueCoding": coding}


def _coding_of_term(vocabulary: Vocabulary, term: str, base: str) -> Row:
    label = _term(vocabulary, term).label
    return _coding(vocabulary_address(vocabulary.name, base), (term, label))


def _term(vocabulary: Vocabulary, term: str) -> Term:
    return vocabulary.terms[vocabulary.rank(term)]


def _concept(system: str, code: tuple[str, str] | None, text: str | None = None) -> Row:
    """Return a CodeableConcept, in words alone where there is no code and display for it."""
    return _without_empty({"coding": code and [_coding(system, code)], "text": text})


def _coding(system: str, code: tuple[str, str]) -> Row:
    return {"system": system, "code": code[0], "display": code[1]}


def _without_empty(node: Row) -> Row:
    """Return what has a value: FHIR allows no null and nothing that is empty."""
    return {name: value for name, value in node.items() if value not in (None, "", [], {})}
