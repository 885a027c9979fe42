"""Who may write to the broker makes no dead letter, and one person edits no more than he may do."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.auth import operators
from app.config import Config
from app.console.api import dead_letter_actions, dead_letters
from app.console.api.problems import Problem
from app.console.server import make_api
from app.delivery.dead_letters import to_dead
from app.operations.dead_letters.audit_records import Action, audited, dead_letter_redriven
from app.operations.dead_letters.dead_letter import DeadLetter, Edit, redrive_id, sent_back
from app.operations.dead_letters.edit_limit import EditLimit, TakesTwoPeople, edited_before_minor
from app.operations.dead_letters.reader import Reader
from app.operations.dead_letters.redrive import DeadLetterError, Redriver
from app.operations.dead_letters.status import DeadLetterFacts
from app.registry import load_agents
from app.wire import codecs, records
from app.wire.envelope import Envelope, from_headers, to_headers
from app.wire.records import Outgoing, Record
from app.wire.signing import SIGNATURE, is_signed, signed
from tests.support.console import CONFIG, FakeWorker, directory_of
from workflows.audit.dead_letter_actions import (
    DeadLetterDiscarded,
    DeadLetterEdited,
    DeadLetterEditProposed,
)
from workflows.fraud.messages import FraudCleared, FraudDetected
from workflows.inventory.messages import InventoryRejected, InventoryReserved
from workflows.order.messages import GoodwillGranted, OrderCancelRequested, OrderPlaced
from workflows.order.returns import Return, Returns
from workflows.order.state import Order
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.messages import PaymentRefunded, RefundCaseDecided
from workflows.payment.provider_messages import RefundCharge
from workflows.shared.message import Message, type_name
from workflows.shared.reference_rates import BUILT_IN_RATES
from workflows.shared.topic import topic_of
from workflows.shipping.messages import ShipmentCancelled, ShipmentCreated

load_agents()

KEY = Config().signing_key
ACTION = Action(who="ann", why="mended", at_ms=1)
LIMIT_MINOR = Config().refund_two_people_minor


def emitted(message: Message) -> Outgoing:
    """Return `message` as an event, unsigned."""
    envelope = Envelope(
        id="e1",
        type=type_name(type(message)),
        source="/x",
        time_ms=1,
        subject="o1",
        correlation_id="o1",
    )
    return Outgoing(
        topic=topic_of(message).name,
        key=b"o1",
        value=codecs.encode(message),
        headers=to_headers(envelope),
    )


def as_read(sent: Outgoing, offset: int = 0) -> Record:
    return Record(
        topic=sent.topic,
        partition=sent.partition or 0,
        offset=offset,
        key=sent.key,
        value=sent.value,
        headers=tuple(sent.headers),
    )


def dead_lettered(record: Record, agent: str = "order") -> Outgoing:
    """Return the dead letter that `agent` makes of `record`, unsigned."""
    return to_dead(record, service=agent, agent=agent, cause="bug", detail="", stack="", now_ms=1)


def goodwill(amount_minor: int, alone_max_minor: int | None = LIMIT_MINOR) -> GoodwillGranted:
    return GoodwillGranted(
        order_id="o1",
        return_id="operator-r1",
        amount_minor=amount_minor,
        alone_max_minor=alone_max_minor,
    )


def refunded(amount_minor: int) -> PaymentRefunded:
    return PaymentRefunded(
        transaction_id="o1",
        payment_id="p1",
        refund_id="r1",
        amount_minor=amount_minor,
        currency="GBP",
        kind="return",
    )


def dead_letter_of(message: Message, key: str = KEY) -> DeadLetter:
    """Return the dead letter of `message`, produced by Payflow or, without `key`, by anybody."""
    dead = signed(dead_lettered(as_read(signed(emitted(message), key))), KEY)
    return DeadLetter(record=as_read(dead), at_ms=1)


SMALL = dead_letter_of(goodwill(1))

# --- who makes a dead letter, and who sends one back -----------------------------


def facts_of(*sent: Outgoing) -> DeadLetterFacts:
    """Return what a reader makes of records on the broker."""
    reader = Reader(Config(), None, None)  # type: ignore[arg-type]
    for offset, each in enumerate(sent):
        reader._take(as_read(each, offset), 1)
    return reader.facts({})


def test_a_record_that_no_service_has_dead_lettered_is_no_dead_letter() -> None:
    """It is counted, and nobody can edit it."""
    ours = signed(dead_lettered(as_read(emitted(goodwill(39_000)))), KEY)
    forged = replace(ours, headers=[each for each in ours.headers if each[0] != "x-dead-seal"])
    altered = replace(ours, value=codecs.encode(goodwill(99_000)))
    facts = facts_of(ours, forged, altered)

    assert ([ours.value], 2) == ([each.record.value for each in facts.dead_letters], 2)
    assert 2 == facts.foreign


@pytest.mark.parametrize(
    "secret", [pytest.param(KEY, id="by Payflow"), pytest.param("", id="by anybody")]
)
def test_only_what_the_audit_knows_sends_a_dead_letter_back(secret: str) -> None:
    """Its headers have no signature, so a forged record would make it look handled."""
    act = signed(audited(dead_letter_redriven(SMALL, ACTION), ACTION), secret)
    facts = facts_of(act, sent_back(SMALL, 0))

    assert ([SMALL.place] if secret else []) == list(facts.attempts)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(DeadLetterDiscarded(about=SMALL.place, who="ann", why="w"), id="discarded"),
        pytest.param(
            DeadLetterEditProposed(about=SMALL.place, who="ann", why="w", edit_id="x"),
            id="proposed",
        ),
    ],
)
def test_a_forged_action_on_the_audit_is_none(message: Any) -> None:
    """Signed, the same is one."""
    act = audited(message, ACTION)

    forged, ours = facts_of(act), facts_of(signed(act, KEY))
    assert ({}, {}) == (forged.discarded, forged.proposed)
    assert ours.discarded or ours.proposed


# --- what one person may edit ------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "message", "edited_minor", "objection"),
    [
        pytest.param(
            goodwill(1), goodwill(9_000), 0, "more than personal", id="less than he may refund"
        ),
        pytest.param(goodwill(1), goodwill(1), 0, "", id="nothing but what was there"),
        pytest.param(goodwill(1), goodwill(39_000), 0, "39000 would", id="more than he may"),
        pytest.param(refunded(900), refunded(1), 0, "more than personal", id="less than it was"),
        pytest.param(refunded(900), refunded(0), 0, "more than personal", id="nothing of it"),
        pytest.param(goodwill(1), goodwill(9_000), 5_000, "14000 would", id="in small parts"),
        pytest.param(goodwill(1), goodwill(1, None), 0, "two people have", id="agreed by two"),
        pytest.param(goodwill(1), goodwill(1, 10_001), 0, "refund 10001", id="a limit of his own"),
        pytest.param(refunded(1), refunded(39_000), 0, "39000 would", id="any other money"),
        pytest.param(
            OrderCancelRequested(order_id="o1"),
            OrderCancelRequested(order_id="o1", reason="late"),
            LIMIT_MINOR,
            "",
            id="no money, on an open topic",
        ),
    ],
)
def test_an_edit_obeys_the_limit_of_what_it_does(
    before: Message, message: Message, edited_minor: int, objection: str
) -> None:
    """The limit is that of the act itself."""
    limit = EditLimit(
        config=Config(), rates=BUILT_IN_RATES, currency="GBP", before_minor=edited_minor
    )

    refusal = limit.objection(dead_letter_of(before), message)
    assert (bool(objection), True) == (bool(refusal), objection in refusal)


@pytest.mark.parametrize(
    ("dead_letter", "currency", "objection"),
    [
        pytest.param(dead_letter_of(goodwill(1), ""), "GBP", "has not produced", id="forged"),
        pytest.param(SMALL, "", "nobody knows", id="of no known currency"),
        pytest.param(SMALL, "XXX", "nobody knows", id="of a currency without a rate"),
    ],
)
def test_an_edit_takes_two_where_nobody_vouches_for_it(
    dead_letter: DeadLetter, currency: str, objection: str
) -> None:
    """The smallest amount as well: the operator's act would sign what a stranger said."""
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES, currency=currency)

    assert objection in limit.objection(dead_letter, goodwill(1))


ABOUT = {"transaction_id": "o1"}
CLEARED = FraudCleared(**ABOUT, score=1, rules_version="1")
CASE_AGAIN = RefundCaseDecided(**ABOUT, refund_key="r1", decision="retry")
CASE_PAID = RefundCaseDecided(**ABOUT, refund_key="r1", decision="settled")
ANSWERED = DisputeDecided(**ABOUT, dispute_id="d1", decision="submit", evidence_text="a")


@pytest.mark.parametrize(
    ("before", "message", "objection"),
    [
        pytest.param(
            ShipmentCreated(order_id="o1", shipment_id="s1"),
            ShipmentCancelled(order_id="o1", cause="late"),
            "another type",
            id="a shipment that is cancelled",
        ),
        pytest.param(
            CLEARED,
            FraudDetected(**ABOUT, score=99, reasons=("x",), rules_version="1"),
            "another type",
            id="another verdict",
        ),
        pytest.param(
            InventoryReserved(order_id="o1", units=1),
            InventoryRejected(order_id="o1", reason="out_of_stock"),
            "another type",
            id="nothing in stock",
        ),
        pytest.param(
            goodwill(9_000), refunded(9_000), "another type", id="another type with money"
        ),
        pytest.param(CASE_PAID, CASE_AGAIN, "more than personal", id="another decision"),
        pytest.param(
            CASE_PAID,
            replace(CASE_AGAIN, amount_minor=1),
            "more than personal",
            id="another decision that names a penny",
        ),
        pytest.param(
            ANSWERED,
            replace(ANSWERED, decision="accept"),
            "more than personal",
            id="a lost dispute",
        ),
        pytest.param(ANSWERED, replace(ANSWERED, evidence_text="b"), "", id="a personal text"),
        pytest.param(
            CASE_AGAIN, replace(CASE_AGAIN, amount_minor=1), "more than personal", id="an amount"
        ),
    ],
)
def test_an_edit_that_moves_money_and_names_none_takes_two(
    before: Message, message: Message, objection: str
) -> None:
    """What the agents do then is not in the event: a refund of a whole order."""
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES, currency="GBP")

    refusal = limit.objection(dead_letter_of(before), message)
    assert (bool(objection), True) == (bool(refusal), objection in refusal)


def test_an_edit_of_what_nobody_can_read_takes_two() -> None:
    """Nothing says what it changes."""
    broken = replace(emitted(refunded(1)), value=b"{")
    dead = signed(dead_lettered(as_read(signed(broken, KEY))), KEY)
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES, currency="GBP")

    refusal = limit.objection(DeadLetter(record=as_read(dead), at_ms=1), refunded(1))
    assert "nobody can read" in refusal


@pytest.mark.parametrize(
    ("currency", "objection"),
    [
        pytest.param("GBP", "names IDR, and the transaction is in GBP", id="known"),
        pytest.param("", "more than personal", id="known by the event alone"),
    ],
)
def test_the_currency_is_not_what_the_edit_says(currency: str, objection: str) -> None:
    """12,000,000 rupiah are worth 500 pounds; the provider refunds pence."""
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES, currency=currency)
    charge = RefundCharge(
        **ABOUT, payment_id="p1", refund_key="r1", amount_minor=1, currency="GBP", attempt=0
    )

    edit = replace(charge, amount_minor=900_000, currency="IDR")
    assert objection in limit.objection(dead_letter_of(charge), edit)


def test_earlier_edits_of_the_same_key_count() -> None:
    """Those of others do not."""
    other = DeadLetter(record=replace(SMALL.record, key=b"o2", offset=1), at_ms=1)
    facts = DeadLetterFacts(
        dead_letters=(SMALL, other),
        attempts={},
        through={},
        edited_minor={SMALL.place: 3, other.place: 4},
    )

    assert 3 == edited_before_minor(facts, SMALL)


class Edits(Redriver):
    """A redriver whose records lie in a list."""

    def __init__(self, dead_letter: DeadLetter) -> None:
        super().__init__(Config(), None, None)  # type: ignore[arg-type]
        self.dead_letter = dead_letter
        self.sent: list[Outgoing] = []

    async def read_status(self) -> DeadLetterFacts:
        facts = facts_of(*(signed(each, KEY) for each in self.sent))
        return replace(facts, dead_letters=(self.dead_letter,))

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        self.sent += records

    @property
    def audited(self) -> list[Message]:
        acts = [each for each in self.sent if each.topic == "audit"]
        return [codecs.decode(each.value, from_headers(each.headers), each.key) for each in acts]

    @property
    def redriven(self) -> list[Record]:
        return [as_read(each) for each in self.sent if each.topic != "audit"]


async def test_bytes_that_are_no_event_are_not_signed() -> None:
    """Also by force: a later version may read an event in them."""
    edits = Edits(SMALL)
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES, currency="GBP")
    await edits.edit(SMALL, Edit(body=b"{}", force=True), ACTION, limit=limit)
    event = Edit(body=codecs.encode(goodwill(1)))
    await edits.edit(SMALL, event, ACTION, limit=limit)

    assert [False, True] == [is_signed(each, Config()) for each in edits.redriven]


async def test_an_edit_for_two_sends_nothing_of_one() -> None:
    """The command line asks like this."""
    edits = Edits(SMALL)
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES)

    with pytest.raises(TakesTwoPeople):
        await edits.edit(SMALL, Edit(body=codecs.encode(goodwill(39_000))), ACTION, limit=limit)
    assert [] == edits.sent


PLACED = OrderPlaced(
    order_id="o1",
    country="GB",
    currency="GBP",
    lines=(),
    total_minor=400,
    payment_method="pm",
    ordered_at_ms=5,
)
ARRIVED_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("key", "believed"),
    [
        pytest.param("", ("o1", ARRIVED_MS, ARRIVED_MS), id="a stranger's"),
        pytest.param(KEY, ("victim", 1, 5), id="ours"),
    ],
)
async def test_an_edit_signs_no_time_and_no_transaction_of_a_stranger(
    key: str, believed: tuple[str, int, int]
) -> None:
    """Unsigned, nobody believes them."""
    record = emitted(PLACED)
    headers = [(name, b"victim" if name == "ce_correlationid" else value)
               for name, value in record.headers]  # fmt: skip
    record = signed(replace(record, headers=headers), key)
    dead_letter = DeadLetter(
        record=as_read(signed(dead_lettered(as_read(record)), KEY)), at_ms=ARRIVED_MS
    )
    edits = Edits(dead_letter)
    edit = Edit(body=codecs.encode(replace(PLACED, total_minor=500)))
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES)

    await edits.edit(dead_letter, edit, ACTION, limit=limit)

    (sent,) = edits.redriven
    envelope = from_headers(sent.headers)
    message = codecs.decode(sent.value, envelope, sent.key)
    assert isinstance(message, OrderPlaced)
    assert is_signed(sent, Config())
    assert 500 == message.total_minor
    assert believed == (envelope.correlation_id, envelope.time_ms, message.ordered_at_ms)


@pytest.mark.parametrize("name", ["ce_id", "ce_time", "ce_correlationid", "x-retry-due"])
async def test_an_edit_sets_no_header_of_ours(name: str) -> None:
    """The id of an event of ours would be dropped as known, or take its place."""
    edits = Edits(SMALL)
    edit = Edit(body=codecs.encode(goodwill(2)), headers={name: "e1"})
    limit = EditLimit(config=Config(), rates=BUILT_IN_RATES, currency="GBP")

    with pytest.raises(DeadLetterError, match=name):
        await edits.edit(SMALL, edit, ACTION, limit=limit)
    assert [] == edits.sent


class Site:
    """A console with three people and one dead letter, of an order in pounds."""

    def __init__(
        self, client: Any, tokens: dict[str, str], edits: Edits, queries: FakeWorker
    ) -> None:
        self.client = client
        self.queries = queries
        self.tokens = tokens
        self.edits = edits

    async def edit(self, who: str, message: Message, **headers: str) -> tuple[int, str]:
        """Return the status and the state that `who` is answered, or the field that is wrong."""
        body = {
            "place": self.edits.dead_letter.place,
            "body": codecs.encode(message).decode(),
            "headers": headers,
            "reason": "mended",
        }
        answer = await self.post(who, "/operators/dead-letters/edit", body)
        fields = await answer.json()
        return answer.status, fields.get("state") or fields.get("errors", [{}])[0].get("field", "")

    async def post(self, who: str, path: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {who}:{self.tokens[who]}"}
        return await self.client.post(path, json=body, headers=headers)


@pytest.fixture
async def site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aiohttp_client: Any, aiohttp_server: Any
) -> Site:
    edits = Edits(SMALL)

    @asynccontextmanager
    async def opened(_config: Config) -> AsyncIterator[Redriver]:
        yield edits

    async def gathered(_config: Config) -> DeadLetterFacts:
        return await edits.read_status()

    monkeypatch.setattr(dead_letter_actions, "redriver", opened)
    monkeypatch.setattr(dead_letters, "gather", gathered)
    operators.first_start(tmp_path)
    people = (("oda", "operator"), ("odo", "operator"), ("pat", "approver"))
    tokens = {name: operators.add(tmp_path, name, role) for name, role in people}
    queries = FakeWorker()
    directory = await directory_of(queries, aiohttp_server)
    api = make_api(queries, queries, directory, replace(CONFIG, data_dir=str(tmp_path)))
    return Site(await aiohttp_client(api), tokens, edits, queries)


async def test_an_edit_above_the_limit_is_sent_once_an_approver_enters_the_same(site: Site) -> None:
    """Neither the same person again, nor another operator, nor other bytes are enough."""
    much, more = goodwill(39_000), goodwill(39_001)
    answers = [
        await site.edit(who, message)
        for who, message in (
            ("oda", much),
            ("oda", much),
            ("odo", much),
            ("pat", more),
            ("pat", much),
        )
    ]

    assert [(202, "proposed")] * 4 + [(202, "sent")] == answers
    (sent,) = site.edits.redriven
    (edited,) = (each for each in site.edits.audited if isinstance(each, DeadLetterEdited))
    assert codecs.encode(much) == sent.value
    assert records.header(sent, SIGNATURE)
    assert ("pat", "oda") == (edited.who, edited.proposed_by)
    assert redrive_id(SMALL, codecs.encode(much), KEY) == edited.redrive_id


@pytest.mark.parametrize(
    "is_known", [pytest.param(True, id="row"), pytest.param(False, id="route")]
)
async def test_what_went_back_by_the_route_counts_for_an_edit(site: Site, is_known: bool) -> None:
    """One person refunded the limit twice: by the route, and by an edit."""
    returns = (
        {"operator-r0": Return(status="accepted", amount_minor=LIMIT_MINOR)} if is_known else {}
    )
    order = Order(order_id="o1", currency="GBP", total_minor=90_000, returns=Returns(by_id=returns))
    site.queries.keep("order", "o1", order)
    if not is_known:
        body = {"refund_id": "r0", "amount_minor": LIMIT_MINOR, "reason": "w"}
        assert 202 == (await site.post("oda", "/operators/orders/o1/refund", body)).status

    assert (202, "proposed") == await site.edit("oda", goodwill(1))
    assert [] == site.edits.redriven


async def test_an_edit_of_an_order_of_which_nothing_went_back_is_sent(site: Site) -> None:
    """No header of ours, nor one that says of which workflow it is."""
    site.queries.keep("order", "o1", Order(order_id="o1", currency="GBP", total_minor=90_000))

    assert (400, "headers") == await site.edit("oda", goodwill(1), ce_id="e1")
    assert (202, "proposed") == await site.edit("oda", goodwill(1), baggage="workflow=x")
    assert (202, "sent") == await site.edit("oda", goodwill(1))


async def test_an_edit_waits_for_who_knows_what_went_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no worker holds the row of the order, nobody knows what was refunded of it."""

    async def away(*_: Any) -> Any:
        raise Problem(503, "Service Unavailable", "nobody holds it")

    monkeypatch.setattr(dead_letter_actions, "operator_messages", away)

    assert 503 == (await site.edit("oda", goodwill(1)))[0]
    assert [] == site.edits.redriven


async def read_while_open(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the console go on with what it has read of a dead letter while that was open."""
    # A personal text: one person may send it.
    site.edits.dead_letter = dead_letter_of(ANSWERED)
    before = await site.edits.read_status()

    async def gathered(_config: Config) -> DeadLetterFacts:
        return before

    monkeypatch.setattr(dead_letters, "gather", gathered)


async def test_of_two_edits_of_one_dead_letter_at_once_one_is_sent(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second had read that it is open before the first was sent, and waited for it to end."""
    await read_while_open(site, monkeypatch)
    one, other = (replace(ANSWERED, evidence_text=text) for text in ("b", "c"))

    assert (202, "sent") == await site.edit("oda", one)
    assert 409 == (await site.edit("oda", other))[0]
    assert 1 == len(site.edits.redriven)


async def test_what_was_sent_back_meanwhile_is_not_discarded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit would say of money that has moved that nobody wanted it."""
    await read_while_open(site, monkeypatch)
    await site.edit("oda", replace(ANSWERED, evidence_text="b"))
    answer = await site.client.post(
        "/operators/dead-letters/discard",
        json={"place": site.edits.dead_letter.place, "reason": "not wanted"},
        headers={"Authorization": f"Bearer oda:{site.tokens['oda']}"},
    )

    assert 409 == answer.status
    assert not any(isinstance(each, DeadLetterDiscarded) for each in site.edits.audited)


def test_edits_of_one_dead_letter_by_two_consoles_are_summed() -> None:
    """Each console has a lock of its own folder; the latest edit says not all that was edited."""
    edits = [
        DeadLetterEdited(
            about=SMALL.place,
            who="oda",
            why="mended",
            agent="order",
            redrive_id=f"r{minor}",
            event_id_before="e1",
            event_id=f"e{minor}",
            bytes_sha256="0",
            worth_minor=minor,
        )
        for minor in (6_000, 3_000)
    ]
    facts = facts_of(*(signed(audited(each, ACTION), KEY) for each in edits))

    assert {SMALL.place: 9_000} == facts.edited_minor
