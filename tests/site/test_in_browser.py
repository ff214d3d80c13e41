"""The pages as a browser shows them."""

import re

from playwright.sync_api import Page, expect


def test_the_first_page_leads_to_an_article_in_2010(browser_page: Page) -> None:
    browser_page.goto("/")
    browser_page.get_by_role("link", name="What was known in 2010").first.click()
    expect(browser_page).to_have_url(re.compile(r"/articles/[^?]+\?as_of=2010$"))
    expect(browser_page.get_by_role("heading", level=1)).to_have_count(1)
    expect(browser_page.locator("mark.status-contested").first).to_be_visible()
