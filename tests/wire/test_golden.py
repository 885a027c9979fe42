"""What was ever written can still be read: one sample a message, never written again."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat

from app.registry import load_agents
from app.wire import codecs
from app.wire.envelope import from_headers, to_headers
from tests.support.samples import every_message
from tests.wire.write_golden import GOLDEN, write
from workflows.shared.message import type_name

SAMPLES = [pytest.param(path, id=path.stem) for path in sorted(GOLDEN.glob("*.json"))]


def read(path: Path) -> tuple[list[tuple[str, bytes]], bytes, dict[str, Any]]:
    sample = json.loads(path.read_text(encoding="utf-8"))
    headers = [(name, value.encode()) for name, value in sample["headers"].items()]
    return headers, sample["key"].encode(), sample["body"]


def is_included(old: Any, new: Any) -> bool:
    """Return whether `new` says all that `old` says; it may say more."""
    if isinstance(old, dict):
        return all(name in new and is_included(value, new[name]) for name, value in old.items())
    if isinstance(old, list):
        return len(old) == len(new) and all(map(is_included, old, new))
    return old == new


@pytest.mark.parametrize("path", SAMPLES)
def test_a_message_of_yesterday_still_decodes_and_says_the_same(path: Path):
    """Additive changes only: every field of the sample keeps its value through both ways."""
    headers, key, body = read(path)
    envelope = from_headers(headers)

    message = codecs.decode(json.dumps(body).encode(), envelope, key)

    assert path.stem == type_name(type(message))
    assert is_included(body, msgspec.json.decode(codecs.encode(message)))


@pytest.mark.parametrize("path", SAMPLES)
def test_an_envelope_of_yesterday_still_decodes_and_says_the_same(path: Path):
    """Headers to envelope to headers: nothing is lost and nothing is changed."""
    headers, _, _ = read(path)

    assert dict(headers) == dict(to_headers(from_headers(headers)))


@pytest.mark.parametrize("path", SAMPLES)
def test_the_official_sdk_reads_the_same_event(path: Path):
    """CloudEvents 1.0, Kafka binary mode, by the specification's own library."""
    headers, key, body = read(path)
    envelope = from_headers(headers)
    message = KafkaMessage(headers=dict(headers), key=key, value=json.dumps(body).encode())

    event = from_binary_event(message, JSONFormat())

    assert (envelope.id, envelope.type, envelope.source, envelope.subject) == (
        event.get_id(),
        event.get_type(),
        event.get_source(),
        event.get_subject(),
    )
    assert envelope.correlation_id == event.get_extension("correlationid")
    assert envelope.causation_id == event.get_extension("causationid")
    assert envelope.time_ms == round(event.get_time().timestamp() * 1_000)
    assert body == event.get_data()


def test_every_message_has_a_sample():
    """A new message gets one from `python -m tests.wire.write_golden`."""
    load_agents()

    assert set() == set(every_message()) - {path.stem for path in GOLDEN.glob("*.json")}


def test_no_message_that_was_ever_written_is_gone():
    """A sample without its message means that old records cannot be read any more."""
    load_agents()

    assert set() == {path.stem for path in GOLDEN.glob("*.json")} - set(every_message())


def test_a_sample_is_never_written_again(tmp_path: Path):
    """The writer fills gaps and leaves what it finds."""
    names = write(tmp_path)
    first = tmp_path / f"{names[0]}.json"
    first.write_text("history")
    second = tmp_path / f"{names[1]}.json"
    second.unlink()

    assert [names[1]] == write(tmp_path)
    assert "history" == first.read_text()
