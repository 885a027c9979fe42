"""A workflow in a folder of its own, on a real broker: nothing under app/ knows of it."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from app.config import Config
from app.kafka.producer import partition_of
from app.local.instance_secrets import with_secrets
from app.wire.envelope import Envelope, derive_id, to_headers
from app.wire.records import Outgoing
from app.wire.signing import signed
from tests.support.giftcard import FOLDER
from tests.support.instance import PAYFLOW, environment, payflow, wait_for

PROCESS = Path("workflows/giftcard/process.py")
SOUND = "    if state.card_id.startswith(BLOCKED):"
BROKEN = f'    assert state.card_id != "unlucky", "a mistake in the code"\n{SOUND}'
SERVICES = "giftcard,payment,fraud,analytics,console"
TOP_UP = {
    "card_id": "card-1",
    "country": "France",
    "currency": "GBP",
    "amount_minor": 2_500,
    "payment_method": "pm_card_visa",
}
HOUR_MS = 3_600_000


def extended(folder: Path) -> dict[str, str]:
    return {"extensions": str(folder / "giftcard")}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """The log of an instance in `tmp_path`: the services that a top-up needs, and those alone."""
    path = tmp_path / "up.log"
    shutil.copytree(FOLDER, tmp_path / "giftcard", ignore=shutil.ignore_patterns("__pycache__"))
    code = (FOLDER / PROCESS).read_text()
    assert SOUND in code
    (tmp_path / "giftcard" / PROCESS).write_text(code.replace(SOUND, BROKEN))
    with path.open("wb") as out:
        process = subprocess.Popen(
            [*PAYFLOW, "up", "--services", SERVICES],
            env=environment(tmp_path, **extended(tmp_path)),
            stdout=out,
            stderr=out,
        )
    try:
        # It says so behind the key of its client, which is made once everyone is ready.
        wait_for(lambda: "as a client: " in path.read_text(), "everyone to be ready", path)
        yield path
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


class Instance:
    """The running instance, asked over HTTP and by its commands."""

    def __init__(self, folder: Path, log: Path) -> None:
        up = json.loads((folder / "up.json").read_text())
        self.url, self.broker_url = up["console_url"], up["broker_url"]
        self._folder = folder
        self._log = log

    def payflow(self, *arguments: str) -> Any:
        return payflow(self._folder, *arguments, **extended(self._folder))

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def top_up(self, card_id: str) -> str:
        """Ask for a top-up over HTTP; return its id."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/giftcards",
            json.dumps({**TOP_UP, "card_id": card_id}).encode(),
            {
                "Content-Type": "application/json",
                "Idempotency-Key": card_id,
                "Authorization": f"Bearer {(self._folder / 'client.key').read_text().strip()}",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return str(json.load(answer)["top_up_id"])

    def ended(self, top_up_id: str) -> str:
        """Return the state of the end to which a top-up comes."""

        def end() -> str:
            with urllib.request.urlopen(  # noqa: S310
                f"{self.url}/transactions/{top_up_id}", timeout=30
            ) as answer:
                state = json.load(answer)["giftcard"]["state"]
            return state if state in ("credited", "cancelled") else ""

        return str(wait_for(end, f"an end of {top_up_id}", self._log, 60))

    def dead_letter(self) -> str:
        """Return the topic in which the one dead letter lies."""

        def topics() -> list[str]:
            return [each["topic"] for each in self.payflow("dead", "ls", "--all")]

        [topic] = wait_for(topics, "a dead letter", self._log)
        return str(topic)

    def mend(self) -> None:
        """Put the mended code where the worker is started again, and end the one that runs."""
        shutil.copy(FOLDER / PROCESS, self._folder / "giftcard" / PROCESS)
        pid = json.loads((self._folder / "up.json").read_text())["pids"]["giftcard"]
        os.kill(pid, signal.SIGKILL)

    def publish(self, topic: str, kind: str, key: str, body: bytes, at_ms: int) -> None:
        """Produce one event of a top-up at `at_ms`, signed as those of Payflow are."""
        envelope = Envelope(
            id=derive_id(topic, key),
            type=kind,
            source="/test",
            time_ms=at_ms,
            subject=key,
            correlation_id=key,
            baggage={"workflow": "giftcard"},
        )
        record = signed(
            Outgoing(topic=topic, key=key.encode(), value=body, headers=to_headers(envelope)),
            with_secrets(Config(data_dir=str(self._folder))).signing_key,
        )
        asyncio.run(_produced(self.broker_url, record))


async def _produced(broker_url: str, record: Outgoing) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker_url)
    await producer.start()
    await producer.send_and_wait(
        record.topic,
        record.value,
        record.key,
        partition_of(record.key or b"", Config().partitions),
        headers=record.headers,
    )
    await producer.stop()


def broken(verdict: Any) -> dict[str, list[str]]:
    return {check["name"]: check["offending"] for check in verdict["checks"] if not check["ok"]}


@pytest.mark.timeout(240)
def test_worker_processes_carry_a_second_workflow(log: Path, tmp_path: Path) -> None:
    """One is credited, one compensated, one dead-lettered and redriven; a breach is found."""
    instance = Instance(tmp_path, log)
    credited, cancelled = instance.top_up("card-1"), instance.top_up("blocked-1")
    unlucky = instance.top_up("unlucky")
    dead = instance.dead_letter()
    instance.mend()
    redriven = instance.payflow("dead", "redrive", dead, "0", "--reason", "mended")

    ends = [instance.ended(each) for each in (credited, cancelled, unlucky)]
    matches = instance.get(f"/transactions?q={cancelled}")
    trace = [
        event["type"].split(".")[2] for event in instance.payflow("trace", cancelled)["events"]
    ]
    whole = instance.payflow("verify")
    stolen = {"top_up_id": "stolen", "card_id": "card-9", "amount_minor": 9_999}
    instance.publish(
        "giftcard.credits",
        "payflow.giftcard.credited.v1",
        "stolen",
        json.dumps({"type": "payflow.giftcard.credited.v1", **stolen}).encode(),
        time.time_ns() // 1_000_000 - HOUR_MS,
    )
    breached = instance.payflow("verify")

    assert ["credited", "cancelled", "credited"] == ends
    assert (1, 0) == (redriven["handled"], redriven["failed_again"])
    assert [cancelled] == matches["ids"]
    assert {"requested", "credit_refused", "refunded", "cancelled"} <= set(trace)
    assert {} == broken(whole)
    assert (3, 0) == (whole["top_ups"], whole["unpaid_credit_minor"])
    assert ["stolen"] == broken(breached)["credits_are_paid"]
