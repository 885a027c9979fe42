"""Many who look do not hold up a stop. Last of all: the demo is a new one, and is stopped.

How many seconds that takes is measured by `bench/stop.py`.
"""

import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.demo import running

TABS = 20


@pytest.mark.timeout(900)
def test_an_instance_stops_by_itself_with_twenty_tabs_open(
    browser: Browser, tmp_path: Path
) -> None:
    """All of them live, with their streams open: the console waits for none, and is not killed."""
    with running(tmp_path) as demo:
        contexts = [browser.new_context() for _ in range(TABS)]
        for context in contexts:
            context.new_page().goto(demo.url)
        time.sleep(2)
        demo.process.send_signal(signal.SIGINT)
        demo.process.wait(120)
        for context in contexts:
            context.close()

    assert "console did not stop" not in (tmp_path / "demo.log").read_text()
    assert not (demo.folder / "demo" / "up.json").exists()
