"""A second workflow gets all of the platform, without an edit of it."""

import os
import subprocess
import sys

from tests.support.giftcard import FOLDER
from tests.support.source import ROOT


def test_the_platform_serves_a_second_workflow_as_it_serves_the_first():
    """tests/support/giftcard is declared in a process of its own, since that cannot be undone."""
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/giftcard"],
        cwd=ROOT,
        # In a terminal in which no line is broken.
        env=os.environ | {"COLUMNS": "200", "PAYFLOW_EXTENSIONS": str(FOLDER)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == answer.returncode, answer.stdout + answer.stderr
