"""Whatever comes late, twice or never: what was charged for nothing goes back exactly once."""

from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from tests.support.examples import payment as example
from tests.support.workflow_runner import START_MS, receive
from workflows.fraud.messages import FraudDetected
from workflows.payment import process as payment
from workflows.payment import provider_messages as p
from workflows.payment.action_messages import (
    ChargeActionRequired,
    ChargeProcessing,
    PaymentActionRequired,
    PaymentProcessing,
)
from workflows.payment.messages import (
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentRefundFailed,
    RefundCaseOpened,
)
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentFailed

COMMANDS = (p.ChargeCard, p.InquireCharge, p.VoidCharge, p.RefundCharge, p.InquireRefund)
CLOSING = (
    example.CANCELLED,
    example.REJECTED,
    ShipmentFailed(order_id="o1", reason="x"),
    FraudDetected(transaction_id="o1", score=1, reasons=(), rules_version="1"),
)
REST_MAX = 200
Acts = Literal["", "customer", "processing"]
ABOUT = {"transaction_id": "o1", "payment_id": "pi"}
REQUIRED = ChargeActionRequired(**ABOUT, url="https://bank.example", wait_seconds=3_600)
PROCESSING = ChargeProcessing(**ABOUT, wait_seconds=86_400)


class Provider:
    """The provider's own books of one order: charged once, refunded once for each key and round."""

    def __init__(self) -> None:
        self.outcome = ""
        self.acts: Acts = ""
        """Who has to act before the charge goes on."""
        self.asked: dict[str, tuple[str, int, int]] = {}
        """Key, round and amount of each refund, by its id."""
        self.states: dict[str, str] = {}
        """Of each refund, by its id."""
        self.first_state = "succeeded"

    @property
    def refunds(self) -> dict[str, int]:
        """Return what has gone back, by key."""
        return {
            key: amount_minor
            for refund_id, (key, _, amount_minor) in self.asked.items()
            if self.states[refund_id] == "succeeded"
        }

    def move(self, refund_id: str, state: str) -> Message:
        """Give a refund another state; return the webhook about it."""
        self.states[refund_id] = state
        notice = {**example.NOTICE, "notice_id": f"{refund_id}/{state}"}
        return p.ProviderNotified(kind="refund_changed", refund_id=refund_id, **notice)

    def _refund(self, command: p.RefundCharge | p.InquireRefund) -> Message:
        refund_id = f"re-{command.refund_key}-{command.round}"
        if isinstance(command, p.RefundCharge) and refund_id not in self.asked:
            self.asked[refund_id] = command.refund_key, command.round, command.amount_minor
            self.states[refund_id] = self.first_state
        key, round_, amount_minor = self.asked[refund_id]
        about = {"transaction_id": "o1", "refund_key": key, "refund_id": refund_id}
        match self.states[refund_id]:
            case "succeeded":
                details = {"attempt": command.attempt, "amount_minor": amount_minor}
                return p.RefundSucceeded(**about, round=round_, **details)
            case "failed":
                return p.RefundFailed(**about, round=round_, reason="x")
            case _:
                details = {"attempt": command.attempt, "status": "pending"}
                return p.RefundPending(**about, round=round_, **details)

    def take(self, command: Any, card_is_good: bool) -> Message:
        """Do what is asked, and say what came of it."""
        if isinstance(command, p.RefundCharge | p.InquireRefund):
            assert self.outcome == "succeeded"
            return self._refund(command)
        attempt = getattr(command, "attempt", 0)
        cancels = isinstance(command, p.VoidCharge) and self.acts != "processing"
        if not self.outcome and self.acts and not cancels:
            kind = {"customer": REQUIRED, "processing": PROCESSING}[self.acts]
            return replace(kind, attempt=attempt)
        if not self.outcome:
            outcome = "succeeded" if card_is_good else "declined"
            self.outcome = "voided" if isinstance(command, p.VoidCharge) else outcome
        return {
            "succeeded": example.SUCCEEDED,
            "declined": replace(example.DECLINED, attempt=attempt),
            "voided": replace(example.VOIDED, attempt=attempt),
        }[self.outcome]

    def act(self, *, confirms: bool) -> Message | None:
        """Let the customer confirm, or fail to, or the provider finish; return the webhook."""
        self.outcome = "succeeded" if confirms else "declined"
        return self.notice()

    def notice(self) -> Message | None:
        """Return the webhook of how the charge ended."""
        kinds = {
            "succeeded": "payment_succeeded",
            "declined": "payment_failed",
            "voided": "payment_canceled",
        }
        kind = kinds.get(self.outcome)
        return p.ProviderNotified(kind=kind, **example.NOTICE) if kind else None


class Race(RuleBasedStateMachine):
    """The payment row on one side, the provider on the other, and everything in between."""

    def __init__(self) -> None:
        super().__init__()
        self.state = payment.INITIAL
        self.now = 0.0
        self.provider = Provider()
        self.asked: list[Message] = []
        self.coming: list[Message] = []
        self.received: list[Message] = []
        self.emitted: list[Message] = []
        self.closed = False

    def receive(self, message: Message) -> None:
        self.now += 0.01
        self.state, emitted = receive(payment, self.state, (message, self.now))
        self.received.append(message)
        self.emitted += emitted
        self.asked += [command for command in emitted if isinstance(command, COMMANDS)]

    def ring(self) -> None:
        due_ms = payment.due(self.state)
        assert due_ms is not None
        self.now = max(self.now, (due_ms - START_MS) / 1_000)
        self.receive(DeadlineReached(key="o1", due_at_ms=due_ms))

    # --- what may happen, in any order ---

    @initialize(paid=st.booleans())
    def place(self, paid: bool) -> None:
        """Half of the stories begin when the order is paid: they are about refunds."""
        self.receive(example.PLACED)
        if paid:
            self.receive(self.provider.take(self.asked.pop(0), card_is_good=True))

    @precondition(lambda self: self.asked)
    @rule(card_is_good=st.booleans(), arrives=st.booleans(), answers=st.booleans())
    def the_provider_takes_a_command(
        self,
        card_is_good: bool,
        arrives: bool,
        answers: bool,
    ) -> None:
        """It may be gone, and its answer may be lost; then not knowing is the answer."""
        command: Any = self.asked.pop(0)
        before = self.provider.outcome
        answer = self.provider.take(command, card_is_good) if arrives else None
        notice = self.provider.notice()
        if notice is not None and self.provider.outcome != before:
            self.coming.append(notice)
        self.coming.append(answer if answer is not None and answers else _unknown(command))

    @precondition(lambda self: not self.provider.outcome and not self.provider.acts)
    @rule(acts=st.sampled_from(("customer", "processing")))
    def somebody_has_to_act(self, acts: Acts) -> None:
        """The card asks for 3-D Secure, or the provider takes its time."""
        self.provider.acts = acts

    @precondition(lambda self: not self.provider.outcome and self.provider.acts)
    @rule(confirms=st.booleans(), notified=st.booleans())
    def somebody_acts(self, confirms: bool, notified: bool) -> None:
        """Late or soon; the webhook may get lost."""
        notice = self.provider.act(confirms=confirms)
        if notified and notice is not None:
            self.coming.append(notice)

    @precondition(lambda self: self.asked)
    @rule()
    def a_command_is_lost_in_silence(self) -> None:
        """Dead-lettered, or its answer never emitted: nothing comes."""
        self.asked.pop(0)

    @precondition(lambda self: self.coming)
    @rule(data=st.data(), doubled=st.booleans())
    def something_arrives(self, data: Any, doubled: bool) -> None:
        """Answers and webhooks overtake each other, and may come again."""
        at = data.draw(st.integers(0, len(self.coming) - 1))
        message = self.coming[at] if doubled else self.coming.pop(at)
        self.receive(message)

    @precondition(lambda self: len(self.received) > 1)
    @rule(data=st.data())
    def something_old_arrives_again(self, data: Any) -> None:
        """Any message received before, alarms included."""
        self.receive(data.draw(st.sampled_from(self.received)))

    @rule(message=st.sampled_from(CLOSING))
    def the_order_is_cancelled(self, message: Message) -> None:
        """Nothing will be shipped any more; it may be said for several reasons."""
        self.closed = True
        self.receive(message)

    @precondition(lambda self: self.state.completed_emitted and not self.closed)
    @rule(message=st.sampled_from((example.RETURN, example.RETURN_REST)))
    def a_return_is_accepted(self, message: Message) -> None:
        """A return is accepted once the order is paid."""
        self.receive(message)

    @precondition(lambda self: payment.due(self.state) is not None)
    @rule()
    def a_deadline_is_reached(self) -> None:
        """Time passes until the alarm rings."""
        self.ring()

    @precondition(lambda self: self.provider.outcome in {"declined", "voided"})
    @rule()
    def the_provider_charges_after_all(self) -> None:
        """It has said no and takes the money: another attempt at the card, a mistake of its own."""
        self.provider.outcome = "succeeded"
        self.coming.append(example.NOTIFIED)

    @rule(state=st.sampled_from(("pending", "succeeded")))
    def refunds_begin_so(self, state: str) -> None:
        """Stripe holds a refund as pending for want of balance, or has given it at once."""
        self.provider.first_state = state

    @precondition(lambda self: self.provider.states)
    @rule(data=st.data(), state=st.sampled_from(("succeeded", "failed")), notified=st.booleans())
    def a_refund_goes_on(self, data: Any, state: str, notified: bool) -> None:
        """A pending one succeeds or fails; one that has succeeded may fail, and Stripe says so."""
        refund_id = data.draw(st.sampled_from(sorted(self.provider.states)))
        was = self.provider.states[refund_id]
        if was in ("failed", state):
            return
        notice = self.provider.move(refund_id, state)
        if notified or was == "succeeded":
            self.coming.append(notice)

    # --- what is true all the while, and at the end ---

    @invariant()
    def never_more_goes_back_than_was_taken(self) -> None:
        """By the provider's own books."""
        charged_minor = 1_000 if self.provider.outcome == "succeeded" else 0
        assert sum(self.provider.refunds.values()) <= charged_minor

    @invariant()
    def each_end_and_each_refund_is_emitted_once(self) -> None:
        """However often its causes are received."""
        kinds = [type(message) for message in self.emitted]
        ids = [
            message.refund_id for message in self.emitted if isinstance(message, PaymentRefunded)
        ]
        assert kinds.count(PaymentCompleted) <= 1
        assert kinds.count(PaymentFailed) <= 1
        assert kinds.count(PaymentActionRequired) <= 1
        assert kinds.count(PaymentProcessing) <= 1
        assert len(ids) == len(set(ids))

    def teardown(self) -> None:
        """Let the provider answer all that is still asked: then the books must agree."""
        if not self.received:
            return
        for _ in range(REST_MAX):
            pending = [each for each, at in self.provider.states.items() if at == "pending"]
            if pending:
                self.provider.move(pending[0], "succeeded")
            elif self.asked:
                self.coming.append(self.provider.take(self.asked.pop(0), card_is_good=True))
            elif self.coming:
                self.receive(self.coming.pop(0))
            elif self.provider.acts == "processing" and not self.provider.outcome:
                # A customer may never act; the provider always comes to an end.
                self.provider.act(confirms=True)
            elif payment.due(self.state) is not None:
                self.ring()
            else:
                break
        self.each_end_and_each_refund_is_emitted_once()
        assert payment.due(self.state) is None
        back = {
            message.return_id or "compensation": message.amount_minor
            for message in self.emitted
            if isinstance(message, PaymentRefunded)
            and self.provider.states[message.refund_id] == "succeeded"
        }
        paid = any(isinstance(message, PaymentCompleted) for message in self.emitted)
        failed = any(isinstance(message, PaymentFailed) for message in self.emitted)
        assert back == self.provider.refunds
        assert paid == (self.provider.outcome == "succeeded")
        assert paid or failed
        cases = {
            message.refund_key: message.amount_minor
            for message in self.emitted
            if isinstance(message, RefundCaseOpened)
        }
        if paid and (self.closed or failed):
            assert sum(back.values()) + sum(cases.values()) == 1_000
        assert not back.keys() & cases.keys()
        assert sum(back.values()) == self.posted_minor()

    def posted_minor(self) -> int:
        """Return what the ledger counts as refunded."""
        posted_minor = 0
        for message in self.emitted:
            if isinstance(message, PaymentRefunded):
                posted_minor += message.amount_minor
            if isinstance(message, PaymentRefundFailed) and message.was_refunded:
                posted_minor -= message.amount_minor
        return posted_minor


def _unknown(command: Any) -> Message:
    if isinstance(command, p.RefundCharge | p.InquireRefund):
        return p.RefundUnknown(
            transaction_id="o1",
            refund_key=command.refund_key,
            attempt=command.attempt,
            round=command.round,
            reason="500",
        )
    return p.ChargeUnknown(
        transaction_id="o1", attempt=getattr(command, "attempt", 0), reason="500"
    )


TestRace = Race.TestCase
TestRace.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
