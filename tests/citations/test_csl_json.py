"""CSL-JSON: written, read back, and read as strangers write it."""

import json
from typing import Any

import pytest
from hypothesis import strategies as st

from api.citations import csl_json
from api.citations.parse_result import ParsedFile
from models.records.serializers import Row
from models.records.source import SourceIn
from tests.citations.sources import (
    as_read_back,
    compared,
    row,
    seed_source,
    seed_sources,
    source_lists,
    sources,
)
from tests.generated import fuzzed, generated

THREE = ("zamboni-2009-jnnp", "singh-2009", "zamboni-2009-cnr")


def written(*given: Row) -> bytes:
    return b"".join(csl_json.write(given))


def read(items: Any) -> ParsedFile:
    return csl_json.read(json.dumps(items).encode())


def record_of(**fields: Any) -> Row:
    reading = read([{"type": "article-journal", "title": "T", **fields}])
    assert not reading.problems
    return compared(reading.entries[0].record)


def dropped_of(**fields: Any) -> tuple[str, ...]:
    return read([{"type": "article-journal", "title": "T", **fields}]).entries[0].dropped


def test_the_three_sources_of_the_article() -> None:
    jnnp, singh, cnr = json.loads(written(*map(seed_source, THREE)))
    assert [entry.pop("note")[:6] for entry in (jnnp, singh, cnr)] == ["Third ", "First ", "Second"]
    assert jnnp == {
        "id": "zamboni-2009-jnnp",
        "type": "article-journal",
        "title": "Chronic cerebrospinal venous insufficiency in patients with multiple sclerosis",
        "container-title": "Journal of Neurology, Neurosurgery & Psychiatry",
        "container-title-short": "J Neurol Neurosurg Psychiatry",
        "journalAbbreviation": "J Neurol Neurosurg Psychiatry",
        "author": [
            {"family": "Zamboni", "given": "P"},
            {"family": "Galeotti", "given": "R"},
            {"family": "Menegatti", "given": "E"},
            {"family": "Malagoni", "given": "A M"},
            {"family": "Tacconi", "given": "G"},
            {"family": "Dall'Ara", "given": "S"},
            {"family": "Bartolomei", "given": "I"},
            {"family": "Salvi", "given": "F"},
        ],
        "issued": {"date-parts": [[2009, 4]]},
        "volume": "80",
        "issue": "4",
        "page": "392-399",
        "DOI": "10.1136/jnnp.2008.157164",
        "PMID": "19060024",
        "PMCID": "PMC2647682",
        "custom": {
            "source": "zamboni-2009-jnnp",
            "title_status": "printed",
            "study_design": "case_control",
            "sample_size": 300,
            "sample": "65 MS, 235 controls",
            "unverified": ["DOI"],
        },
    }
    assert singh == {
        "id": "singh-2009",
        "type": "article-journal",
        "title": "Anomalous venous blood flow and iron deposition in multiple sclerosis",
        "container-title": "Journal of Cerebral Blood Flow & Metabolism",
        "container-title-short": "J Cereb Blood Flow Metab",
        "journalAbbreviation": "J Cereb Blood Flow Metab",
        "author": [
            {"family": "Singh", "given": "Ajay Vikram"},
            {"family": "Zamboni", "given": "Paolo"},
        ],
        "issued": {"date-parts": [[2009]]},
        "available-date": {"date-parts": [[2009, 9, 2]]},
        "DOI": "10.1038/jcbfm.2009.180",
        "PMID": "19724286",
        "custom": {
            "source": "singh-2009",
            "title_status": "printed",
            "study_design": "narrative_review",
            "unverified": ["PMID"],
        },
    }
    assert (cnr["id"], cnr["page"], cnr["DOI"]) == (
        "zamboni-2009-cnr",
        "204-212",
        "10.2174/156720209788970054",
    )
    assert cnr["custom"]["unverified"] == ["DOI", "PMID"]


def test_no_sources_are_an_empty_array() -> None:
    assert json.loads(written()) == []
    assert csl_json.read(written()) == ParsedFile()


def test_fields_that_have_a_tag_of_their_own() -> None:
    source = row(
        id="x", type="thesis", title="[On a <i>b</i> &amp; c]", study_design="not_recorded",
        issued="2009-04",
        issued_inferred=True, authors_complete=False, integrity="retracted",
        integrity_note="Retracted in 2011.",
        authors=[{"family": "Berg", "given": "J", "particle": "van den", "suffix": "Jr"},
                 {"literal": "R&D Group"}],
    )  # fmt: skip
    item = csl_json.item(source)
    assert item["author"] == [
        {"family": "Berg", "given": "J", "non-dropping-particle": "van den", "suffix": "Jr"},
        {"literal": "R&D Group"},
    ]
    # Other programs would print what stood for the rest as a person.
    assert item["custom"]["authors_complete"] is False
    assert item["issued"] == {"date-parts": [[2009, 4]], "circa": True}
    assert (item["status"], item["custom"]["integrity_note"]) == ("retracted", "Retracted in 2011.")
    assert item["title"] == "[On a &lt;i>b&lt;/i> &amp;amp; c]"


def test_every_seed_source_is_read_back_unchanged() -> None:
    given = seed_sources()
    reading = csl_json.read(written(*given))
    assert not reading.problems
    for source, parsed_entry in zip(given, reading.entries, strict=True):
        assert compared(parsed_entry.record) == as_read_back(source, *csl_json.CANNOT_CARRY)
        assert parsed_entry.dropped == ()
        SourceIn.model_validate({"id": source["id"], **parsed_entry.record})


def test_only_what_names_records_of_ours_is_out_of_reach() -> None:
    assert csl_json.CANNOT_CARRY == ("versions", "cites", "main_claim", "collection", "text")


@generated(sources(paragraphs=True))
def test_a_generated_source_is_read_back_unchanged(source: Row) -> None:
    (parsed_entry,) = csl_json.read(written(source)).entries
    assert compared(parsed_entry.record) == as_read_back(source)
    assert parsed_entry.dropped == ()
    SourceIn.model_validate({"id": source["id"], **parsed_entry.record})


@pytest.mark.parametrize(
    ("given", "issued"),
    [
        ({"date-parts": [[2009, 4, 1]]}, "2009-04-01"),
        ({"date-parts": [["2009", "4"]]}, "2009-04"),
        ({"date-parts": [[850]]}, "0850"),
        ({"date-parts": [[2009, 0]]}, "2009"),
        ({"raw": "2009-04-01T10:00:00Z"}, "2009-04-01"),
        ({"raw": "2009/4/1"}, "2009-04-01"),
        ({"literal": "April 2009"}, "2009-04"),
        ({"literal": "1 Apr. 2009"}, "2009-04-01"),
        ({"raw": "April 1, 2009"}, "2009-04-01"),
        ({"literal": "2009 Sept 2"}, "2009-09-02"),
        ("2009-04", "2009-04"),
        (2009, "2009"),
    ],
)
def test_dates_as_people_write_them(given: Any, issued: str) -> None:
    assert record_of(issued=given)["issued"] == issued
    assert dropped_of(issued=given) == ()


@pytest.mark.parametrize(
    ("given", "issued", "dropped"),
    [
        ({"date-parts": [[2009, 2, 30]]}, "2009-02", ("issued",)),
        ({"date-parts": [[2009, 21]]}, "2009", ("issued",)),
        ({"date-parts": [[2009], [2010]]}, "2009", ("issued.end",)),
        ({"date-parts": [[2009]], "season": "spring"}, "2009", ("issued.season",)),
        ("2009-01/2009-03", "2009-01", ("issued.end",)),
        ({"literal": "in press"}, None, ("issued",)),
        ({"date-parts": [[None]]}, None, ()),
        ({"date-parts": "2009"}, None, ("issued",)),
        ({"date-parts": [[-44, 3, 15]]}, None, ("issued",)),
        (True, None, ("issued",)),
    ],
)
def test_parts_that_a_date_cannot_hold_are_dropped(
    given: Any, issued: str | None, dropped: tuple[str, ...]
) -> None:
    assert record_of(issued=given).get("issued") == issued
    assert dropped_of(issued=given) == dropped


@pytest.mark.parametrize("given", ["2009?", "2009~", {"date-parts": [[2009]], "circa": "ca."}])
def test_a_date_in_doubt_is_inferred(given: Any) -> None:
    assert (record_of(issued=given)["issued"], record_of(issued=given)["issued_inferred"]) == (
        "2009",
        True,
    )


@pytest.mark.parametrize(
    "doi",
    [
        "10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2",
        "https://doi.org/10.1002/(sici)1097-0258(19980815/30)17:15/16%3C1661::aid-sim968%3E3.0.co;2-2",
        " doi:10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2. ",
        "doi: https://dx.doi.org/10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2",
    ],
)
def test_a_doi_has_one_form(doi: str) -> None:
    value = "10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2"
    assert record_of(DOI=doi)["identifiers"] == [
        {"scheme": "doi", "value": value, "verification": "unverified"}
    ]


def test_other_identifiers_have_one_form_too() -> None:
    fields = {"PMID": 19060024, "PMCID": "2647682", "ISBN": "978-0-13-110362-7 0-13-110362-8"}
    values = {one["scheme"]: one["value"] for one in record_of(**fields)["identifiers"]}
    assert values == {"pmid": "19060024", "pmcid": "PMC2647682", "isbn": "9780131103627"}
    fields = {
        "PMID": "https://pubmed.ncbi.nlm.nih.gov/19060024/",
        "PMCID": "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC2647682/",
        "DOI": "see the journal",
    }
    values = {one["scheme"]: one["value"] for one in record_of(**fields)["identifiers"]}
    assert values == {"pmid": "19060024", "pmcid": "PMC2647682"}
    assert dropped_of(**fields) == ("DOI",)
    assert dropped_of(ISBN="978-0-13-110362-7 0-13-110362-8", volume=["1", "2"]) == (
        "volume",
        "ISBN",
    )
    assert dropped_of(ISBN="978-0-13-110362-7", custom={"study_design": "rct"}) == (
        "custom.study_design",
    )


def test_a_stranger_s_item() -> None:
    reading = read(
        {
            "type": "journal-article",
            "title": ["Effects of <i>H. pylori</i> &amp;\n   CO<sub>2</sub>, p < 0.05"],
            "container-title": ["Brain"],
            "page": "392–9",
            "ISSN": ["0006-8950"],
            "article-number": "e12",
            "publisher": "",
            "URL": "ftp://example.org",
            "author": [
                {
                    "family": "Beethoven",
                    "given": "Ludwig",
                    "dropping-particle": "van",
                    "ORCID": "0000",
                },
                {"name": "Study Group"},
                {},
                "Somebody",
                {"literal": "et al."},
            ],
            "status": "in press",
            "custom": {"sample_size": "many", "mine": 1},
        }
    )
    assert not reading.problems
    (parsed_entry,) = reading.entries
    assert parsed_entry.record == {
        "type": "article-journal",
        "study_design": "not_recorded",
        "title": "Effects of H. pylori & CO₂, p < 0.05",
        "container_title": "Brain",
        "page": "392-399",
        "number": "e12",
        "authors": [
            {"family": "Beethoven", "given": "Ludwig", "particle": "van"},
            {"literal": "Study Group"},
            {"literal": "Somebody"},
        ],
        "issn": ["0006-8950"],
        "authors_complete": False,
        "identifiers": [],
    }
    assert set(parsed_entry.dropped) == {
        "type", "author.ORCID", "author.dropping-particle", "author", "URL", "status",
        "custom.sample_size", "custom.mine",
    }  # fmt: skip


def test_a_retraction_without_a_note_still_makes_a_valid_source() -> None:
    record = record_of(status="Retracted")
    assert record["integrity"] == "retracted"
    SourceIn.model_validate({"id": "x", **record})


def lines(content: str) -> tuple[list[int], list[tuple[int, str]]]:
    """Return the lines of the items of a file, and the lines and codes of its problems."""
    parsed_file = csl_json.read(content.encode())
    item_lines = [entry.line for entry in parsed_file.entries]
    return item_lines, [(problem.line, problem.code) for problem in parsed_file.problems]


ONE = '{"type": "book",\n "title": "T"}'


@pytest.mark.parametrize(
    ("content", "item_lines", "problems"),
    [
        ("", [], []),
        (" \n\n", [], []),
        (ONE, [1], []),
        (f"\ufeff{ONE}", [1], []),
        (f"\r\n{ONE}\r\n{ONE}", [2, 4], []),
        (f"[{ONE},\n{ONE}]", [1, 3], []),
        (f"[{ONE},\n{ONE},\n]", [1, 3], []),
        (f'{{"items":\n[{ONE}]}}', [2], []),
        (f"[{ONE},\n{ONE[:-3]}", [1], [(3, "malformed_json")]),
        (f"[{ONE},\n{ONE}", [1, 3], [(4, "malformed_json")]),
        (f"[{ONE},\n{ONE},", [1, 3], [(4, "malformed_json")]),
        ("[", [], [(1, "malformed_json")]),
        (f"[{ONE}\n{ONE}]", [1], [(3, "malformed_json")]),
        (f"[{ONE},\n7,\n[],\n{{}}, null]", [1], [(3, "not_an_item"), (4, "not_an_item"), (5,
            "empty_item"), (5, "not_an_item")]),
        ("@article{x, title = {T}}", [], [(1, "malformed_json")]),
        ('{"title": ' + "[" * 100_000, [], [(1, "malformed_json")]),
        (f'[{{"volume": {"9" * 5000}}}]', [], [(1, "malformed_json")]),
        ('[{"title": "a\nb"}]', [1], []),
    ],
)  # fmt: skip
def test_every_item_is_parsed_or_a_problem_with_its_line(
    content: str, item_lines: list[int], problems: Any
) -> None:
    assert lines(content) == (item_lines, problems)


def test_latin_1_is_read() -> None:
    (parsed_entry,) = csl_json.read('[{"title": "Größe"}]'.encode("latin-1")).entries
    assert parsed_entry.record["title"] == "Größe"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["2009-04", "10.1/x", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["date-parts", "raw", "circa", "family", "literal", "name", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
VARIABLES = (
    "type", "title", "author", "issued", "available-date", "DOI", "PMID", "PMCID", "ISBN", "URL",
    "page", "page-first", "status",
    "custom", "note", "container-title", "journalAbbreviation", "id", "volume", "season",
    "language",
)  # fmt: skip
anything = st.lists(
    st.dictionaries(st.sampled_from(VARIABLES), json_values, max_size=8) | json_values, max_size=4
)
mutated = st.tuples(
    source_lists(3), st.integers(0, 5000), st.integers(0, 30), st.binary(max_size=6)
).map(lambda drawn: _mutated(written(*drawn[0]), *drawn[1:]))


def _mutated(content: bytes, start: int, length: int, instead: bytes) -> bytes:
    start %= len(content)
    return content[:start] + instead + content[start + length :]


def holds(content: bytes) -> None:
    reading = csl_json.read(content)
    count = content.count(b"\n") + content.count(b"\r") + 1
    lines = [parsed_entry.line for parsed_entry in reading.entries] + [
        problem.line for problem in reading.problems
    ]
    assert all(1 <= line <= count for line in lines)
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return
    entries = parsed if isinstance(parsed, list) else [parsed]
    if isinstance(parsed, dict) and isinstance(parsed.get("items"), list):
        return
    assert len(reading.entries) + len(reading.problems) == len(entries)


FILES = (
    st.binary(max_size=300)
    | st.text(max_size=200).map(str.encode)
    | mutated
    | anything.map(lambda made: json.dumps(made).encode())
)


@fuzzed(FILES)
def test_no_file_is_too_strange(content: bytes) -> None:
    holds(content)


@generated(source_lists(4), st.integers(0, 10_000), few=75, many=1_000)
def test_of_a_truncated_file_the_items_before_the_end_are_read(
    given: list[Row], place: int
) -> None:
    whole = written(*given)
    cut = whole[: place % len(whole)].rstrip()
    reading = csl_json.read(cut)
    complete = sum(
        line.rstrip(b",").endswith(b"}}")
        and line.rstrip(b",") in whole.replace(b",\n", b"\n").split(b"\n")
        for line in cut.split(b"\n")
    )
    assert len(reading.entries) == complete
    assert len(reading.problems) == (1 if cut not in (b"", whole.rstrip()) else 0)
