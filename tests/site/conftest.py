"""What tests of the pages share: servers that listen, and a browser.

Playwright keeps an event loop in the thread of the tests as long as the browser runs, so no test of
this folder may call `asyncio.run`; the browser is closed before those of another folder begin.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.databases import Store, Templates, store_of
from tests.drills.serving import serving
from tests.site.browser import Pages, chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Give a browser; each process of tests runs one."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def site(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server on the seed content, on SQLite, which no test writes."""
    for store in store_of(templates, "sqlite", seeded=True):
        with serving(store.url, tmp_path_factory.mktemp("site")) as server:
            yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="session")
def each_site(shared: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server on the seed content, on each database in turn."""
    with serving(shared.url, tmp_path_factory.mktemp("site")) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def own_site(seeded: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server on the test's own database (`seeded`), which it may write."""
    with serving(seeded.url, tmp_path_factory.mktemp("site")) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def pages(browser: Browser, site: str) -> Iterator[Pages]:
    """Give new pages of a browser on `site`. The test fails if a script fails, if the console tells
    of an error, if a request fails, or if anything is asked of another server.
    """
    pages = Pages(browser, site)
    yield pages
    pages.close()
    assert pages.faults == []


@pytest.fixture
def browser_page(pages: Pages) -> Page:
    """Give one page, which is not at any address yet: `browser_page.goto("/")`."""
    return pages.open()
