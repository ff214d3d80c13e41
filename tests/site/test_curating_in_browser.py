"""Curating as people do it: with a key, in a browser, two of them for each record."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pydantic import ValidationError

from api.site.pages import VERSION
from models.access import api_keys
from models.core.errors import invalid_record
from models.records.record_types import RECORD_TYPES
from tests.api.curating import LINE, a_record
from tests.databases import Templates, store_of
from tests.drills.serving import serving
from tests.site.browser import MILLISECONDS, NARROW, Pages

expect.set_options(timeout=MILLISECONDS)
CITATION = """@article{marder, title = {No difference in the veins}, author = {Marder, Ellen},
  journal = {Example Journal}, year = 2012, doi = {10.1234/example.1}}"""
# The console tells of each refusal, also where the page says it.
REFUSED = re.compile(r"console: Failed to load resource: .* status of (401|409|412|422) ")

# Proposes a record with the key of the page.
PROPOSE = """async ([address, record]) => {
  const Authorization = `Bearer ${sessionStorage.getItem("claimbase-key")}`;
  const headers = { Authorization, "Content-Type": "application/json" };
  const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(record) });
  await answer.json();
  return answer.status;
}"""
# Changes a proposal with the key of the page, past the page itself.
CHANGE = """async ([address, patch]) => {
  const Authorization = `Bearer ${sessionStorage.getItem("claimbase-key")}`;
  const record = address.replace("/v1/claims/", "/v1/records/claim/");
  const read = await fetch(record, { headers: { Authorization } });
  await read.json();
  const headers = { Authorization, "If-Match": read.headers.get("ETag"),
    "Content-Type": "application/merge-patch+json" };
  const answer = await fetch(address, { method: "PATCH", headers, body: JSON.stringify(patch) });
  await answer.json();
  return answer.status;
}"""

# Changes an accepted line with the key of the page.
CHANGE_LINE = CHANGE.replace(
    'address.replace("/v1/claims/", "/v1/records/claim/")',
    'address.replace("/v1/evidence/", "/v1/records/evidence/")',
)
READ = "async (address) => await (await fetch(address)).json()"


@dataclass
class Office:
    """Pages on a server of its own, and a key for each person."""

    pages: Pages
    keys: dict[str, str]

    def open(self, path: str, who: str | None = None) -> Page:
        """Open a page, signed in as somebody."""
        page = self.pages.open(path)
        if who is not None:
            sign_in(page, self.keys[who])
            expect(page.locator("#who")).to_contain_text(f"Signed in as {who}")
        return page


def sign_in(page: Page, key: str) -> None:
    """Paste a key and sign in with it."""
    page.get_by_label("Your key").fill(key)
    page.get_by_role("button", name="Sign in").click()


# Both databases answer alike to the same requests, which other tests hold; a browser takes seconds.
SERVED_ON = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=SERVED_ON)
def served(
    request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the address of a server that may be written, and a key for each person."""
    for store in store_of(templates, request.param, seeded=True):
        with store.database.write() as connection:
            keys = {
                name: api_keys.create_key(connection, api_keys.KeyIn(name=name, role=role))[1]
                for name, role in (("Anna", "contributor"), ("Cleo", "curator"))
            }
        with serving(store.url, tmp_path_factory.mktemp("office")) as server:
            yield f"http://127.0.0.1:{server.port}", keys


@pytest.fixture
def office(browser: Browser, served: tuple[str, dict[str, str]]) -> Iterator[Office]:
    origin, keys = served
    pages = Pages(browser, origin)
    yield Office(pages, keys)
    pages.close()
    assert [fault for fault in pages.faults if not REFUSED.match(fault)] == []


def propose_source(page: Page) -> None:
    """Propose a source from a pasted citation."""
    page.locator("#cited").fill("https://doi.org/10.1234/nowhere")
    page.get_by_role("button", name="Look it up").click()
    expect(page.locator("#found")).to_contain_text("looks nothing up on the internet")
    expect(page.get_by_label("Value")).to_have_value("10.1234/nowhere")
    page.locator("#cited").fill(CITATION)
    page.get_by_role("button", name="Look it up").click()
    expect(page.get_by_label("Title")).to_have_value("No difference in the veins")
    expect(page.get_by_label("Family name")).to_have_value("Marder")
    page.locator("#f-study_design").select_option("")
    page.get_by_role("button", name="Propose the source").click()
    # The error stands at its field, which has the focus.
    expect(page.locator("#f-study_design")).to_be_focused()
    expect(page.locator("#f-study_design")).to_have_attribute(
        "aria-describedby", re.compile("e-study_design")
    )
    page.locator("#f-study_design").select_option("systematic_review")
    page.get_by_role("button", name="Propose the source").click()
    expect(page.locator("#done")).to_contain_text("marder-2012 waits for a second person")


def propose_line(page: Page) -> None:
    """Propose what the source says about a claim, and see the effect beforehand."""
    page.get_by_role("link", name="Propose what it says about a claim").click()
    expect(page.locator("#f-source")).to_have_value("marder-2012")
    page.locator("#f-claim").fill("ccsvi-causes-ms")
    page.locator("#f-finding").fill("All of them had it.")
    for name, term in (
        ("direction", "supports"),
        ("study_design", "systematic_review"),
        ("level", "1"),
        ("question", "prognosis"),
    ):
        page.locator(f"#f-{name}").select_option(term)
    page.get_by_text("The study in its own words").click()
    page.locator("#f-studies").fill("2")
    page.get_by_role("button", name="Add to effects").click()
    effect = page.get_by_role("group", name="Effects")
    effect.get_by_label("Measure").fill("odds ratio")
    effect.get_by_label("From").fill("3")
    effect.get_by_label("To").fill("2")
    page.get_by_label("People in all").fill("many")
    page.get_by_role("button", name="Show the effect on the status").click()
    expect(page.get_by_label("People in all")).to_be_focused()
    expect(page.locator("#e-sample_size")).to_have_text("Write a whole number, such as 20. ")
    page.get_by_label("People in all").fill("")
    page.get_by_role("button", name="Show the effect on the status").click()
    expect(effect.get_by_label("From")).to_be_focused()
    expect(page.locator("#e-effects")).to_contain_text("Row 1: The interval runs from 3.0 to 2.0")
    effect.get_by_label("To").fill("5")
    page.get_by_role("button", name="Show the effect on the status").click()
    told = page.locator("#effect")
    expect(told.locator(".chip")).to_have_text(["refuted", "supported"])
    assert Axe().run(page).response["violations"] == []
    # What was typed is there again after the page was left.
    expect(page.locator("#draft")).to_have_text("Kept as a draft in this browser.")
    page.reload()
    expect(page.locator("#f-finding")).to_have_value("All of them had it.")
    expect(page.get_by_label("Measure")).to_have_value("odds ratio")
    page.get_by_role("button", name="Propose the line").click()
    expect(page.locator("#done")).to_contain_text("ccsvi-causes-ms:marder-2012 waits")


def test_two_people_carry_a_paper_to_a_status(office: Office) -> None:
    anna = office.open("/curate/source", "Anna")
    propose_source(anna)
    propose_line(anna)
    anna.goto("/curate")
    expect(anna.locator("#mine .fate")).to_have_text(["waits", "waits"])
    expect(anna.locator("#drafts li")).to_have_count(0)
    expect(anna.get_by_role("link", name="What waits for review")).to_have_count(0)

    cleo = office.open("/curate/queue", "Cleo")
    line = cleo.locator('[data-record="evidence/ccsvi-causes-ms:marder-2012"]')
    line.get_by_role("button", name="Show its effect").click()
    expect(line.locator(".told .chip")).to_have_text(["refuted", "supported"])
    line.get_by_role("button", name="Reject").click()
    expect(line.locator("textarea")).to_be_focused()
    expect(cleo.locator("#queue-state")).to_have_text("2 proposals.")
    # What the line rests on comes first.
    expect(line).to_contain_text("It rests on what waits, too: source marder-2012.")
    line.get_by_role("button", name="Accept").click()
    expect(cleo.locator("#queue-state")).to_contain_text("Accept first: source marder-2012.")
    cleo.locator("#queue-state").get_by_role("link").click()
    source = cleo.locator('[data-record="source/marder-2012"]')
    assert source.get_attribute("id") == cleo.url.partition("#")[2]
    expect(source).to_contain_text("If it is rejected, so is what rests on it: evidence ccsvi-")
    assert Axe().run(cleo).response["violations"] == []
    cleo.get_by_label("Choose all that you may decide").check()
    cleo.get_by_role("button", name="Accept the chosen").click()
    expect(cleo.locator("#queue-state")).to_have_text("2 of 2 accepted.")
    cleo.goto("/claims/ccsvi-causes-ms")
    expect(cleo.locator("#status")).to_have_text("supported")

    anna.reload()
    expect(anna.locator("#mine .fate")).to_have_text(["accepted", "accepted"])
    cleo.goto("/curate/queue")
    change = cleo.locator(".change", has_text="ccsvi-causes-ms:marder-2012")
    change.locator("summary").click()
    change.get_by_label("Why it is undone").fill("The sample was the same.")
    change.get_by_role("button", name="Undo this change").click()
    # What was accepted together with it in another change stays.
    expect(cleo.locator("#queue-state")).to_contain_text("Undone: evidence/")
    # What was undone is not offered again, but the undoing is.
    expect(change.first).to_contain_text("undo")
    expect(change.first.locator("summary")).to_have_count(1)
    expect(change.nth(1)).to_contain_text("undone since")
    expect(change.nth(1).locator("summary")).to_have_count(0)
    cleo.goto("/claims/ccsvi-causes-ms")
    expect(cleo.locator("#status")).to_have_text("refuted")
    anna.goto("/curate/source?identifier=10.1234/example.1")
    expect(anna.locator("#found")).to_contain_text("It is stored already: Marder 2012")


def test_a_quote_is_picked_in_code_points_and_rejected_with_a_reason(office: Office) -> None:
    anna = office.open("/curate/claim", "Anna")
    anna.locator("#text").fill("😀 They say: iron is heavy, and more.")
    anna.locator("#text").evaluate(
        "area => { const at = area.value.indexOf('iron'); area.focus();"
        " area.setSelectionRange(at, at + 14); }"
    )
    anna.get_by_role("button", name="Use the selected words as the quote").click()
    for name, value in (
        ("quote", "iron is heavy,"),
        ("prefix", "😀 They say: "),
        ("suffix", " and more."),
        ("start", "12"),
        ("end", "26"),
    ):
        expect(anna.locator(f"#f-{name}")).to_have_value(value)
    anna.locator("#f-statement").fill("CCSVI causes multiple sclerosis.")
    anna.locator("#f-wordings").fill("Metal in the blood weighs much.")
    alike = anna.locator("#alike").get_by_role("link", name="CCSVI causes MS.")
    expect(alike).to_have_attribute("href", "/claims/ccsvi-causes-ms")
    for name, value in (
        ("source", "doepp-2010"),
        ("asserted_by", "doepp"),
        ("key", "c1"),
        ("statement", "Iron is heavy."),
        ("id", "Iron!"),
        ("topics", "iron"),
    ):
        anna.locator(f"#f-{name}").fill(value)
    anna.locator("#f-kind").select_option("background")
    anna.get_by_role("button", name="Propose the claim").click()
    expect(anna.locator("#f-id")).to_be_focused()
    anna.locator("#f-id").fill("iron-is-heavy")
    anna.get_by_role("button", name="Propose the claim").click()
    expect(anna.locator("#done")).to_contain_text("iron-is-heavy waits")

    cleo = office.open("/curate/queue", "Cleo")
    claim = cleo.locator('[data-record="claim/iron-is-heavy"]')
    expect(claim.locator("table")).to_contain_text("Iron is heavy.")
    # What the curator sees is not what is there any more.
    changed = anna.evaluate(CHANGE, ["/v1/claims/iron-is-heavy", {"statement": "Iron is dense."}])
    assert changed == 200
    claim.get_by_role("button", name="Accept").click()
    expect(cleo.locator("#queue-state")).to_contain_text("Somebody changed it meanwhile")
    expect(claim.locator("table")).to_contain_text("Iron is dense.")
    claim.locator("textarea").fill("Nobody doubts it.")
    claim.get_by_role("button", name="Reject").click()
    expect(cleo.locator("#queue-state")).to_have_text(
        "iron-is-heavy is rejected. So is what rests on it: occurrence iron-is-heavy:c1."
    )
    anna.goto("/curate")
    fate = anna.locator("#mine li", has_text="claim iron-is-heavy")
    expect(fate.locator(".fate")).to_have_text("rejected")
    expect(fate).to_contain_text("Nobody doubts it.")


def test_a_source_is_proposed_by_its_doi_alone(office: Office) -> None:
    page = office.open("/curate/source?identifier=doi:10.1234/by.doi", "Anna")
    expect(page.get_by_label("Value")).to_have_value("10.1234/by.doi")
    page.locator("#f-id").fill("by-doi-2014")
    page.locator("#f-title").fill("A work that is found by its DOI")
    page.locator("#f-study_design").select_option("cohort")
    page.get_by_role("button", name="Propose the source").click()
    expect(page.locator("#done")).to_contain_text("by-doi-2014 waits for a second person")


def test_what_rests_on_a_proposal_is_told_before_and_after(office: Office) -> None:
    page = office.open("/curate", "Anna")
    source, line = "lone-2015", "ccsvi-causes-ms:lone-2015"
    evidence = {**LINE, "key": source, "source": source, "independence_group": source}
    assert page.evaluate(PROPOSE, ["/v1/sources", a_record("source", source)]) == 201
    assert page.evaluate(PROPOSE, ["/v1/claims/ccsvi-causes-ms/evidence", evidence]) == 201
    page.reload()
    mine = page.locator("#mine > li", has_text=f"source {source}")
    mine.get_by_role("button", name="Withdraw").click()
    expect(mine.locator(".told")).to_contain_text(
        f"What rests on it is withdrawn with it: evidence {line}."
    )
    expect(mine.locator(".fate")).to_have_text("waits")
    mine.get_by_role("button", name="Withdraw all of it").click()
    expect(page.locator("#mine-state")).to_have_text(
        f"Withdrawn: source {source}, and with it evidence {line}."
    )
    for name in (f"source {source}", f"evidence {line}"):
        fate = page.locator("#mine > li", has_text=name).locator(".fate")
        expect(fate).to_have_text("withdrawn")


# What nobody should have to read: the words of a validator, and of programs.
OF_PROGRAMS = re.compile(r"Input|String|Value|List|[Ff]ield required|slug|vocabulary|integer|item")
WRONG: dict[str, dict[str, Any]] = {
    "evidence": {
        "sample_size": "many",
        "effects": [{"measure": "x", "estimate": "z"}, {"estimate": True}],
        "groups": [{"name": "", "n": -1, "events": 1.5}],
        "studies": 0,
        "level": "",
        "key": "Ä",
        "locator": 7,
        "finding": "x" * 100_000,
    },
    "source": {"id": "X Y", "type": "foo", "authors": [{}], "title": "", "identifiers": [{}]},
    "claim": {"id": "Iron!", "statement": "", "kind": "", "topics": ["A"], "colour": "red"},
    "occurrence": {"quote": "", "start": "a", "asserted_by": [], "hedges": [""], "key": "c 1"},
}


def test_faults_are_told_in_words_for_people(office: Office) -> None:
    faults = []
    for kind, body in WRONG.items():
        with pytest.raises(ValidationError) as raised:
            RECORD_TYPES[kind].validated(body)
        faults += invalid_record(raised.value, RECORD_TYPES[kind].fields.model_fields).faults
    page = office.open("/curate")
    told = page.evaluate(
        """async ([module, faults]) => {
            const { counted, faultInWords } = await import(module);
            return [faults.map(faultInWords), counted(1, "proposal"), counted(0, "proposal")];
        }""",
        [f"/static/{VERSION}/curate.js", [fault.model_dump() for fault in faults]],
    )
    assert len(told[0]) > 20
    assert [text for text in told[0] if OF_PROGRAMS.search(text)] == []
    assert told[1:] == ["1 proposal", "0 proposals"]


def test_a_key_stays_in_its_tab_and_a_role_bounds_what_is_offered(office: Office) -> None:
    page = office.open("/curate/queue")
    sign_in(page, "claimbase_wrong")
    expect(page.locator("#key-error")).to_contain_text("not known here")
    sign_in(page, "claimbase_ключ")
    expect(page.locator("#key-error")).to_contain_text("no letters but a to z and A to Z")
    expect(page.get_by_label("Your key")).to_be_focused()
    sign_in(page, office.keys["Anna"])
    expect(page.locator("#refused")).to_contain_text("This needs a key of the role curator")
    expect(page.locator("#queue")).to_be_hidden()
    assert page.context.cookies() == []
    assert office.keys["Anna"] not in page.url
    assert page.evaluate("Object.keys(localStorage)") == []
    page.get_by_role("button", name="Sign out").click()
    assert page.evaluate("Object.keys(sessionStorage)") == []
    expect(page.get_by_label("Your key")).to_be_focused()


def test_who_curates_alone_accepts_their_own_and_declares_their_interests(
    browser: Browser,
    templates: Templates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLAIMBASE_REVIEW", "one_person")
    for store in store_of(templates, "sqlite", seeded=True):
        with store.database.write() as connection:
            key = api_keys.create_key(connection, api_keys.KeyIn(name="Cleo", role="curator"))[1]
        with serving(store.url, tmp_path) as server:
            pages = Pages(browser, f"http://127.0.0.1:{server.port}")
            page = Office(pages, {"Cleo": key}).open("/curate", "Cleo")
            page.get_by_role("button", name="Declare").click()
            expect(page.locator("#conflict")).to_be_focused()
            expect(page.locator("#conflict-error")).to_have_text("Write none if there is nothing.")
            assert Axe().run(page).response["violations"] == []
            page.locator("#conflict").fill("Paid by Example Ltd.")
            page.get_by_role("button", name="Declare").click()
            expect(page.locator("#declared")).to_have_text("Declared: Paid by Example Ltd.")
            expect(page.locator("#interests")).to_be_hidden()
            evidence = {**LINE, "independence_group": "example"}
            assert page.evaluate(PROPOSE, ["/v1/claims/ccsvi-causes-ms/evidence", evidence]) == 201
            page.goto("/curate/queue")
            expect(page.locator("#queue")).to_contain_text("Paid by Example Ltd.")
            expect(page.locator('[data-review="one_person"]')).to_be_visible()
            page.get_by_label("Choose all that you may decide").check()
            page.get_by_role("button", name="Accept the chosen").click()
            expect(page.locator("#queue-state")).to_have_text("1 of 1 accepted.")
            page.goto("/curate")
            expect(page.locator("#mine .fate")).to_have_text(["accepted"])
            # What was declared today is not asked again.
            expect(page.locator("#interests")).to_be_hidden()
            pages.close()
            assert [fault for fault in pages.faults if not REFUSED.match(fault)] == []


SUGGESTED_OF = "ccsvi-causes-ms:doepp-2010"


def suggest_change(office: Office) -> Page:
    """Suggest to change some fields of a line of evidence."""
    anna = office.open("/claims/ccsvi-causes-ms")
    anna.locator("#doepp-2010").get_by_role("link", name="Suggest a change").click()
    sign_in(anna, office.keys["Anna"])
    finding = anna.get_by_label("Finding")
    expect(finding).not_to_have_value("")
    was = finding.input_value()
    send = anna.get_by_role("button", name="Send the suggestion")
    send.click()
    expect(anna.locator("#e-differs")).to_contain_text("Change a field first")
    finding.fill("Read anew.")
    anna.locator("#f-level").select_option("3")
    anna.get_by_text("In numbers").click()
    anna.get_by_label("People in all").fill("many")
    # Only what was changed differs, and what it was stands beside it.
    rows = anna.locator("#differs tbody th")
    expect(rows).to_have_text(["finding", "level", "sample size"])
    expect(anna.locator("#differs")).to_contain_text(was[:40])
    send.click()
    expect(anna.get_by_label("Reason", exact=False)).to_be_focused()
    anna.get_by_label("Reason", exact=False).fill("Table 2 says so.")
    anna.get_by_label("A stored source").fill("nobody-2000")
    send.click()
    expect(anna.get_by_label("People in all")).to_be_focused()
    expect(anna.locator("#e-sample_size")).to_have_text("Write a whole number, such as 20. ")
    assert Axe().run(anna).response["violations"] == []
    # An empty field is one that is to be taken away.
    anna.get_by_label("People in all").fill("")
    expect(anna.locator("#differs")).to_contain_text("–")
    anna.wait_for_function(
        """() => Object.values(localStorage).some(each => each.includes('"sample_size":null'))"""
    )
    anna.reload()
    expect(finding).to_have_value("Read anew.")
    expect(anna.get_by_label("People in all", exact=False)).to_have_value("")
    anna.get_by_label("A stored source").fill("cochrane-2019")
    send.click()
    expect(anna.locator("#effect .chip")).to_have_text(["refuted", "refuted"])
    return anna


def test_a_change_is_suggested_and_taken_by_field(office: Office) -> None:
    line = SUGGESTED_OF
    anna = suggest_change(office)
    cleo = office.open("/curate/queue", "Cleo")
    card = cleo.locator(".proposal", has_text=f"Change evidence {line}")
    about = card.get_by_role("link", name=f"evidence {line}")
    expect(about).to_have_attribute("href", "/claims/ccsvi-causes-ms#doepp-2010")
    expect(card).to_contain_text("Table 2 says so.")
    expect(card.get_by_role("link", name="source cochrane-2019")).to_be_visible()
    expect(card.locator("tbody th")).to_have_text([" level", " sample size", " finding"])
    # Somebody changes one of its fields meanwhile.
    patch = {"finding": "Cleo's words."}
    assert cleo.evaluate(CHANGE_LINE, [f"/v1/evidence/{line}", patch]) == 200
    cleo.reload()
    expect(card).to_contain_text("Outdated")
    expect(card.get_by_label("finding")).to_be_disabled()
    cleo.set_viewport_size(NARROW)
    assert Axe().run(cleo).response["violations"] == []
    card.get_by_role("button", name="Carry over").click()
    expect(cleo.locator("#queue-state")).to_contain_text("is carried over.")
    expect(card.locator("tbody tr", has_text="finding")).to_contain_text("Cleo's words.")
    card.get_by_role("button", name="Show its effect").click()
    expect(card.locator(".told .chip")).to_have_text(["refuted", "refuted"])
    card.get_by_label("finding").uncheck()
    card.get_by_role("button", name="Accept").click()
    expect(cleo.locator("#queue-state")).to_contain_text("is accepted")
    stored = cleo.evaluate(READ, f"/v1/records/evidence/{line}")["record"]
    assert (stored["level"], stored["sample_size"]) == ("3", None)
    assert stored["finding"] == "Cleo's words."

    anna.goto("/curate")
    mine = anna.locator("#said > li", has_text=line)
    expect(mine.locator(".fate")).to_have_text("accepted")
    expect(mine).to_contain_text("Taken: level, sample size. Not taken: finding.")
    assert Axe().run(anna).response["violations"] == []


def test_a_comment_with_a_flag_is_shown_to_all_once_it_is_accepted(office: Office) -> None:
    about = "/curate/suggest?record=source/doepp-2010"
    anna = office.open(about, "Anna")
    anna.get_by_label("Nothing of this").check()
    expect(anna.get_by_label("Finding")).to_be_hidden()
    anna.locator("#f-reason").fill("The volume is another one.")
    anna.locator("#f-flag").select_option("error")
    anna.get_by_role("button", name="Send the comment").click()
    expect(anna.locator("#done")).to_contain_text("Your comment is sent")
    reader = office.open("/sources/doepp-2010")
    expect(reader.locator(".comments")).to_have_count(0)

    cleo = office.open("/curate/queue", "Cleo")
    card = cleo.locator(".proposal", has_text="Comment on source doepp-2010")
    expect(card.locator(".flag")).to_have_text("error")
    expect(card).to_contain_text("The volume is another one.")
    card.get_by_role("button", name="Accept").click()
    expect(cleo.locator("#queue-state")).to_contain_text("is accepted")
    reader.reload()
    reader.get_by_text("Comments (1)").click()
    expect(reader.locator(".comments li")).to_contain_text("error The volume is another one.")
    expect(reader.locator(".comments li")).to_contain_text("Anna, ")
    assert Axe().run(reader).response["violations"] == []


def test_a_retraction_is_suggested_and_withdrawn(office: Office) -> None:
    anna = office.open("/curate/suggest?record=evidence/ccsvi-causes-ms:auriel-2011", "Anna")
    anna.get_by_label("It should be retracted").check()
    anna.locator("#f-reason").fill("It is about something else.")
    anna.get_by_role("button", name="Send the suggestion").click()
    expect(anna.locator("#effect .chip")).to_have_count(2)
    anna.locator("#done").get_by_role("link", name="suggestion-").click()
    mine = anna.locator("#said > li", has_text="It should be retracted.")
    expect(mine.locator(".fate")).to_have_text("waits")
    mine.get_by_role("button", name="Withdraw").click()
    expect(anna.locator("#said-state")).to_contain_text("Withdrawn: suggestion")
    expect(mine.locator(".fate")).to_have_text("withdrawn")
