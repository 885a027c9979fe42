"""What is decided about one stage of a dispute does not count for the stage that has followed."""

from typing import Any

import pytest
from msgspec.structs import replace

from app.gateways.provider import open_provider
from tests.support.examples.cases import DISPUTE_CASE, INQUIRY_CASE
from tests.support.external_systems import until
from tests.support.operators_site import WHY, Site
from tests.support.shop import Shop
from tests.support.workflow_runner import after
from workflows.audit.messages import ActionRefused
from workflows.payment import case_decisions
from workflows.payment import process as payment
from workflows.payment.cases import open_cases
from workflows.payment.dispute_messages import DisputeAnswerRefused, DisputeDecided
from workflows.payment.messages import CaseDecisionRefused
from workflows.payment.provider_dispute_messages import (
    CloseDispute,
    DisputeRefused,
    DisputeReported,
    InquireDispute,
    SubmitDisputeEvidence,
)

PATH = "/operators/orders/o1/dispute"
ESCALATED_CASE = (*INQUIRY_CASE, DISPUTE_CASE[-1])
"""The inquiry has become a chargeback."""
ACCEPT = DisputeDecided(
    transaction_id="o1", dispute_id="du", decision="accept", round=1, decided_by="ada"
)
SUBMIT = replace(ACCEPT, decision="submit", evidence_text="it was delivered", decided_by="bob")
LET_GO = replace(ACCEPT, decision="refund")
MEANWHILE = "it was meant for the inquiry, and the dispute is a chargeback by now"
NOT_TAKEN = DisputeRefused(transaction_id="o1", dispute_id="du", attempt=2, reason="no file")


def about(stage: str, decided: DisputeDecided) -> DisputeDecided:
    """Return a decision about `stage`."""
    return replace(decided, stage=stage)


@pytest.mark.parametrize("decided", [ACCEPT, SUBMIT, LET_GO])
def test_what_was_meant_for_the_inquiry_is_refused_by_the_row_of_a_chargeback(
    decided: DisputeDecided,
) -> None:
    """With its reason, and nothing else is changed: the chargeback waits as before."""
    late = about("inquiry", decided)
    state, emitted = after(payment, *ESCALATED_CASE, late)

    [refused] = emitted
    assert isinstance(refused, CaseDecisionRefused)
    assert (MEANWHILE, decided.decided_by) == (refused.reason, refused.decided_by)
    assert after(payment, *ESCALATED_CASE)[0] == state
    assert MEANWHILE == case_decisions.outcome(state, late)


@pytest.mark.parametrize(
    ("story", "decided", "command"),
    [
        pytest.param(INQUIRY_CASE, about("inquiry", ACCEPT), CloseDispute, id="of the inquiry"),
        pytest.param(ESCALATED_CASE, about("chargeback", ACCEPT), CloseDispute,
                     id="of what followed"),
        pytest.param(ESCALATED_CASE, about("chargeback", SUBMIT), SubmitDisputeEvidence,
                     id="evidence for it"),
        pytest.param(ESCALATED_CASE, ACCEPT, CloseDispute, id="of a version before"),
    ],
)  # fmt: skip
def test_what_is_meant_for_the_stage_of_now_counts(
    story: Any, decided: DisputeDecided, command: Any
) -> None:
    """The command says the stage as well; without one, a decision is about whatever waits."""
    _, [sent] = after(payment, *story, decided)

    assert isinstance(sent, command)
    assert ("inquiry" if story is INQUIRY_CASE else "chargeback") == getattr(sent, "stage", "")


def test_of_two_who_decide_at_once_the_second_does_not_count_after_a_refusal_either() -> None:
    """The provider has not taken the first answer, so the case waits again: for another look."""
    story = (*DISPUTE_CASE, about("chargeback", SUBMIT), NOT_TAKEN)
    second = about("chargeback", replace(ACCEPT, round=3))
    _, [refused] = after(payment, *story, second)
    _, [sent] = after(payment, *story, about("chargeback-2", second))

    assert isinstance(refused, CaseDecisionRefused)
    assert (
        "bob has decided 'submit' already; the provider has not taken that answer (no file)"
        == refused.reason
    )
    assert isinstance(sent, CloseDispute)


def test_what_is_on_its_way_to_an_inquiry_is_not_sent_to_the_chargeback() -> None:
    """It is refused, in the place of the provider; the chargeback begins with its first answer."""
    answered = (*INQUIRY_CASE, about("inquiry", ACCEPT))
    asks = after(payment, *answered)[0].disputes.by_id["du"].asks
    report = replace(DISPUTE_CASE[-1], attempt=asks - 1)
    state, emitted = after(payment, *answered, report)

    [refused] = [each for each in emitted if isinstance(each, DisputeAnswerRefused)]
    assert "the answer was for the inquiry, which has become a chargeback" == refused.reason
    assert not [each for each in emitted if isinstance(each, CloseDispute)]
    assert {"dispute_id": "du", "stage": "chargeback"} == open_cases(state)[0].fields


def test_a_decision_that_is_repeated_is_silent_however_often_the_provider_was_asked() -> None:
    """Nobody is refused as the second after himself."""
    story = (*DISPUTE_CASE, about("chargeback", SUBMIT))
    again = about("chargeback", replace(SUBMIT, round=7))
    state, emitted = after(payment, *story, again)

    assert ((), "") == (emitted, case_decisions.outcome(state, again))


def test_a_refund_may_be_let_go_beside_an_answer_that_was_not_taken() -> None:
    """It is about the inquiry, and not about the answer to it."""
    story = (*INQUIRY_CASE, about("inquiry", SUBMIT), NOT_TAKEN)
    state, _ = after(payment, *story)
    after_it, _ = after(payment, *story, about("inquiry", LET_GO))

    assert "inquiry, answer 2" == open_cases(state)[0].stage
    assert after_it.disputes.by_id["du"].releases_parts


def test_a_chargeback_does_not_show_why_the_inquiry_was_refused() -> None:
    """Whoever writes the evidence reads what the bank asks now."""
    story = (*INQUIRY_CASE, about("inquiry", SUBMIT), NOT_TAKEN, DISPUTE_CASE[-1])

    assert "fraudulent" == open_cases(after(payment, *story)[0])[0].why


async def answer(site: Site, story: Any, **fields: str) -> tuple[int, dict[str, Any]]:
    """Return status and body of the answer to a decision about the dispute of `story`."""
    site.queries.keep("payment", "o1", after(payment, *story)[0])
    response = await site.client.post(PATH, json={**WHY, **fields}, headers=site.machine("pat"))
    return response.status, await response.json()


async def test_a_page_that_shows_the_inquiry_does_not_decide_the_chargeback(site: Site) -> None:
    """Its form says what it has shown; the answer says what has happened, and nothing is asked."""
    [case] = open_cases(after(payment, *INQUIRY_CASE)[0])
    status, body = await answer(site, ESCALATED_CASE, decision="accept", **case.fields)

    assert {"dispute_id": "du", "stage": "inquiry"} == case.fields
    assert (409, []) == (status, site.emitted)
    assert [{"field": "stage", "detail": MEANWHILE}] == body["errors"]
    # The same of what no chargeback has at all.
    status, body = await answer(site, ESCALATED_CASE, decision="refund", **case.fields)
    assert (409, MEANWHILE) == (status, body["detail"])


@pytest.mark.parametrize("fields", [{}, {"stage": "inquiry"}], ids=["not said", "said"])
async def test_what_escalates_on_the_way_is_refused_by_the_row_and_in_the_audit(
    site: Site, fields: dict[str, str]
) -> None:
    """The console has still read the inquiry, and says so where the request does not."""

    def escalate(message: Any) -> None:
        site.queries.keep("payment", "o1", after(payment, *ESCALATED_CASE)[0])
        received(message)

    received, site.queries.decide = site.queries.decide, escalate
    status, body = await answer(site, INQUIRY_CASE, decision="accept", **fields)

    [refused] = [each for each in site.emitted if isinstance(each, ActionRefused)]
    assert (409, MEANWHILE, MEANWHILE) == (status, body["detail"], refused.reason)
    assert not [each for each in site.queries.said if isinstance(each, CloseDispute)]


@pytest.mark.parametrize("stage", ["warning", "inquiry-", "inquiry-0", "chargeback\n", "-2"])
async def test_a_stage_that_there_is_not_is_refused_by_its_field(site: Site, stage: str) -> None:
    """Nothing is asked for."""
    status, body = await answer(site, DISPUTE_CASE, decision="accept", stage=stage)

    assert (400, []) == (status, site.emitted)
    assert "stage" in str(body)


@pytest.mark.parametrize(
    ("story", "title"),
    [
        pytest.param(INQUIRY_CASE, "Stage: inquiry.", id="a bank asks"),
        pytest.param(ESCALATED_CASE, "Stage: chargeback.", id="a bank has the money"),
        pytest.param((*DISPUTE_CASE, about("chargeback", SUBMIT), NOT_TAKEN),
                     "Stage: chargeback, answer 2.", id="an answer was not taken"),
    ],
)  # fmt: skip
async def test_the_page_shows_the_stage(site: Site, story: Any, title: str) -> None:
    """Beside the form that decides about it."""
    site.queries.keep("payment", "o1", after(payment, *story)[0])
    page = await site.client.get("/console/transactions/o1", headers=await site.page("pat"))

    assert title in await page.text()


async def test_the_gateway_gives_no_chargeback_the_answer_to_an_inquiry(shop: Shop) -> None:
    """The dispute is retrieved before anything is sent: the row may not know it all yet."""
    await shop.system.set(dispute_seconds=0.0)
    intent = await shop.create("o1", confirm=True, payment_method="pm_card_createDispute")
    dispute_ids: list[str] = []

    async def is_disputed() -> bool:
        listed = await shop.v1.disputes.list_async({"payment_intent": intent.id})
        dispute_ids.extend(each.id for each in listed.data)
        return bool(dispute_ids)

    await until(is_disputed)
    ids = {"transaction_id": "o1", "payment_id": intent.id, "dispute_id": dispute_ids[0]}
    gateway = open_provider(shop.system.config)
    try:
        commands = (
            InquireDispute(**ids, attempt=1),
            SubmitDisputeEvidence(**ids, attempt=2, evidence_text="tea", stage="inquiry"),
            CloseDispute(**ids, attempt=3, stage="inquiry"),
            CloseDispute(**ids, attempt=4, stage="chargeback"),
        )
        answers = [message for each in commands for message in await gateway(each)]
    finally:
        await gateway.close()

    statuses = [each.status for each in answers if isinstance(each, DisputeReported)]
    assert [*["needs_response"] * 3, "lost"] == statuses
