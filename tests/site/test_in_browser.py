"""The pages as a browser shows them: seen, moved by keyboard, without script, without a network."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.site.browser import WIDE, Pages, looks

ARTICLE = "/articles/article-ccsvi-explained"
# Every page that anybody can see, each with what shows most of it.
PATHS = (
    "/",
    ARTICLE,
    f"{ARTICLE}?as_of=2010",
    "/claims/ccsvi-causes-ms",
    "/claims/ccsvi-causes-ms?as_of=2012&without=doepp",
    "/claims/ccsvi-cause-ms",
    "/claims?topic=iron",
    "/claims?q=vein",
    "/evidence?study_design=randomised_trial,sham_controlled_trial",
    "/sources",
    "/sources/traboulsee-2018",
    "/topics",
    "/topics/iron",
    "/topics/iron/matrix",
    "/search?q=vein+iron",
    "/check",
    "/changes",
    "/about/status-rules",
    "/curate",
    "/curate/queue",
    "/curate/source",
    "/curate/evidence?claim=ccsvi-causes-ms",
    "/curate/claim",
    "/curate/suggest?record=evidence/ccsvi-causes-ms:doepp-2010",
    "/embed/claims/ccsvi-causes-ms?theme=dark",
)
# Statuses of the sentences, in the order of the text.
STATUSES_SHOWN = "marks => marks.map(mark => mark.querySelector(':scope > .tag').textContent)"
SHIFT = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum))));
})"""


def statuses(page: Page) -> list[str]:
    """Return the status of each marked sentence, in the order of the text."""
    shown: list[str] = page.locator("#text mark").evaluate_all(STATUSES_SHOWN)
    assert shown
    return shown


def slide(page: Page, year: int) -> None:
    """Move the slider to a year, as a reader does."""
    page.locator("#year").fill(str(year))


@pytest.mark.parametrize("turn", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_fits_and_axe_finds_nothing(path: str, turn: int, pages: Pages) -> None:
    page = pages.open(viewport=WIDE)
    page.goto(path)
    # Pages share their styles: half of them in one turn and half in the other show all looks.
    for viewport in looks(page, turn + PATHS.index(path)):
        room = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert room[0] <= room[1], viewport
    if path == "/claims/ccsvi-cause-ms":
        # Chromium tells of a 404 on the console.
        assert [fault for fault in pages.faults if "404" not in fault] == []
        pages.faults.clear()


def test_nothing_moves_while_a_page_loads(pages: Pages) -> None:
    for path in ("/", ARTICLE, "/claims/ccsvi-causes-ms"):
        page = pages.open(viewport=WIDE)
        page.goto(path, wait_until="networkidle")
        assert page.evaluate(SHIFT) < 0.05, path


def test_the_first_page_leads_to_an_article_in_2010(browser_page: Page) -> None:
    browser_page.goto("/")
    browser_page.get_by_role("link", name="What was known in 2010").first.click()
    expect(browser_page).to_have_url(re.compile(r"/articles/[^?]+\?as_of=2010$"))
    expect(browser_page.locator("mark.status-contested").first).to_be_visible()


def test_the_slider_shows_what_the_server_tells_without_script(
    pages: Pages, each_site: str
) -> None:
    page = pages.open(origin=each_site)
    page.goto(ARTICLE, wait_until="networkidle")
    today = statuses(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    plain = pages.open(origin=each_site, java_script_enabled=False)
    for year in (2008, 2010, 2015):
        slide(page, year)
        plain.goto(f"{ARTICLE}?as_of={year}")
        then = plain.locator("#text mark > .tag").all_text_contents()
        assert then
        # Without script each tag stands once, in the order in which marks end.
        assert sorted(statuses(page)) == sorted(then), year
        assert page.locator("#text mark > .tag").all_text_contents() == then
        assert then != today
    slide(page, 2100)
    assert statuses(page) == today
    # Chromium asks for the icon of each new address, and has it already.
    assert [address for address in asked if not address.endswith("/mark.svg")] == []


def test_without_script_the_form_of_the_slider_asks_the_server(pages: Pages) -> None:
    page = pages.open(java_script_enabled=False)
    page.goto(ARTICLE)
    expect(page.locator("#play")).to_be_hidden()
    page.get_by_role("link", name="2010", exact=True).click()
    expect(page).to_have_url(re.compile(r"\?as_of=2010$"))
    expect(page.locator("#counts")).to_contain_text("contested")


def test_play_runs_through_the_years(browser_page: Page) -> None:
    browser_page.clock.install()
    browser_page.goto(ARTICLE)
    play, year = browser_page.locator("#play"), browser_page.locator("#year")
    first, last = int(year.get_attribute("min") or 0), int(year.get_attribute("max") or 0)
    play.click()
    expect(play).to_have_text("Pause")
    assert year.input_value() == str(first)
    browser_page.clock.run_for(900 * 2)
    assert year.input_value() == str(first + 2)
    play.click()
    expect(play).to_have_attribute("aria-pressed", "false")
    browser_page.clock.run_for(9000)
    assert year.input_value() == str(first + 2)
    play.click()
    browser_page.clock.run_for(900 * (last - first + 1))
    expect(play).to_have_text("Play")
    assert year.input_value() == str(last)


def test_the_keyboard_is_enough(browser_page: Page) -> None:
    browser_page.goto(ARTICLE)
    browser_page.keyboard.press("Tab")
    expect(browser_page.locator(".skip")).to_be_focused()
    expect(browser_page.locator(".skip")).to_be_in_viewport()
    browser_page.keyboard.press("Enter")
    expect(browser_page.locator("#main")).to_be_focused()
    year = browser_page.locator("#year")
    for _ in range(10):
        browser_page.keyboard.press("Tab")
        if year.evaluate("element => element === document.activeElement"):
            break
    expect(year).to_be_focused()
    before, last = statuses(browser_page), int(year.input_value())
    browser_page.keyboard.press("ArrowLeft")
    assert int(year.input_value()) == last - 1
    browser_page.keyboard.press("Home")
    assert year.input_value() == year.get_attribute("min")
    assert statuses(browser_page) != before
    tag = browser_page.locator("#text mark > .tag").first
    tag.focus()
    browser_page.keyboard.press("Enter")
    expect(browser_page.locator("aside .card.chosen")).to_be_focused()


def test_it_slides_with_the_network_cut(browser_page: Page) -> None:
    browser_page.goto(ARTICLE, wait_until="networkidle")
    today = statuses(browser_page)
    browser_page.context.set_offline(True)
    slide(browser_page, 2010)
    assert statuses(browser_page) != today
    expect(browser_page.locator("#shown-year")).to_have_text("2010")


def rebuilt_text(page: Page) -> tuple[str, list[Any]]:
    """Return a text in which the quotes of the article stand at their places, with the data of the
    page: what is between them is made up.
    """
    data = page.locator("#data").evaluate("element => JSON.parse(element.textContent)")
    quotes = page.locator(".card .quote").all_text_contents()
    placed = [
        (begin, quote[1:-1])
        for (begin, *_), quote in zip(data["places"], quotes, strict=True)
        if begin is not None
    ]
    letters = ["x"] * (max(begin + len(quote) for begin, quote in placed) + 20)
    for begin, quote in placed:
        letters[begin : begin + len(quote)] = quote
    return "".join(letters), placed


def test_a_reader_may_bring_the_whole_text(pages: Pages, tmp_path: Path) -> None:
    page = pages.open()
    page.goto(ARTICLE)
    text, placed = rebuilt_text(page)
    digest = hashlib.sha256(text.encode()).hexdigest()

    def answer(route: Route) -> None:
        """Let the page expect our text: that of the article may not be passed on."""
        ours = f'data-sha256="{digest}"'
        body = re.sub(r'data-sha256="[0-9a-f]{64}"', ours, route.fetch().text())
        route.fulfill(body=body, content_type="text/html")

    page.route(re.compile(re.escape(ARTICLE)), answer)
    page.goto(ARTICLE)
    page.locator("#own-text summary").click()
    other, file = tmp_path / "other.txt", tmp_path / "article.txt"
    other.write_text(f"{text}, and more", "utf-8")
    page.locator("#file").set_input_files(other)
    expect(page.locator("#file-state")).to_contain_text("not the text")
    assert page.locator("#text .whole").count() == 0
    file.write_text(text, "utf-8", newline="\r\n")
    page.locator("#file").set_input_files(file)
    expect(page.locator("#file-state")).to_contain_text("a copy of it is kept")
    page.reload()
    expect(page.locator("#file-state")).to_contain_text("from the copy in this browser")
    whole = page.locator("#text .whole").evaluate(
        """element => {
            const copy = element.cloneNode(true);
            for (const tag of copy.querySelectorAll(".tag")) tag.remove();
            return [copy.textContent, copy.querySelectorAll("mark").length];
        }"""
    )
    assert whole[0] == text
    assert whole[1] >= len(placed)
    slide(page, 2010)
    assert "contested" in statuses(page)


def test_a_badge_of_an_unknown_claim_is_shown(pages: Pages, site: str) -> None:
    page = pages.open("/")
    shown = page.evaluate(
        """address => new Promise(done => {
            const picture = new Image();
            picture.onload = () => done([picture.naturalWidth, picture.naturalHeight]);
            picture.onerror = () => done(null);
            picture.src = address;
        })""",
        f"{site}/v1/claims/no-such-claim/badge.svg",
    )
    assert shown is not None
    assert shown[0] > 60
    assert shown[1] == 20
    assert [fault for fault in pages.faults if "404" not in fault] == []
    pages.faults.clear()


def test_any_page_may_frame_a_card(pages: Pages, site: str) -> None:
    card = f"{site}/embed/claims/ccsvi-causes-ms"

    class TheirPage(BaseHTTPRequestHandler):
        """A page of somebody else, which has a card of ours in it."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            # With an icon of its own, so that no browser asks for one while the server stops.
            icon = '<link rel="icon" href="data:,">'
            self.wfile.write(f'{icon}<iframe src="{card}" title="Card"></iframe>'.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), TheirPage) as theirs:
        threading.Thread(target=theirs.serve_forever).start()
        try:
            origin = f"http://127.0.0.1:{theirs.server_port}"
            page = pages.open("/", origin=origin)
            frame = page.frame_locator("iframe")
            expect(frame.get_by_role("heading")).to_have_text("CCSVI causes MS.")
            expect(frame.locator(".chip")).to_have_text("refuted")
            address = f"{site}/claims/ccsvi-causes-ms"
            expect(frame.get_by_role("link")).to_have_attribute("href", address)
            page.close()
        finally:
            theirs.shutdown()
    # What was asked of us is elsewhere for their page.
    assert [fault for fault in pages.faults if f"asked elsewhere: {site}/" not in fault] == []
    pages.faults.clear()
