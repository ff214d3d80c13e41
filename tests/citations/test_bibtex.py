"""BibTeX: what is written, what other programs read of it, and that nothing in a file is lost
without a word.
"""

import re
from typing import Any

import pytest
from bibtexparser.entrypoint import parse_string as parse_with_bibtexparser
from hypothesis import given, settings
from hypothesis import strategies as st
from pybtex.database import parse_string  # type: ignore[import-untyped]
from pybtex.database.input.bibtex import month_names  # type: ignore[import-untyped]

from api.citations import bibtex, latex
from api.citations.parse_result import ParsedFile
from models.records.source import SourceIn
from tests.citations.sources import (
    as_read_back,
    compared,
    row,
    seed_source,
    seed_sources,
    source_lists,
)
from tests.generated import fuzzed, generated

ARTICLE = """\
@article{zamboni-2009-jnnp,
  author = {Zamboni, P and Galeotti, R and Menegatti, E and Malagoni, A M and Tacconi, G and Dall'Ara, S and Bartolomei, I and Salvi, F},
  title = {Chronic cerebrospinal venous insufficiency in patients with multiple sclerosis},
  journal = {Journal of Neurology, Neurosurgery \\& Psychiatry},
  shortjournal = {J Neurol Neurosurg Psychiatry},
  volume = {80},
  number = {4},
  year = {2009},
  month = apr,
  date = {2009-04},
  pages = {392--399},
  doi = {10.1136/jnnp.2008.157164},
  pmcid = {PMC2647682},
  pmid = {19060024},
  x-unverified = {doi},
  url = {https://doi.org/10.1136/jnnp.2008.157164},
  annote = {Third of the three sources in the article's list, which dates it April 2009 and names three of its eight authors; the only one of the three with primary data. Colour Doppler and selective venography. Its working definition of CCSVI was at least 2 of 5 Doppler parameters. On blinding the accounts differ: its abstract says that the examination was blinded, later accounts say that the study was not; who was blinded is not said.},
  x-title-status = {printed},
  x-study-design = {case_control},
  x-sample-size = {300},
  x-sample = {65 MS, 235 controls},
}

@article{singh-2009,
  author = {Singh, Ajay Vikram and Zamboni, Paolo},
  title = {Anomalous venous blood flow and iron deposition in multiple sclerosis},
  journal = {Journal of Cerebral Blood Flow \\& Metabolism},
  shortjournal = {J Cereb Blood Flow Metab},
  year = {2009},
  x-epub-date = {2009-09-02},
  doi = {10.1038/jcbfm.2009.180},
  pmid = {19724286},
  x-unverified = {pmid},
  url = {https://doi.org/10.1038/jcbfm.2009.180},
  annote = {First of the three sources in the article's list, which gives only its online date. The copy that was read is paged 1 to 12; volume, issue and pages of the print edition were not confirmed and are left out.},
  x-title-status = {printed},
  x-study-design = {narrative_review},
}

@article{zamboni-2009-cnr,
  author = {Zamboni, Paolo and Consorti, Giuseppe and Galeotti, Roberto and Gianesini, Sergio and Menegatti, Erica and Tacconi, Giovanna and Carinci, Francesco},
  title = {Venous collateral circulation of the extracranial cerebrospinal outflow routes},
  journal = {Current Neurovascular Research},
  shortjournal = {Curr Neurovasc Res},
  volume = {6},
  number = {3},
  year = {2009},
  month = aug,
  date = {2009-08},
  pages = {204--212},
  doi = {10.2174/156720209788970054},
  pmid = {19534716},
  x-unverified = {doi, pmid},
  url = {https://doi.org/10.2174/156720209788970054},
  annote = {Second of the three sources in the article's list, which dates it August 2009 and names three of its seven authors. A narrative review of radiological anatomy.},
  x-title-status = {printed},
  x-study-design = {narrative_review},
}

"""


def written(*sources: dict[str, Any]) -> str:
    return b"".join(bibtex.write(sources)).decode()


def article(**fields: Any) -> dict[str, Any]:
    return row(
        **{"id": "a-1", "type": "article-journal", "title": "T", "study_design": "cohort", **fields}
    )


def only(text: str) -> dict[str, Any]:
    reading = bibtex.read(text.encode())
    assert (len(reading.entries), reading.problems) == (1, [])
    return reading.entries[0].record


def test_the_sources_of_the_article() -> None:
    assert (
        written(*map(seed_source, ("zamboni-2009-jnnp", "singh-2009", "zamboni-2009-cnr")))
        == ARTICLE
    )


def test_no_sources_are_a_valid_file() -> None:
    assert written() == ""
    assert bibtex.read(b"") == ParsedFile()


def test_a_note_is_what_the_publisher_announced() -> None:
    text = written(
        article(
            integrity="retracted",
            integrity_note="Data made up.",
            issued="2010-02-03",
            issued_inferred=True,
            authors=[
                {"family": "Berg", "given": "R", "particle": "van den"},
                {"literal": "Sand and Sea"},
            ],
            authors_complete=False,
        )
    )
    assert "author = {van den Berg, R and {Sand and Sea} and others}" in text
    # Styles print a note, so it holds what the publisher announced and no remark of ours.
    assert "note = {Retracted: Data made up.}" in text
    assert "x-issued-inferred = {true}" in text
    assert "year = {2010},\n  month = feb,\n  date = {2010-02-03}," in text


@pytest.mark.parametrize(
    ("title", "written_title"),
    [
        ("Role of IL-6 in MS", "Role of {IL-6} in {MS}"),
        ("[Notice of (mRNA) & 5% of $x_1^2 # {a} ~b\\]", None),
        ("The Perfect crime", "The {Perfect} crime"),
        ("IL-6", "{IL-6}"),
        ("a & b_c 5% $ #", r"a \& b\_c 5\% \$ \#"),
    ],
)
def test_titles(title: str, written_title: str | None) -> None:
    if written_title:
        assert latex.protected(title) == written_title
    assert latex.decode(latex.protected(title)) == title


@pytest.mark.parametrize(
    ("author", "text"),
    [
        ({"family": "Berg", "given": "René", "particle": "van den"}, "van den Berg, René"),
        ({"family": "King", "given": "Martin Luther", "suffix": "Jr"}, "King, Jr, Martin Luther"),
        ({"family": "García Márquez", "given": "G"}, "García Márquez, G"),
        ({"family": "de Graaf", "given": "W"}, "{de Graaf}, W"),
        ({"family": "Zuuren", "particle": "van"}, "van Zuuren"),
        ({"literal": "R&D and Sons"}, r"{R\&D and Sons}"),
    ],
)
def test_names(author: dict[str, str], text: str) -> None:
    assert latex.names_text([author]) == text
    assert latex.names(text) == ([author], True)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (
            r"Schr{\"o}dinger \'e \'{\i} \o re {\aa} stra{\ss}e \c c \v{s} \~n {\'{E}}",
            "Schrödinger é í øre å straße ç š ñ É",
        ),
        (r"H$_2$O 10$^{3}$ $p<0.05$ R\&D 5\% ``x'' a--b \$5", "H₂O 10³ p<0.05 R&D 5% “x” a–b $5"),
        (r"{A {Nested {Deep}}} \emph{x} \unknown{y}", r"A Nested Deep x \unknown{y}"),
    ],
)
def test_latex_is_read(text: str, plain: str) -> None:
    assert latex.decode(text) == plain


@pytest.mark.parametrize(
    "doi",
    ["10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2", "10.1/{a}\\b%20"],
)
def test_dois_come_through(doi: str) -> None:
    doi = doi.replace("10.1/", "10.1000/")
    source = article(identifiers=[{"scheme": "doi", "value": doi, "verification": "verified"}])
    assert only(written(source))["identifiers"][0]["value"] == doi
    if "{" not in doi:
        assert f"doi = {{{doi}}}" in written(source)


def test_dois_are_cleaned() -> None:
    for given_doi in (
        "https://doi.org/10.1000/AB_c",
        "doi:10.1000/ab_c.",
        r"10.1000/ab\_c",
        r"10.1000/ab{\_}c;",
    ):
        assert (
            only(f"@article{{a, title={{T}}, doi={{{given_doi}}}}}")["identifiers"][0]["value"]
            == "10.1000/ab_c"
        )


MESSY = rb"""@string{jn = {J Neurol}}
@comment{of no weight}
@preamble{"x"}
@article(one, author = "M{\"u}ller, J" # { and others}, title = "With (these) <i>tags</i>", journal = jn # " B",
  month = 17 # "~" # apr, year = 2009, pages = {pp. 1--5}, keywords = {k})
@article{ONE, title = {Again}}
@article{two, title = {No close, year = 2000}

@book{three, title = {{Good}}, author = {{World Health Organization}}}
@article{four, title = {One too many}}, year = {2009}}
@misc{five, title = {f \{ g}}
@article{six, title = {Cut, au"""


@pytest.mark.parametrize(
    "change", [lambda text: text, lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")]
)
def test_a_messy_file(change: Any) -> None:
    reading = bibtex.read(change(MESSY))
    assert [(parsed_entry.line,
             parsed_entry.record["title"]) for parsed_entry in reading.entries] == [
        (4, "With (these) tags"), (6, "Again"), (9, "Good"), (11, "f { g"),
    ]  # fmt: skip
    assert [(problem.line, problem.code) for problem in reading.problems] == [
        (7, "unbalanced_braces"), (10, "unbalanced_braces"), (12, "cut_off"),
    ]  # fmt: skip
    first = reading.entries[0]
    assert first.dropped == ()
    assert first.record | {"title": ""} == {
        "type": "article-journal", "study_design": "not_recorded", "title": "", "identifiers": [],
        "keywords": ["k"],
        "authors": [{"family": "Müller", "given": "J"}], "authors_complete": False,
        "container_title": "J Neurol B", "page": "1-5", "issued": "2009-04-17",
    }  # fmt: skip
    assert reading.entries[2].record["authors"] == [{"literal": "World Health Organization"}]


def test_latin_1_and_unknown_words() -> None:
    parsed_entry = bibtex.read(
        "@weird{a, title = {Café}, journal = jnx, date = {2009-01/2010}}".encode("latin-1")
    ).entries[0]
    assert (
        parsed_entry.record["title"],
        parsed_entry.record["issued"],
        parsed_entry.record["type"],
    ) == (
        "Café",
        "2009-01",
        "document",
    )
    assert parsed_entry.dropped == ("@weird", "date", "@string jnx")


def came_back(sources: list[dict[str, Any]]) -> None:
    reading = bibtex.read(written(*sources).encode())
    assert reading.problems == []
    assert [parsed_entry.dropped for parsed_entry in reading.entries] == [()] * len(sources)
    for source, parsed_entry in zip(sources, reading.entries, strict=True):
        assert compared(parsed_entry.record) == as_read_back(source, *bibtex.CANNOT_CARRY)
        SourceIn.model_validate({**parsed_entry.record, "id": source["id"]})


def test_the_seed_comes_back() -> None:
    came_back(seed_sources())


@generated(source_lists(6, paragraphs=True), few=50, many=700)
def test_generated_sources_come_back(sources: list[dict[str, Any]]) -> None:
    came_back(sources)


def test_others_read_the_same() -> None:
    sources = seed_sources()
    text = written(*sources)
    ours = parse_with_bibtexparser(text, parse_stack=[])
    assert ours.failed_blocks == []
    theirs = parse_string(text, "bibtex")
    for source, entry in zip(sources, ours.entries, strict=True):
        fields = {
            field.key: field.value.strip("{}") if field.key == "doi" else field.value
            for field in entry.fields
        }
        other = theirs.entries[source["id"]]
        assert entry.entry_type == other.type == bibtex.ENTRY_TYPES[source["type"]]
        assert (
            latex.decode(other.fields["title"]) == latex.decode(fields["title"]) == source["title"]
        )
        for name, value in other.fields.items():
            raw = fields[name]
            assert value == (
                month_names[raw] if name == "month" else raw.removeprefix("{").removesuffix("}")
            )
        people = [
            [
                latex.decode(" ".join(part))
                for part in (
                    person.first_names + person.middle_names,
                    person.prelast_names,
                    person.last_names,
                    person.lineage_names,
                )
            ]
            for person in other.persons.get("author", [])
        ]
        if not source["authors_complete"] and source["authors"]:
            assert people.pop()[2] == "others"
        assert people == [
            [
                author["given"] or "",
                author["particle"] or "",
                author["family"] or author["literal"],
                author["suffix"] or "",
            ]
            for author in source["authors"]
        ]


@settings(max_examples=40, derandomize=True, deadline=None)
@given(source_lists(4))
def test_others_load_generated_sources(sources: list[dict[str, Any]]) -> None:
    text = written(*sources)
    assert len(parse_string(text, "bibtex").entries) == len(sources)
    library = parse_with_bibtexparser(text)
    assert (len(library.entries), library.failed_blocks) == (len(sources), [])


# The fuzz: whatever the bytes, no crash; each entry that begins a line is parsed or a problem.

ENTRY = re.compile(
    r"^[ \t]*@[ \t]*(?!comment|string|preamble)[A-Za-z][\w-]*[ \t]*[{(]",
    re.MULTILINE | re.IGNORECASE,
)
SCRAPS = [
    "@article{k,",
    "@string{a={",
    "@comment{",
    "{",
    "}",
    '"',
    "\\",
    "#",
    ",",
    "=",
    "\n",
    "title",
    "(",
    ")",
    "\\'",
    "$",
    "\u00e9",
    "@",
    "author={",
    " and ",
    "%",
]


def reconciled(content: bytes) -> None:
    reading = bibtex.read(content)
    for line in [parsed_entry.line for parsed_entry in reading.entries] + [
        problem.line for problem in reading.problems
    ]:
        assert 1 <= line <= content.count(b"\n") + content.count(b"\r") + 1
    if b"omment" not in content.lower():
        text = content.decode("utf-8", "replace").replace("\r", "\n")
        assert len(reading.entries) + len(reading.problems) >= len(ENTRY.findall(text))


scraps = st.lists(st.sampled_from(SCRAPS) | st.text(max_size=4), max_size=40).map(
    lambda parts: "".join(parts).encode()
)


def mutated(edits: list[tuple[int, int, str]]) -> bytes:
    content = ARTICLE.encode() + MESSY
    for place, length, new in edits:
        at = place % len(content)
        content = content[:at] + new.encode() + content[at + length :]
    return content


inputs = (
    st.binary(max_size=200)
    | scraps
    | st.lists(
        st.tuples(st.integers(0, 9999), st.integers(0, 60), st.sampled_from(["", *SCRAPS])),
        min_size=1,
        max_size=4,
    ).map(mutated)
)


@fuzzed(inputs)
def test_nothing_crashes_the_reader(content: bytes) -> None:
    reconciled(content)


@fuzzed(st.integers(0, 1000), st.integers(0, 30), st.sampled_from(["", *SCRAPS]))
def test_one_broken_entry_spoils_no_other(place: int, length: int, new: str) -> None:
    first, second, third, _ = ARTICLE.split("\n\n")
    at = min(place, len(second) - length)
    text = "\n\n".join([first, second[:at] + new + second[at + length :], third])
    titles = [parsed_entry.record["title"] for parsed_entry in bibtex.read(text.encode()).entries]
    assert titles[0].startswith("Chronic")
    assert titles[-1].startswith("Venous")
