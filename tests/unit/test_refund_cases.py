"""An operator decides what becomes of a refund that has failed for good."""

from typing import Any

import pytest

from tests.support.examples.cases import REFUND_CASE
from tests.support.operators_site import WHY, Site
from tests.support.workflow_runner import after
from workflows.audit.case_decisions import RefundCaseDecidedByOperator
from workflows.payment import process as payment
from workflows.payment.messages import RefundCaseDecided

PATH = "/operators/orders/o1/refund-cases"


async def decide(
    site: Site, name: str, key: str = "compensation", **changed: str
) -> tuple[int, dict[str, Any]]:
    """Return status and body of the answer to a decision."""
    row, _ = after(payment, *REFUND_CASE)
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
    ("name", "changed", "status", "said"),
    [
        pytest.param("oda", {}, 403, "approver", id="an operator alone"),
        pytest.param("pat", {"key": "r9"}, 409, "there wait compensation", id="no such refund"),
        pytest.param("pat", {"reference": ""}, 400, "bank transfer", id="no trace"),
        pytest.param("pat", {"decision": "forget"}, 400, "forget", id="no decision"),
        pytest.param("pat", {"reason": ""}, 400, "reason", id="no reason"),
    ],
)
async def test_a_decision_that_is_none_is_refused_with_what_is_wrong(
    site: Site, name: str, changed: dict[str, str], status: int, said: str
) -> None:
    """And nothing is emitted."""
    found, body = await decide(site, name, **changed)

    assert (status, []) == (found, site.emitted)
    assert said in str(body)
