"""The limits are the platform's: what is accepted of a gift card can be carried inside as well."""

import asyncio
from contextlib import closing
from typing import Any

import msgspec
from app.entrypoints.giftcard import TopUpAsked, requested
from hypothesis import given, settings
from hypothesis import strategies as st

from app.config import Config
from app.registry import wanted_topics
from app.wire import codecs
from app.wire.byte_limits import ROW_BYTES_MAX
from app.wire.envelope import Envelope, Undecodable
from app.wire.records import size_of
from tests.support.console import FakeWorker
from tests.support.giftcard import BLOCKED, FRAUD_MINOR, TOP_UP
from tests.support.simulation.console_world import ConsoleWorld
from workflows.shared.limits import MINOR_MAX, NAME_CHARS_MAX
from workflows.shared.message import type_name

TOP_UP_ID = "t" * 36
AT_MS = 1_700_000_000_000
NAMES = st.builds(
    lambda character, length: character * length,
    st.sampled_from(["x", "\u00e9", "\U0001f600", '"', "\\"]),
    st.sampled_from([1, NAME_CHARS_MAX]),
)
AMOUNTS = st.sampled_from([0, 1, FRAUD_MINOR, MINOR_MAX])


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Return the body of a top-up, often near a limit."""
    names = ("country", "payment_method", "customer_id", "recipient", "wrapping")
    card_id = draw(st.one_of(NAMES, st.just(BLOCKED["card_id"])))
    record = {name: draw(NAMES) for name in names}
    return {**TOP_UP, **record, "card_id": card_id, "amount_minor": draw(AMOUNTS)}


@settings(max_examples=40)
@given(body=requests())
def test_what_is_accepted_of_a_top_up_is_carried(body: dict[str, Any]) -> None:
    """No dead letter, and no record or row that its topic does not take."""
    message = requested(TOP_UP_ID, msgspec.convert(body, TopUpAsked), AT_MS)
    envelope = Envelope(
        id="e1",
        type=type_name(type(message)),
        source="/payflow/console",
        time_ms=AT_MS,
        subject=TOP_UP_ID,
        correlation_id=TOP_UP_ID,
        baggage={"workflow": "giftcard", "country": message.country},
    )
    try:
        codecs.check_readable(message, envelope)
    except Undecodable:
        return
    queries = FakeWorker()
    queries.emitted.append((message, envelope))
    with closing(asyncio.new_event_loop()) as loop:
        world = ConsoleWorld(queries, loop)
        world.carry_out()

    most = {each.name: int(each.config["max.message.bytes"]) for each in wanted_topics(Config())
            if "max.message.bytes" in each.config}  # fmt: skip
    assert 1 < len(world.records)
    assert [] == world.dead
    assert all(size_of(each) < most[each.topic] for each in world.records)
    assert world.longest_row <= ROW_BYTES_MAX
