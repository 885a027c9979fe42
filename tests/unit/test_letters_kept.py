"""A letter sent back, edited, or failed anew: what it is known by stays true."""

import hashlib

import msgspec
import pytest

from app.composition import open_rooms
from app.config import Config
from app.host.processes import hold
from app.operations.dead_letters.dead_letter import Letter, edited, event_id, sent_back
from app.operations.dead_letters.redrive import Act, LettersError, desk, letter_edited
from app.operations.verification.case import Case
from app.operations.verification.consistent_cut import Cut
from app.operations.verification.dead_letter_checks import poison_is_laid_aside
from app.operations.verification.facts import Facts
from app.operations.verification.reader import _Reader as Reader
from app.wire import records as record
from app.wire.records import Outgoing, Record
from app.worker.faust_app import heard_topics
from tests.integration.kafka import local_config

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


def laid_aside(given: Record, service: str = "payment", offset: int = 0) -> Letter:
    """Return the letter that the room of `service` makes of `given`, heard first on `orders`."""
    dead = record.to_dead(
        given,
        service=service,
        room=service,
        cause="not_json",
        detail="",
        stack="",
        now_ms=0,
        home="orders",
    )
    return Letter(given=as_read(dead, offset), at_ms=0)


def verdict(*letters: Letter) -> tuple[str, ...]:
    """Return what verify misses when the payment service has laid aside `letters`, in order."""
    cut = Cut(
        hears={"payment": frozenset({"orders"})},
        committed={"payment": {("orders", 2): 8}},
        begins={},
        ends={},
    )
    facts = Facts()
    reader = Reader(facts, cut, 0, {}, Config(seal_key=""))
    for given in (ORIGIN, *(letter.given for letter in letters)):
        reader.take(given, 0)
    return poison_is_laid_aside(Case(facts=facts, now_ms=0)).offending


FIRST = laid_aside(ORIGIN)


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(sent_back(FIRST, 0), id="the same bytes"),
        pytest.param(edited(FIRST, 0, b"{still none", {}), id="other bytes"),
    ],
)
def test_verify_finds_the_poison_itself_whatever_failed_after_it(again: Outgoing) -> None:
    """What was edited and fails again lies beside the first letter, and does not replace it."""
    assert () == verdict(FIRST, laid_aside(as_read(again, 0), offset=1))


def test_verify_misses_a_poison_of_which_only_an_edited_letter_lies_there() -> None:
    """Other bytes under the same origin are not the bytes that were told."""
    forged = laid_aside(as_read(edited(FIRST, 0, b"{still none", {}), 0))

    assert ("orders/2/7 missing in orders.payment.dead",) == verdict(forged)


@pytest.mark.parametrize(
    ("heard", "pending"),
    [
        pytest.param(0, True, id="the room is before it"),
        pytest.param(1, False, id="the room is through with it"),
    ],
)
def test_verify_allows_for_a_letter_sent_back_until_it_is_heard(heard: int, pending: bool) -> None:
    """Its order counts as in motion meanwhile: the redrive topic is one that the service hears."""
    payment = open_rooms()["payment"]
    given = as_read(sent_back(FIRST, 0), 0)
    cut = Cut(
        hears={"payment": frozenset(heard_topics(payment))},
        committed={"payment": {(given.topic, 0): heard}},
        begins={},
        ends={},
    )
    facts = Facts()
    Reader(facts, cut, 0, {}, Config(seal_key="")).take(given, 0)

    assert pending == ("o1" in facts.pending)


def test_one_edit_is_one_event_for_every_service_that_laid_the_same_record_aside() -> None:
    """Its id follows from the old id, or the origin where there is none, and the new bytes."""
    services = ("payment", "shipping", "fraud")
    named = msgspec.structs.replace(ORIGIN, headers=(("ce_id", b"e1"),))

    ids = {
        event_id(edited(laid_aside(given, service), 0, b"[1]", {}))
        for service in services
        for given in (ORIGIN, named)
    }

    assert 2 == len(ids)


def test_the_audit_names_the_new_bytes_by_their_digest() -> None:
    """SHA-256, so that anybody can hold a file against it."""
    act = Act(who="ops", why="", at_ms=0)
    said = letter_edited(FIRST, b"[1]", edited(FIRST, 0, b"[1]", {}), act)

    assert hashlib.sha256(b"[1]").hexdigest() == said.bytes_sha256


async def test_a_second_redriver_is_refused_while_one_is_at_work(tmp_path) -> None:
    """Nothing is connected to, and the message says what to do."""
    guard = hold(tmp_path / "redrive.lock")
    with pytest.raises(LettersError, match="Operator: wait for it to end"):
        async with desk(local_config(tmp_path)):
            raise AssertionError("two redrivers at once")
    guard.close()

    assert not list(tmp_path.glob("kafka"))
