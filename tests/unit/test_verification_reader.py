"""What `verify` believes of records that are still to be handled: what their agents would."""

import pytest
from msgspec.structs import replace

from app.config import Config
from app.delivery.dead_letters import to_retry
from app.operations.verification.consistent_cut import ConsistentCut, sources_of
from app.operations.verification.facts import Facts
from app.operations.verification.reader import _Taker as Reader
from app.wire import codecs
from app.wire.envelope import Envelope, derive_id, to_headers
from app.wire.records import Outgoing, Record
from app.wire.signing import signed
from tests.support.examples.verification import paid, placed
from tests.support.runtime import as_read
from workflows.order.workflow import ORDER
from workflows.shared.message import Message, type_name
from workflows.shared.topic import topic_of

CONFIG = Config(signing_key="ours", partitions=1)
VICTIM = "of-somebody-else"


def record(message: Message, correlation_id: str, key: str = "") -> Record:
    """Return `message` as it lies on its topic, signed with `key` if there is one."""
    topic = topic_of(message)
    envelope = Envelope(
        id=derive_id("test", correlation_id),
        type=type_name(type(message)),
        source="/test",
        time_ms=1_000,
        subject=topic.key(message),
        correlation_id=correlation_id,
    )
    outgoing = Outgoing(
        topic=topic.name,
        key=topic.key(message).encode(),
        value=codecs.encode(message),
        headers=to_headers(envelope),
    )
    return as_read(signed(outgoing, key), 0)


def parked(before: Record) -> Record:
    sent = to_retry(before, "shipping", 1, 0, "timeout")
    return replace(before, topic=sent.topic, headers=tuple(sent.headers))


def facts_of(source_record: Record) -> Facts:
    """Return what verify knows of `source_record`, which nobody has consumed yet."""
    consistent_cut = ConsistentCut(
        sources=sources_of([ORDER]),
        consumed={"shipping": frozenset({"orders", "payments", source_record.topic})},
        committed={"shipping": {}},
        begins={},
        ends={},
    )
    facts = Facts()
    Reader(facts, [ORDER], consistent_cut, 1_000, {}, CONFIG).take(source_record, 1_000)
    return facts


def renamed(header: tuple[str, bytes]) -> tuple[str, bytes]:
    name, _ = header
    return (name, VICTIM.encode()) if name == "ce_correlationid" else header


SIGNED = record(paid("o1"), "o1", "ours")
NO_MESSAGE = replace(SIGNED, value=b"{")


@pytest.mark.parametrize(
    ("source_record", "pending"),
    [
        pytest.param(SIGNED, {"o1"}, id="an event of ours"),
        pytest.param(record(paid("o1"), VICTIM), set(), id="one without a signature"),
        pytest.param(record(paid("o1"), VICTIM, "theirs"), set(), id="one with a wrong one"),
        pytest.param(
            replace(SIGNED, headers=tuple(map(renamed, SIGNED.headers))),
            set(),
            id="one whose header was changed",
        ),
        pytest.param(record(placed("o1"), VICTIM), {"o1"}, id="anybody's, on an open topic"),
        pytest.param(NO_MESSAGE, set(), id="what is not a message"),
    ],
)
def test_only_what_an_agent_takes_explains_a_difference(
    source_record: Record, pending: set[str]
) -> None:
    """On its topic and on a retry topic alike; that it is parked is counted all the same."""
    lies_there, waits = facts_of(source_record), facts_of(parked(source_record))

    assert pending == lies_there.pending == waits.pending
    assert (0, 1) == (lies_there.parked, waits.parked)
