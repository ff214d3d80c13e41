"""RDF: the linked data of `json_ld` as Turtle and as N-Quads; nanopublications (TriG).

It needs rdflib, which the extra `rdf` installs; it is imported where it is used. Blank nodes have
other names each time, so that two files of the same records mean the same but differ in bytes.

A nanopublication (https://nanopub.net/guidelines/working_draft/) has what is asserted, where that
comes from and who publishes it as graphs of their own. It is not signed; `nanopublications` does
that. Its id names the revision that last touched the claim.
"""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from pydantic_core import to_json

from api.citations import json_ld
from models.records.serializers import Row

NANOPUB = "http://www.nanopub.org/nschema#"
BATCH = 100


def parse(document: Row) -> Any:
    """Return the graph of a JSON-LD document."""
    import rdflib
    from rdflib import Graph

    # Dates and times stay as the record has them. Hashes of nanopublications are of this text.
    rdflib.NORMALIZE_LITERALS = False
    return Graph().parse(data=to_json(document).decode(), format="json-ld")


def serialize(format: str, document: Row) -> bytes:
    """Return a JSON-LD document in a format."""
    from rdflib import Dataset

    graph = parse(document)
    if format == "nquads":
        dataset = Dataset()
        for triple in graph:
            dataset.default_graph.add(triple)
        graph = dataset
    return bytes(graph.serialize(format=format, encoding="utf-8"))


def write(format: str, sources: Iterable[Row], base: str = "") -> Iterator[bytes]:
    """Yield the graphs of sources in a format, as `json_ld.write` makes them."""
    remaining = iter(sources)
    while some := list(islice(remaining, BATCH)):
        yield serialize(format, json.loads(b"".join(json_ld.write(some, base))))


write_turtle, write_nquads = partial(write, "turtle"), partial(write, "nquads")


def claim_as_nanopublication(document: Row, base: str) -> bytes:
    """Return a claim with all its parts (a `ClaimWhole`) as a nanopublication."""
    sources = [source["id"] for source in document["sources"]]
    graph = json_ld.claim(document, base)
    place = f"{base}/v1/revisions/{document['revision']}#"
    return _nanopublication(graph, place, sources, document, base)


def line_as_nanopublication(
    line: Row, statement: str, source: Row, revision: int, base: str
) -> bytes:
    """Return a line of evidence on a claim with this statement as a nanopublication."""
    graph = json_ld.evidence(line, statement, source, base)
    # Several lines have the revision of their claim, so that it is no name by itself.
    place = f"{base}/v1/evidence/{line['id']}#{revision}-"
    stamps = {"revision": revision, "updated": line["updated"]}
    return _nanopublication(graph, place, [line["source"]], stamps, base)


def _nanopublication(
    graph: Row, place: str, sources: Iterable[str], stamps: Row, base: str
) -> bytes:
    """Return a graph as a nanopublication, whose parts have names that begin with `place`."""
    from rdflib import DCTERMS, PROV, RDF, XSD, Dataset, Literal, Namespace, URIRef

    here, terms = Namespace(place), Namespace(NANOPUB)
    dataset = Dataset()
    dataset.bind("np", terms)
    dataset.bind("this", here)
    head, assertion, provenance, publication = (
        dataset.graph(here[name]) for name in ("Head", "assertion", "provenance", "pubinfo")
    )
    publication_id = here["nanopub"]
    head.add((publication_id, RDF.type, terms["Nanopublication"]))
    head.add((publication_id, terms["hasAssertion"], here["assertion"]))
    head.add((publication_id, terms["hasProvenance"], here["provenance"]))
    head.add((publication_id, terms["hasPublicationInfo"], here["pubinfo"]))
    for triple in parse(graph):
        assertion.add(triple)
    for source in sources:
        derived_from = URIRef(f"{base}/v1/sources/{source}")
        provenance.add((here["assertion"], PROV.wasDerivedFrom, derived_from))
    revision = URIRef(f"{base}/v1/revisions/{stamps['revision']}")
    provenance.add((here["assertion"], PROV.wasGeneratedBy, revision))
    updated = Literal(stamps["updated"], datatype=XSD.dateTime)
    publication.add((publication_id, DCTERMS.created, updated))
    publication.add((publication_id, DCTERMS.creator, URIRef(f"{base}/v1")))
    return bytes(dataset.serialize(format="trig", encoding="utf-8"))
