"""Personal data of a new workflow is masked for its mark: no name of its field is known before."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog
from aiohttp.test_utils import TestClient
from msgspec.structs import replace
from tables.giftcard import top_ups
from workflows.giftcard.messages import TopUpRequested
from workflows.giftcard.process import TopUp

from app.cli import trace
from app.config import Config
from app.console.api.dead_letters import DeadLetters
from app.delivery.row import Row, encode_row
from app.host.logs import configure_logging
from app.operations.dead_letters.dead_letter import DeadLetter
from app.operations.dead_letters.editing import diff, editable, restored
from app.operations.dead_letters.status import DeadLetterFacts
from app.operations.replay.compare import compare
from app.operations.search.masked_record import MaskedRecord
from app.operations.search.query import parse
from app.operations.search.record_view import view_of
from app.wire.personal import MASK
from app.wire.records import Record
from tests.support.console import client, queries
from tests.support.giftcard import TOP_UP, top_up
from tests.support.simulation.console_world import ConsoleWorld, world
from tests.support.source import ROOT
from workflows.shared.message import type_name

__all__ = ["client", "queries", "world"]

RECIPIENT, WRAPPING = "Grace-Hopper-1906", "silver-paper"
BODY = {**TOP_UP, "recipient": RECIPIENT, "wrapping": WRAPPING}
TYPE = type_name(TopUpRequested)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """A log of its own; logging is put back as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(Config(log_json=True), stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


class Consumed(Record, frozen=True, kw_only=True):
    """A record as aiokafka gives it."""

    timestamp: int = 1


def record(value: bytes, *headers: tuple[str, bytes], topic: str = "giftcards") -> Consumed:
    return Consumed(topic=topic, partition=0, offset=0, key=b"t1", value=value, headers=headers)


def requested() -> TopUpRequested:
    return msgspec.convert(
        {**BODY, "type": TYPE, "top_up_id": "t1", "requested_at_ms": 1}, TopUpRequested
    )


def is_safe(text: str) -> bool:
    """Return whether `text` names nobody, and says what is not personal."""
    return RECIPIENT not in text and MASK in text and WRAPPING in text


@pytest.mark.parametrize(
    "path",
    [
        "/giftcards/{id}",
        "/giftcards/{id}/events",
        "/giftcards",
        "/transactions/{id}",
        "/console/transactions/{id}",
        "/tables/giftcard",
        "/tables/giftcard/{id}",
        "/tables/journal",
        "/console/tables/giftcard",
    ],
)
async def test_it_is_masked_in_the_api_and_on_pages(
    client: TestClient, world: ConsoleWorld, path: str
) -> None:
    """In its events, in its row, in what its workflow shows of it; what has no mark is shown."""
    top_up_id = await top_up(client, BODY)
    await asyncio.to_thread(world.carry_out)

    answer = await client.get(path.format(id=top_up_id))

    assert 200 == answer.status
    assert is_safe(await answer.text())


async def test_it_is_masked_in_what_the_command_line_prints(
    client: TestClient, world: ConsoleWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands print what the API says, and records that they read themselves."""
    top_up_id = await top_up(client, BODY)
    await asyncio.to_thread(world.carry_out)

    trace.show(await (await client.get(f"/transactions/{top_up_id}")).json())

    assert RECIPIENT not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("search_record", "is_readable"),
    [
        pytest.param(record(msgspec.json.encode(requested())), True, id="by its own tag"),
        pytest.param(
            record(json.dumps(BODY).encode(), ("ce_type", TYPE.encode())),
            True,
            id="by its envelope",
        ),
        pytest.param(record(json.dumps(BODY).encode()), False, id="of no known type"),
        pytest.param(
            record(
                json.dumps({"many": [{"body": BODY}], "wrapping": WRAPPING}).encode(),
                ("ce_type", TYPE.encode()),
            ),
            True,
            id="in the depth",
        ),
        pytest.param(
            record(
                encode_row(Row(state=TopUp(bearer=RECIPIENT, wrapping=WRAPPING))),
                topic="payflow-giftcard-giftcard-changelog",
            ),
            True,
            id="in a row",
        ),
        pytest.param(record(json.dumps(BODY).encode()[:-1]), False, id="in poison"),
    ],
)
def test_it_is_neither_shown_nor_found_by_search(
    search_record: Consumed, is_readable: bool
) -> None:
    """Whatever is known of the record."""
    masked = MaskedRecord(search_record)
    query = parse([RECIPIENT], "")

    assert RECIPIENT not in str(view_of(masked))
    assert not query.holds(masked)
    assert is_readable == (not masked.broken)
    if is_readable:
        assert is_safe(masked.text)


def test_it_is_masked_in_logs(lines: io.StringIO) -> None:
    """A message logged whole, a field of its name, and a state."""
    state = TopUp(bearer=RECIPIENT, wrapping=WRAPPING)

    structlog.get_logger().info("requested", message=requested(), many=[state])
    structlog.get_logger().info("requested", recipient=RECIPIENT, wrapping=WRAPPING)

    assert all(is_safe(line) for line in lines.getvalue().splitlines())
    assert 2 == len(lines.getvalue().splitlines())


def test_it_is_masked_in_what_a_replay_finds_different() -> None:
    """Also where that is what differs."""
    bodies = [
        encode_row(Row(state=TopUp(bearer=bearer, wrapping=WRAPPING)))
        for bearer in (RECIPIENT, f"{RECIPIENT}-Junior")
    ]
    live, replayed = ({(0, b"t1"): body} for body in bodies)

    [difference] = compare(top_ups, live, replayed, ()).differences

    assert "state" == difference.part
    assert is_safe(str(difference.live))
    assert is_safe(str(difference.replayed))


async def test_it_is_masked_in_a_dead_letter(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown and edited; what stays masked is sent as it was."""
    value = msgspec.json.encode(requested())
    dead = record(value, ("ce_type", TYPE.encode()), topic="giftcards.giftcard.dead")
    dead_letter = DeadLetter(record=dead, at_ms=0)

    async def facts(*_: Any, **__: Any) -> DeadLetterFacts:
        return DeadLetterFacts(dead_letters=(dead_letter,), attempts={}, through={})

    monkeypatch.setattr(DeadLetters, "facts", facts)
    answer_text = await (await client.get("/dead-letters/giftcards.giftcard.dead/0/0")).text()
    edited = editable(value, TYPE).replace(WRAPPING, "gold-paper")
    sent = msgspec.json.decode(restored(value, edited, TYPE), type=TopUpRequested)
    assert is_safe(answer_text)
    assert replace(requested(), wrapping="gold-paper") == sent
    assert RECIPIENT not in "".join(diff(value, edited.encode(), TYPE))


def test_the_names_for_records_of_no_known_type_follow_from_the_marks() -> None:
    """Of a message and of a state, whatever was imported before; not a name that says nothing."""
    program = (
        "import tests.support.giftcard\n"
        "from app.wire.personal import personal_names\n"
        "print(*sorted(personal_names()))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    names = answer.stdout.split()
    assert {"recipient", "bearer"} < set(names)
    assert not {"wrapping", "values", "added"} & set(names)
