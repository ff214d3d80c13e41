"""Lines, revisions and vocabularies as linked data, and lines in FHIR."""

import json
from typing import Any

import pytest
import rdflib
from fastapi.testclient import TestClient
from fhir.resources.bundle import Bundle
from pyshacl import validate
from rdflib import BNode, Graph, URIRef
from rdflib.namespace import PROV, RDF, SKOS

from api.settings import ROOT
from models.core import vocabularies as v
from tests.api.curating import Desk
from tests.api.requests import get_json, problem

CLAIM, LINE = "ccsvi-causes-ms", "ccsvi-causes-ms:cochrane-2019"
DOCUMENTS = (
    f"/v1/claims/{CLAIM}/revisions",
    f"/v1/evidence/{LINE}",
    "/v1/vocabularies/statuses",
    "/v1/vocabularies/status-rules",
)
SHAPES = Graph().parse(ROOT / "api" / "citations" / "shapes.ttl")
BASE = "http://testserver"
# As the program sets it for the whole process once it reads a document; here some are read before.
rdflib.NORMALIZE_LITERALS = False


def asked(client: TestClient, path: str, form: str) -> str:
    """Return the answer to a path in a format."""
    answer = client.get(path, params={"format": form})
    if "?" in path:
        answer = client.get(f"{path}&format={form}")
    assert answer.status_code == 200, answer.text
    return answer.text


def triples(graph: Graph) -> list[tuple[str, ...]]:
    """Return the triples without the names of blank nodes; to compare these takes minutes."""
    return sorted(
        tuple("_" if isinstance(term, BNode) else term.n3() for term in triple) for triple in graph
    )


@pytest.mark.parametrize("path", DOCUMENTS)
def test_each_syntax_has_the_triples_of_the_json_ld_and_they_meet_the_shapes(
    path: str, client: TestClient
) -> None:
    graph = Graph().parse(data=asked(client, path, "json_ld"), format="json-ld")
    turtle = asked(client, path, "turtle")
    assert len(graph) > 10
    assert triples(Graph().parse(data=turtle, format="turtle")) == triples(graph)
    quads = Graph().parse(data=asked(client, path, "nquads"), format="nt")
    assert triples(quads) == triples(graph)
    conforms, _, report = validate(graph, shacl_graph=SHAPES)
    assert conforms, report


def test_revisions_form_a_chain_for_each_record(desk: Desk) -> None:
    claim = f"claims/{CLAIM}"
    etag = desk.client.get(f"/v1/{claim}").headers["etag"]
    desk.must(200, "dora", "PATCH", f"/v1/{claim}", {"note": "Read again."}, **{"If-Match": etag})
    text = asked(desk.client, f"/v1/{claim}/revisions", "turtle")
    graph = Graph().parse(data=text, format="turtle")
    revisions = get_json(desk.client, f"/v1/{claim}/revisions?limit=200")["data"]
    entities = {*graph.subjects(RDF.type, PROV.Entity)}
    assert entities == {URIRef(f"{BASE}/v1/revisions/{each['serial']}") for each in revisions}
    own = [each["serial"] for each in revisions if each["record"] == f"claim/{CLAIM}"]
    first, second = (URIRef(f"{BASE}/v1/revisions/{serial}") for serial in sorted(own))
    assert [*graph.subject_objects(PROV.wasRevisionOf)] == [(second, first)]


def test_a_term_has_the_address_that_documents_name(client: TestClient) -> None:
    text = asked(client, "/v1/vocabularies/evidence-levels", "turtle")
    graph = Graph().parse(data=text, format="turtle")
    terms = {*graph.subjects(RDF.type, SKOS.Concept)}
    scheme = f"{BASE}/v1/vocabularies/evidence-levels"
    assert terms == {URIRef(f"{scheme}#{term}") for term in v.EVIDENCE_LEVELS.ids}
    line = json.loads(asked(client, f"/v1/evidence/{LINE}", "json_ld"))
    named = {each["url"] for node in line["@graph"] for each in node.get("additionalProperty", ())}
    assert f"{scheme}#1" in named


def test_lines_with_pico_are_valid_in_fhir(client: TestClient) -> None:
    lines: list[Any] = []
    page = get_json(client, "/v1/evidence?limit=200")
    lines += page["data"]
    told = [line for line in lines if any(line[name] for name in ("population", "exposure"))]
    assert told
    for line in told:
        text = asked(client, f"/v1/evidence/{line['id']}", "fhir")
        bundle: Any = Bundle.model_validate_json(text)
        evidence, assessment = (entry.resource for entry in bundle.entry)
        assert evidence.description == line["finding"]
        assert len(evidence.statistic or ()) >= max(
            len(line["effects"]), line["sample_size"] is not None
        )
        assert assessment.artifactUri == evidence.url
    untold = next(line for line in lines if line not in told and not line["outcome"])
    answer = problem(client.get(f"/v1/evidence/{untold['id']}?format=fhir"))
    assert (answer["status"], answer["code"]) == (406, "not_acceptable")
