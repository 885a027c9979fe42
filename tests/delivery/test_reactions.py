"""A participant that two workflows share does what the workflow of the transaction asks of it."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.delivery.agent import Decider
from app.delivery.processor import run_batch
from app.delivery.row import decode_row
from tables import Table
from tests.support.agents import ANSWERS, TALLY, cancel
from tests.support.runtime import FakeRuntime
from workflows.order import topics as order_topics
from workflows.order.messages import OrderCancelRequested
from workflows.shared import reaction
from workflows.shared.message import Message
from workflows.shared.reaction import Instruction, Reactions, declare_reactions, instructions


class Note(Instruction, frozen=True, kw_only=True):
    """Remember `text`."""

    text: str


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked."""

    texts: tuple[str, ...] = ()


NOTES = Table(name="notes", service="test", shape=Notes, initial=Notes(), help="For tests.")
REACTIONS: Reactions = {
    OrderCancelRequested: {
        "one": lambda event: Note(text=f"one: {event.reason}"),
        "other": lambda event: Note(text="other") if event.reason else None,
    }
}


def evolve(state: Notes, message: Message, _at_ms: int) -> Notes:
    return Notes(texts=(*state.texts, message.text)) if isinstance(message, Note) else state


SHARED = Decider(
    name="shared",
    service="test",
    consumes=(order_topics.orders,),
    table=NOTES,
    evolve=evolve,
    reactions=REACTIONS,
)


async def state_after(agent: Decider[Any], reason: str, baggage: dict[str, str]) -> Any:
    """Return the state of o1 after a cancellation for `reason` that travels with `baggage`."""
    runtime = FakeRuntime()
    record = cancel(1, reason)
    headers = [(name, value) for name, value in record.headers if name != "baggage"]
    if baggage:
        pairs = ",".join(f"{name}={value}" for name, value in baggage.items())
        headers.append(("baggage", pairs.encode()))
    await run_batch(agent, runtime, [replace(record, headers=tuple(headers))])
    body = runtime.rows.get((agent.table.name, 0, b"o1"))
    return decode_row(agent.table, body).state if body else None


@pytest.mark.parametrize(
    ("baggage", "reason", "texts"),
    [
        pytest.param({"workflow": "one"}, "late", ("one: late",), id="of one"),
        pytest.param({"workflow": "other"}, "late", ("other",), id="of the other"),
        pytest.param({"workflow": "other"}, "", (), id="which asks for nothing"),
        pytest.param({"workflow": "third"}, "late", (), id="of one that does not react"),
        pytest.param({}, "late", ("one: late", "other"), id="of before workflows had names"),
    ],
)
async def test_the_workflow_of_the_transaction_says_what_is_asked(
    baggage: dict[str, str], reason: str, texts: tuple[str, ...]
) -> None:
    """The baggage names it."""
    assert Notes(texts=texts) == await state_after(SHARED, reason, baggage)


@pytest.mark.parametrize(
    ("baggage", "received"),
    [
        pytest.param({"workflow": "one"}, 1, id="its own"),
        pytest.param({}, 1, id="of before workflows had names"),
        pytest.param({"workflow": "other"}, None, id="another's"),
    ],
)
async def test_a_step_of_one_workflow_leaves_transactions_of_others_alone(
    baggage: dict[str, str], received: int | None
) -> None:
    """It has no row for them."""
    state = await state_after(replace(ANSWERS, workflow="one"), "", baggage)

    assert received == (state.received if state else None)
    assert ANSWERS.table is TALLY


def test_an_event_that_nobody_declares_is_no_instruction() -> None:
    """The participant then handles the event itself."""
    assert instructions({}, OrderCancelRequested(order_id="o1"), "one") is None


def test_a_workflow_declares_a_reaction_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would both be applied."""
    monkeypatch.setattr(reaction, "declared", {})
    declare_reactions("one", "of the test", {OrderCancelRequested: lambda _event: None})

    with pytest.raises(ValueError, match="one declares twice"):
        declare_reactions("one", "of the test", {OrderCancelRequested: lambda _event: None})
