"""Every page, as people find it: by its links, with a keyboard, without anything amiss."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PAGES = ("Live", "Proof")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_found_and_open_to_everybody(page: Page, name: str) -> None:
    """Axe finds nothing; the page says where one is."""
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", level=1).wait_for()
    found = Axe().run(page)

    assert 0 == found.violations_count, found.generate_report()
    assert name == page.locator('nav a[aria-current="page"]').inner_text()
