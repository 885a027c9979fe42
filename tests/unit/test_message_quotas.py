"""How many messages a transaction sends and a customer gets: what is over is withheld."""

import asyncio
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from app.wire.personal import masked_text
from tests.support.examples.notification import PAID
from tests.support.simulation.troubles import Troubles
from tests.support.simulation.world import World
from tests.support.workflow_runner import START_MS, after, receive
from workflows.notification import process as notification
from workflows.notification import quota
from workflows.notification.messages import (
    NotificationSent,
    NotificationWithheld,
    RequestMessage,
    SendMessage,
)
from workflows.notification.process import SentMessages
from workflows.notification.quota import DAY_MS, Recipient, recipient_of
from workflows.order.messages import ReturnLine, ReturnRequested
from workflows.order.saga_messages import ReturnRefused
from workflows.shared.limits import (
    CUSTOMER_ANSWERS_A_DAY_MAX,
    CUSTOMER_MESSAGES_A_DAY_MAX,
    RETURNS_ASKED_MAX,
    TRANSACTION_ANSWERS_MAX,
    TRANSACTION_MESSAGES_MAX,
)
from workflows.shared.message import Message

MIDNIGHT_SECONDS = (DAY_MS - START_MS % DAY_MS) / 1_000
"""How far into the story the next day begins."""


def refused(number: int) -> ReturnRefused:
    """Return the refusal of return `number`."""
    return ReturnRefused(order_id="o1", return_id=f"r{number}", reason="too late")


def message_request(number: int, *, is_answer: bool = False) -> RequestMessage:
    """Return message `number` to one customer."""
    return RequestMessage(
        transaction_id=f"o{number}",
        notification_id=f"o{number}/x",
        recipient="one",
        channel="sms",
        title="t",
        text="x",
        is_answer=is_answer,
    )


def withheld(message: RequestMessage, name: str, most: int) -> NotificationWithheld:
    """Return that `message` is over a quota."""
    return NotificationWithheld(
        transaction_id=message.transaction_id,
        notification_id=message.notification_id,
        channel=message.channel,
        quota=name,
        most=most,
    )


# --- a transaction ---------------------------------------------------------------


def test_answers_to_returns_end_and_what_happens_to_the_order_is_still_sent() -> None:
    """Whoever asks for returns without end does not keep the customer from other messages."""
    state, kinds = notification.INITIAL, list[type[Message]]()
    for number in range(400):
        state, emitted = receive(notification, state, refused(number))
        kinds += [type(each) for each in emitted]
    _, paid = receive(notification, state, PAID)

    assert TRANSACTION_ANSWERS_MAX == kinds.count(RequestMessage)
    assert 400 - TRANSACTION_ANSWERS_MAX == kinds.count(NotificationWithheld) == state.withheld
    assert [RequestMessage] == [type(each) for each in paid]


def test_a_transaction_sends_so_many_messages_whatever_they_say() -> None:
    """The row has an end as well."""
    ids = tuple(f"o1/{number}" for number in range(TRANSACTION_MESSAGES_MAX))
    state, [emitted] = receive(notification, SentMessages(notification_ids=ids), PAID)

    assert isinstance(emitted, NotificationWithheld)
    assert ("transaction_messages", 100) == (emitted.quota, emitted.most)
    assert (ids, 1) == (state.notification_ids, state.withheld)


def test_the_quota_is_that_of_the_customer_and_of_a_guest_that_of_the_order() -> None:
    """All orders of a customer have one row, which does not hold who it is."""
    _, [of_customer] = after(notification, PAID)
    _, [of_guest] = after(notification, refused(1))

    assert isinstance(of_customer, RequestMessage)
    assert isinstance(of_guest, RequestMessage)
    assert recipient_of("c1", "o2") == of_customer.recipient
    assert "c1" not in of_customer.recipient
    assert "o1" == of_guest.recipient
    assert recipient_of("c1", "o1") != recipient_of("c2", "o1")
    assert "customer:***" == masked_text(recipient_of("c1", "o1"))


# --- a customer ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_answer", "name", "most"),
    [
        pytest.param(False, "customer_messages", CUSTOMER_MESSAGES_A_DAY_MAX, id="of all kinds"),
        pytest.param(True, "customer_answers", CUSTOMER_ANSWERS_A_DAY_MAX, id="answers"),
    ],
)
def test_a_customer_gets_so_many_in_a_day_and_more_on_the_next(
    is_answer: bool,
    name: str,
    most: int,
) -> None:
    """Over all orders; what is over is emitted as such."""
    state = quota.INITIAL
    for number in range(most):
        state, [sent] = receive(quota, state, message_request(number, is_answer=is_answer))
        assert isinstance(sent, SendMessage)
    over = message_request(most, is_answer=is_answer)
    state, emitted = receive(quota, state, (over, MIDNIGHT_SECONDS - 1))
    assert (withheld(over, name, most),) == emitted

    state, [sent] = receive(quota, state, (over, MIDNIGHT_SECONDS))
    assert isinstance(sent, SendMessage)
    assert (1, int(is_answer), 1) == (state.messages, state.answers, state.withheld)


def test_what_comes_late_counts_on_the_day_that_has_begun() -> None:
    """Times that go back and forth give no new quota."""
    used = Recipient(day=(START_MS + DAY_MS) // DAY_MS, messages=CUSTOMER_MESSAGES_A_DAY_MAX)
    state, emitted = receive(quota, used, message_request(1))

    assert (withheld(message_request(1), "customer_messages", 100),) == emitted
    assert replace(used, withheld=1) == state


# --- the whole instance ------------------------------------------------------------


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of its own: the world runs it itself."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_four_hundred_refused_returns_send_the_customer_five_messages(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Every one of the others is recorded, and the row of the order ends with its quota."""
    world = World(1, Troubles(1, frozenset()), loop)
    for number in range(400):
        line = ReturnLine(sku="tea", quantity=1)
        request = ReturnRequested(order_id="o1", return_id=f"b{number}", lines=(line,))
        world.say(request, f"return {number}", "o1", {})
    world.run()

    sent = [m for m in world.messages("notifications") if isinstance(m, NotificationSent)]
    over = [m for m in world.messages("notifications") if isinstance(m, NotificationWithheld)]
    refusals = [m for m in world.messages("sagas") if isinstance(m, ReturnRefused)]
    assert TRANSACTION_ANSWERS_MAX == len(sent)
    assert len(refusals) - TRANSACTION_ANSWERS_MAX == len(over)
    assert {"transaction_answers"} == {m.quota for m in over}
    # Those within the quota of returns wait for the end of an order that was never placed.
    assert 400 - RETURNS_ASKED_MAX == len(refusals)
