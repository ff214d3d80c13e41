"""RIS: what is written, and what of it is read back."""

from typing import Any

import pytest
import rispy  # type: ignore[import-untyped]

from api.citations import ris
from api.citations.parse_result import ParsedFile
from models.records.serializers import Row
from models.records.source import SourceIn
from tests.citations.ris_files import one, written
from tests.citations.sources import (
    as_read_back,
    compared,
    row,
    seed_source,
    seed_sources,
    source_lists,
    sources,
)
from tests.generated import generated

EXPECTED = {
    "zamboni-2009-jnnp": """\
TY  - JOUR
ID  - zamboni-2009-jnnp
TI  - Chronic cerebrospinal venous insufficiency in patients with multiple sclerosis
AU  - Zamboni, P
AU  - Galeotti, R
AU  - Menegatti, E
AU  - Malagoni, A M
AU  - Tacconi, G
AU  - Dall'Ara, S
AU  - Bartolomei, I
AU  - Salvi, F
T2  - Journal of Neurology, Neurosurgery & Psychiatry
J2  - J Neurol Neurosurg Psychiatry
VL  - 80
IS  - 4
UR  - https://doi.org/10.1136/jnnp.2008.157164
PY  - 2009
DA  - 2009/04//
SP  - 392
EP  - 399
DO  - 10.1136/jnnp.2008.157164
C2  - PMC2647682
AN  - 19060024
DB  - PubMed
N1  - Unverified identifiers: DOI 10.1136/jnnp.2008.157164
N1  - Third of the three sources in the article's list, which dates it April 2009 and names three of its eight authors; the only one of the three with primary data. Colour Doppler and selective venography. Its working definition of CCSVI was at least 2 of 5 Doppler parameters. On blinding the accounts differ: its abstract says that the examination was blinded, later accounts say that the study was not; who was blinded is not said.
U1  - Study design: case_control
U1  - Title: printed
U2  - Sample size: 300
U3  - Sample: 65 MS, 235 controls
ER  - \n""",
    "singh-2009": """\
TY  - JOUR
ID  - singh-2009
TI  - Anomalous venous blood flow and iron deposition in multiple sclerosis
AU  - Singh, Ajay Vikram
AU  - Zamboni, Paolo
T2  - Journal of Cerebral Blood Flow & Metabolism
J2  - J Cereb Blood Flow Metab
UR  - https://doi.org/10.1038/jcbfm.2009.180
PY  - 2009
ET  - 2009/09/02/
DO  - 10.1038/jcbfm.2009.180
AN  - 19724286
DB  - PubMed
N1  - Unverified identifiers: PMID 19724286
N1  - First of the three sources in the article's list, which gives only its online date. The copy that was read is paged 1 to 12; volume, issue and pages of the print edition were not confirmed and are left out.
U1  - Study design: narrative_review
U1  - Title: printed
ER  - \n""",
    "zamboni-2009-cnr": """\
TY  - JOUR
ID  - zamboni-2009-cnr
TI  - Venous collateral circulation of the extracranial cerebrospinal outflow routes
AU  - Zamboni, Paolo
AU  - Consorti, Giuseppe
AU  - Galeotti, Roberto
AU  - Gianesini, Sergio
AU  - Menegatti, Erica
AU  - Tacconi, Giovanna
AU  - Carinci, Francesco
T2  - Current Neurovascular Research
J2  - Curr Neurovasc Res
VL  - 6
IS  - 3
UR  - https://doi.org/10.2174/156720209788970054
PY  - 2009
DA  - 2009/08//
SP  - 204
EP  - 212
DO  - 10.2174/156720209788970054
AN  - 19534716
DB  - PubMed
N1  - Unverified identifiers: DOI 10.2174/156720209788970054, PMID 19534716
N1  - Second of the three sources in the article's list, which dates it August 2009 and names three of its seven authors. A narrative review of radiological anatomy.
U1  - Study design: narrative_review
U1  - Title: printed
ER  - \n""",
}


def article(**fields: Any) -> Row:
    """Return a source with these fields."""
    return row(
        **{"id": "a", "type": "article-journal", "title": "T", "study_design": "cohort", **fields}
    )


def lines(source: Row, *tags: str) -> list[str]:
    """Return the lines with these tags of a written source."""
    return [line for line in written(source).decode().split("\r\n") if line[:2] in tags]


def expected(source: Row) -> Row:
    """Return the record that a written source is read back as: every identifier is unverified."""
    record = as_read_back(source, *ris.CANNOT_CARRY)
    if "abstract" in record:
        # A tag has one line.
        record["abstract"] = " ".join(record["abstract"].split())
    for identifier in record.get("identifiers", []):
        identifier["verification"] = "unverified"
    return record


def copied(source: Row) -> Row:
    """Return a source of its own, to be changed."""
    return {**source, "identifiers": [dict(each) for each in source["identifiers"]]}


@pytest.mark.parametrize("slug", EXPECTED)
def test_the_articles_sources_are_written_so(slug: str) -> None:
    assert written(seed_source(slug)) == EXPECTED[slug].replace("\n", "\r\n").encode()


def test_no_sources_are_an_empty_file() -> None:
    assert written() == b""
    assert ris.read(b"") == ParsedFile()


def test_every_seed_source_comes_back() -> None:
    seeded = seed_sources()
    reading = ris.read(written(*seeded))
    assert not reading.problems
    assert [compared(parsed_entry.record) for parsed_entry in reading.entries] == [
        expected(copied(source)) for source in seeded
    ]
    assert not any(parsed_entry.dropped for parsed_entry in reading.entries)
    for source, parsed_entry in zip(seeded, reading.entries, strict=True):
        SourceIn.model_validate({"id": source["id"], **parsed_entry.record})


@generated(sources(paragraphs=True))
def test_every_source_comes_back(source: Row) -> None:
    reading = ris.read(written(source))
    assert [(compared(each.record), each.dropped) for each in reading.entries] == [
        (expected(copied(source)), ())
    ]
    assert not reading.problems


RISPY = {
    "TI": "title", "T2": "secondary_title", "J2": "alternate_title1", "PB": "publisher",
    "VL": "volume", "IS": "number",
    "SP": "start_page", "EP": "end_page", "PY": "year", "DA": "date", "ET": "edition", "DO": "doi",
    "AN": "accession_number",
    "C2": "custom2", "C7": "custom7", "M1": "note", "SN": "issn", "LA": "language", "ID": "id",
    "TY": "type_of_reference",
}  # fmt: skip


def test_rispy_reads_the_same() -> None:
    seeded = seed_sources()
    entries = rispy.loads(written(*seeded).decode())
    assert len(entries) == len(seeded)
    for source, entry in zip(seeded, entries, strict=True):
        ours = [(line[:2], line[6:]) for line in written(source).decode().split("\r\n")]
        assert {tag: value for tag, value in ours if tag in RISPY} == {
            tag: entry[name] for tag, name in RISPY.items() if name in entry
        }
        assert entry.get("authors", []) == [value for tag, value in ours if tag == "AU"]
        assert entry.get("notes", []) == [value for tag, value in ours if tag == "N1"]
        assert len(entry.get("authors", [])) == len(source["authors"])


@generated(source_lists(2))
def test_rispy_reads_generated_sources(several: list[Row]) -> None:
    entries = rispy.loads(written(*several).decode())
    assert [entry["title"].split() for entry in entries] == [
        source["title"].split() for source in several
    ]
    assert [len(entry.get("authors", [])) for entry in entries] == [
        len(source["authors"]) for source in several
    ]


@pytest.mark.parametrize(
    ("author", "told"),
    [
        ({"family": "Zamboni", "given": "P"}, ["AU  - Zamboni, P"]),
        ({"family": "Chafe"}, ["AU  - Chafe,"]),
        ({"family": "Berg", "given": "J", "particle": "van den"}, ["AU  - van den Berg, J"]),
        ({"family": "King", "given": "M L", "suffix": "Jr"}, ["AU  - King, M L, Jr"]),
        ({"literal": "World Health Organization"}, ["AU  - World Health Organization"]),
        (
            {"literal": "Food, Drugs & Co."},
            ["AU  - Food, Drugs & Co.", 'U5  - Author 1: {"literal": "Food, Drugs & Co."}'],
        ),
        (
            {"family": "Cruz", "given": "A", "particle": "De La"},
            [
                "AU  - De La Cruz, A",
                'U5  - Author 1: {"family": "Cruz", "given": "A", "particle": "De La"}',
            ],
        ),
        (
            {"family": "Arcy", "given": "A", "particle": "d'"},
            [
                "AU  - d'Arcy, A",
                'U5  - Author 1: {"family": "Arcy", "given": "A", "particle": "d\'"}',
            ],
        ),
    ],
)
def test_names(author: dict[str, str], told: list[str]) -> None:
    source = article(authors=[author])
    assert lines(source, "AU", "U5") == told
    assert one(written(source))["authors"] == [author]


def test_an_edited_author_wins_over_the_exact_name() -> None:
    edited = written(article(authors=[{"literal": "Food, Drugs"}])).replace(
        b"AU  - Food, Drugs", b"AU  - Fo, D"
    )
    assert one(edited)["authors"] == [{"family": "Fo", "given": "D"}]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"issued": "2009"}, ["PY  - 2009"]),
        ({"issued": "2009-09"}, ["PY  - 2009", "DA  - 2009/09//"]),
        ({"issued": "2009-09-02"}, ["PY  - 2009", "DA  - 2009/09/02/"]),
        ({"issued": "2010", "issued_inferred": True}, ["PY  - 2010", "DA  - 2010///inferred"]),
        ({"page": "392-399"}, ["SP  - 392", "EP  - 399"]),
        ({"page": "e1000316"}, ["SP  - e1000316"]),
        ({"page": "12-15, 18"}, ["SP  - 12-15, 18"]),
        ({"number": "CD009903"}, ["C7  - CD009903"]),
        ({"type": "report", "number": "7"}, ["M1  - 7"]),
        ({"integrity": "retracted", "integrity_note": "In 2018.\nFraud."},
         ["N1  - Retracted: In 2018.", "N1  - Retracted: Fraud."]),
        ({"note": "Retracted: no."}, ["N1  - Note: Retracted: no."]),
        ({"authors_complete": False}, ["N1  - Authors: the list goes on beyond those named."]),
    ],
)  # fmt: skip
def test_dates_pages_and_notes(fields: Row, told: list[str]) -> None:
    source = article(**fields)
    assert lines(source, "PY", "DA", "SP", "EP", "C7", "M1", "N1") == told
    assert one(written(source)) == expected(source)
