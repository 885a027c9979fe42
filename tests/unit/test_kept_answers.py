"""An answer that the provider keeps under a key is not for ever: another key asks anew."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from app.gateways.provider import ProviderGateway, open_provider
from app.gateways.provider_waits import Waits
from app.local.simulators.idempotency import fingerprint_of
from app.operations.verification.external_systems import provider_file
from tests.support.examples.payment import NOTICE, PLACED, RETURN, SUCCEEDED
from tests.support.external_systems import until
from tests.support.shop import Shop
from tests.support.workflow_runner import START_MS, after, alarm
from workflows.payment import process as payment
from workflows.payment import provider_messages as p
from workflows.payment.provider_dispute_messages import DisputeReported

EVIDENCE: Any = {"evidence": {"uncategorized_text": "winning_evidence"}}
KEPT = b'{"error": {"type": "api_error", "message": "An unknown error occurred."}}'


@pytest.fixture
async def gateway(shop: Shop) -> AsyncIterator[ProviderGateway]:
    """Open the gateway to the provider of the shop."""
    ask = open_provider(replace(shop.system.config, provider_timeout_seconds=10.0))
    yield ask
    await ask.close()


def refund(payment_id: str, amount_minor: int, refusals: int = 0) -> p.RefundCharge:
    """Return the command that gives a part back."""
    return p.RefundCharge(
        transaction_id="o1",
        payment_id=payment_id,
        refund_key="r1",
        amount_minor=amount_minor,
        currency="GBP",
        attempt=refusals,
        asked_at_ms=START_MS * 2,
        refusals=refusals,
    )


@pytest.mark.parametrize(
    "amount_minor", [pytest.param(300, id="all of it"), pytest.param(200, id="what is left of it")]
)
async def test_a_refund_that_a_dispute_stopped_is_made_when_it_is_won(
    shop: Shop, gateway: ProviderGateway, amount_minor: int
) -> None:
    """On the same day: the refusal is kept under its key, and a smaller amount would misuse it."""
    intent = await shop.create(payment_method="pm_card_createDispute", confirm=True)
    await shop.later(6)

    async def status() -> str:
        disputes = (await shop.v1.disputes.list_async({"payment_intent": intent.id})).data
        return disputes[0].status if disputes else ""

    async def is_won() -> bool:
        return await status() == "won"

    async def is_open() -> bool:
        return await status() == "needs_response"

    await until(is_open)
    (refused,) = await gateway(refund(intent.id, 300))
    [dispute] = (await shop.v1.disputes.list_async({})).data
    await shop.v1.disputes.update_async(dispute.id, EVIDENCE)
    await shop.later(6)
    await until(is_won)

    (again,) = await gateway(refund(intent.id, amount_minor, refusals=1))
    (repeated,) = await gateway(refund(intent.id, amount_minor, refusals=1))

    assert isinstance(refused, p.RefundRefused)
    assert refused.dispute_id == dispute.id
    assert isinstance(again, p.RefundSucceeded)
    assert amount_minor == again.amount_minor
    assert again == repeated
    assert 1 == (await shop.system.state())["refunds"]


def test_payment_says_how_often_a_refund_was_refused() -> None:
    """Once refused, held, and asked for again: under another key, and for what is left."""
    refused = p.RefundRefused(
        transaction_id="o1", refund_key="r1", reason="charge_disputed", dispute_id="du"
    )
    lost = DisputeReported(
        transaction_id="o1",
        dispute_id="du",
        attempt=1,
        status="lost",
        reason="fraudulent",
        amount_minor=100,
        currency="GBP",
        withdrawn_minor=100,
        fee_minor=1_500,
        reinstated_minor=0,
        fee_returned_minor=0,
        due_by_ms=0,
        is_charge_refundable=False,
    )
    story = [PLACED, SUCCEEDED, RETURN]
    first = [each for each in after(payment, *story)[1] if isinstance(each, p.RefundCharge)]
    _, emitted = after(payment, *story, refused, alarm(2), lost)
    again = [each for each in emitted if isinstance(each, p.RefundCharge)]

    assert [(300, 0)] == [(each.amount_minor, each.refusals) for each in first]
    assert [(200, 1)] == [(each.amount_minor, each.refusals) for each in again]


@pytest.mark.parametrize(
    ("verb", "command", "answer"),
    [
        pytest.param("cancel", p.VoidCharge, p.ChargeVoided, id="a void"),
        pytest.param("confirm", p.InquireCharge, p.ChargeSucceeded, id="a confirmation"),
    ],
)
async def test_a_failure_that_is_kept_does_not_stop_what_is_done_once(
    shop: Shop, gateway: ProviderGateway, verb: str, command: Any, answer: Any
) -> None:
    """The provider failed without an effect: its answer stays a 500, and the order would wait."""
    intent = await shop.create()
    message = command(
        transaction_id="o1",
        amount_minor=1_000,
        currency="GBP",
        payment_method="pm_card_visa",
        attempt=3,
        payment_id=intent.id,
    )
    other = await shop.create("o2")
    options: Any = {"idempotency_key": f"o1:{verb}"}
    await shop.v1.payment_intents.cancel_async(other.id, {}, options)
    url = Waits(shop.system.config).return_url("o1")
    sent = {"return_url": url} if verb == "confirm" else {}
    fingerprint = fingerprint_of(f"/v1/payment_intents/{intent.id}/{verb}", sent)
    file = provider_file(shop.system.config)
    with closing(sqlite3.connect(file, isolation_level=None)) as books:
        books.execute("UPDATE idempotency SET status = 500, body = ?", (KEPT,))
        books.execute(
            "UPDATE idempotency SET fingerprint = ? WHERE key = ?",
            (fingerprint, f"o1:{verb}"),
        )

    (event,) = await gateway(message)

    assert isinstance(event, answer)


def test_a_webhook_of_before_is_no_refusal() -> None:
    """A refund that was never refused keeps the key that it always had."""
    hint = p.ProviderNotified(kind="dispute_changed", dispute_id="du", **NOTICE)
    _, emitted = after(payment, PLACED, SUCCEEDED, hint, RETURN)

    assert {0} >= {each.refusals for each in emitted if isinstance(each, p.RefundCharge)}
