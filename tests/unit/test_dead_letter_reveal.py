"""The bytes of a dead letter: for who may see personal data, with a reason, and audited first."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import typer
from aiokafka import TopicPartition

from app.cli import dead_letter as command
from app.console.api import dead_letters
from app.kafka.errors import KafkaError
from app.operations.dead_letters import reveal as reveal_bytes
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.status import DeadLetterFacts
from app.operations.search import record_view
from app.wire import codecs
from app.wire.envelope import from_headers
from app.wire.records import Outgoing, as_read
from tests.support.console import CONFIG
from tests.support.consumer import FakeConsumer, FakeRecord
from tests.support.operators_site import Site
from workflows.audit.messages import PersonalRevealed

TOPIC = "orders.order.dead"
PLACE = f"{TOPIC}/0/0"
BODY = b'\xff{"customer_id": "ann"'
RECORD = FakeRecord(TOPIC, 0, 0, b"o1", BODY, (("x-dead-service", b"order"),))
KNOWN = DeadLetterFacts(
    dead_letters=(DeadLetter(record=as_read(RECORD), at_ms=1_000),), attempts={}, through={}
)
REVEAL = f"/operators/dead-letters/reveal/{PLACE}?why=a%20complaint"
EXPECTED = PersonalRevealed(about=PLACE, who="pat", why="a complaint", fields=("body",))


async def _gathered(_config: Any) -> DeadLetterFacts:
    return KNOWN


@pytest.fixture
def inbox(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A console with one dead letter."""
    monkeypatch.setattr(dead_letters, "gather", _gathered)
    return site


async def test_an_approver_sees_the_bytes_and_the_audit_says_why(inbox: Site) -> None:
    """All of them, also those that are not text."""
    answer = await inbox.client.get(REVEAL, headers=inbox.machine("pat"))
    dead_letter = await answer.json()

    assert (200, [EXPECTED]) == (answer.status, inbox.emitted)
    assert (PLACE, "o1", BODY.hex(), len(BODY)) == (
        dead_letter["place"],
        dead_letter["key"],
        dead_letter["hexadecimal"],
        dead_letter["bytes"],
    )
    assert '"customer_id": "ann"' in dead_letter["text"]


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        pytest.param("", REVEAL, 401, id="nobody"),
        pytest.param("vic", REVEAL, 403, id="a viewer"),
        pytest.param("oda", REVEAL, 403, id="an operator"),
        pytest.param("pat", REVEAL.partition("?")[0], 400, id="no reason"),
    ],
)
async def test_it_is_shown_to_nobody_else(inbox: Site, name: str, path: str, status: int) -> None:
    """Nothing is emitted either: nobody has seen anything."""
    answer = await inbox.client.get(path, headers=inbox.machine(name) if name else {})

    assert (status, []) == (answer.status, inbox.emitted)
    assert "ann" not in (await answer.text()).replace("cannot", "")


async def test_a_link_elsewhere_reveals_nothing(inbox: Site) -> None:
    """Reading alone is an act here: it takes the CSRF token, which a link does not carry."""
    cookie, _ = await inbox.signed_in("pat")

    answer = await inbox.client.get(REVEAL, headers=cookie)

    assert (403, []) == (answer.status, inbox.emitted)


async def test_without_an_audit_nothing_is_shown(
    inbox: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka does not take the record of it."""

    async def lose(*_: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(inbox.queries, "publish", lose)
    answer = await inbox.client.get(REVEAL, headers=inbox.machine("pat"))

    assert 503 == answer.status
    assert BODY.hex() not in await answer.text()


async def test_a_reveal_without_a_match_is_audited(inbox: Site) -> None:
    """That nothing lies there is an answer too."""
    path = REVEAL.replace("/0/0", "/0/9")
    answer = await inbox.client.get(path, headers=inbox.machine("pat"))

    assert (404, [f"{TOPIC}/0/9"]) == (answer.status, [each.about for each in inbox.emitted])


class Broker:
    """A broker with the dead letter; `done` is what happened on it, in order."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.refuses = False

    @asynccontextmanager
    async def producer(self, _config: Any) -> AsyncIterator[None]:
        yield None

    async def produce(self, _producer: Any, records: Sequence[Outgoing], _config: Any) -> None:
        if self.refuses:
            raise KafkaError("refused")
        for each in records:
            assert "audit" == each.topic
            self.done.append(codecs.decode(each.value, from_headers(each.headers), each.key))

    @asynccontextmanager
    async def reader(self, _config: Any) -> AsyncIterator[FakeConsumer]:
        self.done.append("read")
        yield FakeConsumer({0: [RECORD]}, {0: 1}, iter([1] * 9))


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """An instance of which the command reads one dead letter."""
    broker = Broker()

    async def places(_config: Any, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, 0)]

    monkeypatch.setattr(command, "running_instance", lambda: CONFIG)
    monkeypatch.setattr(command, "gather", _gathered)
    monkeypatch.setattr(reveal_bytes, "open_producer", broker.producer)
    monkeypatch.setattr(reveal_bytes, "produce_signed", broker.produce)
    monkeypatch.setattr(record_view, "reader", broker.reader)
    monkeypatch.setattr(record_view, "places_of", places)
    return broker


def test_the_command_shows_the_bytes_once_the_audit_says_who(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    """The audit is asked first, and then the topic."""
    command.show(TOPIC, 0, in_clear=True, why="a complaint", who="pat", as_json_too=True)

    assert [EXPECTED, "read"] == broker.done
    assert BODY.hex() == json.loads(capsys.readouterr().out)["hexadecimal"]


def test_the_command_masks_and_audits_nothing_otherwise(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    """In lines for people as well as in JSON."""
    command.show(TOPIC, 0, who="pat")
    command.show(TOPIC, 0, who="pat", as_json_too=True)

    printed = capsys.readouterr().out
    assert ["read", "read"] == broker.done
    assert "ann" not in printed
    assert BODY.hex() not in printed
    assert f"*** ({len(BODY)} bytes" in printed


def test_the_command_wants_a_reason(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    """A usage error, before anything is read."""
    with pytest.raises(typer.Exit) as ended:
        command.show(TOPIC, 0, in_clear=True, why=" ", who="pat")

    assert (2, []) == (ended.value.exit_code, broker.done)
    assert "--reason" in capsys.readouterr().err


def test_the_command_shows_nothing_that_is_not_audited(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broker refuses the record: one line, and an exit code."""
    broker.refuses = True

    with pytest.raises(typer.Exit) as ended:
        command.show(TOPIC, 0, in_clear=True, why="a complaint", who="pat", as_json_too=True)

    printed = capsys.readouterr()
    assert (1, [], "") == (ended.value.exit_code, broker.done, printed.out)
    assert "refused" in printed.err
