"""Many who look do not hold up a stop. Last of all, since it ends the demo of the other tests.

A second demo beside the first would have the machine stop nothing in time. How many seconds a stop
takes is measured by `bench/stop.py`.
"""

import signal
import time

import pytest
from playwright.sync_api import Browser

from tests.browser.demo import Demo

TABS = 20


@pytest.mark.timeout(900)
def test_an_instance_stops_by_itself_with_twenty_tabs_open(browser: Browser, demo: Demo) -> None:
    """All of them live, with their streams open: the console waits for none, and is not killed."""
    contexts = [browser.new_context() for _ in range(TABS)]
    for context in contexts:
        context.new_page().goto(demo.url)
    time.sleep(2)
    demo.process.send_signal(signal.SIGINT)
    demo.process.wait(120)
    for context in contexts:
        context.close()

    assert "console did not stop" not in (demo.folder / "demo.log").read_text()
    assert not (demo.folder / "demo" / "up.json").exists()
