"""The provider's intents and disputes: whatever comes, money moves once and ends add up."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.local.simulators import dispute_states as disputes
from app.local.simulators import intent_states as intents
from app.local.simulators.dispute_states import Dispute
from app.local.simulators.intent_states import Attempt, Step
from app.local.simulators.provider_cards import CARDS
from app.local.simulators.provider_records import Intent

AMOUNT = 1_000
ACTIONS = st.tuples(
    st.sampled_from(["confirm", "pass", "fail", "capture", "cancel", "wait"]),
    st.sampled_from([*sorted(CARDS), "pm_card_visa"]),
    st.integers(1, AMOUNT),
)
EVIDENCE = st.sampled_from(["winning_evidence", "losing_evidence", "escalate_inquiry_evidence", ""])


def intent(capture_method: str) -> Intent:
    """Return a new intent of 10.00."""
    return Intent(
        id="pi_1",
        order_id="o1",
        amount_minor=AMOUNT,
        currency="gbp",
        payment_method=None,
        status="requires_payment_method",
        metadata={},
        last_error=None,
        created_ms=0,
        canceled_ms=None,
        capture_method=capture_method,
        charge_id=None,
        refunded_minor=0,
        received_minor=0,
    )


def step(now: Intent, action: tuple[str, str, int], now_ms: int) -> Step | None:
    """Return what an action leads to, where the provider lets it happen."""
    verb, card, amount = action
    if verb == "confirm" and now.status in intents.CONFIRMABLE:
        tried = Attempt(payment_method=card, now_ms=now_ms, action_url="page", processing_ms=5)
        return intents.attempt(now, tried)
    if verb in {"pass", "fail"} and now.status == "requires_action":
        return intents.authenticate(now, passed=verb == "pass", now_ms=now_ms)
    if verb == "capture" and now.status == "requires_capture":
        return intents.take(now, amount)
    if verb == "cancel" and now.status in intents.CANCELABLE:
        return intents.cancel(now, None, now_ms)
    if verb == "wait" and now.due_ms is not None:
        return intents.fall_due(now, max(now_ms, now.due_ms))
    return None


@given(st.sampled_from(["automatic", "manual"]), st.lists(ACTIONS, max_size=12))
def test_an_intent_takes_money_once_and_never_more_than_its_amount(
    capture_method: str, actions: list[Any]
) -> None:
    """What has taken or is canceled changes no more; a page and a due time end with their state."""
    now, amounts = intent(capture_method), []
    for number, action in enumerate(actions):
        after = step(now, action, number)
        if after is None:
            continue
        assert now.status not in {"succeeded", "canceled"}
        now = after.intent
        amounts += [after.taken_minor] if after.taken_minor else []
        assert (now.status == "succeeded") == bool(amounts)
        assert (now.action_url is not None) == (now.status == "requires_action")
        assert (now.due_ms is not None) == (now.status in {"processing", "requires_capture"})
    assert len(amounts) <= 1
    assert all(0 < each <= AMOUNT for each in amounts)
    assert capture_method == "manual" or amounts in ([], [AMOUNT])


@given(st.booleans(), st.lists(st.tuples(st.sampled_from(["send", "wait", "close"]), EVIDENCE)))
def test_a_dispute_moves_its_money_once_each_way(is_inquiry: bool, actions: list[Any]) -> None:
    """Won, all of it is back; lost, it is gone; an inquiry that ends has moved nothing."""
    expected = Dispute(
        id="du_1",
        charge_id="ch_1",
        intent_id="pi_1",
        amount_minor=AMOUNT,
        currency="gbp",
        reason="fraudulent",
        is_inquiry=is_inquiry,
        due_ms=5,
    )
    change = disputes.begin(expected, AMOUNT, 5)
    moved = [change.movement]
    for number, (verb, text) in enumerate(actions, start=6):
        now = change.dispute
        if now.status not in disputes.OPEN:
            break
        if verb == "send":
            change = disputes.respond(now, {"uncategorized_text": text}, {}, number, 5)
        elif verb == "close":
            change = disputes.close(now)
        else:
            assert now.due_ms is not None
            change = disputes.fall_due(now, max(number, now.due_ms))
        moved.append(change.movement)
    last, money = change.dispute, [each for each in moved if each]
    assert (last.due_ms is None) == (last.status not in disputes.OPEN)
    assert {
        "won": ["dispute", "dispute_reversal"],
        "lost": ["dispute"],
        "warning_closed": [],
    }.get(last.status, [] if last.is_inquiry else ["dispute"]) == money
    assert disputes.is_refundable(last) == (last.status == "won" or last.is_inquiry)
