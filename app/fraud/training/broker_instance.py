"""Evaluation through a real broker: the fraud service judges the file, payment by payment.

The models of all folds are in its folder, each in force from its test on. Every feature and every
score is compared with the one computed offline, bit by bit.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import numpy as np
from msgspec.structs import replace

from app.config import Config
from app.fraud.training.broker_evaluation import (
    BrokerEvaluation,
    LabelledPayment,
    ReadBasis,
    broker_evaluation,
)
from app.fraud.training.data import Floats, Integers, Payments
from app.fraud.training.evaluation import Models, Through
from app.fraud.training.features import LABEL_MS
from app.local.instance_folder import worker_url
from app.local.supervisor import Supervisor, worker_command
from workflows.fraud.features import vector
from workflows.payment.messages import PaymentCompleted
from workflows.payment.origin import Origin
from workflows.shared.reference_rates import REFERENCE

DAYS_AT_ONCE = 3
"""Labels are emitted after so many days of payments: long before the week in which none is known.
"""
READY_SECONDS_MAX = 60.0

Say = Callable[[str], None]


def through_broker(  # noqa: PLR0913  what is judged, by what, and how
    payments: Payments,
    figures: Floats,
    models: Models,
    epoch_ms: int,
    workers: int,
    say: Say,
) -> Through:
    """Return what an instance of its own, with `workers` of the fraud service, says of `payments`.

    `figures` (payments, FEATURES) were made offline. Judges no more days than `models` test.
    """
    days = (max(valid_from_ms for valid_from_ms, _ in models) - epoch_ms) // 86_400_000 + 7
    with tempfile.TemporaryDirectory(prefix="payflow-evaluate-") as folder:
        models_folder = Path(folder) / "models"
        models_folder.mkdir()
        for _, model in models:
            (models_folder / f"{model.valid_from_ms}.json").write_bytes(msgspec.json.encode(model))
        own = Config(
            data_dir=folder,
            broker_port=0,
            console_port=0,
            fraud_models=str(models_folder),
            log_level="error",
        )
        return asyncio.run(_judged(own, payments, figures, epoch_ms, days, workers, say))


async def _judged(  # noqa: PLR0913  where, what, how
    own: Config,
    payments: Payments,
    figures: Floats,
    epoch_ms: int,
    days: int,
    workers: int,
    say: Say,
) -> Through:
    scores = np.full(len(payments), np.nan)
    differ = done = 0
    async with (
        Supervisor(own, say, ("fraud",)).up() as instance,
        _more_workers(instance, workers - 1),
        broker_evaluation(instance.config) as way,
    ):
        began = time.monotonic()
        total = int((payments.day < days).sum())
        for first in range(0, days, DAYS_AT_ONCE):
            rows = np.flatnonzero(
                (payments.day >= first) & (payments.day < min(first + DAYS_AT_ONCE, days))
            )
            async for row, judged in _chunk(way, payments, rows, epoch_ms):
                differ += vector(judged.snapshot) != figures[row].tolist()
                if judged.model_score is not None:
                    scores[row] = judged.model_score
            done += len(rows)
            rate = done / (time.monotonic() - began)
            left = (total - done) / rate / 60
            say(f"{done} of {total} judged, {rate:.0f} per second, {left:.0f} min left")
        seconds = time.monotonic() - began
    return Through(scores=scores, payments=done, figures_differ=differ, seconds=seconds)


async def _chunk(
    way: BrokerEvaluation, payments: Payments, rows: Integers, epoch_ms: int
) -> AsyncIterator[tuple[int, ReadBasis]]:
    emitted = [_emitted(payments, row, epoch_ms) for row in rows.tolist()]
    async for at, judged in way.judge(emitted):
        yield int(rows[at]), judged


def _emitted(payments: Payments, row: int, epoch_ms: int) -> LabelledPayment:
    name = str(payments.transaction_id[row])
    amount_minor = int(payments.amount_cents[row])
    at_ms = epoch_ms + int(payments.t[row]) * 1_000
    paid = PaymentCompleted(
        transaction_id=name,
        payment_id=name,
        amount_minor=amount_minor,
        goods_minor=amount_minor,
        charges_minor=0,
        # The files have neither: their amounts count as those of the reference currency.
        currency=REFERENCE,
        country="unknown",
        customer_id=str(payments.customer_id[row]),
        ordered_at_ms=at_ms,
        origin=Origin(terminal_id=str(payments.terminal_id[row])),
    )
    return LabelledPayment(paid=paid, fraud=bool(payments.fraud[row]), known_at_ms=at_ms + LABEL_MS)


@asynccontextmanager
async def _more_workers(instance: Supervisor, count: int) -> AsyncIterator[None]:
    """Start `count` more workers of the fraud service, each with a folder of its own."""
    for number in range(count):
        folder = str(instance.config.data_path / f"worker-{number + 2}")
        config = replace(instance.config, service="fraud", data_dir=folder)
        child = instance.add(f"fraud-{number + 2}", worker_command(), config)
        await _until_ready(config, child.pid)
    yield


async def _until_ready(config: Config, pid: int) -> None:
    async with asyncio.timeout(READY_SECONDS_MAX), aiohttp.ClientSession() as session:
        while not (url := worker_url(config, "fraud", pid)):  # noqa: ASYNC110  a file, no event
            await asyncio.sleep(0.2)
        while True:
            async with session.get(f"{url}/readyz") as response:
                if response.ok:
                    return
            await asyncio.sleep(0.2)
