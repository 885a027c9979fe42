"""From payment to verdict on a real broker: `python -m bench.verdicts [--rate 200]`.

An instance of its own with the fraud service alone is emitted payments at a steady rate, due when
they are due and not when Payflow has time. Measured from the moment a payment was due to the
moment its verdict is read. Beside it, on the same broker in the same run, one hop: emitted and read
again.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.config import Config
from app.fraud.training.broker_evaluation import (
    BrokerEvaluation,
    LabelledPayment,
    broker_evaluation,
)
from app.kafka.admin import client_options
from app.kafka.reader import consumer_options
from app.local.supervisor import Supervisor
from workflows.payment.messages import PaymentCompleted
from workflows.payment.origin import Origin

START_MS = 1_700_000_000_000
CUSTOMERS, TERMINALS = 500, 1_000
HISTORY = 40_000
"""Payments before the measured ones: a customer's row then holds as many as a month has."""
HOPS = 500
HOP_TOPIC = "audit"
PERCENTILES = (50, 95, 99, 99.9)


def story(count: int, first: int = 0) -> list[LabelledPayment]:
    """Return payments `first` to `first + count`, ever the same ones."""
    return [_emitted(number) for number in range(first, first + count)]


def _emitted(number: int) -> LabelledPayment:
    random = Random(number)  # noqa: S311  payments, no secrets
    amount_minor = round(random.lognormvariate(3.6, 0.8) * 100)
    # The history is spread over thirty days, so that every window holds some of it.
    at_ms = START_MS + number * (30 * 86_400_000 // HISTORY)
    paid = PaymentCompleted(
        transaction_id=f"o{number}",
        payment_id=f"p{number}",
        amount_minor=amount_minor,
        goods_minor=amount_minor,
        charges_minor=0,
        currency="EUR",
        customer_id=f"c{random.randrange(CUSTOMERS)}",
        country="France",
        ordered_at_ms=at_ms,
        origin=Origin(terminal_id=f"t{random.randrange(TERMINALS)}"),
    )
    return LabelledPayment(paid=paid)


async def latencies(
    way: BrokerEvaluation, emitted: Sequence[LabelledPayment], rate: float
) -> list[float]:
    """Return the seconds from the moment each of `emitted` was due to its verdict."""
    due = {each.paid.transaction_id: 0.0 for each in emitted}
    seconds: list[float] = []

    async def listen() -> None:
        while len(seconds) < len(emitted):
            received = await way.verdicts()
            seconds.extend(time.monotonic() - due[verdict.order_id] for verdict in received)

    listening = asyncio.create_task(listen())
    began = time.monotonic()
    sending: set[asyncio.Task[None]] = set()
    for at, each in enumerate(emitted):
        due[each.paid.transaction_id] = began + at / rate
        await asyncio.sleep(max(0.0, due[each.paid.transaction_id] - time.monotonic()))
        task = asyncio.create_task(way.publish([each.paid]))
        sending.add(task)
        task.add_done_callback(sending.discard)
    await asyncio.wait_for(listening, 60)
    return seconds


async def hops(config: Config, count: int) -> list[float]:
    """Return the seconds from emitting a record to reading it, one at a time."""
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **client_options(config))
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **consumer_options(config))
    await asyncio.gather(producer.start(), consumer.start())
    place = TopicPartition(HOP_TOPIC, 0)
    consumer.assign([place])
    await consumer.seek_to_end(place)
    seconds: list[float] = []
    for _ in range(count):
        began = time.monotonic()
        await producer.send_and_wait(HOP_TOPIC, b"", partition=0)
        await consumer.getone()
        seconds.append(time.monotonic() - began)
    await producer.stop()
    await consumer.stop()
    return seconds


async def measure(folder: Path, rate: float, seconds: float) -> dict[str, dict[str, float]]:
    """Return percentiles in milliseconds, of verdicts and of single hops."""
    own = Config(data_dir=str(folder), broker_port=0, console_port=0)
    async with (
        Supervisor(own, _say, ("fraud",)).up() as instance,
        broker_evaluation(instance.config) as way,
    ):
        began = time.monotonic()
        async for _ in way.judge(story(HISTORY)):
            pass
        _say(f"as fast as it goes: {HISTORY / (time.monotonic() - began):.0f} payments/s")
        idle = await hops(instance.config, HOPS)
        emitted = story(round(rate * seconds), HISTORY)
        busy = await latencies(way, emitted, rate)
    return {"hop": _shares(idle), "verdict": _shares(busy)}


def _shares(seconds: Sequence[float]) -> dict[str, float]:
    return {f"p{each:g}": float(np.percentile(seconds, each)) * 1_000 for each in PERCENTILES}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.verdicts", description=__doc__)
    parser.add_argument("--rate", type=float, default=200.0, help="payments a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    record = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="payflow-bench-") as folder:
        percentiles = asyncio.run(measure(Path(folder), record.rate, record.seconds))
    ratio = percentiles["verdict"]["p99"] / percentiles["hop"]["p99"]
    print(msgspec.json.encode({**percentiles, "p99_in_hops": round(ratio, 1)}).decode())


if __name__ == "__main__":
    main()
