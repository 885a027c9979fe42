"""Days that were recorded once come to the same rows with the code of today."""

from pathlib import Path

import msgspec
import pytest

from tests.wire.history import History, given_of, replayed, room_of
from tests.wire.write_histories import FOLDER, KINDS

PATHS = sorted(FOLDER.glob("*.json"))


def read(path: Path) -> History:
    return msgspec.json.decode(path.read_bytes(), type=History)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_recorded_history_comes_to_the_same_rows_and_as_many_answers(path: Path) -> None:
    """Every event of then decodes, and every room decides as it did."""
    history = read(path)
    now = [(kept.room, kept.key, *replayed(room_of(kept), given_of(history, kept)))
           for kept in history.rows]  # fmt: skip

    assert [(kept.room, kept.key, kept.memory, kept.told) for kept in history.rows] == now


def test_every_kind_of_day_is_recorded_and_every_room_is_in_it() -> None:
    """A history that lacks a room proves nothing of it."""
    rooms = {kept.room for path in PATHS for kept in read(path).rows}

    assert set(KINDS) <= {path.stem for path in PATHS}
    assert rooms == {
        "order", "payment", "inventory", "stock", "shipping", "fraud", "risk", "ledger",
        "notification",
    } - {"fraud"}  # fmt: skip
