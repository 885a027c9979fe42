"""The figures of payments on file, one payment at a time, by the functions of the stream."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from app.fraud.training.data import Floats, Integers, Payments
from workflows.fraud import risk
from workflows.fraud.entity import DAY_MS
from workflows.fraud.entity_messages import CheckEntity, EntityAnswered, Kind, LabelEntity
from workflows.fraud.features import FEATURES, HANDBOOK, of_payment, vector

LABEL_MS = 7 * DAY_MS
"""How long after the payment a fraud becomes known."""
STEP = 20_000
COLUMNS = (
    "TX_AMOUNT",
    "TX_DURING_WEEKEND",
    "TX_DURING_NIGHT",
    *(
        f"CUSTOMER_ID_{what}_{days}DAY_WINDOW"
        for days in (1, 7, 30)
        for what in ("NB_TX", "AVG_AMOUNT")
    ),
    *(f"TERMINAL_ID_{what}_{days}DAY_WINDOW" for days in (1, 7, 30) for what in ("NB_TX", "RISK")),
)
"""What the Fraud Detection Handbook calls the figures of HANDBOOK, in the same order."""


class Counter:
    """Takes payments in the order of time; frauds become known a week later."""

    def __init__(self, epoch_ms: int) -> None:
        self._epoch_ms = epoch_ms
        self._entities: dict[str, risk.Entity] = {}

    def figures(  # noqa: PLR0913  a payment has these
        self, order_id: str, t: int, customer: int, terminal: int, amount: int, *, fraud: bool
    ) -> dict[str, float]:
        """Return the figures of one payment, `t` seconds after the epoch, which counts from now."""
        at_ms = self._epoch_ms + t * 1_000
        figures = of_payment(at_ms, amount)
        entities: tuple[tuple[Kind, int], ...] = (("customer", customer), ("terminal", terminal))
        for kind, name in entities:
            key = f"{kind}:{name}"
            check = CheckEntity(
                transaction_id=order_id, entity=key, kind=kind, amount_minor=amount, at_ms=at_ms
            )
            entity = self._entities.get(key, risk.INITIAL)
            (answer,) = risk.decide(entity, check, at_ms)
            assert isinstance(answer, EntityAnswered), "a check is answered"
            figures |= answer.figures
            entity = risk.evolve(entity, check, at_ms)
            if fraud:
                label = LabelEntity(
                    transaction_id=order_id,
                    entity=key,
                    kind=kind,
                    fraud=True,
                    at_ms=at_ms + LABEL_MS,
                )
                entity = risk.evolve(entity, label, at_ms)
            self._entities[key] = entity
        return figures


def matrix(payments: Payments, epoch_ms: int, say: Callable[[str], None]) -> Floats:
    """Return an array (payments, FEATURES); `say` is called with the progress."""
    counter = Counter(epoch_ms)
    features = np.empty((len(payments), len(FEATURES)))
    columns = (
        payments.transaction_id, payments.t, payments.customer_id, payments.terminal_id,
        payments.amount_cents, payments.fraud,
    )  # fmt: skip
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for at, (name, t, customer, terminal, amount, fraud) in enumerate(rows):
        figures = counter.figures(str(name), t, customer, terminal, amount, fraud=bool(fraud))
        features[at] = vector(figures)
        if at % STEP == 0:
            say(f"figures: {at} of {len(payments)} payments")
    return features


def write_handbook(path: Path, payments: Payments, figures: Floats) -> None:
    """Write the fifteen figures by the handbook's names, CSV or Parquet by the name of `path`."""
    columns: dict[str, Integers | Floats] = {"TRANSACTION_ID": payments.transaction_id}
    for name, ours in zip(COLUMNS, HANDBOOK, strict=True):
        columns[name] = figures[:, FEATURES.index(ours)]
    table = pa.table(columns)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        csv.write_csv(table, path)
