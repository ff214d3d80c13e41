"""/docs as people try it out: with a key, in a browser, each request as the page shows it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from models.access import api_keys
from tests.databases import Store
from tests.site.browser import MILLISECONDS, Pages

expect.set_options(timeout=MILLISECONDS)


@pytest.fixture
def reference(browser: Browser, own_site: str, seeded: Store) -> Iterator[Page]:
    """Give /docs of a server of its own, with a curator's key."""
    with seeded.database.write() as connection:
        key = api_keys.create_key(connection, api_keys.KeyIn(name="ada", role="curator"))[1]
    pages = Pages(browser, own_site)
    page = pages.open("/docs")
    page.locator("button.authorize").click()
    page.locator(".auth-container input").fill(key)
    page.locator(".auth-btn-wrapper button[type=submit]").click()
    page.locator(".btn-done").click()
    yield page
    pages.close()
    assert pages.faults == []


def try_out(page: Page, operation: str, status: str, told: str) -> None:
    """Send a request as the page shows it, and expect the status and some text in the answer."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    block.locator(".try-out__btn").click()
    block.locator(".execute").click()
    answer = block.locator(".live-responses-table tr.response")
    expect(answer.locator(".response-col_status").first).to_have_text(re.compile(status))
    expect(answer).to_contain_text(told)


# What the page sends does not depend on the database, and other tests hold each example.
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_write_is_tried_out_as_it_stands(reference: Page) -> None:
    # Of all writes it has the most: a parameter of the address, a header, a body of JSON.
    try_out(reference, "curating-change_claim", "200", '"action": "update"')


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_reads_and_other_writes_are_tried_out_as_they_stand(reference: Page) -> None:
    try_out(reference, "claims-list_claims", "200", '"data"')
    try_out(reference, "curating-create_evidence", "201", '"doe-2026"')
    # A body of text.
    try_out(reference, "curating-replace_source_text", "200", '"licence"')
