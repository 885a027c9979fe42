"""Writes the sample of every message that has none yet: `python -m tests.wire.write_golden`.

A sample is history: it is never written again, whatever becomes of its message.
"""

import json
import sys
from pathlib import Path

from app.registry import load_agents
from tests.support.samples import every_message, sample_of

GOLDEN = Path(__file__).parent / "golden"


def write(folder: Path = GOLDEN) -> list[str]:
    """Write what is missing; return the names of the messages that got a sample."""
    # An agent may declare messages of its own.
    load_agents()
    folder.mkdir(exist_ok=True)
    written = []
    for name, message in sorted(every_message().items()):
        path = folder / f"{name}.json"
        if not path.exists():
            text = json.dumps(sample_of(message), indent=2, sort_keys=True, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
            written.append(name)
    return written


if __name__ == "__main__":
    for new in write():
        sys.stdout.write(f"{new}\n")
