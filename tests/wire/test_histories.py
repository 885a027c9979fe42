"""Days that were recorded once come to the same rows with the code of today."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.wire.history import History, Kept, given_of, replayed, room_of
from tests.wire.write_histories import FOLDER, KINDS
from workflows.fraud.entity_messages import CheckPayment

PATHS = sorted(FOLDER.glob("*.json"))


def read(path: Path) -> History:
    return msgspec.json.decode(path.read_bytes(), type=History)


def as_now(kept: Kept) -> Any:
    """Return the memory of then as today's shape reads it: what was added has its default."""
    keeps = room_of(kept).keeps
    assert keeps is not None
    read_now = msgspec.convert(kept.memory, keeps.shape)
    return msgspec.json.decode(msgspec.json.encode(read_now))


def is_replaced(history: History, kept: Kept) -> bool:
    """Return whether the table of the row is gone: risk once kept customers, and judged itself."""
    asked = {
        told.topic for told in history.records if CheckPayment.__struct_config__.tag in told.value
    }
    return kept.room == "risk" and bool(asked)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_recorded_history_comes_to_the_same_rows_and_as_many_answers(path: Path) -> None:
    """Every event of then decodes, and every room decides as it did."""
    history = read(path)
    rows = [kept for kept in history.rows if not is_replaced(history, kept)]
    now = [(kept.room, kept.key, *replayed(room_of(kept), given_of(history, kept)))
           for kept in rows]  # fmt: skip

    assert rows
    assert [(kept.room, kept.key, as_now(kept), kept.told) for kept in rows] == now


def test_every_kind_of_day_is_recorded_and_every_room_is_in_it() -> None:
    """A history that lacks a room proves nothing of it."""
    rooms = {kept.room for path in PATHS for kept in read(path).rows}

    assert set(KINDS) <= {path.stem for path in PATHS}
    assert rooms == {
        "order", "payment", "inventory", "stock", "shipping", "fraud", "risk", "ledger",
        "notification",
    }  # fmt: skip
