"""Days that were recorded once come to the same rows with the code of today."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.wire.history import History, Kept, agent_of, records_of, replayed
from tests.wire.write_histories import FOLDER, KINDS
from workflows.fraud.entity_messages import CheckPayment

PATHS = sorted(FOLDER.glob("*.json"))


def read(path: Path) -> History:
    return msgspec.json.decode(path.read_bytes(), type=History)


def as_now(kept: Kept) -> Any:
    """Return the state of then as today's shape reads it: what was added has its default."""
    table = agent_of(kept).table
    assert table is not None
    read_now = msgspec.convert(kept.state, table.shape)
    return msgspec.json.decode(msgspec.json.encode(read_now))


def of_then(kept: Kept, state: Any) -> Any:
    """Return `state` without the fields that rows have got since."""
    table = agent_of(kept).table
    assert table is not None
    return _of_then(msgspec.inspect.type_info(table.shape), kept.state, state)


def _of_then(shape: msgspec.inspect.Type | None, then: Any, now: Any) -> Any:
    match shape:
        case msgspec.inspect.StructType(fields=fields, array_like=False):
            kinds = {field.encode_name: field.type for field in fields}
            return {
                name: _of_then(kinds.get(name), then[name], value)
                for name, value in now.items()
                if name in then
            }
        case msgspec.inspect.DictType(value_type=kind):
            return {key: _of_then(kind, then.get(key, {}), value) for key, value in now.items()}
        case msgspec.inspect.UnionType(types=types) if isinstance(now, dict):
            structs = [each for each in types if isinstance(each, msgspec.inspect.StructType)]
            [kind] = [each for each in structs if each.tag in (None, now.get("type"))]
            return _of_then(kind, then, now)
        case _:
            return now


def is_replaced(history: History, kept: Kept) -> bool:
    """Return whether the table of the row is gone: risk once kept customers, and judged itself."""
    asked = {
        emitted.topic
        for emitted in history.records
        if CheckPayment.__struct_config__.tag in emitted.value
    }
    return kept.agent == "risk" and bool(asked)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_recorded_history_comes_to_the_same_rows_and_as_many_answers(path: Path) -> None:
    """Every event of then decodes, and every agent decides as it did."""
    history = read(path)
    rows = [kept for kept in history.rows if not is_replaced(history, kept)]
    now: list[Any] = []
    for kept in rows:
        state, emitted = replayed(agent_of(kept), records_of(history, kept))
        now.append((kept.agent, kept.key, of_then(kept, state), emitted))

    assert rows
    then = [(kept.agent, kept.key, of_then(kept, as_now(kept)), kept.emitted) for kept in rows]
    assert then == now


def test_every_kind_of_day_is_recorded_and_every_agent_is_in_it() -> None:
    """A history that lacks an agent proves nothing of it."""
    agents = {kept.agent for path in PATHS for kept in read(path).rows}

    assert set(KINDS) <= {path.stem for path in PATHS}
    assert agents == {
        "order", "payment", "inventory", "stock", "shipping", "fraud", "risk", "ledger",
        "notification",
    }  # fmt: skip
