"""Whatever comes late, twice or never: what was charged for nothing goes back exactly once."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.examples import payment as example
from tests.support.workflow_runner import START_MS, receive
from workflows.fraud.messages import FraudDetected
from workflows.payment import process as payment
from workflows.payment import provider_messages as p
from workflows.payment.messages import PaymentCompleted, PaymentFailed, PaymentRefunded
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message
from workflows.shipping.messages import ShipmentFailed

COMMANDS = (p.ChargeCard, p.InquireCharge, p.VoidCharge, p.RefundCharge)
CLOSING = (
    example.CANCELLED,
    example.REJECTED,
    ShipmentFailed(order_id="o1", reason="x"),
    FraudDetected(transaction_id="o1", score=1, reasons=(), rules_version="1"),
)
REST_MAX = 200


class Provider:
    """The provider's own books of one order: charged once, refunded once for each key."""

    def __init__(self) -> None:
        self.outcome = ""
        self.refunds: dict[str, int] = {}

    def take(self, command: Any, card_is_good: bool) -> Message:
        """Do what is asked, and say what came of it."""
        if isinstance(command, p.RefundCharge):
            assert self.outcome == "succeeded"
            self.refunds.setdefault(command.refund_key, command.amount_minor)
            return p.RefundSucceeded(
                transaction_id="o1",
                refund_key=command.refund_key,
                refund_id=f"re-{command.refund_key}",
                amount_minor=self.refunds[command.refund_key],
            )
        if not self.outcome:
            wanted = "succeeded" if card_is_good else "declined"
            self.outcome = "voided" if isinstance(command, p.VoidCharge) else wanted
        return {
            "succeeded": example.SUCCEEDED,
            "declined": example.DECLINED,
            "voided": example.VOIDED,
        }[self.outcome]

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
        self.asked += [said for said in emitted if isinstance(said, COMMANDS)]

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
    def the_order_is_given_up(self, message: Message) -> None:
        """Nothing will be shipped any more; it may be said for several reasons."""
        self.closed = True
        self.receive(message)

    @precondition(lambda self: self.state.completed_emitted and not self.closed)
    @rule(message=st.sampled_from((example.RETURN, example.RETURN_REST)))
    def goods_come_back(self, message: Message) -> None:
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

    # --- what is true all the while, and at the end ---

    @invariant()
    def never_more_goes_back_than_was_taken(self) -> None:
        """By the provider's own books."""
        taken = 1_000 if self.provider.outcome == "succeeded" else 0
        assert sum(self.provider.refunds.values()) <= taken

    @invariant()
    def each_end_and_each_refund_is_emitted_once(self) -> None:
        """However often its causes are received."""
        kinds = [type(message) for message in self.emitted]
        keys = [
            message.return_id for message in self.emitted if isinstance(message, PaymentRefunded)
        ]
        assert kinds.count(PaymentCompleted) <= 1
        assert kinds.count(PaymentFailed) <= 1
        assert len(keys) == len(set(keys))

    def teardown(self) -> None:
        """Let the provider answer all that is still asked: then the books must agree."""
        if not self.received:
            return
        for _ in range(REST_MAX):
            if self.asked:
                self.coming.append(self.provider.take(self.asked.pop(0), card_is_good=True))
            elif self.coming:
                self.receive(self.coming.pop(0))
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
        }
        paid = any(isinstance(message, PaymentCompleted) for message in self.emitted)
        failed = any(isinstance(message, PaymentFailed) for message in self.emitted)
        assert back == self.provider.refunds
        assert paid == (self.provider.outcome == "succeeded")
        assert paid or failed
        if paid and (self.closed or failed):
            assert sum(back.values()) == 1_000


def _unknown(command: Any) -> Message:
    if isinstance(command, p.RefundCharge):
        return p.RefundUnknown(
            transaction_id="o1",
            refund_key=command.refund_key,
            attempt=command.attempt,
            reason="500",
        )
    return p.ChargeUnknown(
        transaction_id="o1", attempt=getattr(command, "attempt", 0), reason="500"
    )


TestRace = Race.TestCase
TestRace.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
