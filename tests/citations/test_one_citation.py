"""One citation, as four programs write it, is one record."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from api.citations import bibtex, csl_json, nbib, ris
from api.citations.clean import MONTHS
from api.citations.parse_result import ParsedFile
from models.records.serializers import Row
from models.records.source import SourceIn
from tests.citations.sources import compared
from tests.generated import generated

FAMILIES = ("Zamboni", "Sørensen", "O'Brien", "García Márquez", "Łukasiewicz", "Ng")
GIVENS = ("Paolo", "Ajay Vikram", "Jean-Pierre", "J B", "Zoë")
WORDS = ("Chronic", "venous", "insufficiency", "10³", "β-amyloid", "p < 0.05", "naïve", "H₂O")
ORCIDS = ("0000-0002-1825-0097", "0000-0001-5109-3700")


@st.composite
def citations(draw: st.DrawFn) -> Row:
    """Generate what every one of the formats can say of an article."""
    person = st.fixed_dictionaries(
        {"family": st.sampled_from(FAMILIES), "given": st.sampled_from(GIVENS)},
        optional={"particle": st.sampled_from(("van den", "de"))},
    )
    first = draw(st.integers(1, 2_000))
    month = draw(st.integers(1, 12))
    return {
        "title": " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=6))),
        "authors": draw(st.lists(person, min_size=1, max_size=3)),
        "container_title": "Current Neurovascular Research",
        "container_title_short": "Curr Neurovasc Res",
        "volume": str(draw(st.integers(1, 99))),
        "issue": draw(st.sampled_from(("3", "3-4", "Suppl 2"))),
        "page": f"{first}-{first + draw(st.integers(1, 9))}",
        "issued": f"{draw(st.integers(1950, 2025))}-{month:02}-{draw(st.integers(1, 28)):02}",
        "language": draw(st.sampled_from(("en", "it", "de"))),
        "issn": ["1364-503X"],
        "abstract": "First we looked. Then we counted.",
        "keywords": draw(st.lists(st.sampled_from(("iron", "MRI", "veins")), unique=True)),
        "doi": f"10.{draw(st.integers(1000, 9999))}/x{draw(st.integers(0, 999))}",
        "pmid": str(draw(st.integers(1, 99_999_999))),
    }


LANGUAGES = {"en": ("eng", "english"), "it": ("ita", "italian"), "de": ("ger", "german")}


def as_csl_json(citation: Row) -> str:
    """Write a citation as Zotero does: mark-up for raised figures, identifiers in the note."""
    names = {"particle": "non-dropping-particle"}
    item = {
        "type": "article-journal",
        "title": citation["title"].replace("³", "<sup>3</sup>"),
        "author": [
            {names.get(part, part): text for part, text in author.items()}
            for author in citation["authors"]
        ],
        "container-title": citation["container_title"],
        "container-title-short": citation["container_title_short"],
        "volume": citation["volume"],
        "issue": citation["issue"],
        "page": citation["page"].replace("-", "–"),
        "issued": {"date-parts": [[int(part) for part in citation["issued"].split("-")]]},
        "language": citation["language"],
        "ISSN": citation["issn"][0],
        "abstract": f"<p>{citation['abstract']}</p>",
        "keyword": ", ".join(citation["keywords"]),
        "DOI": f"https://doi.org/{citation['doi'].upper()}",
        "note": f"PMID: {citation['pmid']}",
    }
    return json.dumps([item])


def as_bibtex(citation: Row) -> str:
    """Write a citation as a publisher does: months as words, two hyphens, LaTeX."""
    year, month, day = citation["issued"].split("-")
    names = (
        f"{author.get('particle', '')} {{{author['family']}}}, {author['given']}".strip()
        for author in citation["authors"]
    )
    title = citation["title"].replace("β", r"$\beta$").replace("³", r"\textsuperscript{3}")
    fields = {
        "author": " and ".join(names),
        "title": title.replace("ï", r"{\"\i}").replace("<", "$<$"),
        "journal": citation["container_title"],
        "shortjournal": citation["container_title_short"],
        "volume": citation["volume"],
        "number": citation["issue"],
        "pages": citation["page"].replace("-", "--"),
        "year": year,
        "day": day.lstrip("0"),
        "language": LANGUAGES[citation["language"]][1],
        "issn": citation["issn"][0],
        "abstract": citation["abstract"],
        "keywords": "; ".join(citation["keywords"]),
        "doi": citation["doi"],
        "pmid": citation["pmid"],
    }
    lines = "".join(f"  {name} = {{{text}}},\n" for name, text in fields.items())
    return f"@article{{key,\n{lines}  month = {MONTHS[int(month) - 1]}\n}}\n"


def as_ris(citation: Row) -> str:
    """Write a citation as EndNote does: old tags, further keywords on lines of their own."""
    first, _, last = citation["page"].partition("-")
    names = (
        f"{author.get('particle', '')} {author['family']}, {author['given']}".strip()
        for author in citation["authors"]
    )
    year, month, day = citation["issued"].split("-")
    lines = [
        "TY  - JOUR",
        *(f"A1  - {name}" for name in names),
        f"T1  - {citation['title']}",
        f"JF  - {citation['container_title']}",
        f"JA  - {citation['container_title_short']}",
        f"VL  - {citation['volume']}",
        f"IS  - {citation['issue']}",
        f"SP  - {first}",
        f"EP  - {last}",
        f"Y1  - {year}/{month}/{day}/",
        f"LA  - {LANGUAGES[citation['language']][0]}",
        f"SN  - {citation['issn'][0]}",
        f"N2  - {citation['abstract']}",
        *(["KW  - " + "\n".join(citation["keywords"])] if citation["keywords"] else []),
        f"DO  - doi:{citation['doi']}",
        f"AN  - {citation['pmid']}",
        "DB  - PubMed",
        "ER  - ",
    ]
    return "\r\n".join(lines)


def as_nbib(citation: Row) -> str:
    """Write a citation as PubMed does: a full stop after the title, pages abbreviated."""
    first, _, last = citation["page"].partition("-")
    same = 0
    while len(first) == len(last) and same < len(last) - 1 and first[same] == last[same]:
        same += 1
    year, month, day = citation["issued"].split("-")
    word = MONTHS[int(month) - 1].capitalize()
    lines = [
        f"PMID- {citation['pmid']}",
        f"IS  - {citation['issn'][0]} (Print)",
        f"VI  - {citation['volume']}",
        f"IP  - {citation['issue']}",
        f"DP  - {year} {word} {day.lstrip('0')}",
        f"TI  - {citation['title']}.",
        f"PG  - {first}-{last[same:]}",
        f"LID - {citation['doi']} [doi]",
        f"AB  - {citation['abstract']}",
        *(
            f"FAU - {author.get('particle', '')} {author['family']}, {author['given']}".replace(
                "-  ", "- "
            )
            for author in citation["authors"]
        ),
        f"LA  - {LANGUAGES[citation['language']][0]}",
        f"TA  - {citation['container_title_short']}",
        f"JT  - {citation['container_title']}",
        *(f"OT  - {keyword}" for keyword in citation["keywords"]),
    ]
    return "\n".join(lines) + "\n"


PROGRAMS: dict[str, tuple[Callable[[Row], str], Callable[[bytes], ParsedFile]]] = {
    "csl_json": (as_csl_json, csl_json.read),
    "bibtex": (as_bibtex, bibtex.read),
    "ris": (as_ris, ris.read),
    "nbib": (as_nbib, nbib.read),
}


def expected(citation: Row) -> Row:
    """Return the record of a citation."""
    fields = {name: value for name, value in citation.items() if name not in ("doi", "pmid")}
    identifiers = [
        {"scheme": scheme, "value": citation[scheme], "verification": "unverified"}
        for scheme in ("doi", "pmid")
    ]
    record = {
        **fields,
        "type": "article-journal",
        "study_design": "not_recorded",
        "identifiers": identifiers,
    }
    return compared(record)


@generated(citations())
def test_one_citation_is_one_record(citation: Row) -> None:
    for name, (write, read) in PROGRAMS.items():
        text = write(citation)
        (entry,) = read(text.encode()).entries
        assert compared(entry.record) == expected(citation), (name, text)
        assert entry.dropped == (), (name, text)
        SourceIn.model_validate({"id": "x", **entry.record})


@pytest.mark.parametrize("name", ["csl_json", "nbib"])
def test_an_orcid_id_goes_to_its_author(name: str) -> None:
    texts = {
        "csl_json": json.dumps(
            {
                "message": {
                    "type": "journal-article",
                    "title": ["T"],
                    "author": [
                        {"family": "Doe", "given": "J"},
                        {
                            "family": "Roe",
                            "given": "R",
                            "ORCID": f"https://orcid.org/{ORCIDS[0]}",
                            "authenticated-orcid": False,
                        },
                    ],
                    "license": [{"URL": "https://creativecommons.org/licenses/by/4.0/"}],
                }
            }
        ),
        "nbib": f"PMID- 1\nTI  - T.\nFAU - Doe, J\nAU  - Doe J\nFAU - Roe, R\nAU  - Roe R\n"
        f"AUID- ORCID: {ORCIDS[0]}\nAUID- ORCID: 0000-0000-0000-0000\n",
    }
    (entry,) = PROGRAMS[name][1](texts[name].encode()).entries
    authors: list[dict[str, Any]] = compared(entry.record)["authors"]
    assert authors == [
        {"family": "Doe", "given": "J"},
        {"family": "Roe", "given": "R", "orcid": ORCIDS[0]},
    ]
    # One whose check digit is wrong is nobody's.
    assert entry.dropped == (("AUID",) if name == "nbib" else ("type",))
