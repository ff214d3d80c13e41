"""`sources watch` finds notices about stored sources, proposes them, and goes on where it was cut
off: against a stand-in for Crossref and PubMed.
"""

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from api.citations import registries
from api.cli import watching
from api.cli.watch_progress import open_progress
from api.settings import ROOT
from models.read import change_feed
from models.read.listings import current_serial
from models.records.record_types import RECORD_TYPES
from models.records.serializers import Row, sources_by_id
from models.records.source import SourceIn
from models.write import changes, review, undo
from tests.command_line import run
from tests.databases import Store
from tests.records import CURATOR, a_claim, a_line, a_source, put_part
from tests.registries_stand_in import Answer, Registered, always, once, standing_in, update

SOURCE = RECORD_TYPES["source"]
# These read and write the store as the tests on both databases do.
ONLY_SQLITE = pytest.mark.parametrize("kind", ["sqlite"])
MEDLINE = """
PMID- 99
DP  - 2021 Apr
TI  - Retraction: A trial.
PG  - 12
LID - 10.1000/r [doi]
FAU - Editor, Eve
JT  - The journal of trials
VI  - 7
PT  - Retraction of Publication
"""
CITATION = "J Trials. 2021 Apr;7:12. doi: 10.1000/r."
NOTICE = {
    "DOI": "10.1000/R",
    "type": "journal-article",
    "title": ["Retraction: A trial"],
    "container-title": ["The Journal of Trials"],
    "issued": {"date-parts": [[2021, 3]]},
    "ISSN": ["1468-330X"],
    "abstract": "<jats:p>The trial is retracted.</jats:p>",
    "update-to": [update("10.1000/A", "retraction", 2021, 3, 4)],
}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registered]:
    """Give a stand-in that the commands of this process ask, without pauses."""
    with standing_in() as registered:
        monkeypatch.setattr(registries, "CROSSREF", registered.base)
        monkeypatch.setattr(registries, "PUBMED", registered.base)
        monkeypatch.setattr(registries, "PAUSE", 0.0)
        monkeypatch.setattr(registries, "BACK_OFF", 0.0)
        # On the loopback nobody has a certificate, and to load all authorities takes half a run.
        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: None)
        yield registered


@pytest.fixture
def progress(tmp_path: Path) -> Path:
    return tmp_path / "state" / "watch.json"


def identified(**identifiers: str) -> dict[str, Any]:
    """Return the field of these identifiers."""
    return {
        "identifiers": [
            {"scheme": scheme, "value": value, "verification": "verified"}
            for scheme, value in identifiers.items()
        ]
    }


def fill(store: Store, *sources: SourceIn) -> None:
    """Store a claim that a trial disputes, and more sources."""
    trial = a_source(**identified(doi="10.1000/a", pmid="11"))
    with changes.begin(store.database, actor="ada") as change:
        changes.put_source(change, trial)
        changes.put_claim(change, a_claim())
        put_part(change, "x-causes-y", a_line())
        for source in sources:
            changes.put_source(change, source)


def retract(known: Registered) -> None:
    """Let Crossref and PubMed know that the trial was retracted."""
    known.works["10.1000/a"] = {
        "DOI": "10.1000/A",
        "title": ["A trial"],
        "updated-by": [update("10.1000/r", "retraction", 2021, 3, 4, source="retraction-watch")],
    }
    known.works["10.1000/r"] = NOTICE
    known.links["11"] = [
        ("CommentIn", "J Trials. 2020 May;6:9.", "98"),
        ("RetractionIn", CITATION, "99"),
    ]
    known.records["99"] = MEDLINE


def watch(store: Store, progress: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    return run(
        *("sources", "watch", "--mailto", "me@example.org", "--progress", str(progress)),
        *more,
        url=store.url,
    )


def stored(store: Store, slug: str) -> Row:
    with store.database.read() as connection:
        return sources_by_id(connection, [slug])[slug]


def serial(store: Store) -> int:
    with store.database.read() as connection:
        return current_serial(connection)


def test_a_retraction_is_proposed_once_and_takes_effect_when_it_is_accepted(
    empty: Store, known: Registered, progress: Path
) -> None:
    fill(empty)
    retract(known)
    first = watch(empty, progress)
    assert first.returncode == watching.EXIT_NEW, first.stderr
    assert first.stdout.splitlines() == [
        "smith-2020: retraction of 2021-03-04, proposed as retraction-smith-2020."
        " Crossref: retraction, 2021-03-04, doi:10.1000/r, according to publisher."
        " Crossref: retraction, 2021-03-04, doi:10.1000/r, according to retraction-watch."
        f" PubMed: RetractionIn {CITATION}",
        "  claim x-causes-y: disputed → unassessed, once accepted",
        "Sources looked up: 1, identifiers: 2. New: 1, recorded: 0, waiting: 0, refused: 0."
        " Not known there: 0, unanswered: 0.",
    ]
    proposal = stored(empty, "retraction-smith-2020")
    assert proposal["state"] == "submitted"
    assert proposal["versions"] == [{"type": "retracts", "source": "smith-2020"}]
    assert proposal["title"] == "Retraction: A trial"
    assert proposal["issued"] == "2021-03-04"
    assert proposal["issn"] == ["1468-330X"]
    assert proposal["abstract"] == "The trial is retracted."
    assert {each["scheme"]: each["value"] for each in proposal["identifiers"]} == {
        "doi": "10.1000/r",
        "pmid": "99",
    }
    assert stored(empty, "smith-2020")["integrity"] == "no_notice"

    second = watch(empty, progress)
    assert second.returncode == 0
    assert "waiting for review as retraction-smith-2020" in second.stdout
    assert "New: 0, recorded: 0, waiting: 1" in second.stdout

    before = serial(empty)
    with changes.begin(empty.database, actor="cura") as change:
        review.decide(change, CURATOR, SOURCE, "retraction-smith-2020", "accept")
    trial = stored(empty, "smith-2020")
    assert (trial["integrity"], trial["integrity_date"]) == ("retracted", "2021-03-04")
    assert trial["integrity_note"] == proposal["note"]
    with empty.database.read() as connection:
        feed = change_feed.changes_after(connection, before, 10, {}).rows
    assert [(row["record"], row["action"]) for row in feed] == [
        ("source/retraction-smith-2020", "accept"),
        # It is one body of evidence with the notice now; then what this announces is marked.
        ("claim/x-causes-y", "derive"),
        ("source/smith-2020", "update"),
        ("claim/x-causes-y", "derive"),
    ]
    third = watch(empty, progress)
    assert third.returncode == 0
    assert "recorded as retraction-smith-2020" in third.stdout
    assert run("check", url=empty.url).returncode == 0


def test_what_a_curator_rejected_is_not_proposed_again(
    empty: Store, known: Registered, progress: Path
) -> None:
    fill(empty)
    retract(known)
    watch(empty, progress)
    with changes.begin(empty.database, actor="cura", comment="Another paper.") as change:
        review.decide(change, CURATOR, SOURCE, "retraction-smith-2020", "reject")
    before = serial(empty)
    again = watch(empty, progress)
    assert (again.returncode, serial(empty)) == (0, before)
    assert "refused earlier as retraction-smith-2020" in again.stdout
    # Another notice is another matter.
    known.links.clear()
    known.works["10.1000/a"].clear()
    other = update("10.1000/a", "retraction", 2023, 1, 1)
    known.works["10.1000/r"] = {**NOTICE, "DOI": "10.1000/r2", "update-to": [other]}
    assert "proposed as retraction-smith-2020-2" in watch(empty, progress).stdout


@ONLY_SQLITE
def test_a_dry_run_stores_nothing_and_accept_marks_at_once(
    empty: Store, known: Registered, progress: Path
) -> None:
    marked = {"integrity": "retracted", "integrity_note": "Gone.", "integrity_date": "2021"}
    fill(empty, a_source("marked", **marked, **identified(doi="10.1000/m")))
    retract(known)
    known.works["10.1000/m"] = {
        "DOI": "10.1000/m",
        "updated-by": [update("10.1000/o", "removal", 2022)],
    }
    before = serial(empty)
    dry = watch(empty, progress, "--dry-run")
    assert dry.returncode == watching.EXIT_NEW
    assert "smith-2020: retraction of 2021-03-04, new." in dry.stdout
    assert "claim x-causes-y: disputed → unassessed, once accepted" in dry.stdout
    # A retraction that is marked is recorded, though nothing is tied to it.
    assert "marked: retraction of 2022, recorded." in dry.stdout
    assert (serial(empty), progress.exists()) == (before, False)

    done = watch(empty, progress, "--accept")
    assert done.returncode == watching.EXIT_NEW
    assert "accepted as retraction-smith-2020." in done.stdout
    assert "  claim x-causes-y: disputed → unassessed\n" in done.stdout
    assert stored(empty, "smith-2020")["integrity"] == "retracted"
    with empty.database.read() as connection:
        rows = change_feed.changes_after(connection, before, 10, {}).rows
    assert {row["actor"] for row in rows} == {"watch"}
    assert rows[0]["comment"].startswith("Crossref: retraction, 2021-03-04, doi:10.1000/r")
    again = watch(empty, progress, "--accept")
    assert (again.returncode, "recorded: 2" in again.stdout) == (0, True)


@ONLY_SQLITE
def test_each_service_tells_of_every_kind_of_notice(
    empty: Store, known: Registered, progress: Path
) -> None:
    fill(
        empty,
        a_source("partly", **identified(doi="10.1000/b")),
        a_source("doubted", **identified(pmid="12")),
        a_source("listed", **identified(pmid="13")),
        a_source("in-pmc", **identified(pmcid="PMC14")),
        a_source("in-place", **identified(doi="10.1000/c,d")),
        a_source("newer", **identified(doi="10.1000/e")),
        a_source("elsewhere", **identified(doi="10.5061/f", pmid="18")),
        a_source("proposed", state="submitted", **identified(doi="10.1000/p")),
    )
    partial = update("10.1000/b", "Partial Retraction", 2021)
    known.works = {
        "10.1000/a": {"DOI": "10.1000/a"},
        "10.1000/b": {"DOI": "10.1000/b"},
        # Its title and its volume are longer than those of a source.
        "10.1000/n": {
            **NOTICE,
            **{"DOI": "10.1000/n", "title": ["x" * 2_000], "volume": "x" * 100},
            "update-to": [partial],
        },
        "10.1000/c,d": {
            "DOI": "10.1000/c,d",
            "update-to": [update("10.1000/c,d", "withdrawal", 2020, 5)],
        },
        "10.1000/e": {
            "DOI": "10.1000/e",
            "updated-by": [update("10.1000/e2", "new_version", 2022)],
        },
        "10.1000/q": {"DOI": "10.1000/q", "update-to": [update("10.1000/p", "retraction", 2022)]},
    }
    known.links = {
        "11": [],
        "12": [("ExpressionOfConcernIn", "Z. 2016 Mar;246:385", None)],
        "13": [],
        "14": [("ErratumIn", "Z. 2017;247:1.", "97"), ("UpdateIn", "Z. 2018;248:1.", "96")],
    }
    known.retracted = {"13"}
    known.pmcs = {"14": "14"}
    done = watch(empty, progress)
    assert done.returncode == watching.EXIT_NEW, done.stderr
    assert [line.partition(". ")[0] for line in done.stdout.splitlines()[:-1]] == [
        "doubted: expression of concern of 2016-03, proposed as expression-of-concern-doubted",
        "in-place: retraction of 2020-05, proposed as retraction-in-place",
        "in-pmc: correction of 2017, proposed as correction-in-pmc",
        "listed: retraction, undated, proposed as retraction-listed",
        "partly: correction of 2021-03, proposed as correction-partly",
    ]
    # The DOI of a data set is registered elsewhere, PubMed lost a record, and 97 has none.
    assert "looked up: 8, identifiers: 10." in done.stdout
    assert "Not known there: 2, unanswered: 0." in done.stdout
    in_place = stored(empty, "retraction-in-place")
    assert (in_place["title"], in_place["title_status"]) == ("[Retraction: A trial]", "described")
    assert in_place["identifiers"] == []
    partly = stored(empty, "correction-partly")
    assert (partly["title"], partly["volume"]) == ("[Correction: A trial]", None)
    assert partly["container_title"] == "The Journal of Trials"
    assert stored(empty, "correction-in-pmc")["note"] == "PubMed: ErratumIn Z. 2017;247:1."
    assert not any("10.1000/p" in unquote(address) for address in known.asked)


@ONLY_SQLITE
def test_a_stored_notice_is_tied_to_what_it_is_about(
    empty: Store, known: Registered, progress: Path
) -> None:
    fill(empty, a_source("notice", title="Retraction", **identified(doi="10.1000/r", pmid="99")))
    known.works = {"10.1000/a": {"DOI": "10.1000/a"}, "10.1000/r": NOTICE}
    known.links = {"11": [], "99": [("RetractionOf", "J Trials. 2020;6:1.", "11")]}
    told = watch(empty, progress)
    assert told.returncode == watching.EXIT_NEW
    assert (
        "smith-2020: retraction of 2021-03-04, stored as notice, which is not tied to it:"
        ' add {"type": "retracts", "source": "smith-2020"} to its versions.' in told.stdout
    )
    assert stored(empty, "notice")["versions"] == []
    accepted = watch(empty, progress, "--accept")
    assert "accepted as notice." in accepted.stdout
    assert "disputed → unassessed" in accepted.stdout
    assert stored(empty, "notice")["versions"] == [{"type": "retracts", "source": "smith-2020"}]


def numbered(count: int) -> list[SourceIn]:
    """Return sources that are looked up in the order of their numbers."""
    return [
        a_source(f"s-{number}", **identified(doi=f"10.1000/s{number}")) for number in range(count)
    ]


@ONLY_SQLITE
def test_a_run_that_a_registry_ends_is_gone_on_with(
    empty: Store, known: Registered, progress: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SOURCES_AT_ONCE", 2)
    fill(empty, *numbered(4))
    retract(known)
    known.fault = always(Answer(503), "10.1000/s2")
    cut_off = watch(empty, progress)
    assert cut_off.returncode == watching.EXIT_INCOMPLETE
    assert cut_off.stderr == "Crossref: it answered 503. The next run goes on from here.\n"
    assert json.loads(progress.read_text())["after"] == "s-1"
    known.fault = once(Answer(500), "nothing")
    known.asked.clear()
    rest = watch(empty, progress)
    assert rest.stderr == "Going on after s-1, where a run stopped.\n"
    assert "looked up: 3, identifiers: 4." in rest.stdout
    assert "proposed as retraction-smith-2020" in rest.stdout
    assert not any("10.1000/s1" in unquote(address) for address in known.asked)
    assert json.loads(progress.read_text()) == {}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_killed_run_is_gone_on_with(empty: Store, known: Registered, progress: Path) -> None:
    fill(empty, *numbered(2))
    retract(known)
    gate = threading.Event()
    known.fault = once(Answer(gate=gate), "10.1000/s1")
    program = (
        "from api.citations import registries; from api.cli import watching;"
        f"registries.CROSSREF = registries.PUBMED = {known.base!r}; registries.PAUSE = 0;"
        "watching.SOURCES_AT_ONCE = 1; from api.cli.app import app; app()"
    )
    with subprocess.Popen(
        [
            *(sys.executable, "-c", program, "sources", "watch", "--accept"),
            *("--mailto", "me@example.org", "--progress", str(progress)),
        ],
        cwd=ROOT,
        env={**os.environ, "CLAIMBASE_DATABASE_URL": empty.url},
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(lambda: any("10.1000/s1" in unquote(each) for each in known.asked))
        finally:
            process.kill()
    gate.set()
    known.asked.clear()
    rest = watch(empty, progress, "--accept")
    assert rest.stderr == "Going on after s-0, where a run stopped.\n"
    assert "accepted as retraction-smith-2020" in rest.stdout
    assert not any("10.1000/s0" in unquote(address) for address in known.asked)
    assert run("check", url=empty.url).returncode == 0


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


RW = (
    "Record ID,Title,Subject,Institution,Journal,Publisher,Country,Author,URLS,ArticleType,"
    "RetractionDate,RetractionDOI,RetractionPubMedID,OriginalPaperDate,OriginalPaperDOI,"
    "OriginalPaperPubMedID,RetractionNature,Reason,Paywalled,Notes\n"
)
ROW = "{},A trial,,,J Trials,,,,,,{},{},{},1/2/2020 0:00,{},{},{},{},No,\n"


@ONLY_SQLITE
def test_a_file_of_retraction_watch_does_the_same_offline(empty: Store, tmp_path: Path) -> None:
    fill(
        empty,
        a_source("jones-2021", **identified(doi="10.1000/b")),
        a_source("li-2022", **identified(pmid="13")),
    )
    marked = {"integrity": "retracted", "integrity_note": "Gone.", "integrity_date": "2021"}
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_source(change, a_source("back", **marked, **identified(doi="10.1000/w")))
        changes.put_source(change, a_source("twice", **identified(doi="10.1000/t")))
    file = tmp_path / "retraction_watch.csv"
    rows = [
        ROW.format(
            1, "3/4/2021 0:00", "10.1000/R", 0, "https://doi.org/10.1000/A", 11, "Retraction",
            "+Error in Data;+Investigation by Journal;",
        ),
        ROW.format(2, "3/4/2021 0:00", "unavailable", 0, "unavailable", 0, "Retraction", ""),
        ROW.format(3, "3/4/2021 0:00", "10.1000/z", 0, "10.1000/unknown", 0, "Retraction", ""),
        ROW.format(4, "", "10.1000/B", 0, "10.1000/B", 0, "Expression of concern", "+Doubt;"),
        ROW.format(5, "13/13/2022", "unavailable", 99, "", 13, "Correction", ""),
        ROW.format(6, "1/1/2023 0:00", "10.1000/y", 0, "10.1000/b", 0, "Reinstatement", ""),
        # What was taken back is no notice any more, what came after it is one.
        ROW.format(7, "1/1/2021 0:00", "10.1000/w1", 0, "10.1000/w", 0, "Retraction", ""),
        ROW.format(8, "1/1/2022 0:00", "10.1000/w2", 0, "10.1000/w", 0, "Reinstatement", "+Error;"),
        ROW.format(9, "1/1/2021 0:00", "10.1000/t1", 0, "10.1000/t", 0, "Retraction", ""),
        ROW.format(10, "1/1/2022 0:00", "10.1000/t2", 0, "10.1000/t", 0, "Reinstatement", ""),
        ROW.format(11, "1/1/2023 0:00", "10.1000/t3", 0, "10.1000/t", 0, "Retraction", ""),
    ]  # fmt: skip
    file.write_bytes((RW + "".join(rows)).encode().replace(b"J Trials", b"J Tri\xe4ls"))
    done = run("sources", "watch", "--file", str(file), url=empty.url)
    assert done.returncode == watching.EXIT_NEW, done.stderr
    assert done.stdout.splitlines() == [
        "jones-2021: expression of concern, undated, proposed as"
        " expression-of-concern-jones-2021. Retraction Watch, record 4: Expression of concern,"
        " doi:10.1000/b. Reasons: Doubt.",
        "li-2022: correction, undated, proposed as correction-li-2022."
        " Retraction Watch, record 5: Correction, 13/13/2022, pmid:99.",
        "smith-2020: retraction of 2021-03-04, proposed as retraction-smith-2020."
        " Retraction Watch, record 1: Retraction, 2021-03-04, doi:10.1000/r."
        " Reasons: Error in Data; Investigation by Journal.",
        "  claim x-causes-y: disputed → unassessed, once accepted",
        "twice: retraction of 2023-01-01, proposed as retraction-twice."
        " Retraction Watch, record 11: Retraction, 2023-01-01, doi:10.1000/t3.",
        "jones-2021: reinstatement of 2023-01-01, not marked as retracted here."
        " Retraction Watch, record 6: Reinstatement, 2023-01-01, doi:10.1000/y.",
        "back: reinstatement of 2022-01-01, but marked as retracted here: a curator must judge."
        " Retraction Watch, record 8: Reinstatement, 2022-01-01, doi:10.1000/w2. Reasons: Error.",
        "twice: reinstatement of 2022-01-01, not marked as retracted here."
        " Retraction Watch, record 10: Reinstatement, 2022-01-01, doi:10.1000/t2.",
        "Rows read: 11, about no registered work: 1, reinstatements: 3,"
        " retractions taken back by them: 2. New: 4, recorded: 0, waiting: 0, refused: 0."
        " Not known there: 0, unanswered: 0.",
    ]
    assert stored(empty, "expression-of-concern-jones-2021")["identifiers"] == []
    again = run("sources", "watch", "--file", str(file), url=empty.url)
    # What a curator must judge is told until somebody did.
    assert (again.returncode, "waiting: 4" in again.stdout) == (watching.EXIT_NEW, True)
    with changes.begin(empty.database, actor="cura") as change:
        changes.put_source(change, a_source("back", **identified(doi="10.1000/w")))
    assert run("sources", "watch", "--file", str(file), url=empty.url).returncode == 0


@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_cannot_be_done_is_one_line(
    empty: Store, known: Registered, progress: Path, tmp_path: Path
) -> None:
    def refused(*arguments: str, code: int = 1) -> str:
        done = run("sources", "watch", *arguments, url=empty.url)
        assert done.returncode == code, done.stdout
        return done.stderr

    assert "either --mailto or --file" in refused(code=2)
    assert "either --mailto or --file" in refused("--mailto", "a@b", "--file", "x", code=2)
    assert "no e-mail address" in refused("--mailto", "me\nHost: x@y", code=2)
    missing = tmp_path / "none.csv"
    assert refused("--file", str(missing)) == f"{missing}: No such file or directory.\n"
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("Record ID,Title\n1,A trial\n", encoding="utf-8")
    assert "no file of Retraction Watch: it has no column RetractionDate" in refused(
        "--file", str(wrong)
    )
    wrong.write_text(RW + '"' + "x" * 200_000, encoding="utf-8")
    assert "no file of Retraction Watch: line " in refused("--file", str(wrong))
    asking = ("--mailto", "me@example.org", "--progress")
    assert (
        refused(*asking, "/proc/none/x.json") == "/proc/none/x.json: No such file or directory.\n"
    )
    with open_progress(progress, "sqlite:///elsewhere.db") as held:
        held.note("s-1")
        assert refused(*asking, str(progress)) == f"{progress}: another run is under way.\n"
    assert "is the progress of a run on sqlite:///elsewhere.db" in refused(*asking, str(progress))
    progress.write_text('{"after": "s-', encoding="utf-8")
    assert refused(*asking, str(progress), code=0) == ""
    assert known.asked == []


@ONLY_SQLITE
def test_accepting_a_notice_marks_what_it_is_about_unless_it_is_marked_as_gravely(
    empty: Store,
) -> None:
    concern = {"integrity": "concern", "integrity_note": "Doubt.", "integrity_date": "2020"}
    announced = {"retracts": "retracted", "concern_about": "concern", "erratum_to": "corrected"}
    proposer = CURATOR.model_copy(update={"name": "connie"})
    for tie, integrity in announced.items():
        plain, doubted = f"plain-{integrity}", f"doubted-{integrity}"
        with changes.begin(empty.database, actor="connie") as change:
            changes.put_source(change, a_source(plain))
            changes.put_source(change, a_source(doubted, **concern))
            for about in (plain, doubted):
                notice = a_source(
                    f"of-{about}",
                    title="A notice",
                    versions=[{"type": tie, "source": about}],
                    issued="2022-03",
                    epub_date="2022-02-01",
                    **identified(doi=f"10.1000/{about}"),
                ).model_dump(exclude={"state", "replaced_by"})
                review.propose(change, proposer, SOURCE, review.judge(proposer, SOURCE, notice))
        with changes.begin(empty.database, actor="cura") as change:
            for about in (plain, doubted):
                review.decide(change, CURATOR, SOURCE, f"of-{about}", "accept")
        found = stored(empty, plain)
        assert (found["integrity"], found["integrity_date"]) == (integrity, "2022-02-01")
        assert found["integrity_note"] == f"A notice; doi:10.1000/{plain}"
        graver = stored(empty, doubted)["integrity"]
        assert graver == ("retracted" if tie == "retracts" else "concern")
    with changes.begin(empty.database, actor="cora", comment="Not so.") as change:
        undo.undo(change, CURATOR.model_copy(update={"name": "cora"}), change.before)
    assert stored(empty, "of-plain-corrected")["state"] == "submitted"
    assert stored(empty, "plain-corrected")["integrity"] == "no_notice"
