"""Every page, as people find it: by its links, without anything amiss; its picture for the docs."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.appearance import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.browser.demo import Demo, wait_for

PAGES = (
    "Live",
    "Transactions",
    "Topics",
    "Tables",
    "Dead letters",
    "Fraud",
    "Cases",
    "Invariants",
    "Inbox",
    "Flow",
    "Faults",
)
NAVIGATION = 'nav[aria-label="Pages"]'
LINKS_EACH = 4
"""Links that are followed from each page."""
PICTURES = os.environ.get("PICTURES", "")
"""A folder: pictures of the pages are put there."""


def go(page: Page, name: str) -> None:
    page.locator(NAVIGATION).get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", level=1).wait_for()


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.set_viewport_size({"width": 1280, "height": 1400})
        page.screenshot(path=Path(PICTURES) / f"{name.lower().replace(' ', '-')}.png")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_and_what_it_leads_to_are_open_to_everybody(
    page: Page, demo: Demo, name: str
) -> None:
    """Axe finds nothing; the head says where one is; no link leads nowhere."""
    wait_for(lambda: demo.ask("/figures")["totals"].get("completed"), "an order has ended")
    go(page, name)
    picture(page, name)
    assert_accessible(page)
    assert name == page.locator(f'{NAVIGATION} a[aria-current="page"]').inner_text()

    links = page.locator('main a[href^="/console/"]').evaluate_all(
        "links => links.map((link) => link.href)"
    )
    for link in sorted(set(links), key=lambda link: (len(link.split("/")), link))[:LINKS_EACH]:
        answer = page.goto(link)
        assert answer is not None
        assert answer.ok, link
        assert_accessible(page)


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_whole_words(page: Page, demo: Demo, name: str) -> None:
    """A wide table scrolls by itself: no column is a character wide, and the page does not move."""
    wait_for(lambda: demo.ask("/figures")["totals"].get("completed"), "an order has ended")
    page.set_viewport_size(PHONE)
    go(page, name)
    if name == "Tables":
        page.locator("main a[href^='/console/tables/']").filter(has_text="stock").first.click()
        page.get_by_role("heading", level=1).wait_for()
    page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true })")

    assert_fits(page)


def test_no_page_asks_another_host(page: Page, demo: Demo) -> None:
    """Everything that is loaded comes from the console."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    for name in PAGES:
        go(page, name)

    assert [] == [url for url in urls if not url.startswith((demo.url, "data:"))]


def test_a_transaction_has_its_picture(page: Page, demo: Demo) -> None:
    """The latest that was completed."""
    go(page, "Transactions")
    page.get_by_role("row").filter(has_text="completed").first.get_by_role("link").click()
    page.get_by_role("img", name="Waterfall of").wait_for()
    picture(page, "transaction")

    assert demo.url in page.url
    assert_accessible(page)


def test_the_document_of_the_api_can_be_read_by_everybody(page: Page, demo: Demo) -> None:
    """The vendored viewer holds what our own pages hold, in a wide window and on a phone."""
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        page.goto(f"{demo.url}/docs")
        page.locator(".opblock").first.wait_for()

        assert_accessible(page)
        assert_fits(page)

    page.locator("#operations-tag-orders").wait_for()
