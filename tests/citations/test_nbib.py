"""NBIB, as PubMed gives it: names, dates, pages, identifiers, notices; no file makes the reader
stop or lose an entry.
"""

import pytest
from hypothesis import strategies as st

from api.citations import nbib
from api.citations.parse_result import ParsedFile
from models.records.serializers import Row
from models.records.source import SourceIn
from tests.citations.sources import compared
from tests.generated import fuzzed

ZAMBONI = """\
PMID- 19060024
OWN - NLM
STAT- MEDLINE
DCOM- 20090416
IS  - 1468-330X (Electronic)
IS  - 0022-3050 (Print)
VI  - 80
IP  - 4
DP  - 2009 Apr
TI  - Chronic cerebrospinal venous insufficiency in patients with multiple
      sclerosis.
PG  - 392-9
LID - 10.1136/jnnp.2008.157164 [doi]
AB  - BACKGROUND: The extracranial venous outflow routes in clinically defined
      multiple sclerosis have not previously been investigated.
FAU - Zamboni, P
AU  - Zamboni P
AD  - Vascular Diseases Center, University of Ferrara, Italy.
FAU - Dall'Ara, S
AU  - Dall'Ara S
FAU - van den Berg, Jan M Jr
AU  - van den Berg JM Jr
CN  - CCSVI Study Group
LA  - eng
PT  - Journal Article
PT  - Research Support, Non-U.S. Gov't
DEP - 20081205
PL  - England
TA  - J Neurol Neurosurg Psychiatry
JT  - Journal of neurology, neurosurgery, and psychiatry
JID - 2985191R
PMC - PMC2647682
EDAT- 2008/12/09 09:00
AID - jnnp.2008.157164 [pii]
AID - 10.1136/jnnp.2008.157164 [doi]
PST - ppublish
SO  - J Neurol Neurosurg Psychiatry. 2009 Apr;80(4):392-9. doi:
      10.1136/jnnp.2008.157164. Epub 2008 Dec 5.
"""
SINGH = """\
PMID- 19724286
TI  - Anomalous venous blood flow and iron deposition in multiple sclerosis.
AU  - Singh AV
AU  - Zamboni P
DP  - 2009 Dec
"""
FOUND = {
    "study_design": "not_recorded",
    "type": "article-journal",
    "title": "Chronic cerebrospinal venous insufficiency in patients with multiple sclerosis",
    "container_title": "Journal of neurology, neurosurgery, and psychiatry",
    "container_title_short": "J Neurol Neurosurg Psychiatry",
    "volume": "80",
    "issue": "4",
    "page": "392-399",
    "issued": "2009-04",
    "epub_date": "2008-12-05",
    "language": "en",
    "issn": ["1468-330X", "0022-3050"],
    "abstract": "BACKGROUND: The extracranial venous outflow routes in clinically defined multiple "
    "sclerosis have not previously been investigated.",
    "authors": [
        {"family": "Zamboni", "given": "P"},
        {"family": "Dall'Ara", "given": "S"},
        {"family": "Berg", "given": "Jan M", "particle": "van den", "suffix": "Jr"},
        {"literal": "CCSVI Study Group"},
    ],
    "identifiers": [
        {"scheme": "doi", "value": "10.1136/jnnp.2008.157164", "verification": "unverified"},
        {"scheme": "pmcid", "value": "PMC2647682", "verification": "unverified"},
        {"scheme": "pmid", "value": "19060024", "verification": "unverified"},
    ],
}


def one(*lines: str) -> Row:
    """Return the record of these lines, which have a PMID and a title put before them."""
    reading = nbib.read("\n".join(["PMID- 1", "TI  - T.", *lines]).encode())
    assert not reading.problems
    (entry,) = reading.entries
    return {**compared(entry.record), "dropped": entry.dropped}


def codes(reading: ParsedFile) -> list[str]:
    """Return the codes of the problems of a file."""
    return [problem.code for problem in reading.problems]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff", "\n\n", "\ufeff\n"])
def test_a_record(end: str, mark: str) -> None:
    reading = nbib.read((mark + ZAMBONI).replace("\n", end).encode())
    assert not reading.problems
    (entry,) = reading.entries
    assert compared(entry.record) == FOUND
    assert sorted(entry.dropped) == ["AD", "AID", "PT"]
    SourceIn.model_validate({"id": "a", **entry.record})


def test_several_records_with_and_without_blank_lines() -> None:
    for between in ("\n", "", "\n\n\n"):
        reading = nbib.read((ZAMBONI + between + SINGH).encode())
        assert [entry.line for entry in reading.entries] == [
            1,
            ZAMBONI.count("\n") + between.count("\n") + 1,
        ]
        assert compared(reading.entries[1].record)["authors"] == [
            {"family": "Singh", "given": "AV"},
            {"family": "Zamboni", "given": "P"},
        ]
        assert not reading.problems


@pytest.mark.parametrize(
    ("told", "issued", "lost"),
    [
        ("2010 Nov 2", "2010-11-02", False),
        ("2010 Nov", "2010-11", False),
        ("2010", "2010", False),
        ("2009 Winter", "2009", True),
        ("2010 Nov-Dec", "2010-11", True),
        ("1998 Dec-1999 Jan", "1998-12", True),
        ("2009 Sep 28-Oct 2", "2009-09-28", True),
        ("2009 Feb 30", "2009-02", True),
        ("in press", None, True),
    ],
)
def test_dates(told: str, issued: str | None, lost: bool) -> None:
    record = one(f"DP  - {told}")
    assert (record.get("issued"), "DP" in record["dropped"]) == (issued, lost)


@pytest.mark.parametrize(
    ("told", "page"),
    [
        ("138-45", "138-145"),
        ("392-399", "392-399"),
        ("1-12", "1-12"),
        ("S12-9", "S12-S19"),
        ("e12-e19", "e12-e19"),
        ("e1000316", "e1000316"),
        ("1101-9; discussion 1110-1", "1101-1109; discussion 1110-1111"),
        ("xii-xv", "xii-xv"),
        ("5-5", "5-5"),
        ("CD009903", "CD009903"),
        ("138–45", "138-145"),
    ],
)
def test_pages(told: str, page: str) -> None:
    assert one(f"PG  - {told}")["page"] == page


@pytest.mark.parametrize(
    ("lines", "author"),
    [
        (["FAU - Müller, Jörg"], {"family": "Müller", "given": "Jörg"}),
        (["AU  - van der Meer J"], {"family": "Meer", "given": "J", "particle": "van der"}),
        (["AU  - King ML Jr"], {"family": "King", "given": "ML", "suffix": "Jr"}),
        (["AU  - García Márquez G"], {"family": "García Márquez", "given": "G"}),
        (["AU  - Aristotle"], {"family": "Aristotle"}),
        (["FAU - Roe, A", "AU  - Roe A"], {"family": "Roe", "given": "A"}),
        (["CN  - US Food, Drug"], {"literal": "US Food, Drug"}),
    ],
)
def test_names(lines: list[str], author: Row) -> None:
    assert one(*lines)["authors"] == [author]


def test_an_incomplete_list_of_authors() -> None:
    assert one("AU  - Roe A", "AU  - et al.")["authors_complete"] is False


@pytest.mark.parametrize(
    ("lines", "integrity", "note"),
    [
        (["PT  - Retracted Publication", "RIN - Foo. 2012;3:4. PMID: 7"], "retracted",
         "Retraction in: Foo. 2012;3:4. PMID: 7"),
        (["PT  - Retracted Publication"], "retracted",
         "PubMed lists it as a retracted publication."),
        (["EIN - Foo. 2012;3:4"], "corrected", "Erratum in: Foo. 2012;3:4"),
        (["EIN - A", "ECI - B"], "concern", "Expression of concern in: B\nErratum in: A"),
        (["PT  - Published Erratum"], None, None),
        (["PT  - Retraction of Publication", "ROF - A"], None, None),
    ],
)  # fmt: skip
def test_notices(lines: list[str], integrity: str | None, note: str | None) -> None:
    record = one(*lines)
    assert (record.get("integrity"), record.get("integrity_note")) == (integrity, note)
    if not integrity:
        assert "PT" in record["dropped"]


def test_books_preprints_and_translated_titles() -> None:
    book = compared(
        nbib.read(b"PMID- 1\nBTI - A book.\nPB  - Press\nISBN- 978-0-13-110362-7\n")
        .entries[0]
        .record
    )
    assert (book["type"], book["title"], book["publisher"]) == ("book", "A book", "Press")
    assert {"scheme": "isbn", "value": "9780131103627", "verification": "unverified"} in book[
        "identifiers"
    ]
    chapter = one("BTI - A book.")
    assert (chapter["type"], chapter["container_title"]) == ("chapter", "A book")
    assert one("PT  - Preprint")["type"] == "article"
    translated = nbib.read(b"PMID- 1\nTI  - [The heart].\nTT  - Das Herz.\nLA  - ger\n").entries[0]
    assert (translated.record["title"], translated.record["language"]) == ("Das Herz", "de")
    assert nbib.read(b"PMID- 1\nTI  - [The heart].\n").entries[0].record["title"] == "[The heart]"


def test_an_e_locator_among_the_identifiers() -> None:
    assert one("LID - e70355 [pii]", "AID - e70355 [pii]", "LID - 10.1000/X [doi]") == {
        "type": "article-journal",
        "study_design": "not_recorded",
        "title": "T",
        "page": "e70355",
        "identifiers": [
            {"scheme": "doi", "value": "10.1000/x", "verification": "unverified"},
            {"scheme": "pmid", "value": "1", "verification": "unverified"},
        ],
        "dropped": (),
    }


def test_troubles() -> None:
    reading = nbib.read(f"Saved from PubMed\n\n{SINGH}\n{SINGH}\nPMID- 7\nAU  - Cut O".encode())
    assert [(problem.line, problem.code) for problem in reading.problems] == [
        (1, "text_outside_record"),
        (9, "repeated_entry"),
    ]
    # The last has no title, but the number that names it.
    assert [entry.line for entry in reading.entries] == [3, 15]


def test_a_file_cut_in_the_middle() -> None:
    for at in range(ZAMBONI.index("TI  - C") + 7, len(ZAMBONI)):
        assert len(nbib.read(ZAMBONI[:at].encode()).entries) == 1
    # A record that has lost its beginning.
    reading = nbib.read((ZAMBONI[ZAMBONI.index("VI ") :] + "\n" + SINGH).encode())
    assert (len(reading.entries), reading.problems) == (2, [])


def test_latin_1() -> None:
    (entry,) = nbib.read("PMID- 1\nTI  - Ménière.\n".encode("latin-1")).entries
    assert entry.record["title"] == "Ménière"


PIECES = ("PMID- 1", "PMID- x", "PMID-", "TI  - A", "TI  -", "BTI - B", "TT  - C", "      more", "",
          "FAU - ,", "AU  - A B", "CN  - ",
    "DP  - 0000", "DEP - 20091345", "PG  - 9-8", "PG  - 99999999999-1", "LID - [doi]",
    "LID - 10.1/ [doi]", "AID - x [pii]", "\x00",
    "OWN - NLM", "PMC - PMC0", "ISBN- ()", "RIN - ", "\x85", "\ufeff", "LA  - xx",
    "PT  - Retracted Publication")  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=25).map("\n".join)
files = st.binary(max_size=200) | st.builds(
    lambda text, encoding: text.encode(encoding, "replace"),
    texts,
    st.sampled_from(("utf-8", "latin-1", "utf-8-sig", "utf-16")),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Generate a proper file with some bytes of it cut out, put in or changed."""
    content = bytearray(
        ("\n".join(draw(st.lists(st.sampled_from((ZAMBONI, SINGH)), max_size=3)))).encode()
    )
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 30))] = draw(st.binary(max_size=6))
    return bytes(content)


@st.composite
def numbered(draw: st.DrawFn) -> tuple[int, bytes]:
    """Generate a file of that many records, some lines of each but its PMID left out or said
    twice.
    """
    count = draw(st.integers(0, 4))
    lines = []
    for number in range(count):
        first, *rest = draw(st.sampled_from((ZAMBONI, SINGH))).splitlines()
        lines += [first.replace("1", str(number + 1))]
        lines += [line for line in rest for _ in range(draw(st.sampled_from((0, 1, 1, 1, 2))))]
        lines += [""] * draw(st.integers(0, 2))
    return count, "\n".join(lines).encode()


def check(content: bytes) -> None:
    reading = nbib.read(content)
    records = [entry.record for entry in reading.entries]
    assert all(record["title"] or record["identifiers"] for record in records)
    assert all(entry.line >= 1 for entry in reading.entries)
    assert all(
        problem.line >= 1 and problem.code and problem.detail for problem in reading.problems
    )


def check_count(count: int, content: bytes) -> None:
    reading = nbib.read(content)
    assert len(reading.entries) + len(reading.problems) == count


@fuzzed(files | mutated())
def test_no_file_stops_the_reader(content: bytes) -> None:
    check(content)


@fuzzed(numbered())
def test_every_entry_is_parsed_or_a_problem(case: tuple[int, bytes]) -> None:
    check_count(*case)
