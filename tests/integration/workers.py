"""Workers of test agents as processes: started, fed, looked at."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.config import Config
from tests.delivery.agents import cancel
from workflows.order.messages import OrderCancelRequested

ROOT = Path(__file__).parents[2]
STOP_SECONDS_MAX = 5.0
"""What a clean stop may take."""


def start(config: Config, name: str, log: Path, **settings: object) -> subprocess.Popen[bytes]:
    """Start a worker of `tests.integration.<name>`; what it says is appended to `log`."""
    record = {
        "PAYFLOW_SERVICE": "test",
        "PAYFLOW_BROKER_URL": config.broker_url,
        "PAYFLOW_DATA_DIR": config.data_dir,
        "PYTHONPATH": str(ROOT),
    }
    record |= {f"PAYFLOW_{key.upper()}": str(value) for key, value in settings.items()}
    command = [sys.executable, "-m", "faust", "-A", f"tests.integration.{name}", "-L", "uvloop"]
    with log.open("ab") as out:
        return subprocess.Popen(
            [*command, "worker", "--without-web", "-l", "error"],
            env=os.environ | record,
            cwd=ROOT,
            stdout=out,
            stderr=out,
        )


async def publish(config: Config, reasons: Sequence[str], first: int = 0, keys: int = 100) -> None:
    """Produce a cancellation for each of `reasons`; event n is of order n modulo `keys`."""
    producer = AIOKafkaProducer(bootstrap_servers=config.broker_url)
    await producer.start()
    for number, reason in enumerate(reasons, start=first):
        order_id = f"o{number % keys}"
        record = cancel(number, event_id=f"cancel-{number}")
        body = msgspec.json.encode(OrderCancelRequested(order_id=order_id, reason=reason))
        await producer.send("orders", body, key=order_id.encode(), headers=list(record.headers))
    await producer.stop()


async def committed(config: Config, partitions: int = 4) -> int:
    """Return how many events of `orders` the group of the test agent has committed."""
    places = [TopicPartition("orders", at) for at in range(partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=config.broker_url, group_id="payflow-test", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign(places)
    found = [await consumer.committed(place) or 0 for place in places]
    await consumer.stop()
    return sum(found)
