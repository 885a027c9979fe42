"""One demo and one Chromium for all tests in a browser; each test has a page of its own.

Both end with the last of them: while a Playwright runs, no other test can run a loop of its own.
"""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.demo import OPERATOR, Demo, running

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
WINDOW = {"width": 1280, "height": 900}


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that runs until the last test has ended."""
    with running(tmp_path_factory.mktemp("browser")) as demo:
        yield demo


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium: no browser is ever downloaded."""
    executable = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if executable is None:
        pytest.skip("no Chromium here, so no page was tested. On Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that a container's root has not.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor who has been nowhere yet."""
    with browser.new_context(viewport=WINDOW, reduced_motion="reduce") as context:
        yield context


@pytest.fixture
def page(context: BrowserContext, demo: Demo) -> Iterator[Page]:
    """A page at the console; whatever goes wrong in it fails the test."""
    context.set_default_timeout(20_000)
    troubles: list[str] = []
    context.on("weberror", lambda error: troubles.append(str(error.error)))
    context.on("console", lambda message: _keep(message, troubles))
    page = context.new_page()
    page.goto(demo.url)
    yield page
    assert [] == troubles


def _keep(message: Any, troubles: list[str]) -> None:
    refused = "Content Security Policy" in message.text
    if refused or (message.type == "error" and "Failed to load resource" not in message.text):
        troubles.append(message.text)


@pytest.fixture
def sign_in(demo: Demo) -> Callable[[Page], None]:
    """Sign a visitor in as an approver, as people do it."""

    def action(page: Page) -> None:
        page.get_by_role("link", name="Sign in").click()
        page.get_by_label("Name").fill(OPERATOR)
        page.get_by_label("Token").fill(demo.token)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text(f"{OPERATOR}, approver").wait_for()

    return action
