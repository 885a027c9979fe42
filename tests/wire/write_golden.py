"""Writes the sample of every word that has none yet: `python -m tests.wire.write_golden`.

A sample is history: it is never written again, whatever becomes of its word.
"""

import json
import sys
from pathlib import Path

from app.composition import open_rooms
from tests.wire.samples import every_word, sample_of

GOLDEN = Path(__file__).parent / "golden"


def write(folder: Path = GOLDEN) -> list[str]:
    """Write what is missing; return the names of the words that got a sample."""
    # A room may declare words of its own.
    open_rooms()
    folder.mkdir(exist_ok=True)
    written = []
    for name, word in sorted(every_word().items()):
        path = folder / f"{name}.json"
        if not path.exists():
            text = json.dumps(sample_of(word), indent=2, sort_keys=True, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
            written.append(name)
    return written


if __name__ == "__main__":
    for new in write():
        sys.stdout.write(f"{new}\n")
