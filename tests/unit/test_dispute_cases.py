"""An operator answers a dispute; a webhook about one finds its order at the provider."""

from typing import Any

import pytest

from app.console.api.webhook_owners import emission_of
from app.entrypoints import webhooks
from app.gateways.provider_account import Unclear
from app.local.simulators import provider
from tests.support.examples.cases import DISPUTE_CASE, INQUIRY_CASE
from tests.support.external_systems import listening, running, until
from tests.support.operators_site import WHY, Site
from tests.support.workflow_runner import after
from workflows.audit.case_decisions import DisputeAnsweredByOperator
from workflows.payment import process as payment
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.provider_messages import ProviderNotified, RefundCharge
from workflows.shared.message import Message

PATH = "/operators/orders/o1/dispute"


async def answer(site: Site, name: str, **changed: str) -> tuple[int, dict[str, Any]]:
    """Return status and body of the answer to a decision."""
    row, _ = after(payment, *DISPUTE_CASE)
    site.queries.keep("payment", "o1", row)
    body = {**WHY, "decision": "submit", "text": "it was delivered", **changed}
    response = await site.client.post(PATH, json=body, headers=site.machine(name))
    return response.status, await response.json()


async def test_it_is_audited_and_then_emitted(site: Site) -> None:
    """Who and why first, without the text to the bank; repeated, it is the same event."""
    statuses = [(await answer(site, "pat"))[0] for _ in range(2)]

    assert [202, 202] == statuses
    action, message, *again = site.emitted
    assert isinstance(action, DisputeAnsweredByOperator)
    assert isinstance(message, DisputeDecided)
    assert ("pat", "du", "submit") == (action.who, message.dispute_id, message.decision)
    assert "it was delivered" == message.evidence_text
    assert [action, message] == again
    assert 1 == len({envelope.id for _, envelope in site.queries.emitted[1::2]})


@pytest.mark.parametrize(
    ("name", "changed", "status", "objection"),
    [
        pytest.param("oda", {}, 403, "approver", id="an operator alone"),
        pytest.param("pat", {"dispute_id": "dx"}, 409, "there wait du", id="no such dispute"),
        pytest.param("pat", {"text": " "}, 400, "delivered", id="no evidence"),
        pytest.param("pat", {"decision": "forget"}, 400, "forget", id="no decision"),
        pytest.param("pat", {"reason": ""}, 400, "reason", id="no reason"),
    ],
)
async def test_an_answer_that_is_none_is_refused_with_what_is_wrong(
    site: Site, name: str, changed: dict[str, str], status: int, objection: str
) -> None:
    """And nothing is emitted."""
    answer_status, body = await answer(site, name, **changed)

    assert (status, []) == (answer_status, site.emitted)
    assert objection in str(body)


@pytest.mark.parametrize(
    ("story", "status"),
    [
        pytest.param(INQUIRY_CASE, 202, id="a bank asks"),
        pytest.param(DISPUTE_CASE, 409, id="a bank has the money"),
    ],
)
async def test_what_an_inquiry_holds_is_let_go(
    site: Site, story: tuple[Message, ...], status: int
) -> None:
    """By an approver, who may answer the bank as well: these are two events."""
    site.queries.keep("payment", "o1", after(payment, *story)[0])

    answers = [
        (await site.client.post(PATH, json={**WHY, **decision}, headers=site.machine("pat"))).status
        for decision in ({"decision": "refund"}, {"decision": "submit", "text": "it was delivered"})
    ]

    assert [status, 202] == answers
    decided = [each.decision for each in site.emitted if isinstance(each, DisputeDecided)]
    assert ["refund", "submit"][-len(decided) :] == decided
    assert len(decided) == len({envelope.id for _, envelope in site.queries.emitted[1::2]})
    _, emitted = after(payment, *story, *(each for each in site.emitted[1:2]))
    assert (status == 202) == any(isinstance(each, RefundCharge) for each in emitted)


async def test_one_that_is_answered_takes_no_other_answer(site: Site) -> None:
    """It waits for the provider."""
    decided = DisputeDecided(transaction_id="o1", dispute_id="du", decision="accept")
    row, _ = after(payment, *DISPUTE_CASE, decided)
    site.queries.keep("payment", "o1", row)
    body = {**WHY, "decision": "accept"}
    response = await site.client.post(PATH, json=body, headers=site.machine("pat"))

    assert (409, []) == (response.status, site.emitted)


async def test_a_webhook_of_a_dispute_finds_its_order_at_the_provider(tmp_path: Any) -> None:
    """Not in what it says itself: a real dispute names an intent, and who signs can write more."""
    async with listening() as console, running(provider.make_app, tmp_path, console.url) as system:
        await system.set(dispute_seconds=0.0)
        charge = {
            "amount": "1000",
            "currency": "gbp",
            "payment_method": "pm_card_createDispute",
            "confirm": "true",
            "metadata[order_id]": "o7",
        }
        key = {"Authorization": f"Bearer {system.config.provider_key}"}
        _, intent = await system.ask("POST", "/v1/payment_intents", data=charge, headers=key)
        await until(lambda: any("dispute" in each["type"] for each in console.notices))
        event = next(each for each in console.notices if "dispute" in each["type"])
        declared = webhooks.WEBHOOKS[0]
        emission = await emission_of(declared, event, system.config)
        about = {**event["data"]["object"], "metadata": {"order_id": "o8"}}
        forged = await emission_of(declared, {**event, "data": {"object": about}}, system.config)
        about = {**about, "payment_intent": "pi_of_somebody_else"}
        foreign = await emission_of(declared, {**event, "data": {"object": about}}, system.config)

    assert emission is not None
    assert emission == forged
    assert foreign is None
    notified = emission.message
    assert isinstance(notified, ProviderNotified)
    assert ("o7", "dispute_changed") == (notified.transaction_id, notified.kind)
    assert intent["id"] == notified.payment_id
    assert about["id"] == notified.dispute_id
    assert {} == event["data"]["object"]["metadata"], "a dispute has no metadata of its intent"
    with pytest.raises(Unclear):
        # The simulator has ended: the webhook has to come again.
        await emission_of(declared, event, system.config)


async def test_a_webhook_of_a_refund_made_by_hand_finds_its_order_too(tmp_path: Any) -> None:
    """It has no metadata of ours; one that names an order is believed as any hint is."""
    async with listening() as console, running(provider.make_app, tmp_path, console.url) as system:
        charge = {"amount": "1000", "currency": "gbp", "metadata[order_id]": "o7"}
        key = {"Authorization": f"Bearer {system.config.provider_key}"}
        _, intent = await system.ask("POST", "/v1/payment_intents", data=charge, headers=key)
        about = {"id": "re_9", "amount": 400, "currency": "gbp", "payment_intent": intent["id"]}

        async def noticed(**more: object) -> Any:
            event = {"id": "evt_1", "type": "refund.failed", "data": {"object": {**about, **more}}}
            emission = await emission_of(webhooks.WEBHOOKS[0], event, system.config)
            return emission and (emission.transaction_id, emission.message.refund_id)

        by_hand = [await noticed(metadata=fields) for fields in ({}, {"why": "a call"}, None)]
        ours = await noticed(metadata={"order_id": "o8"}, payment_intent="pi_0")
        foreign = [await noticed(payment_intent=other) for other in ("pi_0", None)]

    assert [("o7", "re_9")] * 3 == by_hand
    assert ("o8", "re_9") == ours
    assert [None, None] == foreign
