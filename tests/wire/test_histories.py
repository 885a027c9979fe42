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


def as_now(row: Kept) -> Any:
    """Return the state of then as today's shape reads it: what was added has its default."""
    table = agent_of(row).table
    assert table is not None
    read_now = msgspec.convert(row.state, table.shape)
    return msgspec.json.decode(msgspec.json.encode(read_now))


def of_then(row: Kept, state: Any) -> Any:
    """Return `state` without the fields that rows have got since."""
    table = agent_of(row).table
    assert table is not None
    return _of_then(msgspec.inspect.type_info(table.shape), row.state, state)


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


def is_replaced(history: History, row: Kept) -> bool:
    """Return whether the table of the row is gone: risk once kept customers, and judged itself."""
    check_topics = {
        emitted.topic
        for emitted in history.records
        if CheckPayment.__struct_config__.tag in emitted.value
    }
    return row.agent == "risk" and bool(check_topics)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_recorded_history_comes_to_the_same_rows_and_as_many_answers(path: Path) -> None:
    """Every event of then decodes, and every agent decides as it did."""
    history = read(path)
    rows = [row for row in history.rows if not is_replaced(history, row)]
    now: list[Any] = []
    for row in rows:
        state, emitted = replayed(agent_of(row), records_of(history, row))
        now.append((row.agent, row.key, of_then(row, state), emitted))

    assert rows
    then = [(row.agent, row.key, of_then(row, as_now(row)), row.emitted) for row in rows]
    assert then == now


def test_every_kind_of_day_is_recorded_and_every_agent_is_in_it() -> None:
    """A history that lacks an agent proves nothing of it."""
    agents = {row.agent for path in PATHS for row in read(path).rows}

    assert set(KINDS) <= {path.stem for path in PATHS}
    assert agents == {
        "order", "payment", "inventory", "stock", "shipping", "fraud", "risk", "ledger",
        "notification",
    }  # fmt: skip
