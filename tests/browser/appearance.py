"""What every page has to hold: no word is broken, nothing moves sideways, axe finds nothing."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
BROKEN_TEXTS = """() => {
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, place = text.parentElement.closest("td, th, dd, dt, button");
    if (!place || !place.offsetParent || text.parentElement.closest("code")) continue;
    for (const word of text.data.matchAll(/[^\\s-]+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
      if (word[0].length / lines.size < 8 && lines.size > 1) found.push(word[0]);
    }
  }
  return found;
}"""
"""The words in tables, JSON apart, that go over several lines of fewer than 8 characters."""

WIDE = """() => [...document.querySelectorAll("main *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth && !each.closest(".scroll"))
  .slice(0, 5).map((each) => each.outerHTML.slice(0, 200))"""
"""The elements that stand out of the window, outside of what scrolls by itself."""


def assert_accessible(page: Page) -> None:
    """Axe finds no violation."""
    report = Axe().run(page)
    assert 0 == report.violations_count, f"{page.url}\n{report.generate_report()}"


def assert_fits(page: Page) -> None:
    """Words are whole, and the page is as wide as its window."""
    window = page.viewport_size
    assert window is not None
    # A page that has just been asked for is laid out without its style for a moment.
    page.wait_for_load_state("load")
    assert [] == page.evaluate(BROKEN_TEXTS)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= window["width"], page.evaluate(WIDE)
