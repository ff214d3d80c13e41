"""Signed nanopublications, checked by code that shares nothing with what signs them."""

import hashlib
import re
import stat
from base64 import b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_public_key,
    load_pem_private_key,
)
from fastapi.testclient import TestClient
from rdflib import DCTERMS, RDF, XSD, BNode, Dataset, Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic

from tests.citations.test_rdf import NP, graph_of
from tests.command_line import run
from tests.databases import Store

NPX = Namespace("http://purl.org/nanopub/x/")
ORCID = "0000-0002-1825-0097"
LINE = "ccsvi-causes-ms:cochrane-2019"
CLAIM = "swelling-from-slow-venous-flow"
BASE = "https://claims.example.org"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("key") / "key.pem"
    made = run("nanopub", "key", str(file))
    assert made.returncode == 0, made.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    public = load_der_public_key(b64decode(made.stdout))
    private = load_pem_private_key(file.read_bytes(), None)
    assert private.public_key() == public
    again = run("nanopub", "key", str(file))
    assert (again.returncode, again.stderr) == (1, f"{file}: File exists.\n")
    return file


def normal(dataset: Dataset, code: str, without: URIRef | None = None) -> bytes:
    """Return the statements as they are hashed: sorted, with a blank for the code in addresses
    (https://trustyuri.net). Those with the verb `without` are left out.
    """

    def shown(node: Any) -> tuple[int, str, str, str]:
        if not isinstance(node, Literal):
            assert isinstance(node, URIRef)
            return 0, str(node).replace(code, " "), "", ""
        datatype = "" if node.language else str(node.datatype or XSD.string)
        return 1, str(node), datatype, node.language or ""

    def line(part: tuple[int, str, str, str]) -> str:
        kind, text, datatype, language = part
        if not kind:
            return f"{text}\n"
        escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
        return f"@{language} {escaped}\n" if language else f"^{datatype} {escaped}\n"

    quads = sorted(
        [shown(node) for node in (graph, subject, verb, thing)]
        for subject, verb, thing, graph in dataset.quads()
        if verb != without
    )
    return "".join(line(part) for quad in quads for part in quad).encode()


def address(dataset: Dataset) -> URIRef:
    [(found, _, _, _)] = dataset.quads((None, RDF.type, NP.Nanopublication, None))
    return URIRef(str(found))


def is_valid(dataset: Dataset) -> bool:
    """Return whether the address of a nanopublication is the hash of its content. Raises
    InvalidSignature if its signature is not that of its key.
    """
    code = str(address(dataset)).rpartition("/")[2]
    values = {verb: str(thing) for _, verb, thing, _ in dataset.quads((None, None, None, None))}
    public = load_der_public_key(b64decode(values[NPX.hasPublicKey]))
    assert isinstance(public, RSAPublicKey)
    content = normal(dataset, code, NPX.hasSignature)
    public.verify(b64decode(values[NPX.hasSignature]), content, PKCS1v15(), SHA256())
    digest = hashlib.sha256(normal(dataset, code)).digest()
    return code == "RA" + urlsafe_b64encode(digest).decode().rstrip("=")


def read(text: str) -> Dataset:
    return Dataset().parse(data=text, format="trig")


def sign(*arguments: str, key: Path, url: str | None = None, given: str | None = None) -> Any:
    options = ["--key", str(key), "--orcid", ORCID]
    return run("nanopub", "sign", *arguments, *options, url=url, given=given)


@pytest.mark.parametrize("record", [LINE, CLAIM])
def test_what_is_signed_is_valid_until_it_is_altered(
    record: str, key: Path, shared: Store, client: TestClient
) -> None:
    done = sign(record, "--url", f"{BASE}/", key=key, url=shared.url)
    assert done.returncode == 0, done.stderr
    found = read(done.stdout)
    publication = address(found)
    assert done.stderr == f"Signed: {publication}\n"
    assert is_valid(found)
    who = URIRef(f"https://orcid.org/{ORCID}")
    part = Namespace(f"{publication}#")
    assert (part.sig, NPX.signedBy, who) in found.graph(part.pubinfo)
    assert (publication, DCTERMS.creator, who) in found.graph(part.pubinfo)
    again = read(sign(record, "--url", BASE, key=key, url=shared.url).stdout)
    assert {*again.quads()} == {*found.quads()}

    # Blank nodes have got addresses; otherwise it is what the API gives.
    kind = "evidence" if ":" in record else "claims"
    served = graph_of(client, f"/v1/{kind}/{record}", "json_ld")
    assertion = Graph()
    for triple in found.graph(part.assertion):
        subject, verb, thing = (unsigned(node, str(part)) for node in triple)
        assertion.add((subject, verb, thing))
    assert isomorphic(assertion, served)

    altered = read(done.stdout.replace('schema:text "', 'schema:text "Perhaps: '))
    assert len(altered) == len(found)
    with pytest.raises(InvalidSignature):
        is_valid(altered)


def unsigned(node: Any, part: str) -> Any:
    """Return a node of what is signed as the API of the tests names it."""
    if isinstance(node, URIRef):
        if node.startswith(f"{part}_"):
            return BNode(node.removeprefix(part))
        return URIRef(node.replace(BASE, "http://testserver"))
    if isinstance(node, Literal):
        return Literal(
            node.replace(BASE, "http://testserver"), datatype=node.datatype, lang=node.language
        )
    return node


def test_a_file_is_signed_once(key: Path, client: TestClient, tmp_path: Path) -> None:
    text = client.get(f"/v1/evidence/{LINE}?format=nanopub").text
    file = tmp_path / "line.trig"
    file.write_text(text)
    signed = sign(str(file), key=key)
    assert is_valid(read(signed.stdout))
    given = sign("-", key=key, given=text)
    assert given.stderr == signed.stderr
    again = sign("-", key=key, given=signed.stdout)
    assert (again.returncode, again.stdout, again.stderr) == (1, "", "It is signed already.\n")


def test_what_cannot_be_signed_is_told(
    key: Path, client: TestClient, shared: Store, tmp_path: Path
) -> None:
    text = client.get(f"/v1/evidence/{LINE}?format=nanopub").text
    long = client.get("/v1/claims/ccsvi-causes-ms?format=nanopub").text
    for content, why in (
        ("nonsense", "It is not TriG: "),
        ("", "It has 0 nanopublications, not one."),
        (text.replace("np:hasProvenance", "np:has"), "Its provenance is missing."),
        (f"{text}\n<x:a> {{ <x:a> <x:b> <x:c> }}", "It has more than four graphs: x:a."),
        (re.sub(r"(prov:wasDerivedFrom) \S+", r"\1 _:a", text), "has blank nodes; give those"),
        (long, "servers take 1200. Sign lines of evidence"),
    ):
        done = sign("-", key=key, given=content)
        assert (done.returncode, done.stdout, why in done.stderr) == (1, "", True), done.stderr

    private: Any = load_pem_private_key(key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")
        )
    )
    assert "has a password" in sign("-", key=locked, given=text).stderr
    assert sign("-", key=tmp_path / "none.pem", given=text).returncode == 1
    assert "--url names where" in sign(LINE, key=key, url=shared.url).stderr
    unknown = sign("ccsvi-causes-ms:nobody-1900", "--url", BASE, key=key, url=shared.url)
    assert (unknown.returncode, "nobody-1900" in unknown.stderr) == (1, True)
    mistyped = run("nanopub", "sign", "-", "--key", str(key), "--orcid", "0000-0002-1825-0098")
    assert (mistyped.returncode, "is not an ORCID iD" in mistyped.stderr) == (2, True)
