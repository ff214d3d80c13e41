"""RDF: the same triples in each format, the shapes that a claim keeps, and nanopublications."""

import pyshacl
import pytest
from fastapi.testclient import TestClient
from rdflib import PROV, RDF, BNode, Dataset, Graph, Namespace, URIRef
from rdflib.compare import isomorphic

from api.settings import ROOT
from tests.api.requests import all_claims, get_json
from tests.databases import on_one_database

# What is written as RDF is a document, whose bytes are the same on either database.
pytestmark = on_one_database
CLAIM = "/v1/claims/iron-from-slow-venous-flow"
MEDIA_TYPES = {
    "turtle": "text/turtle",
    "nquads": "application/n-quads",
    "json_ld": "application/ld+json",
}
CITO = Namespace("http://purl.org/spar/cito/")
NP = Namespace("http://www.nanopub.org/nschema#")
SHAPES = Graph().parse(ROOT / "api" / "citations" / "shapes.ttl")


def graph_of(client: TestClient, path: str, name: str) -> Graph:
    """Return the graph of what is at a path in a format."""
    answer = client.get(path, headers={"Accept": MEDIA_TYPES[name]})
    assert answer.headers["content-type"].partition(";")[0] == MEDIA_TYPES[name]
    if name != "nquads":
        kind = {"json_ld": "json-ld"}.get(name, name)
        return Graph().parse(data=answer.text, format=kind)
    found = Graph()
    for subject, verb, thing, _ in Dataset().parse(data=answer.text, format="nquads").quads():
        found.add((subject, verb, thing))
    return found


@pytest.mark.parametrize("path", [CLAIM, f"{CLAIM}?as_of=2012", "/v1/sources/doepp-2010"])
def test_each_format_has_the_same_triples(path: str, client: TestClient) -> None:
    turtle, nquads, json_ld = (graph_of(client, path, name) for name in MEDIA_TYPES)
    assert len(turtle) > 10
    assert isomorphic(turtle, json_ld)
    assert isomorphic(nquads, json_ld)
    named = [str(node) for node in turtle.subjects() if not isinstance(node, BNode)]
    assert all(node.startswith("http://testserver/") for node in named)


def test_a_list_of_sources_has_each_of_them(client: TestClient) -> None:
    path = "/v1/claims/sources?topic=iron"
    wanted = {source["id"] for source in get_json(client, f"{path}&limit=200")["data"]}
    for name in ("turtle", "nquads"):
        found = {str(node).rpartition("/")[2] for node in graph_of(client, path, name).subjects()}
        assert wanted <= found


def test_a_tag_of_what_differs_in_bytes_is_weak(client: TestClient) -> None:
    tags = {
        name: client.get(f"{CLAIM}?format={name}").headers["etag"]
        for name in ("json_ld", "turtle", "nanopub")
    }
    assert [tag.startswith("W/") for tag in tags.values()] == [False, True, True]
    again = client.get(f"{CLAIM}?format=turtle", headers={"If-None-Match": tags["turtle"]})
    assert again.status_code == 304


def test_every_claim_keeps_the_shapes(client: TestClient) -> None:
    whole = Graph()
    for claim in all_claims(client):
        whole += graph_of(client, f"/v1/claims/{claim['id']}", "turtle")
    conforms, _, told = pyshacl.validate(whole, shacl_graph=SHAPES)
    assert conforms, told


@pytest.mark.parametrize(
    "verb", ["cito:hasCitationCharacterization", "prov:endedAtTime", "schema:text"]
)
def test_the_shapes_miss_what_is_not_there(verb: str, client: TestClient) -> None:
    graph = graph_of(client, CLAIM, "turtle")
    prefix, _, name = verb.partition(":")
    spaces: dict[str, Namespace] = {
        "cito": CITO,
        "prov": Namespace(str(PROV)),
        "schema": Namespace("https://schema.org/"),
    }
    assert pyshacl.validate(graph, shacl_graph=SHAPES)[0]
    graph.remove((None, spaces[prefix][name], None))
    assert not pyshacl.validate(graph, shacl_graph=SHAPES)[0]


def test_terms_and_directions_are_addresses(client: TestClient) -> None:
    graph = graph_of(client, "/v1/claims/ccsvi-causes-ms", "turtle")
    base = "http://testserver"
    claim = URIRef(f"{base}/v1/claims/ccsvi-causes-ms")
    assert (URIRef(f"{base}/v1/sources/cochrane-2019"), CITO.disputes, claim) in graph
    terms = {str(node) for node in graph.objects() if "/v1/vocabularies/" in str(node)}
    assert f"{base}/v1/vocabularies/statuses#refuted" in terms
    for term in (each for each in terms if "#" in each):
        path, _, name = term.removeprefix(base).partition("#")
        assert name in {each["id"] for each in get_json(client, path)["terms"]}


def test_a_nanopublication_has_its_four_graphs(client: TestClient) -> None:
    answer = client.get(f"{CLAIM}?format=nanopub")
    assert answer.headers["content-type"].partition(";")[0] == "application/trig"
    found = Dataset().parse(data=answer.text, format="trig")
    claim = get_json(client, CLAIM)
    revision = URIRef(f"http://testserver/v1/revisions/{claim['revision']}")
    here = Namespace(f"{revision}#")
    head = found.graph(here.Head)
    assert (here.nanopub, RDF.type, NP.Nanopublication) in head
    parts = {
        verb: URIRef(str(head.value(here.nanopub, verb)))
        for verb in (NP.hasAssertion, NP.hasProvenance, NP.hasPublicationInfo)
    }
    assertion = found.graph(parts[NP.hasAssertion])
    assert isomorphic(Graph() + assertion, graph_of(client, CLAIM, "json_ld"))
    provenance = found.graph(parts[NP.hasProvenance])
    assert (here.assertion, PROV.wasGeneratedBy, revision) in provenance
    sources = {str(node) for node in provenance.objects(here.assertion, PROV.wasDerivedFrom)}
    assert sources == {f"http://testserver/v1/sources/{each['id']}" for each in claim["sources"]}
    assert len(found.graph(parts[NP.hasPublicationInfo])) == 2
    assert client.get("/v1/claims?format=nanopub").status_code == 400
