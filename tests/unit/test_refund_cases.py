"""An operator decides what becomes of a refund that has failed for good."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.examples.cases import DISPUTED_REFUND_CASE, REFUND_CASE
from tests.support.examples.short_refunds import SHORT
from tests.support.operators_site import WHY, Site
from tests.support.workflow_runner import after
from workflows.audit.case_decisions import RefundCaseDecidedByOperator
from workflows.payment import process as payment
from workflows.payment.cases import open_cases
from workflows.payment.messages import RefundCaseDecided
from workflows.payment.provider_dispute_messages import DisputeReported
from workflows.payment.provider_messages import RefundFailed
from workflows.shared.message import Message

PATH = "/operators/orders/o1/refund-cases"


async def decide(
    site: Site,
    name: str,
    key: str = "compensation",
    story: tuple[Message, ...] = REFUND_CASE,
    **changed: str,
) -> tuple[int, dict[str, Any]]:
    """Return status and body of the answer to a decision about what `story` has come to."""
    row, _ = after(payment, *story)
    site.queries.keep("payment", "o1", row)
    body = {**WHY, "decision": "settled", "reference": "bank-7", **changed}
    answer = await site.client.post(f"{PATH}/{key}", json=body, headers=site.machine(name))
    return answer.status, await answer.json()


async def test_it_is_audited_and_then_emitted(site: Site) -> None:
    """Who, why and what first; repeated, it is the same event."""
    statuses = [(await decide(site, "pat"))[0] for _ in range(2)]

    assert [202, 202] == statuses
    action, message, *again = site.emitted
    assert isinstance(action, RefundCaseDecidedByOperator)
    assert isinstance(message, RefundCaseDecided)
    assert ("pat", "compensation", "bank-7") == (action.who, message.refund_key, message.reference)
    assert [action, message] == again
    decisions = [envelope.id for _, envelope in site.queries.emitted][1::2]
    assert 1 == len(set(decisions))


@pytest.mark.parametrize(
    ("name", "changed", "status", "reason"),
    [
        pytest.param("oda", {}, 403, "approver", id="an operator alone"),
        pytest.param("pat", {"key": "r9"}, 409, "there wait compensation", id="no such refund"),
        pytest.param("pat", {"reference": ""}, 400, "bank transfer", id="no trace"),
        pytest.param("pat", {"decision": "forget"}, 400, "forget", id="no decision"),
        pytest.param("pat", {"reason": ""}, 400, "reason", id="no reason"),
    ],
)
async def test_a_decision_that_is_none_is_refused_with_what_is_wrong(
    site: Site, name: str, changed: dict[str, str], status: int, reason: str
) -> None:
    """And nothing is emitted."""
    actual_status, body = await decide(site, name, **changed)

    assert (status, []) == (actual_status, site.emitted)
    assert reason in str(body)


REPORTED = DISPUTED_REFUND_CASE[-1]
assert isinstance(REPORTED, DisputeReported)
INQUIRED = (
    *DISPUTED_REFUND_CASE[:-1],
    replace(REPORTED, status="warning_needs_response", withdrawn_minor=0),
)
WON = (*DISPUTED_REFUND_CASE, replace(REPORTED, status="won"))


@pytest.mark.parametrize(
    ("story", "changed", "status"),
    [
        pytest.param(DISPUTED_REFUND_CASE, {}, 409, id="a bank has the money"),
        pytest.param(INQUIRED, {}, 409, id="a bank only asks"),
        pytest.param(
            DISPUTED_REFUND_CASE, {"despite_dispute": "du_0"}, 409, id="another dispute was known"
        ),
        pytest.param(DISPUTED_REFUND_CASE, {"despite_dispute": "du"}, 202, id="it is known"),
        pytest.param(DISPUTED_REFUND_CASE, {"decision": "retry"}, 202, id="the provider is asked"),
        pytest.param(WON, {}, 202, id="the bank has decided"),
        pytest.param(REFUND_CASE, {"despite_dispute": "du"}, 202, id="there is no dispute"),
    ],
)
async def test_who_pays_by_hand_what_a_bank_may_refund_has_to_know_it(
    site: Site, story: tuple[Message, ...], changed: dict[str, str], status: int
) -> None:
    """Otherwise the customer is paid twice. What the provider is asked for is held anyhow."""
    actual_status, body = await decide(site, "pat", story=story, **changed)

    assert status == actual_status
    assert (status == 409) == ("despite_dispute" in str(body))
    assert (status == 409) == (not site.emitted)


async def test_who_has_paid_less_than_is_due_by_now_is_refused(site: Site) -> None:
    """A part has failed while an operator paid the rest: the case is of more than he has seen."""
    (case,) = open_cases(after(payment, *SHORT)[0])
    failed = RefundFailed(
        transaction_id="o1", refund_key="r1", refund_id="re_0", reason="expired_or_canceled_card"
    )

    grown = await decide(site, "pat", "r1", (*SHORT, failed), **case.fields)
    ended = await decide(site, "pat", "r1", (*SHORT,), **case.fields)

    assert (409, "due_minor") == (grown[0], grown[1]["errors"][0]["field"])
    assert "0.01 GBP, and 4.00 GBP are due" in grown[1]["detail"]
    assert 202 == ended[0]
