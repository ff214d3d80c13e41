"""Signed nanopublications: an RSA signature, and an address that is a hash of the content.

The library `nanopub`, which the extra of that name installs, hashes and signs as the guidelines say
(https://nanopub.net/guidelines/working_draft/); nothing is sent anywhere. Python 3.11 has an older
version of it. Both replace one address by that of the result, and name its parts by `#`, so that
what is signed gets names under that address first.

Blank nodes have no place in such a hash. They become addresses, numbered by what is said of them,
so that whoever signs the same content twice with one key gets the same nanopublication.
"""

import os
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

from api.citations.json_ld import CITO
from api.citations.rdf import NANOPUB
from models.core.errors import ClaimbaseError
from models.core.extras import require_library

KEY_BITS = 2048
SIGNATURE = "http://purl.org/nanopub/x/"
# What the library replaces by the address of the result.
UNSIGNED = "http://purl.org/nanopub/temp/np#"
# The parts of a nanopublication by what its head says of them, and as they are named here.
_PARTS = {
    "hasAssertion": "assertion",
    "hasProvenance": "provenance",
    "hasPublicationInfo": "pubinfo",
}


class CannotSign(ClaimbaseError):
    """A nanopublication, or a key, with which nothing can be signed."""

    code = "cannot_sign"


def make_key(path: Path) -> str:
    """Make a key in a file that none but its owner can read, and return its public half.

    The public half is the value of `npx:hasPublicKey`. Raises CannotSign if there is such a file.
    """
    require_library("nanopub")
    from Crypto.PublicKey import RSA

    key = RSA.generate(KEY_BITS)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CannotSign(f"{path}: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.export_key("PEM", pkcs=8) + b"\n")
    return b64encode(key.public_key().export_key("DER")).decode()


def read_key(content: bytes) -> str:
    """Return an RSA key, PEM without a password, as the library takes it. Raises CannotSign."""
    from Crypto.PublicKey import RSA

    try:
        key = RSA.import_key(content)
    except (ValueError, IndexError, TypeError):
        raise CannotSign("The key is no RSA key in PEM, or has a password.") from None
    if not key.has_private():
        raise CannotSign("The key is a public one; what signs is the private one.")
    return b64encode(key.export_key("DER", pkcs=8)).decode()


def sign(content: bytes, key: bytes, orcid: str) -> tuple[str, bytes]:
    """Sign a nanopublication.

    Args: `content` is TriG, `key` a private RSA key in PEM, `orcid` the iD of who signs.

    Returns the address of the nanopublication and the same as TriG, signed. Raises CannotSign if it
    is none, is signed already, or is too long, and MissingExtra without the library.
    """
    require_library("nanopub")
    from nanopub.definitions import MAX_TRIPLES_PER_NANOPUB
    from nanopub.nanopub import Nanopub
    from nanopub.nanopub_conf import NanopubConf
    from nanopub.profile import Profile
    from rdflib import Namespace

    dataset = _read(content)
    statements = sum(len(graph) for graph in dataset.graphs())
    if statements > MAX_TRIPLES_PER_NANOPUB:
        raise CannotSign(
            f"It has {statements} statements, and servers take {MAX_TRIPLES_PER_NANOPUB}."
            " Sign lines of evidence of the claim instead."
        )
    who = f"https://orcid.org/{orcid}"
    named = _renamed(dataset, Namespace(UNSIGNED), who)
    profile = Profile(orcid_id=who, name=orcid, private_key=read_key(key))
    with tempfile.TemporaryDirectory() as folder:
        # A file is what both versions of the library read.
        file = Path(folder) / "unsigned.trig"
        file.write_bytes(named.serialize(format="trig", encoding="utf-8"))
        signed = Nanopub(rdf=file, conf=NanopubConf(profile=profile))
    signed.sign()
    return str(signed.source_uri), bytes(signed.rdf.serialize(format="trig", encoding="utf-8"))


def _read(content: bytes) -> Any:
    from rdflib import Dataset

    try:
        return Dataset().parse(data=content.decode(), format="trig")
    # The parser raises errors of many classes, also those of Python.
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise CannotSign(f"It is not TriG: {said}") from None


def _renamed(dataset: Any, here: Any, signer: str) -> Any:
    """Return a nanopublication with its own names under `here` and no blank nodes, which says who
    signs it.
    """
    from rdflib import DCTERMS, Dataset, Namespace, URIRef
    from rdflib.compare import to_canonical_graph

    terms = Namespace(SIGNATURE)
    names = _names(dataset, here)
    signed = Dataset()
    # The library asks by these prefixes.
    signed.bind("np", Namespace(NANOPUB))
    signed.bind("npx", terms)
    signed.bind("cito", Namespace(CITO))
    numbers: dict[Any, Any] = {}
    # The first is the name of the whole, the others are those of its graphs.
    for old, name in [*names.items()][1:]:
        graph = signed.graph(name)
        for triple in sorted(to_canonical_graph(dataset.graph(old))):
            graph.add(tuple(_named(node, names, numbers, here) for node in triple))
    publication = signed.graph(here["pubinfo"])
    if any(signed.quads((None, terms["hasSignature"], None, None))):
        raise CannotSign("It is signed already.")
    publication.add((here["sig"], terms["signedBy"], URIRef(signer)))
    publication.add((here[""], DCTERMS.creator, URIRef(signer)))
    return signed


def _names(dataset: Any, here: Any) -> dict[Any, Any]:
    """Return what the nanopublication and its four graphs are called, and what they shall be.

    Raises CannotSign if the dataset is none.
    """
    from rdflib import RDF, BNode, Namespace

    terms = Namespace(NANOPUB)
    found = [*dataset.quads((None, RDF.type, terms["Nanopublication"], None))]
    if len(found) != 1:
        raise CannotSign(f"It has {len(found)} nanopublications, not one.")
    [(publication, _, _, head)] = found
    names = {publication: here[""], head: here["Head"]}
    for verb, part in _PARTS.items():
        name = dataset.graph(head).value(publication, terms[verb])
        if name is None or not len(dataset.graph(name)):
            raise CannotSign(f"Its {part} is missing.")
        names[name] = here[part]
    stray = {graph.identifier for graph in dataset.graphs() if len(graph)} - names.keys()
    if stray:
        raise CannotSign(f"It has more than four graphs: {sorted(map(str, stray))[0]}.")
    with_blanks = {
        graph
        for subject, _, thing, graph in dataset.quads()
        if isinstance(subject, BNode) or isinstance(thing, BNode)
    }
    # Each graph is numbered by itself, which tells nothing of nodes that two of them share.
    if len(with_blanks) > 1:
        raise CannotSign("More than one of its graphs has blank nodes; give those names.")
    return names


def _named(node: Any, names: dict[Any, Any], numbers: dict[Any, Any], here: Any) -> Any:
    from rdflib import BNode

    if isinstance(node, BNode):
        return numbers.setdefault(node, here[f"_{len(numbers) + 1}"])
    return names.get(node, node)
