"""Looking around in a real browser: suggestions by keyboard and pointer, and without script."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.site.browser import NARROW, WIDE, Pages, looks

PATHS = (
    "/claims?topic=ccsvi&direction=disputes",
    "/evidence?study_design=randomised_trial,sham_controlled_trial",
    "/search?q=iron",
    "/sources/cochrane-2019",
    "/topics/iron",
    "/topics/iron/matrix",
    "/changes?topic=iron",
    "/about/status-rules",
)


@pytest.mark.slow
@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(path: str, turn: int, pages: Pages) -> None:
    page = pages.open(viewport=WIDE)
    page.goto(path)
    assert list(looks(page, turn)) == [WIDE, NARROW]


def test_pages_fit_on_a_telephone(browser_page: Page) -> None:
    browser_page.set_viewport_size(NARROW)
    for path in PATHS:
        browser_page.goto(path)
        assert browser_page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def typed(page: Page, text: str) -> None:
    """Type into the search of a page, and wait for what it suggests."""
    page.goto("/about/status-rules")
    page.get_by_role("combobox", name="Search").press_sequentially(text)
    expect(page.get_by_role("option").first).to_be_visible()


def test_a_suggestion_is_taken_by_keyboard(browser_page: Page) -> None:
    typed(browser_page, "iron")
    search = browser_page.get_by_role("combobox", name="Search")
    expect(search).to_have_attribute("aria-expanded", "true")
    search.press("ArrowDown")
    chosen = browser_page.locator("[role=option][aria-selected=true]")
    expect(chosen).to_have_count(1)
    expect(search).to_have_attribute("aria-activedescendant", str(chosen.get_attribute("id")))
    search.press("Enter")
    expect(browser_page).to_have_url(re.compile("/topics/iron$"))


@pytest.mark.slow
def test_axe_finds_nothing_in_suggestions(browser_page: Page) -> None:
    typed(browser_page, "iron")
    browser_page.get_by_role("combobox", name="Search").press("ArrowDown")
    assert Axe().run(browser_page).response["violations"] == []


def test_what_was_typed_is_searched_for_where_no_suggestion_is_taken(browser_page: Page) -> None:
    typed(browser_page, "ven")
    search = browser_page.get_by_role("combobox", name="Search")
    search.press("Escape")
    expect(browser_page.locator("#suggestions")).to_be_hidden()
    expect(search).to_have_value("ven")
    search.press("Enter")
    expect(browser_page).to_have_url(re.compile(r"/search\?q=ven$"))


def test_a_suggestion_is_taken_by_pointer(browser_page: Page) -> None:
    typed(browser_page, "iron")
    browser_page.get_by_role("option").first.click()
    expect(browser_page).to_have_url(re.compile("/topics/iron$"))


def test_a_page_that_is_opened_again_keeps_its_colours(browser_page: Page) -> None:
    for _ in range(2):
        browser_page.goto("/about/status-rules")
        chip = browser_page.locator(".status-refuted").first
        expect(chip).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")


def test_search_needs_no_script(pages: Pages) -> None:
    page = pages.open("/changes", java_script_enabled=False)
    page.get_by_label("Search", exact=True).fill("iron")
    page.get_by_label("Search", exact=True).press("Enter")
    expect(page.locator("h1")).to_have_text("Found for “iron”")


@pytest.mark.parametrize("with_script", [True, False])
def test_a_pasted_text_is_marked(with_script: bool, pages: Pages) -> None:
    page = pages.open(viewport=NARROW, java_script_enabled=with_script)
    page.goto("/check")
    page.get_by_label("Text, at most").fill("CCSVI does not cause MS. The weather is fine.")
    page.get_by_label("As of").fill("2010")
    page.get_by_role("button", name="Check").click()
    marked = page.locator(".checked mark")
    expect(marked).to_have_text("CCSVI does not cause MS.")
    expect(marked).to_have_class(re.compile("status-contested"))
    expect(page.get_by_text("Read closely").first).to_be_visible()
    expect(page.get_by_label("Text, at most")).to_have_value(re.compile("weather"))
    assert "weather" not in page.url
    if with_script:
        for _ in looks(page):
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
