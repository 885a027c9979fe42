"""Many who look do not hold up a stop. Last of all: the demo is a new one, and is stopped."""

import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.demo import running

TABS = 20
STOP_SECONDS_MAX = 5.0


@pytest.mark.timeout(300)
def test_a_house_stops_at_once_with_twenty_tabs_open(browser: Browser, tmp_path: Path) -> None:
    """All of them live, with their streams open."""
    with running(tmp_path) as demo:
        contexts = [browser.new_context() for _ in range(TABS)]
        for context in contexts:
            context.new_page().goto(demo.url)
        time.sleep(2)
        began = time.monotonic()
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(30)
        seconds = time.monotonic() - began
        for context in contexts:
            context.close()

    assert seconds < STOP_SECONDS_MAX, (tmp_path / "demo.log").read_text()[-2000:]
