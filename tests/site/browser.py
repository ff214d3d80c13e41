"""A real browser for tests of pages: Debian's Chromium, driven by Playwright.

It sees what no test by HTTP does: scripts, the policy of contents, what is drawn, the keyboard.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    sync_playwright,
)

# It asks nothing of the internet by itself, and needs neither a screen nor rights of its own.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What a page may take without asking anybody.
INLINE = ("data:", "blob:")
# A page that is not there by then is a fault; a busy machine needs far less.
MILLISECONDS = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium, or skip the test where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: make test-programs")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


WIDE: ViewportSize = {"width": 1280, "height": 900}
NARROW: ViewportSize = {"width": 320, "height": 640}


# All ways in which people look at a page, as two turns: either has each width and each colours.
Look = tuple[ViewportSize, Literal["light", "dark"]]
TURNS: tuple[tuple[Look, ...], ...] = (
    ((WIDE, "light"), (NARROW, "dark")),
    ((WIDE, "dark"), (NARROW, "light")),
)


def looks(page: Page, turn: int = 0) -> Iterator[ViewportSize]:
    """Yield the widths of a page in the looks of a turn, each once the page is shown so and axe has
    found nothing.
    """
    for viewport, scheme in TURNS[turn % len(TURNS)]:
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        told = [(each["id"], [node["target"] for node in each["nodes"]]) for each in found]
        assert told == [], (viewport, scheme)
        yield viewport


@dataclass
class Pages:
    """Pages of one test, each with cookies and a store of its own; whatever goes wrong on one of
    them is kept.
    """

    browser: Browser
    origin: str
    faults: list[str] = field(default_factory=list)

    def open(self, path: str | None = None, *, origin: str | None = None, **options: Any) -> Page:
        """Return a new page, at a path of the site if one is given. The options are those of
        Playwright's `new_context`.
        """
        origin = origin or self.origin
        context = self.browser.new_context(base_url=origin, **options)
        context.set_default_timeout(MILLISECONDS)
        page = context.new_page()

        def on_console(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.faults.append(f"console: {message.text}")

        def on_request(request: Request) -> None:
            if not request.url.startswith((f"{origin}/", *INLINE)):
                self.faults.append(f"asked elsewhere: {request.url}")

        def on_failure(request: Request) -> None:
            # A browser drops what it was fetching where a test leaves the page or closes it.
            if request.failure != "net::ERR_ABORTED":
                self.faults.append(f"failed: {request.url} ({request.failure})")

        page.on("console", on_console)
        page.on("request", on_request)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("requestfailed", on_failure)
        if path is not None:
            page.goto(path)
        return page

    def close(self) -> None:
        """Close all of them."""
        for context in self.browser.contexts:
            context.close()
