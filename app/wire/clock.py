"""The one wall clock of all processes."""

import time


def now_ms() -> int:
    """Return the wall clock, in milliseconds."""
    return time.time_ns() // 1_000_000
