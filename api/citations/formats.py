"""The formats of citations: those that are written, and those that are read."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from pydantic_core import to_json

from api.citations import (
    bibliography,
    bibtex,
    csl_json,
    csv,
    fhir,
    json_ld,
    nbib,
    other_programs,
    ovid,
    pubmed_xml,
    rdf,
    ris,
)
from api.citations.parse_result import ParsedFile
from models.records.serializers import Row

# A writer takes sources, and yields pieces of a file.
Writer = Callable[[Iterable[Row]], Iterator[bytes]]
# A reader adds the entries of a file to a parsed file, a new one unless one is given.
Reader = Callable[[bytes, ParsedFile | None], ParsedFile]


@dataclass(frozen=True)
class Format:
    """A format by its name in `format=`. The first of its media types is the one that is sent.

    `headers` are sent with it. `library` is one that it needs and that an extra installs. Where
    it is not `exact`, files of the same records may differ in bytes, so that their ETag is weak.
    """

    name: str
    media_types: tuple[str, ...]
    extension: str
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    library: str | None = field(default=None, kw_only=True)
    exact: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class WrittenFormat(Format):
    """A format in which sources are written."""

    write: Writer


class ReadFormat(NamedTuple):
    """A format from which sources are read, and how a file of it, or one of its lines, begins.

    The signature is a pattern, and the same in words.
    """

    read: Reader
    signature: re.Pattern[str]
    description: str


WRITTEN = {
    name: WrittenFormat(name, module.MEDIA_TYPES, module.EXTENSION, module.write)
    for name, module in {
        "csl_json": csl_json,
        "bibtex": bibtex,
        "ris": ris,
        "bibliography": bibliography,
        "json_ld": json_ld,
        "csv": csv,
    }.items()
}
WRITTEN |= {
    name: WrittenFormat(name, media_types, extension, write, library="rdflib", exact=False)
    for name, media_types, extension, write in (
        ("turtle", ("text/turtle",), "ttl", rdf.write_turtle),
        ("nquads", ("application/n-quads",), "nq", rdf.write_nquads),
    )
}
BIBLIOGRAPHY = WRITTEN["bibliography"]
# Ids of nodes are absolute, wherever the file goes: these take the address of the API as `base`.
LINKED_DATA = {name: WRITTEN[name] for name in ("json_ld", "turtle", "nquads")}
NANOPUBLICATION = Format("nanopub", ("application/trig",), "trig", library="rdflib", exact=False)
FHIR = Format("fhir", fhir.MEDIA_TYPES, fhir.EXTENSION)
# In which a claim or a line is written and no source; and how a claim is, at an address of the API.
OF_CLAIMS = {format.name: format for format in (NANOPUBLICATION, FHIR)}
CLAIM_WRITERS: Mapping[str, Callable[[Row, str], bytes]] = {
    NANOPUBLICATION.name: rdf.claim_as_nanopublication,
    FHIR.name: fhir.claim_as_bundle,
}
# How a document of JSON-LD is written.
GRAPH_WRITERS: Mapping[str, Callable[[Row], bytes]] = {
    "json_ld": to_json,
    **{name: partial(rdf.serialize, name) for name in ("turtle", "nquads")},
}
CSL_JSON = WRITTEN["csl_json"]
READ = {
    "csl_json": ReadFormat(
        csl_json.read,
        re.compile(r"\A\s*(?:\[\s*[{\]]|\{\s*[\"}]|\[\s*\Z)"),
        "a JSON list or object",
    ),
    "ris": ReadFormat(
        ris.read,
        re.compile(r"^[ \t\ufeff]*TY[ \t]*-[ \t]*[A-Z]+[ \t]*$", re.MULTILINE | re.IGNORECASE),
        "a line 'TY  - JOUR'",
    ),
    "nbib": ReadFormat(
        nbib.read,
        re.compile(r"^\ufeff?PMID ?- ?[0-9]+", re.MULTILINE),
        "a line 'PMID- 19060024'",
    ),
    "bibtex": ReadFormat(
        bibtex.read,
        re.compile(r"@\s*[A-Za-z]+\s*[{(]"),
        "an entry '@article{'",
    ),
    "pubmed_xml": ReadFormat(
        pubmed_xml.read,
        re.compile(r"<Pubmed(?:Book)?Article(?:Set)?\b"),
        "an element '<PubmedArticle>'",
    ),
    "endnote_xml": ReadFormat(
        other_programs.read_endnote,
        re.compile(r"<records>\s*<record>|<record>\s*<database\b"),
        "elements '<records><record>'",
    ),
    "web_of_science": ReadFormat(
        other_programs.read_web_of_science,
        re.compile(r"^\ufeff?(?:FN (?:Clarivate|Thomson|ISI)\b|PT [JBSPC]$)", re.MULTILINE),
        "a line 'PT J'",
    ),
    "refworks": ReadFormat(
        other_programs.read_refworks,
        re.compile(r"^\ufeff?RT [A-Z][a-z]", re.MULTILINE),
        "a line 'RT Journal Article'",
    ),
    "ovid": ReadFormat(
        ovid.read,
        re.compile(r"^\ufeff?\s{0,8}<[0-9]{1,7}(?:\. ?)?>\s*\n(?=[A-Z])", re.MULTILINE),
        "a line '<1. >' before 'VN  - Ovid Technologies' or 'Title'",
    ),
    "screening_csv": ReadFormat(
        other_programs.read_screening_csv,
        re.compile(r"\A\ufeff?\"?(?:title\"?,\"?authors|key\"?,\"?title)\b", re.IGNORECASE),
        "a header 'Title,Authors' or 'key,title'",
    ),
}
# Files that people send and that are not read, with how they begin and what to do instead.
KNOWN_UNREAD = {
    "MODS": (re.compile(r"<mods(?:Collection)?\b"), "convert it to RIS or BibTeX"),
    "Zotero's RDF": (re.compile(r"<rdf:RDF\b"), "export it as CSL-JSON"),
    "EndNote's own tagged text": (re.compile(r"^%0 [A-Z]", re.MULTILINE), "export it as RIS"),
    "a PDF": (re.compile(r"\A%PDF-"), "send the citations, not the paper"),
}
