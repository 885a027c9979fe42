"""A disputed payment in any order of things: facts come once and in turn, nobody is paid twice."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples.payment import CANCELLED, NOTICE, PLACED, RETURN, RETURN_REST, SUCCEEDED
from tests.support.workflow_runner import START_MS, receive
from workflows.payment import process as payment
from workflows.payment.dispute_messages import (
    DisputeClosed,
    DisputeEscalated,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeOpened,
    RefundCoveredByDispute,
)
from workflows.payment.messages import PaymentRefunded, RefundCaseOpened
from workflows.payment.provider_dispute_messages import DisputeReported, InquireDispute
from workflows.payment.provider_messages import (
    ProviderNotified,
    RefundCharge,
    RefundRefused,
    RefundSucceeded,
)
from workflows.shared.deadline import DeadlineReached
from workflows.shared.message import Message

HINT = ProviderNotified(kind="dispute_changed", dispute_id="du", **NOTICE)
TURNS = {
    "": ("warning_needs_response", "needs_response"),
    "warning_needs_response": ("warning_under_review", "warning_closed", "needs_response"),
    "warning_under_review": ("warning_closed", "needs_response"),
    "needs_response": ("under_review", "won", "lost"),
    "under_review": ("won", "lost"),
}
IN_TURN = (
    DisputeOpened,
    DisputeEscalated,
    DisputeFundsWithdrawn,
    DisputeFundsReinstated,
    DisputeClosed,
)
STEPS = st.lists(
    st.sampled_from(
        ["hint", "timer", "answer", "answer", "lose", "again", "return", "rest", "cancel", "turn"]
    ),
    max_size=40,
)


class Provider:
    """A provider that has one charge of 10.00: it refunds what no bank has."""

    def __init__(self) -> None:
        self.status = ""
        self.amount_minor = 0
        self.refunds: dict[str, int] = {}

    def turn(self, choose: Any) -> None:
        """Let the bank do the next thing; a chargeback takes what is not refunded."""
        before, self.status = self.status, choose(TURNS.get(self.status, (self.status,)))
        if self.status != before and self.status in TURNS and self.status != "under_review":
            self.amount_minor = 1_000 - sum(self.refunds.values())

    def has_money(self) -> bool:
        """Return whether a chargeback has it."""
        return self.status in ("needs_response", "under_review", "lost")

    def answer(self, command: Message) -> Message | None:
        """Return the answer to `command`, once it is carried out."""
        if isinstance(command, RefundCharge):
            about = {"transaction_id": "o1", "refund_key": command.refund_key}
            whole = {**about, "round": command.round}
            if command.refund_key not in self.refunds and self.has_money():
                return RefundRefused(**whole, reason="charge_disputed", dispute_id="du")  # pyright: ignore[reportArgumentType]
            self.refunds.setdefault(command.refund_key, command.amount_minor)
            amount_minor = self.refunds[command.refund_key]
            return RefundSucceeded(**whole, refund_id=f"re{whole}"[:90], amount_minor=amount_minor)  # pyright: ignore[reportArgumentType]
        if not isinstance(command, InquireDispute):
            return None
        withdrawn_minor = self.amount_minor * (self.has_money() or self.status == "won")
        return DisputeReported(
            transaction_id="o1",
            dispute_id="du",
            attempt=command.attempt,
            status=self.status,  # pyright: ignore[reportArgumentType]
            reason="fraudulent",
            amount_minor=self.amount_minor,
            currency="GBP",
            withdrawn_minor=withdrawn_minor,
            fee_minor=1_500 * (withdrawn_minor > 0),
            reinstated_minor=withdrawn_minor * (self.status == "won"),
            is_charge_refundable=not self.has_money(),
        )


class Story:
    """A payment, the provider, and what is on its way between them."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.state: Any = payment.INITIAL
        self.facts: list[Message] = []
        self.commands: list[Message] = []
        self.last: Message = HINT
        self.at_ms = START_MS
        for message in (PLACED, SUCCEEDED):
            self.take(message)

    def take(self, message: Message) -> None:
        """Let payment receive `message`."""
        self.at_ms += 1
        self.last = message
        self.state, emitted = receive(
            payment, self.state, (message, (self.at_ms - START_MS) / 1_000)
        )
        for each in emitted:
            asks = isinstance(each, RefundCharge | InquireDispute)
            (self.commands if asks else self.facts).append(each)

    def wake(self) -> bool:
        """Let the timer fire, if there is one."""
        due_ms = payment.due(self.state)
        if due_ms is not None:
            self.at_ms = max(self.at_ms, due_ms)
            self.take(DeadlineReached(key="o1", due_at_ms=due_ms))
        return due_ms is not None

    def answer(self, *, arrives: bool = True) -> None:
        """Let the provider carry out the oldest command; its answer may get lost."""
        if not self.commands:
            return
        answer = self.provider.answer(self.commands.pop(0))
        if answer is not None and arrives:
            self.take(answer)

    def play(self, step: str, choose: Any) -> None:
        """Let one thing happen."""
        match step:
            case "hint" if self.provider.status:
                self.take(HINT)
            case "timer":
                self.wake()
            case "answer" | "lose":
                self.answer(arrives=step == "answer")
            case "again":
                self.take(self.last)
            case "turn":
                self.provider.turn(choose)
            case "return" | "rest" | "cancel":
                self.take({"return": RETURN, "rest": RETURN_REST, "cancel": CANCELLED}[step])
            case _:
                pass

    def end(self, choose: Any) -> None:
        """Let the bank decide, its webhook come, and everything be answered."""
        while self.provider.status in TURNS and self.provider.status:
            self.provider.turn(choose)
        if self.provider.status:
            self.take(HINT)
        for _ in range(60):
            while self.commands:
                self.answer()
            if not self.wake():
                return
        raise AssertionError("payment asks for ever")


class HostileBank(Provider):
    """Once it has asked, it takes what was charged then, whatever parts were refunded since."""

    def turn(self, choose: Any) -> None:
        """Let the bank do the next thing; a refund of all of it has ended its question."""
        whole_minor = self.amount_minor if self.status else 1_000 - sum(self.refunds.values())
        super().turn(choose)
        self.amount_minor = whole_minor

    def answer(self, command: Message) -> Message | None:
        """Return the answer to `command`; see `turn`."""
        answer = super().answer(command)
        if self.status.startswith("warning") and sum(self.refunds.values()) == 1_000:
            self.status = "warning_closed"
        return answer


class KnownStory(Story):
    """A story in which each turn of the bank is known before anything else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.provider = HostileBank()

    def play(self, step: str, choose: Any) -> None:
        """Let one thing happen, and its webhook."""
        if step != "turn" or sum(self.provider.refunds.values()) == 1_000:
            super().play(step, choose)
            return
        while self.commands:
            self.answer()
        super().play(step, choose)
        self.take(HINT)
        for _ in range(3):
            self.wake()
            while self.commands:
                self.answer()


@given(steps=STEPS, data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_bank_that_asks_first_and_takes_all_is_not_paid_beside_us(
    steps: list[str], data: st.DataObject
) -> None:
    """Parts are held while it asks, so what went back is what was charged at most."""

    def choose(among: tuple[str, ...]) -> str:
        return data.draw(st.sampled_from(among))

    story = KnownStory()
    for step in steps:
        story.play(step, choose)
    if sum(story.provider.refunds.values()) < 1_000:
        story.play("turn", lambda among: among[0])
    story.end(choose)

    lost_minor = sum(
        each.amount_minor
        for each in story.facts
        if isinstance(each, DisputeClosed) and each.outcome == "lost"
    )
    assert sum(story.provider.refunds.values()) + lost_minor <= 1_000
    assert all(each.status in ("told", "settled", "case")
               for each in story.state.refunds.by_key.values())  # fmt: skip


@given(steps=STEPS, data=st.data())
@settings(max_examples=300, deadline=None)
def test_no_order_of_things_pays_twice(steps: list[str], data: st.DataObject) -> None:
    """What went back, by us and by the bank, is at most what was charged; and everything ends."""

    def choose(among: tuple[str, ...]) -> str:
        return data.draw(st.sampled_from(among))

    story = Story()
    for step in steps:
        story.play(step, choose)
    story.end(choose)

    facts, provider = story.facts, story.provider
    lost_minor = sum(
        each.amount_minor
        for each in facts
        if isinstance(each, DisputeClosed) and each.outcome == "lost"
    )
    refunded_minor = sum(each.amount_minor for each in facts if isinstance(each, PaymentRefunded))
    covered_minor = sum(
        each.amount_minor for each in facts if isinstance(each, RefundCoveredByDispute)
    )
    assert refunded_minor == sum(provider.refunds.values())
    assert refunded_minor + lost_minor <= 1_000
    assert covered_minor <= lost_minor
    assert lost_minor == provider.amount_minor * (provider.status == "lost")
    turns = [type(each) for each in facts if isinstance(each, IN_TURN)]
    assert turns == sorted(set(turns), key=IN_TURN.index)
    open_refunds = [
        key
        for key, each in story.state.refunds.by_key.items()
        if each.status not in ("told", "settled")
    ]
    cases = [each for each in facts if isinstance(each, RefundCaseOpened)]
    assert len(open_refunds) == len(cases)
