"""The fraud service alone on a real broker: killed and wiped it judges as if nothing had been."""

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.config import Config
from app.fraud.analysis.fraud_admin import Action, as_action, book_now, open_cases
from app.fraud.analysis.offline import Offline
from app.fraud.live.judge import open_judge
from app.kafka.messages import messages_of, publish
from app.local.supervisor import Supervisor
from tests.support.workers import until
from workflows.audit import topics as audit_topics
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import RULES
from workflows.fraud.messages import (
    FraudCleared,
    FraudConfirmed,
    FraudDetected,
    FraudVerdict,
    PaymentLabelled,
)
from workflows.fraud.rule_messages import RulePut
from workflows.payment.messages import PaymentCompleted
from workflows.payment.origin import Origin
from workflows.shared.message import Message

START_MS = 1_700_000_000_000
PAYMENTS = 400
CHUNK = 40


def paid(number: int, random: Random) -> PaymentCompleted:
    """Return payment `number` of a busy hour at few terminals."""
    amount_minor = round(random.uniform(5, 200) * 100)
    return PaymentCompleted(
        transaction_id=f"o{number}",
        payment_id=f"p{number}",
        amount_minor=amount_minor,
        goods_minor=amount_minor,
        charges_minor=0,
        currency="GBP",
        customer_id=f"c{random.randrange(20)}",
        country="France",
        ordered_at_ms=START_MS + number * 60_000,
        origin=Origin(terminal_id=f"t{random.randrange(5)}", card_id=f"k{random.randrange(20)}"),
    )


def undisturbed(story: list[PaymentCompleted]) -> dict[str, FraudVerdict]:
    """Return what the agents say of `story` when nothing happens to them."""
    instance = Offline(open_judge(Config()))
    emitted = [
        message for payment in story for message in instance.receive(payment, payment.ordered_at_ms)
    ]
    return {
        message.transaction_id: message
        for message in emitted
        if isinstance(message, FraudDetected | FraudCleared)
    }


async def verdicts(config: Config) -> list[FraudVerdict]:
    """Return every verdict emitted so far; one emitted twice under one id is one."""
    emitted = {
        envelope.id: message
        for envelope, message in await messages_of(config, [fraud_topics.fraud])
    }
    return [
        message for message in emitted.values() if isinstance(message, FraudDetected | FraudCleared)
    ]


async def say(config: Config, *messages: Message) -> None:
    await publish(config, messages, time.time_ns() // 1_000_000)


def _quiet(_line: str) -> None:
    pass


def figures(verdict: FraudVerdict) -> Any:
    """Return what a verdict was made of, as bytes would be compared: to the last bit."""
    assert verdict.basis is not None
    basis = verdict.basis
    return msgspec.json.encode((basis.model_score, basis.snapshot, basis.aggregates))


@pytest.mark.timeout(600)
async def test_killed_and_wiped_it_judges_as_if_nothing_had_been(tmp_path: Path) -> None:
    """SIGKILL in the middle, then the disk too: one verdict a payment, the same to the last bit."""
    random = Random(5)
    story = [paid(number, random) for number in range(PAYMENTS)]
    # One partition: what one entity does is then received in one order, as it is offline.
    own = Config(data_dir=str(tmp_path), broker_port=0, console_port=0, partitions=1)
    async with Supervisor(own, _quiet, ("fraud",)).up() as instance:
        for at in range(0, PAYMENTS, CHUNK):
            await say(instance.config, *story[at : at + CHUNK])
            if at == 3 * CHUNK:
                os.kill(instance.children["fraud"].pid, signal.SIGKILL)
            if at == 6 * CHUNK:
                instance.held.add("fraud")
                instance.children["fraud"].kill()
                shutil.rmtree(tmp_path / "fraud")
                instance.held.discard("fraud")
            await asyncio.sleep(0.3)

        async def all_judged() -> bool:
            return (
                len({each.transaction_id for each in await verdicts(instance.config)}) == PAYMENTS
            )

        await until(all_judged, "every payment is judged", 120)
        emitted = await verdicts(instance.config)

    expected = undisturbed(story)
    assert PAYMENTS == len(emitted)
    assert {each.transaction_id: figures(each) for each in emitted} == {
        order_id: figures(each) for order_id, each in expected.items()
    }
    assert any(isinstance(each, FraudCleared) for each in emitted)


@pytest.mark.timeout(600)
async def test_rules_labels_and_cases_at_run_time(tmp_path: Path) -> None:
    """A rule counts from the next payment on, a bad one changes nothing, a label stops items."""
    payments = [paid(number, Random(number)) for number in range(9)]
    own = Config(data_dir=str(tmp_path), broker_port=0, console_port=0)
    strict = RULES[0] | {"rule_id": "new.everything", "when": {"gt": [{"field": "amount"}, 0]}}
    watched = strict | {"outcome": "review", "priority": 200}
    async with Supervisor(own, _quiet, ("fraud",)).up() as instance:
        config = instance.config

        async def judged(count: int) -> list[FraudVerdict]:
            async def enough() -> bool:
                return len(await verdicts(config)) >= count

            await until(enough, f"{count} verdicts", 60)
            return await verdicts(config)

        await say(config, payments[0])
        await judged(1)
        await say(config, RulePut(rule_id="bad", rule={"when": {"gt": 1}}))
        await say(config, RulePut(rule_id="new.everything", rule=watched))
        book = await book_now(config)

        async def is_known() -> bool:
            await say(config, replace(payments[2], transaction_id=f"x{time.monotonic_ns()}"))
            latest = await verdicts(config)
            return any(each.rules_version == book.revision for each in latest)

        await until(is_known, "the agent knows the rule", 60)
        await say(config, payments[1])

        async def is_open() -> bool:
            return "o1" in {case.transaction_id for case in await open_cases(config)}

        await until(is_open, "a case is opened", 60)
        label = PaymentLabelled(
            transaction_id="o1",
            fraud=True,
            source="analyst",
            known_at_ms=time.time_ns() // 1_000_000 + 1_000,
            by="ann",
        )
        action = Action(who="ann", why="seen", at_ms=label.known_at_ms)
        await publish(config, as_action(label, action), action.at_ms)

        async def is_confirmed() -> bool:
            messages = [message for _, message in await messages_of(config, [fraud_topics.fraud])]
            return any(isinstance(message, FraudConfirmed) for message in messages)

        await until(is_confirmed, "the label is passed on", 60)
        assert not await is_open()
        assert "new.everything" in book.rules
        assert "bad" not in book.rules
        ((_, audited),) = await messages_of(config, [audit_topics.audit])
        assert ("o1", "ann", "seen") == (audited.about, audited.who, audited.why)
