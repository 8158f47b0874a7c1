"""The board in a real browser: Chromium on an empty profile, a page that collects what must not happen (CSP reports, script errors)."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

STATIC = Path(__file__).parents[2] / "gateway" / "static"
WIDE, LAPTOP = (1920, 1080), (1366, 768)
DEADLINE_MS = 15_000
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--font-render-hinting=none",
)
CSP_LISTENER = """
window.cspReports = [];
document.addEventListener("securitypolicyviolation", (e) => window.cspReports.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`));
"""


def chromium_path() -> str | None:
    """The machine's Chromium: NADI_CHROMIUM, or what is on the path."""
    named = os.environ.get("NADI_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium that ends with the block. Skips, saying why, where there is none (with NADI_REQUIRE=1 that is a failure)."""
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium on the path; install it or set NADI_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Board:
    """One screen: a page of its own profile, looking at a gateway."""

    def __init__(self, browser: Browser, http: str, size: tuple[int, int] = WIDE, **options: Any) -> None:
        settings: dict[str, Any] = {"locale": "en-GB", "timezone_id": "UTC", "color_scheme": "light"} | options
        self.context: BrowserContext = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
        self.context.set_default_timeout(DEADLINE_MS)
        self.context.add_init_script(CSP_LISTENER)
        self.page: Page = self.context.new_page()
        self.http = http
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "WebSocket connection" not in message.text and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def open(self, token: str | None = None, address: str = "/") -> Board:
        """Opens the page; with a token already signed in, as after a reload."""
        if token is not None:
            self.context.add_init_script(f"if (!sessionStorage.getItem('out')) sessionStorage.setItem('nadi.token', {token!r})")
        self.page.goto(self.http + address)
        return self

    def live(self) -> Board:
        """Waits until the board shows live values."""
        try:
            self.page.wait_for_selector('nadi-app[data-link="live"] .beds[data-known]')
        except PlaywrightError as error:
            told = self.page.evaluate("document.querySelector('nadi-app')?.dataset.link")
            raise AssertionError(f"the board is {told}, not live: {self.errors} {self.page.evaluate('window.cspReports')}") from error
        return self

    def link(self, name: str) -> None:
        """Waits for a connection state."""
        self.page.wait_for_selector(f'nadi-app[data-link="{name}"]', state="attached")

    def tile(self, bed: str) -> Any:
        """The tile of a bed."""
        return self.page.locator(f'nadi-tile:has(.tile[href="#bed-{bed}"])')

    def cell(self, bed: str, code: str) -> Any:
        """One vital in a tile."""
        return self.tile(bed).locator(f'[data-cell="{code}"]')

    def card(self, alert: str) -> Any:
        """A card of the rail."""
        return self.page.locator(f'.card[data-alert="{alert}"]')

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits for something that only Python can see, while the page goes on."""
        end = time.monotonic() + DEADLINE_MS / 1000
        while not condition():
            assert time.monotonic() < end, f"{what} did not come"
            self.page.wait_for_timeout(20)

    def run(self, code: str, argument: Any = None) -> Any:
        """Evaluates a function body that may import the board's modules: `const { fold } = await load("fold")`."""
        wrapped = "async (argument) => { const load = (name) => import(`/static/js/${name}.js`); " + code + " }"
        return self.page.evaluate(wrapped, argument)

    def check(self) -> None:
        """Nothing was blocked by the policy, nothing failed in a script."""
        assert self.page.evaluate("window.cspReports") == []
        assert self.errors == []

    def close(self) -> None:
        self.context.close()
