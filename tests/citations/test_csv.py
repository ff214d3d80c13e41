"""CSV: what stands in which column, and nothing that a spreadsheet would run."""

import csv
import io

import pytest

from api.citations import csv as csv_format
from models.core.types import REVIEW_FIELDS
from models.records.serializers import Row
from models.records.source import SourceIn, SourceOut
from tests.citations.sources import row, seed_source, seed_sources, sources
from tests.generated import generated


def written(*given: Row) -> str:
    return b"".join(csv_format.write(given)).decode()


def rows_of(*given: Row) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(*given), newline="")))


def test_the_three_sources_of_the_article() -> None:
    jnnp, singh, cnr = rows_of(
        *map(seed_source, ("zamboni-2009-jnnp", "singh-2009", "zamboni-2009-cnr"))
    )
    assert jnnp.pop("note").startswith("Third of the three")
    assert {column: cell for column, cell in jnnp.items() if cell} == {
        "key": "zamboni-2009-jnnp",
        "id": "zamboni-2009-jnnp",
        "type": "article-journal",
        "title": "Chronic cerebrospinal venous insufficiency in patients with multiple sclerosis",
        "title_status": "printed",
        "authors": (
            "Zamboni, P; Galeotti, R; Menegatti, E; Malagoni, A M; Tacconi, G; Dall'Ara, S;"
            " Bartolomei, I; Salvi, F"
        ),
        "authors_complete": "true",
        "container_title": "Journal of Neurology, Neurosurgery & Psychiatry",
        "container_title_short": "J Neurol Neurosurg Psychiatry",
        "volume": "80",
        "issue": "4",
        "page": "392-399",
        "issued": "2009-04",
        "issued_inferred": "false",
        "study_design": "case_control",
        "sample_size": "300",
        "sample": "65 MS, 235 controls",
        "integrity": "no_notice",
        "doi": "10.1136/jnnp.2008.157164",
        "doi_verification": "unverified",
        "pmid": "19060024",
        "pmid_verification": "verified",
        "pmcid": "PMC2647682",
        "pmcid_verification": "verified",
        "citation": "Zamboni et al. 2009",
        "year": "2009",
        "published": "2009-04-30",
        "revision": "7",
        "created": "2026-01-02T03:04:05.000006Z",
        "updated": "2026-01-02T03:04:05.000006Z",
    }
    assert (singh["authors"], singh["epub_date"]) == (
        "Singh, Ajay Vikram; Zamboni, Paolo",
        "2009-09-02",
    )
    assert (cnr["key"], cnr["doi"], cnr["pmid_verification"]) == (
        "zamboni-2009-cnr",
        "10.2174/156720209788970054",
        "unverified",
    )


def test_no_sources_are_a_header() -> None:
    assert written() == ",".join(csv_format.COLUMNS) + "\r\n"


def test_every_field_has_a_column_with_a_sentence() -> None:
    assert (
        set(SourceOut.model_fields) - {"identifiers", *REVIEW_FIELDS} <= csv_format.COLUMNS.keys()
    )
    assert all(csv_format.COLUMNS.values())
    assert [name for name in SourceIn.model_fields if name in csv_format.CANNOT_CARRY] == []


def test_names() -> None:
    authors = [
        {"family": "Berg", "given": "Jan", "particle": "van den", "suffix": "Jr"},
        {"literal": "Rand and Sons; Partners"},
    ]
    source = row(
        id="x", type="book", title="T", study_design="not_recorded", authors=authors,
        authors_complete=False
    )  # fmt: skip
    assert rows_of(source)[0]["authors"] == "van den Berg, Jan, Jr; Rand and Sons, Partners; et al."


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_like_a_formula_gets_an_apostrophe(begin: str) -> None:
    source = row(id="x", type="book", title=f'{begin}cmd|"/c calc"', study_design="not_recorded")
    assert rows_of(source)[0]["title"] == f'\'{begin}cmd|"/c calc"'


@generated(sources(paragraphs=True))
def test_every_cell_reads_back(source: Row) -> None:
    (read,) = rows_of(source)
    expected = csv_format.cells_of(source)
    for column, cell in read.items():
        assert not cell.startswith(csv_format.FORMULA)
        value = expected.get(column)
        told = (
            "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        )
        assert cell in (told, f"'{told}")


def test_lines_end_as_rfc_4180_says() -> None:
    plain = [{**source, "note": None} for source in seed_sources()]
    lines = written(*plain).split("\r\n")
    assert lines[-1] == ""
    assert len(lines) == len(plain) + 2
