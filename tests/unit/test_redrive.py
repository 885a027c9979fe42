"""A dead letter sent back, edited, or failed anew: what it is known by stays true."""

import hashlib

import msgspec
import pytest

from app.config import Config
from app.delivery.agent_topics import consumed_topics
from app.delivery.dead_letters import to_dead
from app.host.processes import hold
from app.operations.dead_letters.audit_records import Action, dead_letter_edited
from app.operations.dead_letters.dead_letter import (
    DeadLetter,
    Edit,
    edit_id,
    edited,
    redrive_id,
    sent_back,
    sha256,
)
from app.operations.dead_letters.edit_limit import EditLimit
from app.operations.dead_letters.redrive import DeadLetterError, Redriver, redriver
from app.operations.verification.consistent_cut import ConsistentCut, sources_of
from app.operations.verification.dead_letter_checks import poison_is_dead_lettered
from app.operations.verification.facts import Facts
from app.operations.verification.reader import _Taker as Reader
from app.registry import load_agents
from app.wire.personal import masked_body
from app.wire.records import Outgoing, Record, event_id
from tests.support.broker import local_config
from tests.support.cluster import NOW_MS, emitted
from tests.support.examples.verification import placed
from workflows.audit.dead_letter_actions import DeadLetterEdited
from workflows.order.workflow import ORDER
from workflows.shared.message import type_name
from workflows.shared.reference_rates import BUILT_IN_RATES

load_agents()

POISON = b"{not json"
ORIGIN = Record(topic="orders", partition=2, offset=7, key=b"o1", value=POISON)


def as_read(sent: Outgoing, offset: int) -> Record:
    """Return `sent` as it is read from the one place it lies."""
    return Record(
        topic=sent.topic,
        partition=0,
        offset=offset,
        key=sent.key,
        value=sent.value,
        headers=tuple(sent.headers),
    )


def dead_lettered(record: Record, service: str = "payment", offset: int = 0) -> DeadLetter:
    """Return the dead letter that `service` makes of `record`, received first on `orders`."""
    dead = to_dead(
        record,
        service=service,
        agent=service,
        cause="not_json",
        detail="",
        stack="",
        now_ms=0,
        first_topic="orders",
    )
    return DeadLetter(record=as_read(dead, offset), at_ms=0)


async def test_an_edit_that_no_topic_takes_is_refused_also_by_force() -> None:
    """Before the audit says that it was done."""
    sender = Redriver(Config(), None, None)
    action = Action(who="ann", why="w", chosen="", at_ms=1)

    edit = Edit(body=b"x" * 3_600_000, force=True)
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES)

    with pytest.raises(DeadLetterError, match="at most 3,500,000"):
        await sender.edit(dead_lettered(ORIGIN), edit, action, limit=limit)


def verdict(*dead_letters: DeadLetter) -> tuple[str, ...]:
    """Return what verify misses when the payment service has made `dead_letters`, in order."""
    consistent_cut = ConsistentCut(
        sources=sources_of([ORDER]),
        consumed={"payment": frozenset({"orders"})},
        committed={"payment": {("orders", 2): 8}},
        begins={},
        ends={},
    )
    facts = Facts()
    reader = Reader(facts, [ORDER], consistent_cut, 0, {}, Config(signing_key=""))
    for record in (ORIGIN, *(dead_letter.record for dead_letter in dead_letters)):
        reader.take(record, 0)
    return poison_is_dead_lettered(facts).offending


FIRST = dead_lettered(ORIGIN)


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(sent_back(FIRST, 0), id="the same bytes"),
        pytest.param(edited(FIRST, 0, b"{still none", {}, ""), id="other bytes"),
    ],
)
def test_verify_finds_the_poison_itself_whatever_failed_after_it(again: Outgoing) -> None:
    """What was edited and fails again does not replace the first dead letter."""
    assert () == verdict(FIRST, dead_lettered(as_read(again, 0), offset=1))


def test_verify_misses_a_poison_of_which_only_an_edited_dead_letter_lies_there() -> None:
    """Other bytes under the same origin are not the bytes that were emitted."""
    forged = dead_lettered(as_read(edited(FIRST, 0, b"{still none", {}, ""), 0))

    assert ("orders/2/7 missing in orders.payment.dead",) == verdict(forged)


@pytest.mark.parametrize(
    ("received", "pending"),
    [
        pytest.param(0, True, id="the agent is before it"),
        pytest.param(1, False, id="the agent is through with it"),
    ],
)
def test_verify_allows_for_a_dead_letter_sent_back_until_it_is_received(
    received: int, pending: bool
) -> None:
    """Its order counts as in motion meanwhile: the service consumes the redrive topic."""
    payment = load_agents()["payment"]
    record = as_read(sent_back(dead_lettered(as_read(emitted(placed()), 7)), 0), 0)
    consistent_cut = ConsistentCut(
        sources=sources_of([ORDER]),
        consumed={"payment": frozenset(consumed_topics(payment))},
        committed={"payment": {(record.topic, 0): received}},
        begins={},
        ends={},
    )
    facts = Facts()
    Reader(facts, [ORDER], consistent_cut, 0, {}, Config(signing_key="")).take(record, 0)

    assert pending == ("o1" in facts.pending)


@pytest.mark.parametrize(
    ("services", "orders"),
    [
        pytest.param(("payment", "order"), 1, id="edited alike for two whose work is checked"),
        pytest.param(("analytics",), 0, id="edited for one that moves neither money nor items"),
    ],
)
def test_verify_reads_what_was_mended_where_its_agent_reads_it(
    services: tuple[str, ...], orders: int
) -> None:
    """Its readable body lies on redrive topics alone, and counts as one event."""
    agents = load_agents()
    good = emitted(placed())
    poison = as_read(msgspec.structs.replace(good, value=b"{not json"), 7)
    mended = [
        as_read(edited(dead_lettered(poison, service), 0, good.value or b"", {}, ""), 0)
        for service in services
    ]
    consistent_cut = ConsistentCut(
        sources=sources_of([ORDER]),
        consumed={each: frozenset(consumed_topics(agents[each])) for each in services},
        committed={each: {} for each in services},
        begins={},
        ends={},
    )
    facts = Facts()
    reader = Reader(facts, [ORDER], consistent_cut, 0, {}, Config(signing_key="", partitions=1))
    for record in mended:
        reader.take(record, NOW_MS)

    assert orders == len(facts.of(ORDER).orders)


def test_one_edit_is_one_event_for_all_services_that_dead_lettered_the_same_record() -> None:
    """Its id follows from the old id, or the origin where there is none, and the new bytes."""
    services = ("payment", "shipping", "fraud")
    with_id = msgspec.structs.replace(ORIGIN, headers=(("ce_id", b"e1"),))

    ids = {
        event_id(edited(dead_lettered(record, service), 0, b"[1]", {}, ""))
        for service in services
        for record in (ORIGIN, with_id)
    }

    assert 2 == len(ids)


def test_the_audit_names_the_new_bytes_by_their_digest() -> None:
    """SHA-256, so that anybody can hold a file against it."""
    action = Action(who="ops", why="", at_ms=0)
    audit = dead_letter_edited(FIRST, b"[1]", edited(FIRST, 0, b"[1]", {}, ""), action, "")

    assert hashlib.sha256(b"[1]").hexdigest() == audit.bytes_sha256


def test_what_the_audit_shows_of_an_edit_is_no_check_of_a_guess() -> None:
    """Its ids need the signing key, and the digest is masked, as the names in the bytes are."""
    action, body = Action(who="ops", why="", at_ms=0), b'{"customer_id":"c1"}'
    ids_by_secret = [
        [
            event_id(edited(FIRST, 0, body, {}, secret)),
            redrive_id(FIRST, body, secret),
            edit_id(FIRST, Edit(body=body), secret),
        ]
        for secret in ("ours", "guessed", "ours")
    ]
    sent = edited(FIRST, 0, body, {}, "ours")
    audit = msgspec.to_builtins(dead_letter_edited(FIRST, body, sent, action, "ours"))
    masked_audit = masked_body(audit, type_name(DeadLetterEdited))

    assert ids_by_secret[0] == ids_by_secret[2]
    assert not set(ids_by_secret[0]) & set(ids_by_secret[1])
    assert sha256(body) == audit["bytes_sha256"]
    assert sha256(body) not in str(masked_audit)
    assert ids_by_secret[0][1] == masked_audit["redrive_id"]


async def test_a_second_redriver_is_refused_while_one_is_at_work(tmp_path) -> None:
    """Nothing is connected to, and the message says what to do."""
    lock = hold(tmp_path / "redrive.lock")
    with pytest.raises(DeadLetterError, match="Operator: wait for it to end"):
        async with redriver(local_config(tmp_path)):
            raise AssertionError("two redrivers at once")
    lock.close()

    assert not list(tmp_path.glob("kafka"))
