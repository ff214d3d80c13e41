"""What a stranger may repeat in a file or a query, and how the time for reading it grows.

A motif is a short text. It is repeated in a frame, which is the file around it: in front of an
entry, within one, after one. `SEEN` holds the motifs that once took the square of their number.
"""

import gc
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from api.citations import detect
from models.access.api_keys import redact_keys
from models.records.source import SourceIn
from models.search.query import highlight, parse_query

# The time of a file of twice the length is less than this many times that of the file.
MOST_GROWTH = 3.0
# Below this time, in seconds, the clock and the rest of the machine matter more than the text.
MEASURABLE = 0.003


@dataclass(frozen=True)
class Parser:
    """One that reads a stranger's text: frames with `%s` for it, and pieces of motifs."""

    read: Callable[[str], object]
    frames: tuple[str, ...]
    pieces: tuple[str, ...]


def _reads(name: str) -> Callable[[str], object]:
    return lambda text: detect.read(text.encode(), name)


def _query(text: str) -> object:
    query = parse_query(text, {})
    return query, highlight(text, query)


def _record(text: str) -> object:
    """Validate the text in the fields of a source, all of which it is too long for."""
    author = {"family": text, "given": text}
    identifiers = [
        {"scheme": scheme, "value": text, "verification": "unverified"}
        for scheme in ("doi", "pmid", "pmcid", "isbn", "nct", "uri")
    ]
    fields = dict.fromkeys(("title", "page", "url", "issued", "note", "text_sha256"), text)
    try:
        return SourceIn.model_validate(
            {**fields, "authors": [author], "identifiers": identifiers, "id": "import"}
        )
    except ValidationError as error:
        return error.errors()


SIGNS = (*"{}()[]<>\"'\\@#%$&=-~^_`;:,./!? \n\ta0Aé\ufeff", "\u0301\u0327")
WORDS = (
    *(" and ", "a, ", " - ", "10.", "doi:", "doi ", "http://", "978", "--", "1-", "2009 ", "et al"),
    *("<i ", "<i a=", '<i a="" ', "</i>", "<jats:", "&#1", "&amp;", "&#x", " [doi]", "PMC", "isbn"),
)
PARSERS = {
    "bibtex": Parser(
        _reads("bibtex"),
        (
            "%s",
            "@article{a, title = {T}}%s",
            "@article{a, title = {T}}\n\n%s",
            "@article{a, title = {T}}\n%s\n@article{b, title = {T}}",
            "@article{a, %s",
            "@article{a, title = {T}, note = {%s}}",
            "@article{a, title = {%s}, author = {%s}, year = {%s}, month = {%s}, pages = {%s}}",
            "@article{a, doi = {%s}, url = {%s}, isbn = {%s}, date = {%s}, howpublished = {%s},"
            "pmid = {%s}, pmcid = {%s}, journal = {%s}}",
            "@book{a, title = {T}, editor = {%s}, abstract = {%s}, keywords = {%s}, issn = {%s},"
            "copyright = {%s}, series = {%s}, x-keywords = {%s}}",
            "@string{a = {%s}}\n@article{a, title = a # %s}",
            "@comment{%s",
        ),
        (
            *("@a(", ")@a(", "@a{", "@article{", "\n@article{b,", "a=", "={", "\\'", "\\url{"),
            *(
                "title={",
                "@string{a=",
                "@comment{",
                "others",
                " Jr",
                "family=",
                " # ",
                "^{",
                "\n\n",
            ),
            *("\n\n", "\n@a{b, crossref={a}}", "\\'\\c", "{\\'", "@comment(", "$<$", "\\symbol{"),
        ),
    ),
    "ris": Parser(
        _reads("ris"),
        (
            "%s",
            "%sTY  - JOUR\nTI  - T\nER  - \n",
            "TY  - JOUR\n%s",
            "TY  - JOUR\nTI  - T\nER  - \n%s",
            "TY  - JOUR\nTI  - x%sx\nAU  - A%sx\nSP  - 1%sx\nDO  - 10.1000/%sx\nSN  - 1%sx\n"
            "N1  - %s\nPY  - %s\nAN  - %s\nUR  - http://%s\nU5  - Author 1: {%s}\n"
            "LA  - %s\nET  - %s\nAB  - %s\nKW  - %s\nM3  - %s\nED  - %s",
        ),
        (
            *(
                "TY  - ",
                "ER  - ",
                "TY  - JOUR\n",
                "\nER  - ",
                "\nTI  - a",
                "\nAU  - A, B",
                "\nN1  - ",
            ),
            *(
                "\nU5  - Author 1: {",
                "\nSP  - 1",
                "\nDO  - 10.1000/a",
                "\nAN  - [",
                "\nSN  - (",
                "ER",
            ),
        ),
    ),
    "nbib": Parser(
        _reads("nbib"),
        (
            "%s",
            "%s\nPMID- 1\nTI  - T\n",
            "PMID- 1\nTI  - T\n%s",
            "PMID- 1\nTI  - x%sx\nFAU - A%sx\nPG  - 1%sx\nLID - 10.1000/%sx [doi]\nDP  - 2009%sx\n"
            "PT  - %s\nAU  - %s\nISBN- %s\nPMC - %s\nAID - %s\nCN  - %s\nRIN - %s",
        ),
        (
            *(
                "PMID- 1",
                "PMID-",
                "\nPMID- 1\n",
                "\nTI  - a",
                "\n\nTI  - a",
                "\nFAU - A",
                "\nAU  - A B",
            ),
            *(
                "\nAU  - A B",
                "\nPG  - 1-2",
                "S1-",
                "\n      ",
                "\nISBN- (",
                "\nPMID- [",
                "\nLID - a [pii]",
            ),
        ),
    ),
    "csl_json": Parser(
        _reads("csl_json"),
        (
            "%s",
            "[%s",
            "[{%s",
            '[{"title": "T"}]%s',
            '[{"title": "T", %s',
            '[{"title": "T", "author": [%s]}]',
            '[{"title": "x%sx", "page": "1%sx", "DOI": "10.1000/%sx", "PMCID": "1%sx", "ISBN":'
            ' "1%sx", "PMID": "%s", "URL": "http://%s", "author": [{"family": "%s"}], "issued":'
            ' {"raw": "%s"}, "status": "%s"}]',
            '[{"title": "T", "abstract": "%s", "license": "%s", "keyword": "%s", "ISSN": "%s",'
            ' "editor": [{"family": "%s", "ORCID": "%s"}]}]',
        ),
        (
            *(
                '{"a":',
                '{"a":1}',
                '{"title":"T"},',
                "[1,",
                '"a":1,',
                "null",
                "{}",
                "{},",
                "[],",
                '"",',
            ),
            *('",', '{"family":"a"},', "\\u00e9", "\\u", "1e", "-"),
        ),
    ),
    "pubmed_xml": Parser(
        _reads("pubmed_xml"),
        (
            "%s",
            "<PubmedArticle>%s</PubmedArticle>",
            "<PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>x%sx"
            "</ArticleTitle><Abstract><AbstractText>%s</AbstractText></Abstract></Article>"
            "</MedlineCitation></PubmedArticle>",
        ),
        (
            "<i>",
            "</i>",
            "<i/>",
            "<Author/>",
            "<AuthorList/>",
            "&#65;",
            "<!--",
            "<Keyword/>",
        ),
    ),
    "endnote_xml": Parser(
        _reads("endnote_xml"),
        (
            "%s",
            "<records><record>%s</record></records>",
            "<records><record><titles><title>x%sx</title></titles></record></records>",
        ),
        ("<style>", "</style>", "<style/>", "<record>", "<keyword>a</keyword>"),
    ),
    "web_of_science": Parser(
        _reads("web_of_science"),
        ("%s", "PT J\nTI T\n%s", "PT J\nTI x%sx\nAF A%s\nDE %s\nAB %s\nSN 1%s\nPD %s\nER\n"),
        ("\nPT J", "\nER", "\nAF A, B", "\n   a", "\nDE a; b"),
    ),
    "refworks": Parser(
        _reads("refworks"),
        ("%s", "RT Book\nT1 T\n%s", "RT Book\nT1 x%sx\nA1 A%s\nK1 %s\nAB %s\nSN 1%s\nFD %s\n"),
        ("\nRT Book", "\nA1 A, B", "\n\n", "\nK1 a"),
    ),
    "ovid": Parser(
        _reads("ovid"),
        (
            "%s",
            "<1>\nTitle\n  T\nAuthors\n%s",
            "<1. >\nVN  - O\nTI  - x%sx\nAU  - A%s\nKW  - %s\nSO  - J%s 6:1%s\nDP  - %s\n",
        ),
        (
            "\n<1>\n",
            "\nAU  - A, B",
            "\n  a",
            "; ",
            "  ",
            "[Review]",
            " 1",
            " MD",
            "1(1):1",
            "vol 1",
        ),
    ),
    "screening_csv": Parser(
        _reads("screening_csv"),
        ("%s", "Title,Authors\n%s", 'Title,Authors,Abstract\n"T%s","A%s","%s"\n'),
        ('""', '","', ",,", "\na,b", " and ", "; "),
    ),
    "query": Parser(_query, ("%s", '"%s', "a %s"), (' "', '-"', " or ", "-", "a's ", "\u4e2d")),
    "record": Parser(_record, ("%s", "http://%s", "10.1000/%s"), ("1", "-1", "PMC", "[", "]")),
    "log": Parser(redact_keys, ("%s",), ("claimbase_", "claimbase_" + "a" * 8 + "_", "claimbase")),
}

# What the search found, by parser: frame and motif.
SEEN = (
    ("bibtex", "@article{a, title = {T}, note = {%s}}", ")@a("),
    ("bibtex", "@article{a, title = {T}}\n\n%s", "a"),
    ("bibtex", "@article{a, title = {%s}}", "\\'\\c"),
    ("bibtex", "@article{a, title = {\\x%s}}", "\u0301\u0327"),
    ("bibtex", "@article{p%s}\n", ", f={}\n} @article{c, crossref={p}"),
)


def table() -> list[tuple[str, str, str]]:
    """Return each parser with each of its frames and each motif for it."""
    return [
        (name, frame, motif)
        for name, parser in PARSERS.items()
        for frame in parser.frames
        for motif in (*SIGNS, *WORDS, *parser.pieces)
    ]


def growth(name: str, frame: str, motif: str, size: int) -> float:
    """Return how many times as long a text of twice this size takes; 0 if it is quick.

    A processor that changes its pace makes a doubling look like more. What looks so is doubled
    three times: then 8 and 64 lie further apart than the pace of any processor changes.
    """
    read = PARSERS[name].read
    count = max(1, size // (len(motif.encode()) * frame.count("%s")))
    single, double, eightfold = (frame.replace("%s", motif * many * count) for many in (1, 2, 8))
    twice = _seconds(read, double)
    if twice < MEASURABLE:
        return 0
    once = min(_seconds(read, single) for _ in range(2))
    if twice < MOST_GROWTH * once:
        return twice / once
    return math.cbrt(min(_seconds(read, eightfold) for _ in range(3)) / once)


def _seconds(read: Callable[[str], object], text: str) -> float:
    gc.disable()
    try:
        began = time.process_time()
        read(text)
        return time.process_time() - began
    finally:
        gc.enable()


def random_motifs(seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield a parser, one of its frames, and a motif of pieces for it, without an end."""
    random_source = random.Random(seed)
    while True:
        name, parser = random_source.choice([*PARSERS.items()])
        pieces = (*SIGNS, *WORDS, *(2 * parser.pieces))
        number = random_source.choice((1, 2, 2, 2, 3, 3, 4))
        motif = "".join(random_source.choices(pieces, k=number))
        yield name, random_source.choice(parser.frames), motif
