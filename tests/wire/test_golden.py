"""What was ever written can still be read: one sample a word, never written again."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat

from app.composition import open_rooms
from app.wire import codecs, envelope
from tests.wire.samples import every_word
from tests.wire.write_golden import GOLDEN, write
from workflows.shared.message import type_name

SAMPLES = [pytest.param(path, id=path.stem) for path in sorted(GOLDEN.glob("*.json"))]


def read(path: Path) -> tuple[list[tuple[str, bytes]], bytes, dict[str, Any]]:
    sample = json.loads(path.read_text(encoding="utf-8"))
    headers = [(name, value.encode()) for name, value in sample["headers"].items()]
    return headers, sample["key"].encode(), sample["body"]


def kept(old: Any, new: Any) -> bool:
    """Return whether `new` says all that `old` says; it may say more."""
    if isinstance(old, dict):
        return all(name in new and kept(value, new[name]) for name, value in old.items())
    if isinstance(old, list):
        return len(old) == len(new) and all(map(kept, old, new))
    return old == new


@pytest.mark.parametrize("path", SAMPLES)
def test_a_word_of_yesterday_still_decodes_and_says_the_same(path: Path):
    """Additive changes only: every field of the sample keeps its value through both ways."""
    headers, key, body = read(path)
    head = envelope.from_headers(headers)

    word = codecs.decode(json.dumps(body).encode(), head, key)

    assert path.stem == type_name(type(word))
    assert kept(body, msgspec.json.decode(codecs.encode(word)))


@pytest.mark.parametrize("path", SAMPLES)
def test_an_envelope_of_yesterday_still_decodes_and_says_the_same(path: Path):
    """Headers to envelope to headers: nothing is lost and nothing is changed."""
    headers, _, _ = read(path)

    assert dict(headers) == dict(envelope.to_headers(envelope.from_headers(headers)))


@pytest.mark.parametrize("path", SAMPLES)
def test_the_official_sdk_reads_the_same_event(path: Path):
    """CloudEvents 1.0, Kafka binary mode, by the specification's own library."""
    headers, key, body = read(path)
    head = envelope.from_headers(headers)
    message = KafkaMessage(headers=dict(headers), key=key, value=json.dumps(body).encode())

    event = from_binary_event(message, JSONFormat())

    assert (head.id, head.type, head.source, head.subject) == (
        event.get_id(),
        event.get_type(),
        event.get_source(),
        event.get_subject(),
    )
    assert head.correlation_id == event.get_extension("correlationid")
    assert head.causation_id == event.get_extension("causationid")
    assert head.time_ms == round(event.get_time().timestamp() * 1_000)
    assert body == event.get_data()


def test_every_word_has_a_sample():
    """A new word gets one from `python -m tests.wire.write_golden`."""
    open_rooms()

    assert set() == set(every_word()) - {path.stem for path in GOLDEN.glob("*.json")}


def test_no_word_that_was_ever_written_is_gone():
    """A sample without its word means that old records cannot be read any more."""
    open_rooms()

    assert set() == {path.stem for path in GOLDEN.glob("*.json")} - set(every_word())


def test_a_sample_is_never_written_again(tmp_path: Path):
    """The writer fills gaps and leaves what it finds."""
    names = write(tmp_path)
    first = tmp_path / f"{names[0]}.json"
    first.write_text("history")
    second = tmp_path / f"{names[1]}.json"
    second.unlink()

    assert [names[1]] == write(tmp_path)
    assert "history" == first.read_text()
