"""What Crossref and PubMed are asked about works, and what of their answers is a notice: against a
stand-in.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from api.citations import crossref_notices, pubmed_notices, registries, watch
from api.citations.watch import Answers, Registries
from models.transfer.notice_matching import Identifier, Notice
from tests.registries_stand_in import Answer, Registered, always, standing_in, update

CITATION = "J Trials. 2021 Apr;7:12. doi: 10.1000/r."
MEDLINE = """
PMID- 99
DP  - 2021 Apr
TI  - Retraction: A trial.
LID - 10.1000/r [doi]
PT  - Retraction of Publication
"""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Registered, Registries]]:
    with standing_in() as registered, registries.asking("me@example.org") as client:
        yield (
            registered,
            Registries.at(registered.base, registered.base, client, "me@example.org"),
        )


@pytest.fixture
def known(running: tuple[Registered, Registries], monkeypatch: pytest.MonkeyPatch) -> Registered:
    """Give the stand-in, which knows nothing yet."""
    registered, asked = running
    registered.forget()
    monkeypatch.setattr(registries, "BACK_OFF", 0.0)
    for registry in (asked.crossref, asked.pubmed):
        monkeypatch.setattr(registry, "pause", 0.0)
        monkeypatch.setattr(registry, "_failures", 0)
    return registered


@pytest.fixture
def asked(running: tuple[Registered, Registries]) -> Registries:
    return running[1]


def ask(asked: Registries, *identifiers: str) -> Answers:
    """Ask about works with one identifier each, such as `doi:10.1000/a`."""
    pairs = (each.partition(":") for each in identifiers)
    return watch.ask(asked, [[(scheme, value)] for scheme, _, value in pairs])


def brief(notice: Notice) -> tuple[Any, ...]:
    return notice.about, notice.tie, notice.date, notice.identifiers


@pytest.mark.parametrize("kind", crossref_notices.TIE_OF_UPDATE)
def test_each_type_of_update_is_read_as_it_is_spelt(
    kind: str, known: Registered, asked: Registries
) -> None:
    about: tuple[Identifier, ...] = (("doi", "10.1000/a"),)
    spelt = kind.replace("_", " ").title()
    known.works = {"10.1000/a": {"DOI": "10.1000/A", "updated-by": [update("10.1000/R", spelt)]}}
    tie = crossref_notices.TIE_OF_UPDATE[kind]
    (notice,) = ask(asked, "doi:10.1000/a").notices
    assert brief(notice) == (about, tie, None, (("doi", "10.1000/r"),))
    assert notice.said == (f"Crossref: {spelt}, doi:10.1000/r, according to publisher.",)


def test_what_is_said_can_be_printed_and_stored(known: Registered, asked: Registries) -> None:
    hostile = "x\x1b[31m\n\x00y" + "z" * 5_000
    known.works = {
        "10.1000/a": {
            "DOI": "10.1000/a",
            "updated-by": [update("10.1000/r", "retraction", source=hostile)],
        }
    }
    (notice,) = ask(asked, "doi:10.1000/a").notices
    assert notice.said[0].startswith("Crossref: retraction, doi:10.1000/r, according to x [31m yzz")
    assert len(notice.said[0]) < 1_100


def test_crossref_is_asked_both_ways_in_batches(known: Registered, asked: Registries) -> None:
    wanted = [f"doi:10.1000/w{number}" for number in range(crossref_notices.DOIS_AT_ONCE + 2)]
    of_first = [update("10.1000/W0", "retraction", 2021, 3, 4), update("10.1000/x", "erratum")]
    known.works = {
        "10.1000/w0": {"DOI": "10.1000/W0"},
        "10.1000/n": {
            "DOI": "10.1000/N",
            "title": ["Retraction: A trial"],
            "volume": "7",
            "issued": {"date-parts": [[2021, 3]]},
            "update-to": of_first,
        },
        # A stored work that is itself a notice, an update that is none, and what has another form.
        "10.1000/w1": {
            "DOI": "10.1000/w1",
            "update-to": [update("10.1000/y", "correction", 2020, 0), "x", {"type": 1}],
            "updated-by": [update("10.1000/z", "new_version", 2022), {"DOI": 3}],
        },
    }
    answers = ask(asked, *wanted)
    assert [brief(notice) for notice in answers.notices] == [
        ((("doi", "10.1000/w0"),), "retracts", "2021-03-04", (("doi", "10.1000/n"),)),
        ((("doi", "10.1000/y"),), "erratum_to", "2020", (("doi", "10.1000/w1"),)),
    ]
    assert answers.notices[0].fields["title"] == "Retraction: A trial"
    assert answers.unknown == {("doi", each.removeprefix("doi:")) for each in wanted[2:]}
    assert answers.unanswered == {}
    assert len(known.asked) == 4
    assert all("mailto=me%40example.org" in address for address in known.asked)


def test_a_doi_with_a_comma_is_asked_for_alone(known: Registered, asked: Registries) -> None:
    known.works = {
        "10.1000/c,d": {"DOI": "10.1000/c,d", "updated-by": [update("10.1000/r", "erratum")]}
    }
    answers = ask(asked, "doi:10.1000/c,d", "doi:10.1000/e,f")
    assert [notice.tie for notice in answers.notices] == ["erratum_to"]
    assert answers.unknown == {("doi", "10.1000/e,f")}
    assert [address.partition("?")[0] for address in known.asked] == [
        "/works/10.1000%2Fc%2Cd",
        "/works/10.1000%2Fe%2Cf",
    ]


def test_the_marks_in_a_doi_are_kept(known: Registered, asked: Registries) -> None:
    marked = "10.1002/(sici)1097<1::aid>3.0.co;2-2#a?b&c+d%20"
    known.works = {
        doi: {"DOI": doi, "updated-by": [update("10.1000/r", "erratum")]}
        for doi in (marked, "10.1000/a")
    }
    for others in ([], ["doi:10.1000/a"]):
        answers = ask(asked, f"doi:{marked}", *others)
        assert {notice.about[0][1] for notice in answers.notices} >= {marked}
        assert answers.unknown == set()


@pytest.mark.parametrize("kind", [*pubmed_notices.TIE_TO_NOTICE, *pubmed_notices.TIE_TO_WORK])
def test_each_link_of_pubmed_is_read(kind: str, known: Registered, asked: Registries) -> None:
    known.links = {"11": [(kind, CITATION, "99"), ("CommentIn", CITATION, "98")]}
    known.records = {"99": MEDLINE}
    (notice,) = ask(asked, "pmid:11").notices
    own, other = (("pmid", "11"),), (("pmid", "99"), ("doi", "10.1000/r"))
    if kind in pubmed_notices.TIE_TO_NOTICE:
        assert brief(notice) == (own, pubmed_notices.TIE_TO_NOTICE[kind], "2021-04", other)
        assert notice.fields["title"] == "Retraction: A trial"
    else:
        assert brief(notice) == (other, pubmed_notices.TIE_TO_WORK[kind], None, own)
        assert notice.fields == {}
    assert notice.said == (f"PubMed: {kind} {CITATION}",)


def test_pubmed_is_asked_under_the_pmid_of_a_pmcid(known: Registered, asked: Registries) -> None:
    known.pmcs = {"14": "15"}
    known.links = {"15": [("ErratumIn", "Z. 2017;247:1.", None)]}
    known.retracted = {"15"}
    answers = ask(asked, "pmcid:PMC14", "pmcid:PMC16")
    about = (("pmcid", "PMC14"),)
    assert [brief(notice) for notice in answers.notices] == [
        (about, "erratum_to", "2017", ()),
        (about, "retracts", None, ()),
    ]
    assert answers.unknown == {("pmcid", "PMC16")}
    assert all("tool=claimbase&email=me%40example.org" in address for address in known.asked)


def test_one_bad_answer_costs_one_identifier(known: Registered, asked: Registries) -> None:
    known.works = {f"10.1000/s{number}": {"DOI": f"10.1000/s{number}"} for number in range(5)}
    known.works["10.1000/s4"]["updated-by"] = [update("10.1000/r", "retraction", 2021)]
    known.links = {"11": [], "12": []}
    known.fault = lambda address: bad(unquote(address))

    def bad(address: str) -> Answer | None:
        if "10.1000/s3" in address:
            return Answer(body=b'{"message": ')
        if "id=12" in address or ",12" in address:
            return Answer(body=b"<PubmedArticleSet><Pub")
        return None

    answers = ask(asked, *(f"doi:10.1000/s{number}" for number in range(6)), "pmid:11", "pmid:12")
    assert set(answers.unanswered) == {("doi", "10.1000/s3"), ("pmid", "12")}
    reasons = answers.unanswered.values()
    assert all("the answer does not have the documented form" in reason for reason in reasons)
    assert answers.unknown == {("doi", "10.1000/s5")}
    assert [notice.tie for notice in answers.notices] == ["retracts"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Down</html>",
        b"<PubmedArticleSet>",
        b'<!DOCTYPE x [<!ENTITY a "a">]><PubmedArticleSet>&a;</PubmedArticleSet>',
        "<PubmedArticleSet></PubmedArticleSet>".encode("utf-16"),
        b"\xff\xfe",
        b'{"error": "API rate limit exceeded"}',
    ],
)
def test_what_is_no_set_of_articles_is_no_answer(
    body: bytes, known: Registered, asked: Registries
) -> None:
    known.fault = always(Answer(body=body))
    answers = ask(asked, "pmid:11")
    assert (list(answers.unanswered), answers.notices) == ([("pmid", "11")], [])


def test_a_list_that_is_not_whole_is_asked_for_in_parts(
    known: Registered, asked: Registries
) -> None:
    known.works = {"10.1000/a": {"DOI": "10.1000/a"}, "10.1000/b": {"DOI": "10.1000/b"}}
    known.fault = always(
        Answer(body=b'{"message": {"items": [], "total-results": 2000}}'), "doi:10.1000/a,doi"
    )
    answers = ask(asked, "doi:10.1000/a", "doi:10.1000/b")
    assert (answers.unanswered, answers.unknown) == ({}, set())


def test_a_notice_whose_record_is_not_answered_is_left_for_the_next_run(
    known: Registered, asked: Registries
) -> None:
    known.links = {"11": [("RetractionIn", CITATION, "99"), ("ErratumIn", CITATION, "97")]}
    known.fault = always(Answer(500), "rettype=medline&retmode=text")
    answers = ask(asked, "pmid:11")
    assert (answers.notices, set(answers.unanswered)) == ([], {("pmid", "97"), ("pmid", "99")})
    # One that PubMed does not have is told with what is known of it.
    known.fault = lambda _address: None
    known.records = {"99": MEDLINE}
    answers = ask(asked, "pmid:11")
    assert [bool(notice.fields) for notice in answers.notices] == [True, False]
    assert (answers.unknown, answers.unanswered) == (set(), {})
