"""Entries that people's programs wrote and that were once read wrongly: what each of them is."""

import json
from typing import Any

import pytest

from api.citations import detect, formats
from api.citations.clean import clean_source
from api.citations.parse_result import ParsedEntry
from models.records.source import SourceIn
from tests.citations.sources import row

Row = dict[str, Any]


def person(family: str, given: str | None = None, **parts: str) -> Row:
    """Return the parts of a person's name that are not empty."""
    return {"family": family, **({"given": given} if given else {}), **parts}


def told(entry: ParsedEntry) -> Row:
    """Return what is asked of an entry: its record without empty fields, and what was dropped."""
    record = SourceIn.model_validate({"id": "x", **entry.record}).model_dump(exclude_defaults=True)
    for author in record.get("authors", []):
        for part in [name for name, value in author.items() if value is None]:
            del author[part]
    identifiers = [f"{each['scheme']}:{each['value']}" for each in record.get("identifiers", [])]
    return {**record, "identifiers": identifiers, "dropped": set(entry.dropped)}


BIBTEX: list[tuple[str, str, list[Row]]] = [
    (
        "brackets at one end",
        "@article{a, title={[{$^{11}$C}]PIB {PET} imaging of amyloid}, author={Doe, J}, year=2010}"
        "@article{b, title={Iron in multiple sclerosis [corrected]}, author={Doe, J}, year=2010}",
        [
            {"title": "[¹¹C]PIB PET imaging of amyloid"},
            {"title": "Iron in multiple sclerosis [corrected]"},
        ],
    ),
    (
        "blank before an entry",
        " @article{A_2014, title={An indented entry}, author={Doe, J}, year={2014} }",
        [{"title": "An indented entry", "issued": "2014"}],
    ),
    (
        "blanks in names of fields, and fields of a database",
        "@ARTICLE{Doe2020,\nauthor={Doe, J.},\ntitle={A funded paper},\njournal={J X},\n"
        "year={2020},\nart_number={17220},\nfunding_text 1={Paid by somebody.},\n"
        "abbrev_source_title={J. X},\n}",
        [
            {
                "number": "17220",
                "container_title": "J X",
                "container_title_short": "J. X",
                "dropped": {"funding_text 1"},
            }
        ],
    ),
    (
        "commands that are not BibTeX's own",
        r"@article{x, author={Pop, Ro\textcommabelow{s}ia}, title={Loss of \mkbibemph{Homo erectus}"
        r" and \enquote{others}: 10\textsuperscript{3} cells, \href{http://a.b}{link}},"
        r" journal={J X}, year=2001}",
        [
            {
                "title": "Loss of Homo erectus and “others”: 10³ cells, link",
                "authors": [person("Pop", "Roșia")],
                "dropped": set(),
            }
        ],
    ),
    (
        "a command that nobody knows keeps its braces and is told",
        r"@article{x, author={Doe, J}, title={The \frobnicate{big} picture}, year=2001}",
        [{"title": r"The \frobnicate{big} picture", "dropped": {r"\frobnicate"}}],
    ),
    (
        "dates",
        "@online{a, author={Doe, J}, title={Stamped}, date={2016-04-07T10:33}, url={http://a.b/}}"
        "@book{b, author={Doe, J}, title={Season}, date={2012-22}}"
        "@book{c, author={Doe, J}, title={Short day}, date={1995-10-4}}"
        "@book{d, author={Doe, J}, title={Words}, date={September 1, 2021}}"
        "@article{e, title={Impossible day}, author={Doe, Jane}, date={2009-02-30}, journal={J}}",
        [
            {"issued": "2016-04-07"},
            {"issued": "2012", "dropped": {"date"}},
            {"issued": "1995-10-04", "dropped": set()},
            {"issued": "2021-09-01", "dropped": set()},
            {"issued": "2009-02", "dropped": {"date"}},
        ],
    ),
    (
        "names by their parts",
        "@article{a, author={family=Berg, given=Anna, prefix=van den, useprefix=true and"
        " family=Loz, given-i=Yu, given=Yuri}, title={Names}, journal={J X}, year=2001}",
        [{"authors": [person("Berg", "Anna", particle="van den"), person("Loz", "Yuri")]}],
    ),
    (
        "commas between persons",
        "@article{a, title={Commas between names}, author={Doe J, Roe R, Poe E}, year=2001}",
        [{"authors": [person("Doe", "J"), person("Roe", "R"), person("Poe", "E")]}],
    ),
    (
        "two ISBNs",
        "@book{a, author={Doe, J}, title={B}, isbn={978-0-13-110362-7 0-13-110362-8}, year=2007}"
        "@book{b, author={Doe, J}, title={C}, isbn={0-13-110362-8 (print)}, year=2007}",
        [{"identifiers": ["isbn:9780131103627"]}, {"identifiers": ["isbn:0131103628"]}],
    ),
    (
        "a version is no journal",
        "@misc{b, author={Roe, K}, title={Software thing}, howpublished={Version 2}, year=2020}",
        [{"container_title": None, "dropped": {"howpublished"}}],
    ),
    (
        "the day on which it was seen",
        "@article{a, title={Seen on a day}, author={Doe, J}, year=2020, journal={J},"
        " url={https://example.org/a}, urldate={2020-06-06}}",
        [{"accessed": "2020-06-06", "dropped": set()}],
    ),
    (
        "the kind of a thesis",
        "@mastersthesis{a, author={Doe, Jane}, title={On veins}, school={X University}, year=2012}",
        [{"type": "thesis", "genre": "Master's thesis", "dropped": set()}],
    ),
    (
        "the ISBN of the book of two chapters",
        "@incollection{a, title={One}, booktitle={H}, isbn={978-0-13-110362-7}, year=2001}"
        "@incollection{b, title={Two}, booktitle={H}, isbn={978-0-13-110362-7}, year=2001}",
        [{"container_isbn": "9780131103627", "identifiers": []}] * 2,
    ),
    (
        "one key, two works",
        "@article{k, author={Doe, J}, title={One}, journal={J}, year=2001, doi={10.1234/a}}"
        "@article{k, author={Roe, K}, title={Two}, journal={J}, year=2002, doi={10.1234/b}}",
        [{"title": "One"}, {"title": "Two"}],
    ),
]

RIS: list[tuple[str, str, list[Row]]] = [
    (
        "a side field that is too long",
        "M1  - (Doe J.) Department of Neurology, University Hospital, Example City\n"
        "T1  - A trial of something\nA1  - Doe J.\nY1  - 2015//\nJF  - Journal of Trials\nVL  - 3",
        [{"authors": [person("Doe", "J.")], "issued": "2015", "number": None, "dropped": {"M1"}}],
    ),
    (
        "the place or name of a conference is no issue",
        "AU  - Doe, J\nTI  - Sounding veins\nT2  - 2016 ULTRASONICS PROCEEDINGS\n"
        "CP  - International Ultrasonics Symposium\nPY  - 2016\nSP  - 5\nEP  - 8",
        [{"issue": None, "page": "5-8", "dropped": {"CP"}}],
    ),
    (
        "initials that look like suffixes",
        "AU  - Miller, JR\nAU  - Brown, SR\nAU  - Petrov, IV\nAU  - Green, AB\nAU  - King, Jr.\n"
        "AU  - King, Martin Luther, Jr\nTI  - Initials",
        [
            {
                "authors": [
                    *(person("Miller", "JR"), person("Brown", "SR"), person("Petrov", "IV")),
                    *(person("Green", "AB"), person("King", suffix="Jr.")),
                    person("King", "Martin Luther", suffix="Jr"),
                ]
            }
        ],
    ),
    (
        "a day whose year stands in another tag",
        "AU  - Doe, J\nTI  - A dated paper\nPY  - 2019\nDA  - JUN 13",
        [{"issued": "2019-06-13", "dropped": set()}],
    ),
    (
        "an accession number is no journal",
        "AN  - CN-00000001\nTI  - A trial\nJA  - Trials\nPY  - 2011\nC3  - PUBMED 20000000",
        [
            {
                "container_title": None,
                "container_title_short": "Trials",
                "identifiers": ["pmid:20000000"],
            }
        ],
    ),
    (
        "text behind a DOI",
        "TI  - From Rayyan\nPY  - 2018\n"
        "DO  - 10.1234/abc     LK  - https://library.example/link?id=doi:10.1234%2Fabc",
        [{"identifiers": ["doi:10.1234/abc"]}],
    ),
    (
        "a person without a comma",
        "TI  - A particle\nAU  - Doe, JB\nAU  - van den Berg LH\nAU  - CCSVI Study Group",
        [
            {
                "authors": [
                    person("Doe", "JB"),
                    person("Berg", "LH", particle="van den"),
                    {"literal": "CCSVI Study Group"},
                ]
            }
        ],
    ),
    ("a year with a mark", "TI  - Circa\nPY  - c1998", [{"issued": "1998"}]),
    (
        "online and in print",
        "T1  - Online first\nY1  - 2013/05/28\nPY  - 2013\nDA  - 2014/04/01\nY2  - 2020/02/19",
        [
            {
                "issued": "2014-04-01",
                "epub_date": "2013-05-28",
                "accessed": "2020-02-19",
                "dropped": set(),
            }
        ],
    ),
]

NBIB: list[tuple[str, str, list[Row]]] = [
    (
        "electronic pages",
        "PMID- 30000000\nTI  - A title.\nPG  - 379.e9-379.e13\nDP  - 2019 Feb\nFAU - Doe, Jane",
        [{"page": "379.e9-379.e13"}],
    ),
    (
        "the date of a notice",
        "PMID- 39000001\nDP  - 2010 Jan\nTI  - A good paper.\nFAU - Doe, Jane\n"
        "PT  - Retracted Publication\nRIN - Z. 2016 Mar;246:385. PMID: 39000002",
        [{"integrity": "retracted", "integrity_date": "2016-03"}],
    ),
]

CSL: list[tuple[str, str, list[Row]]] = [
    (
        "raised and lowered",
        '[{"type":"article-journal","title":"Effects of 10<sup>3</sup> units, x<sup>-2</sup> and'
        ' H<sub>2</sub>O on the 19<sup>th</sup>"}]',
        [{"title": "Effects of 10³ units, x⁻² and H₂O on the 19th"}],
    ),
    (
        "identifiers in the note",
        '[{"type":"article-journal","title":"T","note":"PMID: 123456\\nPMCID: PMC777\\nRead it."}]',
        [{"identifiers": ["pmid:123456", "pmcid:PMC777"], "note": "Read it."}],
    ),
    (
        "the envelope of a service",
        '{"status":"ok","message-type":"work","message":{"DOI":"10.1234/msg",'
        '"type":"journal-article","title":["From the API"],"author":[{"given":"J","family":"Doe"}],'
        '"issued":{"date-parts":[[2011]]}}}',
        [{"title": "From the API", "identifiers": ["doi:10.1234/msg"], "issued": "2011"}],
    ),
    (
        "dates in other fields and in words",
        '[{"type":"article-journal","title":"A","published-print":{"date-parts":[[2010,5]]},'
        '"published-online":{"date-parts":[[2009,12,1]]},"issued":{"date-parts":[[2009,12,1]]}},'
        '{"type":"article-journal","title":"B","issued":{"literal":"Spring 2010"}},'
        '{"type":"article-journal","title":"C","issued":{"literal":"March-April 2010"}}]',
        [
            {"issued": "2010-05", "epub_date": "2009-12-01", "dropped": set()},
            {"issued": "2010", "dropped": {"issued"}},
            {"issued": "2010-03", "dropped": {"issued"}},
        ],
    ),
]
CASES = [
    *(("bibtex", *case) for case in BIBTEX),
    *(("ris", name, f"TY  - JOUR\n{text}\nER  - \n", found) for name, text, found in RIS),
    *(("nbib", *case) for case in NBIB),
    *(("csl_json", *case) for case in CSL),
]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [(form, text, expected) for form, _, text, expected in CASES],
    ids=[f"{form}: {name}" for form, name, *_ in CASES],
)
def test_it_is_read_as_what_it_is(form: str, text: str, expected: list[Row]) -> None:
    assert detect.detect(text.encode()) == form
    parsed = detect.read(text.encode())
    assert parsed.problems == []
    found = [told(entry) for entry in parsed.entries]
    asked = [
        {name: entry.get(name) for name in fields}
        for entry, fields in zip(found, expected, strict=True)
    ]
    assert asked == expected


def test_windows_1252_is_found_out() -> None:
    text = "TY  - JOUR\nAU  - Müller, Jörg\nTI  - “Size” matters – again\nER  - \n"
    (entry,) = detect.read(text.encode("windows-1252")).entries
    assert entry.record["title"] == "“Size” matters – again"
    assert entry.record["authors"][0]["family"] == "Müller"


def in_each_format(**fields: Any) -> dict[str, str]:
    """Return a source of these fields in the formats of reference managers."""
    given = row(id="x", title="T", study_design="cohort", **{"type": "article-journal", **fields})
    return {
        name: b"".join(formats.WRITTEN[name].write([given])).decode()
        for name in ("csl_json", "bibtex", "ris")
    }


def test_a_journal_known_by_its_abbreviation_stands_where_programs_look_for_it() -> None:
    written = in_each_format(container_title_short="Mult Scler")
    (item,) = json.loads(written["csl_json"])
    assert item["container-title"] == item["container-title-short"] == "Mult Scler"
    assert "journal = {Mult Scler}" in written["bibtex"]
    assert "T2  - Mult Scler" in written["ris"]


def test_a_date_online_alone_is_the_year_of_the_work() -> None:
    written = in_each_format(epub_date="2009-09-02")
    (item,) = json.loads(written["csl_json"])
    assert item["issued"] == {"date-parts": [[2009, 9, 2]]}
    assert "year = {2009}" in written["bibtex"]
    assert "PY  - 2009" in written["ris"]


def test_a_masters_thesis_stays_one() -> None:
    text = in_each_format(type="thesis", genre="Master's thesis")["bibtex"]
    assert text.startswith("@mastersthesis{x,")


def test_a_posted_source_is_cleaned_as_files_are() -> None:
    posted = {
        "title": "<i>Thunnus thynnus</i> &amp; H<sub>2</sub>O",
        "page": "12–19",
        "authors": [{"family": "Doe"}],
    }
    assert clean_source(posted) == {
        "title": "Thunnus thynnus & H₂O",
        "page": "12-19",
        "authors": [{"family": "Doe"}],
    }
