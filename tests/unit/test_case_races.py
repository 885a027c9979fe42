"""Two operators decide one case: the row says whose decision counts; the other is refused."""

import asyncio
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from app.console.api.case_outcomes import PATIENCE
from app.wire import codecs
from tests.support.examples.cases import CAPTURE_CASE, DISPUTE_CASE, INQUIRY_CASE, REFUND_CASE
from tests.support.operators_site import WHY, Site
from tests.support.workflow_runner import after
from workflows.audit.messages import ActionRefused, ActionUnconfirmed
from workflows.payment import case_decisions
from workflows.payment import process as payment
from workflows.payment.capture_messages import CaptureCaseDecided
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.messages import CaseDecisionRefused, RefundCaseDecided
from workflows.payment.provider_messages import RefundRefused, RefundSucceeded
from workflows.shared.limits import NAME_CHARS_MAX
from workflows.shared.message import Message

REFUND = RefundCaseDecided(
    transaction_id="o1", refund_key="compensation", decision="retry", round=0, decided_by="ada"
)
CAPTURE = CaptureCaseDecided(transaction_id="o1", decision="retry", round=0, decided_by="ada")
DISPUTE = DisputeDecided(
    transaction_id="o1",
    dispute_id="du",
    decision="submit",
    evidence_text="it was delivered",
    round=1,
    decided_by="ada",
)
RELEASE = replace(DISPUTE, decision="refund", evidence_text="")
TWICE = "where money has gone another way as well, the customer may have it twice"
PAID = replace(REFUND, decision="settled", reference="bank-7", decided_by="bob")
LOST = replace(CAPTURE, decision="written_off", reference="case-7", decided_by="bob")
CONCEDED = replace(DISPUTE, decision="accept", evidence_text="", decided_by="bob")
ROUND_1 = RefundRefused(
    transaction_id="o1", refund_key="compensation", reason="amount_too_large", round=1
)


def names(emitted: tuple[Message, ...]) -> list[str]:
    return [type(each).__name__ for each in emitted]


@pytest.mark.parametrize(
    ("story", "first", "second", "case", "reason"),
    [
        pytest.param(REFUND_CASE, REFUND, PAID, "refund/compensation",
                     f"ada has decided 'retry' already: {TWICE}", id="asked again, then paid"),
        pytest.param(REFUND_CASE, PAID, REFUND, "refund/compensation",
                     "bob has decided 'settled' already", id="paid, then asked again"),
        pytest.param(REFUND_CASE, REFUND, replace(REFUND, decided_by="bob"),
                     "refund/compensation", "ada has decided 'retry' already", id="asked twice"),
        pytest.param(REFUND_CASE, PAID, replace(PAID, reference="bank-8", decided_by="ada"),
                     "refund/compensation",
                     f"bob has decided 'settled' already: {TWICE}", id="paid twice"),
        pytest.param(CAPTURE_CASE, CAPTURE, LOST, "capture", "ada has decided 'retry' already",
                     id="charged again, then written off"),
        pytest.param(CAPTURE_CASE, LOST, CAPTURE, "capture",
                     "bob has decided 'written_off' already", id="written off, then charged"),
        pytest.param(DISPUTE_CASE, DISPUTE, CONCEDED, "dispute/du",
                     "ada has decided 'submit' already", id="evidence, then given up"),
        pytest.param(DISPUTE_CASE, DISPUTE, replace(DISPUTE, evidence_text="it was late"),
                     "dispute/du", "ada has decided 'submit' already", id="other evidence"),
        pytest.param(DISPUTE_CASE, CONCEDED, DISPUTE, "dispute/du",
                     "bob has decided 'accept' already", id="given up, then evidence"),
        pytest.param(INQUIRY_CASE, RELEASE, replace(RELEASE, decided_by="bob"),
                     "dispute/du/refund", "ada has decided 'refund' already", id="let go twice"),
    ],
)  # fmt: skip
def test_the_second_decision_of_a_round_is_refused(
    story: Any, first: Any, second: Any, case: str, reason: str
) -> None:
    """It changes nothing else, and says who was first; repeated by the same person it is silent."""
    before, _ = after(payment, *story, first)
    state, emitted = after(payment, *story, first, second)
    repeated = after(payment, *story, first, first)[1]

    assert [
        CaseDecisionRefused(
            transaction_id="o1",
            case=case,
            decision=second.decision,
            reference=getattr(second, "reference", ""),
            decided_by=second.decided_by,
            reason=reason,
        )
    ] == list(emitted)
    assert before == state
    assert () == repeated
    assert ["", reason] == [case_decisions.outcome(state, each) for each in (first, second)]


def test_a_decision_about_an_earlier_round_does_not_decide_the_next() -> None:
    """Who has paid by hand what was then asked for again has to look before he settles it."""
    [refused] = after(payment, *REFUND_CASE, REFUND, ROUND_1, PAID)[1]
    paid = after(payment, *REFUND_CASE, REFUND, ROUND_1, replace(PAID, round=1))[1]

    assert isinstance(refused, CaseDecisionRefused)
    assert TWICE in refused.reason
    assert ["PaymentRefunded"] == names(paid)


@pytest.mark.parametrize("late", [PAID, LOST, CONCEDED, RELEASE])
def test_what_does_not_wait_is_refused_and_of_an_older_version_dropped(late: Any) -> None:
    """Such as a case that the provider has ended meanwhile."""
    [refused] = after(payment, *REFUND_CASE[:2], late)[1]
    of_before = after(payment, *REFUND_CASE[:2], replace(late, round=None))[1]

    assert isinstance(refused, CaseDecisionRefused)
    assert "it does not wait for a decision any more" == refused.reason
    assert () == of_before


def test_a_refusal_can_be_read_whatever_a_return_is_called() -> None:
    """The name of its case is longer than the name of a return may be."""
    late = replace(REFUND, refund_key="r" * NAME_CHARS_MAX)
    [refused] = after(payment, *REFUND_CASE, late)[1]

    assert refused == codecs.decode_emitted(Raw(codecs.encode(refused)))


def test_a_refund_of_another_amount_than_is_due_by_now_settles_nothing() -> None:
    """A bank may have paid a part since the provider was asked about it."""
    settlement = replace(PAID, reference="re_9", amount_minor=999)
    state, [refused] = after(payment, *REFUND_CASE, settlement)
    paid = after(payment, *REFUND_CASE, replace(settlement, amount_minor=1_000))[1]

    assert isinstance(refused, CaseDecisionRefused)
    assert "re_9 refunded 9.99 GBP, and 10.00 GBP are due" == refused.reason
    assert {} == state.decisions.by_case
    assert ["PaymentRefunded"] == names(paid)


def test_a_part_that_the_provider_has_paid_does_not_settle_the_rest() -> None:
    """Its id is taken already; nothing is posted, and the case waits as before."""
    short = RefundSucceeded(
        transaction_id="o1", refund_key="compensation", refund_id="re_0", amount_minor=500
    )
    story = [*REFUND_CASE[:3], short]
    decided = replace(PAID, reference="re_0", round=1, amount_minor=500)
    state, [refused] = after(payment, *story, decided)

    assert isinstance(refused, CaseDecisionRefused)
    assert "re_0 is the refund of compensation already" == refused.reason
    assert after(payment, *story)[0] == state


BOTH = [
    pytest.param(REFUND_CASE, "refund-cases/compensation", [{"decision": "retry"},
                 {"decision": "settled", "reference": "bank-7"}], id="a refund"),
    pytest.param(CAPTURE_CASE, "capture-case", [{"decision": "retry"},
                 {"decision": "written_off", "reference": "case-7"}], id="a capture"),
    pytest.param(DISPUTE_CASE, "dispute", [{"decision": "submit", "text": "it was delivered"},
                 {"decision": "accept"}], id="a dispute"),
]  # fmt: skip


async def both(site: Site, story: Any, path: str, bodies: list[Any]) -> list[tuple[int, Any]]:
    """Return the answers to the decisions of two people, who both see the case wait."""
    site.queries.keep("payment", "o1", after(payment, *story)[0])

    async def one(name: str, body: Any) -> tuple[int, Any]:
        path_ = f"/operators/orders/o1/{path}"
        answer = await site.client.post(path_, json={**WHY, **body}, headers=site.machine(name))
        return answer.status, await answer.json()

    return list(await asyncio.gather(one("pat", bodies[0]), one("admin", bodies[1])))


@pytest.mark.parametrize(("story", "path", "bodies"), BOTH)
async def test_who_is_second_is_refused_at_once_and_in_the_audit(
    site: Site, story: Any, path: str, bodies: Any
) -> None:
    """Both are audited as asked for; that one of them had no effect is audited as well."""
    site.queries.agent_after_seconds = 0.3
    answers = await both(site, story, path, bodies)
    [won] = [at for at, (status, _) in enumerate(answers) if status == 202]
    _, lost = answers[1 - won]
    who = ("pat", "admin")
    [refused] = [each for each in site.emitted if isinstance(each, ActionRefused)]
    audited = {
        getattr(each, "who", ""): envelope.id
        for each, envelope in site.queries.emitted
        if hasattr(each, "why") and not isinstance(each, ActionRefused)
    }

    assert [202, 409] == sorted(status for status, _ in answers)
    assert "decided" == answers[won][1]["state"]
    assert f"{who[won]} has decided {bodies[won]['decision']!r} already" in lost["detail"]
    assert (who[1 - won], audited[who[1 - won]]) == (refused.who, refused.action_id)
    assert lost["detail"] == refused.reason
    assert 1 == sum(isinstance(each, CaseDecisionRefused) for each in site.queries.said)
    assert 2 == len(site.queries.said)
    # With one id the agent would drop the second before it reads it.
    ids = [envelope.id for each, envelope in site.queries.emitted if hasattr(each, "decided_by")]
    assert 2 == len(set(ids))


async def test_while_the_agent_is_away_nobody_says_that_it_is_decided(site: Site) -> None:
    """The answer is `asked`, and the audit says that nobody has confirmed the act."""
    site.client.app[PATIENCE].seconds = 0.1
    site.queries.agent_after_seconds = None
    answers = await both(site, REFUND_CASE, "refund-cases/compensation",
                         [{"decision": "retry"}, {"decision": "retry"}])  # fmt: skip

    assert [(202, "asked")] * 2 == [(status, body["state"]) for status, body in answers]
    assert 2 == sum(isinstance(each, ActionUnconfirmed) for each in site.emitted)
