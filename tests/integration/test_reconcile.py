"""Reconciliation on a real broker: three books in order, then each of them tampered with."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import stamina
from aiokafka import AIOKafkaProducer

from app.chaos.batch_shapes import unreadable_tombstone
from app.config import Config
from app.delivery.row import Row, encode_row
from app.kafka.admin import TopicSpec, admin_client, alter_topics, ensure_topics
from app.kafka.errors import KafkaError
from app.kafka.producer import open_producer, partition_of
from app.kafka.raw_batches import send_bytes
from app.kafka.reader import TopicPartition
from app.local import broker
from app.local.simulators.intent_states import cancel, take
from app.local.simulators.provider_store import ProviderStore
from app.operations.verification.external_systems import provider_file
from app.registry import wanted_topics
from app.wire.topics import changelog_topic
from tables.payment import payments
from tests.support.broker import local_config
from tests.support.cluster import Cluster, emitted
from tests.support.examples import payment as example
from tests.support.workflow_runner import after
from workflows.ledger import process as ledger
from workflows.ledger.messages import EntryPosted
from workflows.payment import process as payment
from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.payment.process import Payment
from workflows.payment.provider_messages import ChargeSucceeded, RefundSucceeded
from workflows.payment.topics import ProviderAnswer
from workflows.shared.message import Message

ROOT = Path(__file__).parents[2]
LONG_AGO_MS = time.time_ns() // 1_000_000 - 3_600_000
COMMAND = "import typer; from app.cli.reconcile import reconcile_books; typer.run(reconcile_books)"
PLACED_TOO = msgspec.structs.replace(example.PLACED, order_id="o2")


def _passes(error: Exception) -> bool:
    """Return whether Kafka's clients ask again after `error`."""
    return isinstance(error, KafkaError) and error.retriable


class Books:
    """The three books of one instance, written as their owners write them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.cluster = Cluster(config)
        self.store = ProviderStore(provider_file(config))

    def charge(self, order_id: str) -> ProviderAnswer:
        """Let the provider take 10.00."""
        with self.store.writing():
            intent = self.store.create_intent(order_id, 1_000, "gbp", "pm", {"order_id": order_id})
            self.store.apply(take(intent, 1_000))
        return ChargeSucceeded(transaction_id=order_id, payment_id=intent.id, amount_minor=1_000)

    def refund(self, paid: Any) -> ProviderAnswer:
        """Let the provider give 3.00 back, for the return r1."""
        intent = self.store.intent(paid.payment_id)
        assert intent is not None
        with self.store.writing():
            metadata = {"order_id": paid.transaction_id, "refund_key": "r1"}
            back = self.store.refund("r1", intent, 300, metadata)
        return RefundSucceeded(
            transaction_id=paid.transaction_id, refund_key="r1", refund_id=back.id, amount_minor=300
        )

    def void(self, order_id: str) -> None:
        """Let the provider close an intent of 10.00 for good."""
        with self.store.writing():
            metadata = {"order_id": order_id}
            intent = self.store.create_intent(order_id, 1_000, "gbp", "pm", metadata)
            self.store.apply(cancel(intent, None, self.store.now_ms()))

    def tamper(self, statement: str) -> None:
        """Change the provider's file behind its back."""
        with closing(sqlite3.connect(provider_file(self.config))) as books, books:
            books.execute("PRAGMA foreign_keys = OFF")
            books.execute(statement)

    async def keep(self, order_id: str, state: Payment | None) -> None:
        """Put the row of a payment where its changelog has it, an hour ago; None takes it away."""
        producer = AIOKafkaProducer(bootstrap_servers=self.config.broker_url)
        await producer.start()
        key = order_id.encode()
        await producer.send_and_wait(
            changelog_topic(payments),
            encode_row(Row(state=state)) if state else None,
            key,
            partition_of(key, self.config.partitions),
            timestamp_ms=LONG_AGO_MS,
        )
        await producer.stop()

    async def garble(self, key: bytes, partition: int) -> str:
        """Put a record that is not a row into the changelog of payments; return where it lies."""
        topic = changelog_topic(payments)
        async with AIOKafkaProducer(bootstrap_servers=self.config.broker_url) as producer:
            at = await producer.send_and_wait(topic, b"\x00garbage", key, partition)
        return f"{topic}/{partition}/{at.offset}"

    async def unfold(self, partition: int) -> str:
        """Put a batch that nobody can read there; return how its place is said."""
        place = TopicPartition(changelog_topic(payments), partition)
        # A broker that compresses by itself would mend the batch.
        as_sent = TopicSpec(name=place.topic, partitions=4, cleanup="compact", retention_ms=-1)
        async with admin_client(self.config) as admin, open_producer(self.config) as producer:
            await alter_topics(admin, [as_sent])
            body = unreadable_tombstone(Random(1), LONG_AGO_MS)
            # A broker with other work may need a while until it leads what was made just now.
            async for attempt in stamina.retry_context(on=_passes, attempts=None, timeout=60):
                with attempt:
                    await producer.client.force_metadata_update()
                    offset = await send_bytes(producer, place, body)
        return f"offsets {offset} to {offset} of {place.topic}/{partition} cannot be read"

    async def book(self, *posted: EntryPosted, event_id: str = "") -> None:
        """Produce entries of an hour ago."""
        await self.cluster.publish([emitted(each, LONG_AGO_MS, event_id) for each in posted])

    def reconciled(self, *options: str) -> tuple[int, Any]:
        """Return the exit code of the command and what it says as JSON."""
        theirs = {
            name: value for name, value in os.environ.items() if not name.startswith("PAYFLOW_")
        }
        run = subprocess.run(
            [sys.executable, "-c", COMMAND, "--json", *options],
            cwd=ROOT, env=theirs | self.config.to_env(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert run.stdout, run.stderr
        return run.returncode, json.loads(run.stdout)


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    """A broker of its own: the names of Payflow's topics are fixed."""
    own = local_config(tmp_path)
    started = broker.start(own)
    config = msgspec.structs.replace(own, broker_url=started.url)
    await ensure_topics(config, wanted_topics(config))
    yield Books(config)
    started.stop()


def entries(*facts: Message) -> list[EntryPosted]:
    """Return what the ledger agent posts of what payment emitted."""
    received = [each for each in facts if isinstance(each, PaymentCompleted | PaymentRefunded)]
    return [
        message
        for at in range(len(received))
        for message in after(ledger, *received[: at + 1])[1]
        if isinstance(message, EntryPosted)
    ]


def offending(comparison: Any) -> dict[str, list[str]]:
    return {
        " ".join(filter(None, (one["order_id"], one["kind"], one["key"]))): one["differences"]
        for one in comparison["offending"]
    }


async def test_three_books_are_reconciled_and_each_tampering_is_named(books: Books) -> None:
    """Charged, refunded, voided by the real workflows; then each book in turn is changed."""
    paid = books.charge("o1")
    back = books.refund(paid)
    books.void("o2")
    books.tamper("UPDATE charges SET created_ms = created_ms - 3600000")
    books.tamper("UPDATE refunds SET created_ms = created_ms - 3600000")
    books.tamper("UPDATE intents SET canceled_ms = canceled_ms - 3600000")
    story = [example.PLACED, paid, example.RETURN, back]
    facts = [message for at in range(len(story)) for message in after(payment, *story[: at + 1])[1]]
    row = after(payment, *story)[0]
    void = [PLACED_TOO, example.CANCELLED, example.UNKNOWN, example.VOIDED]
    await books.keep("o1", row)
    await books.keep("o2", after(payment, *void)[0])
    posted = entries(*facts)
    await books.book(*posted)
    await books.book(posted[0])

    code, comparison = books.reconciled()

    assert (0, 3, 3, {}) == (
        code,
        comparison["compared"],
        comparison["matched"],
        offending(comparison),
    )
    moved = {"charged_minor": 1_000, "refunded_minor": 300, "disputed_minor": 0}
    assert {"GBP": dict.fromkeys(("provider", "payments", "ledger"), moved)} == comparison["totals"]
    assert "0 unreadable" in comparison["read"]["ledger"]

    # The provider's file: a penny, and then a line that is gone.
    books.tamper("UPDATE refunds SET amount_minor = 301")
    assert (1, {"o1 refund r1": ["amount_differs"]}) == _judged(books.reconciled())
    books.tamper("DELETE FROM refunds")
    assert (1, {"o1 refund r1": ["missing_at_provider"]}) == _judged(books.reconciled())
    assert (0, {}) == _judged(books.reconciled("--day", "2001-01-01"))

    # The payments table: a row in another currency, and none.
    bill = row.bill
    assert bill is not None
    euros = msgspec.structs.replace(bill, currency="EUR")
    await books.keep("o1", msgspec.structs.replace(row, bill=euros))
    assert ["currency_differs"] == books.reconciled()[1]["offending"][0]["differences"]
    await books.keep("o1", None)
    _, lost = books.reconciled()
    assert ["missing_in_payments"] == offending(lost)["o1 charge"]
    await books.keep("o1", row)

    # The ledger: the same entry under another id, and bytes that nobody can read.
    await books.book(posted[0], event_id="again")
    report = books.config.data_path / "settlement.json"
    _, twice = books.reconciled("--report", str(report))
    assert ["duplicate_in_ledger"] == offending(twice)["o1 charge"]
    assert json.loads(report.read_bytes())["offending"] == twice["offending"]


async def test_what_is_under_way_is_counted_and_is_no_error(books: Books) -> None:
    """Charged this moment and known by nobody: in motion, exit code 0."""
    books.charge("o1")

    code, comparison = books.reconciled()

    assert (0, 1, 0) == (code, comparison["in_motion"], comparison["matched"])
    assert ["missing_in_payments", "missing_in_ledger"] == comparison["moving"][0]["differences"]


async def test_a_record_that_nobody_can_read_is_named_and_the_rest_is_compared(
    books: Books,
) -> None:
    """Garbage that others wrote into a changelog: set aside, a breach, and no end of reading."""
    paid = books.charge("o1")
    books.tamper("UPDATE charges SET created_ms = created_ms - 3600000")
    await books.book(*entries(*after(payment, example.PLACED, paid)[1]))
    garbage = await books.garble(b"nobody", 1)
    batch = await books.unfold(2)
    await books.keep("o1", after(payment, example.PLACED, paid)[0])

    code, comparison = books.reconciled()

    assert (1, 1, {}) == (code, comparison["matched"], offending(comparison))
    first, second = sorted(comparison["unreadable"])
    assert first.startswith(batch)
    assert second.startswith(f"{garbage} is not a row of payment: ")
    assert "2 records unreadable" in comparison["read"]["payments"]


def _judged(judgement: tuple[int, Any]) -> tuple[int, dict[str, list[str]]]:
    code, comparison = judgement
    return code, offending(comparison)
