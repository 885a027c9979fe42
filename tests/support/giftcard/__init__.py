"""A second workflow in a folder of its own, for processes with PAYFLOW_EXTENSIONS=`FOLDER`.

What is declared cannot be undone, so tests of it run in processes of their own.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
