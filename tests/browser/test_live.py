"""The live page moves with what happens, and goes on where a lost connection left it."""

import os
import signal

import requests
from playwright.sync_api import Page, expect

from tests.browser.demo import Demo

SHOWN_MS = 60_000


def test_the_page_moves_and_comes_back_after_the_console_was_killed(page: Page, demo: Demo) -> None:
    """Nobody reloads it: it says that it is cut off, then shows what came meanwhile."""
    state = page.get_by_role("status")
    placed = page.locator("#totals dd").first
    expect(state).to_have_text("live")
    expect(page.locator("#services tbody tr")).not_to_have_count(0)
    before = placed.inner_text()
    expect(placed).not_to_have_text(before, timeout=SHOWN_MS)
    page.evaluate("document.body.dataset.loaded = 'once'")

    os.kill(demo.pids()["console"], signal.SIGKILL)
    expect(state).to_have_text("connection lost, trying again", timeout=SHOWN_MS)
    before = placed.inner_text()
    expect(state).to_have_text("live", timeout=SHOWN_MS)
    expect(placed).not_to_have_text(before, timeout=SHOWN_MS)
    assert "once" == page.evaluate("document.body.dataset.loaded")


def test_a_stream_goes_on_from_the_last_event_that_was_received(demo: Demo) -> None:
    """With its id come changes alone; without one, or with one of another start, a snapshot."""
    event, emitted = first_of(demo, {})
    assert "snapshot" == event
    assert "change" == first_of(demo, {"Last-Event-ID": emitted})[0]
    assert "snapshot" == first_of(demo, {"Last-Event-ID": "another-1"})[0]


def first_of(demo: Demo, headers: dict[str, str]) -> tuple[str, str]:
    """Return the name and id of the first event of a stream."""
    fields: dict[str, str] = {}
    with requests.get(demo.url + "/live", headers=headers, stream=True, timeout=30) as answer:
        for line in answer.iter_lines(decode_unicode=True):
            name, _, value = line.partition(": ")
            if not line and "data" in fields:
                break
            fields[name] = value
    return fields["event"], fields["id"]
