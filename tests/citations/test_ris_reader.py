"""RIS as other programs write it, and that no file makes the reader stop or lose an entry."""

import re

import pytest
from hypothesis import strategies as st

from api.citations import ris
from api.citations.clean import decode_file
from api.citations.parse_result import ParsedFile
from tests.citations.ris_files import one, written
from tests.citations.sources import compared, source_lists
from tests.generated import fuzzed


def codes(reading: ParsedFile) -> list[str]:
    """Return the codes of the problems of a file."""
    return [problem.code for problem in reading.problems]


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("10.1136/JNNP.2008.157164", "10.1136/jnnp.2008.157164"),
        ("doi: 10.1136/jnnp.2008.157164.", "10.1136/jnnp.2008.157164"),
        ("https://doi.org/10.1136/jnnp.2008.157164", "10.1136/jnnp.2008.157164"),
        ("http://dx.doi.org/10.1002/(SICI)1097-0258(19980815/30)17:15/16%3C1661::AID-SIM968%3E3.0.CO;2-2",
         "10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2"),
        ("10.1016/S0140-6736(09)", "10.1016/s0140-6736(09)"),
        ("(10.1016/x)", "10.1016/x"),
        ("10.1016/x)", "10.1016/x)"),
        ("10.1016/x:", "10.1016/x:"),
        ("10.1016/x,;.", "10.1016/x"),
        ("https://doi.org/10.1016/x%2E", "10.1016/x"),
        ("10.1016/x and more", "10.1016/x"),
        ("<https://doi.org/10.1016/x>", "10.1016/x"),
        ("none", None),
    ],
)  # fmt: skip
def test_dois_are_cleaned(text: str, doi: str | None) -> None:
    (entry,) = ris.read(f"TY  - JOUR\nTI  - T\nDO  - {text}\nER  - \n".encode()).entries
    assert [each["value"] for each in entry.record["identifiers"]] == ([doi] if doi else [])
    assert entry.dropped == (() if doi else ("DO",))


RECORD = "TY  - JOUR\nAU  - Singh, A V\nTI  - Iron deposition\nPY  - 2009\nER  - \n"
READ = {
    "study_design": "not_recorded",
    "type": "article-journal",
    "title": "Iron deposition",
    "authors": [{"family": "Singh", "given": "A V"}],
    "issued": "2009",
}


@pytest.mark.parametrize(
    "text",
    [
        RECORD,
        "\ufeff" + RECORD,
        "\ufeff\n\n" + RECORD,
        RECORD.replace("\n", "\r\n"),
        RECORD.replace("\n", "\r"),
        RECORD.replace("  - ", " - "),
        RECORD.replace("  - ", "  -"),
        RECORD.replace("  - ", "-"),
        RECORD.replace("  - ", "- "),
        RECORD.replace("  - ", "\t- "),
        RECORD.replace("  - ", "   -  "),
        re.sub("^..", lambda match: match[0].lower(), RECORD, flags=re.MULTILINE),
        re.sub(
            "^..", lambda match: match[0].lower(), RECORD.replace("  - ", " - "), flags=re.MULTILINE
        ),
        re.sub("^", "   ", RECORD, flags=re.MULTILINE),
        RECORD.replace("ER  - \n", ""),
        RECORD.replace("ER  - \n", "ER"),
        RECORD.replace("ER  - \n", "ER  -"),
        RECORD.replace("Iron dep", "Iron\ndep"),
        RECORD.replace("Iron dep", "Iron\n      dep"),
        RECORD.replace("TI", "T1").replace("PY  - 2009", "Y1  - 2009///"),
        RECORD.replace("\n", "\n\n"),
    ],
)
def test_malformed_records_are_read(text: str) -> None:
    if text.endswith("ER"):
        text = text[:-2]
    assert one(text) == READ


def test_latin_1() -> None:
    assert one("TY  - JOUR\nTI  - Ménière\nER  - \n".encode("latin-1"))["title"] == "Ménière"


@pytest.mark.parametrize(
    "words",
    ["T1-weighted images", "AU-rich elements", "in - between", "MS - a review", "er - what"],
)
def test_text_that_looks_like_a_tag(words: str) -> None:
    assert (
        one(f"TY  - JOUR\nTI  - A title with\n{words}\nER  - \n")["title"]
        == f"A title with {words}"
    )


def test_a_missing_end_before_the_next_record() -> None:
    second = RECORD.replace("Iron", "Copper")
    reading = ris.read((RECORD.replace("ER  - \n", "") + second).encode())
    assert [(entry.line, entry.record["title"]) for entry in reading.entries] == [
        (1, "Iron deposition"),
        (5, "Copper deposition"),
    ]
    assert not reading.problems


def test_a_file_cut_in_the_middle() -> None:
    other = RECORD.replace("Iron", "Copper")
    assert [
        entry.record["title"] for entry in ris.read((RECORD + other)[:-12].encode()).entries
    ] == [
        "Iron deposition",
        "Copper deposition",
    ]
    reading = ris.read((RECORD + other)[: len(RECORD) + 20].encode())
    assert (len(reading.entries), codes(reading), reading.problems[0].line) == (
        1,
        ["missing_title"],
        6,
    )


def test_text_outside_records_is_one_trouble_a_stretch() -> None:
    reading = ris.read(
        f"Exported by\nsomething\n\n{RECORD}\nAU  - Lost, A\nTI  - Lost\nER  - \n{RECORD}".encode()
    )
    assert [(problem.line, problem.code) for problem in reading.problems] == [
        (1, "text_outside_record"),
        (10, "text_outside_record"),
        (13, "repeated_entry"),
    ]
    assert [entry.line for entry in reading.entries] == [4]
    assert "line 4" in reading.problems[2].detail


def test_the_same_identifier_and_title_are_the_same_entry() -> None:
    first = "TY  - JOUR\nTI  - A\nDO  - 10.1000/x\nER  - \n"
    assert codes(ris.read((first + first.replace("ER", "VL  - 3\nER")).encode())) == [
        "repeated_entry"
    ]
    assert codes(ris.read((first + first.replace("- A", "- B")).encode())) == []


def test_files_of_other_programs() -> None:
    text = """TY  - JOUR
T1  - Effects of <i>H</i><sub>2</sub>O &amp; p<0.05
A1  - Smith,J.A.,Jr.
A1  - van der Meer, Jan; Doe, Jane
A1  - et al.
Y1  - 2010/11/02/Autumn
N2  - The abstract
JF  - Annals of Neurology
JA  - Ann Neurol
SP  - 392
EP  - 392–399
SN  - 0364-5134
AN  - WOS:000123
LA  - eng
UR  - www.example.org
UR  - https://doi.org/10.1002/ana.22085
M3  - Article
KW  - iron
KW  - veins
N1  - A note
C2  - PMC123
ID  - 7
ER  -
"""
    (entry,) = ris.read(text.encode()).entries
    assert sorted(entry.dropped) == ["AN", "M3", "UR", "Y1"]
    assert compared(entry.record) == {
        **READ,
        "title": "Effects of H₂O & p<0.05",
        "authors": [
            {"family": "Smith", "given": "J.A.", "suffix": "Jr."},
            {"family": "Meer", "given": "Jan", "particle": "van der"},
            {"family": "Doe", "given": "Jane"},
        ],
        "authors_complete": False,
        "issued": "2010-11-02",
        "container_title": "Annals of Neurology",
        "container_title_short": "Ann Neurol",
        "page": "392-399",
        "issn": ["0364-5134"],
        "abstract": "The abstract",
        "keywords": ["iron", "veins"],
        "language": "en",
        "url": "https://doi.org/10.1002/ana.22085",
        "note": "A note",
        "identifiers": [
            {"scheme": "doi", "value": "10.1002/ana.22085", "verification": "unverified"},
            {"scheme": "pmcid", "value": "PMC123", "verification": "unverified"},
        ],
    }


def test_an_unknown_type_is_a_document_and_says_so() -> None:
    (entry,) = ris.read(b"TY  - CHART\nTI  - A\nER  - \n").entries
    assert (entry.record["type"], entry.dropped) == ("document", ("TY",))


PIECES = ("TY  - JOUR", "TY - BOOK", "ty-rprt", "ER  - ", "ER", "TI  - A", "TI - ",
          "AU  - A, B, C, D", "AU  - ;,;", "  more", "",
    "U5  - Author 1: {", 'U5  - Author 1: {"family": 1}', "U5  - Author 1: " + "[" * 2000,
    'U5  - Author 1: ["family"]',
    'U5  - Author 1: {"x": "y"}', "U2  - Sample size: 99999999999", "DA  - 2009/13/45/",
    "PY  - 0000", "DO  - %%%", "DO  - )))",
    "SP  - ", "EP  - 5", "N1  - Retracted:", "\ufeff", "\x00", "\x85", "AN  - 1", "DB  - Scopus",
    "ET  - 2", "SN  - ()", "UR  - http://")  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=25).map("\n".join)
encoded = st.builds(
    lambda text, encoding: text.encode(encoding, "replace"),
    texts,
    st.sampled_from(("utf-8", "latin-1", "utf-8-sig", "utf-16")),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Generate a proper file with some bytes of it cut out, put in or changed."""
    content = bytearray(written(*draw(source_lists(2))))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 30))] = draw(st.binary(max_size=6))
    return bytes(content)


def entries(content: bytes) -> int:
    """Count what a file in this module's own plain form (`TY  - `, `ER  - `) holds: records, and
    text outside them.
    """
    count, state = 0, "outside"
    for line in content.decode().split("\r\n"):
        if line.startswith("TY  - "):
            count, state = count + 1, "record"
        elif line == "ER  - ":
            state = "outside"
        elif state == "outside" and line.strip():
            count, state = count + 1, "text"
    return count


def check(content: bytes) -> None:
    reading = ris.read(content)
    records = [entry.record for entry in reading.entries]
    assert all(record["title"] or record["identifiers"] for record in records)
    assert all(entry.line >= 1 for entry in reading.entries)
    assert all(
        problem.line >= 1 and problem.code and problem.detail for problem in reading.problems
    )
    starts = re.findall(r"^TY  - [A-Z]{3,6}$", decode_file(content), re.MULTILINE)
    assert len(reading.entries) + len(reading.problems) >= len(starts)


def check_count(kept: list[str]) -> None:
    content = "\r\n".join(kept).encode()
    reading = ris.read(content)
    assert len(reading.entries) + len(reading.problems) == entries(content)


@st.composite
def shortened(draw: st.DrawFn) -> list[str]:
    """Generate the lines of a proper file, some of them left out, some twice."""
    proper = written(*draw(source_lists(3))).decode().split("\r\n")
    # One choice for all lines: one for each of them takes most of the time of a long drill.
    odd = draw(
        st.dictionaries(
            st.integers(0, len(proper) - 1), st.sampled_from((0, 2)), max_size=len(proper) // 4
        )
    )
    return [line for number, line in enumerate(proper) for _ in range(odd.get(number, 1))]


@fuzzed(st.binary(max_size=200) | encoded | mutated())
def test_no_file_stops_the_reader(content: bytes) -> None:
    check(content)


@fuzzed(shortened())
def test_every_entry_is_parsed_or_a_problem(kept: list[str]) -> None:
    check_count(kept)
