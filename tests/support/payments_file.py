"""Seven weeks of payments on file, with frauds that can be found."""

from pathlib import Path

import numpy as np

DAYS = 49
A_DAY = 150
EPOCH_MS = 1_522_540_800_000
HEADER = "transaction_id,t,customer_id,terminal_id,amount_cents,fraud,scenario\n"


def plant(path: Path) -> Path:
    """Write them to `path`; fraud is what is above 220.00, and all at two terminals."""
    draw = np.random.default_rng(3)
    count = DAYS * A_DAY
    t = np.sort(draw.integers(0, DAYS * 86_400, count))
    terminal = draw.integers(0, 60, count)
    amount = draw.integers(100, 20_000, count)
    amount[draw.random(count) < 0.01] = 30_000
    fraud = ((amount > 22_000) | (terminal < 2)).astype(int)
    columns = [np.arange(count), t, draw.integers(0, 200, count), terminal, amount, fraud, fraud]
    rows = "\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True))
    path.write_text(HEADER + rows + "\n")
    return path
