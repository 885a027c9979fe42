"""What a changelog holds that is not a row costs no worker its recovery."""

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.wire.records import UnreadableBatch
from app.worker.store import Store
from tests.support.agents import TALLY
from tests.support.store_files import Table, registered

CHANGELOG = "payflow-test-tally-changelog"
OFFSET_KEY = b"__faust\0offset__"


class Data:
    """The rows of a Faust table, which notes what it is given to apply."""

    offset_key = OFFSET_KEY

    def __init__(self) -> None:
        self.applied: list[int] = []

    def _open_for_partition(self, _partition: int) -> None:
        """Nothing is opened."""

    def persisted_offset(self, _place: Any) -> None:
        """Nothing was persisted."""

    def apply_changelog_batch(self, events: Any, **_: Any) -> None:
        self.applied += [event.message.offset for event in events]


def event(offset: int, key: bytes | None, value: bytes | None) -> Any:
    """Return a Faust event of the changelog."""
    message = SimpleNamespace(topic=CHANGELOG, partition=0, offset=offset, key=key, value=value)
    return SimpleNamespace(message=message)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(None, b"{}", id="a record without a key"),
        pytest.param(None, None, id="a tombstone without a key"),
        pytest.param(OFFSET_KEY, b"9", id="the key of the offset"),
        pytest.param(
            None, UnreadableBatch(b"?", first=1, last=1, reason="CRC"), id="an unreadable batch"
        ),
    ],
)
async def test_what_is_no_row_is_passed_over(key: bytes | None, value: bytes | None):
    """RocksDB would refuse it, and the worker end, at each start again; rows are applied."""
    data = Data()
    await Store(SimpleNamespace(name=TALLY.name, data=data)).stop_on_errors()

    data.apply_changelog_batch([event(0, b"a", b"{}"), event(1, key, value), event(2, b"b", None)])

    assert [0, 2] == data.applied


def test_a_row_that_is_none_keeps_no_other_from_its_deadline(tmp_path: Path):
    """Somebody wrote into the changelog: a recovery finds what is due all the same."""
    rows = {b"a": b'{"m":{"received":3}}', b"b": b"garbage", b"\xff": b'{"m":{}}'}
    with closing(registered(tmp_path / "rows")) as database:
        for key, body in rows.items():
            database[key] = body
    table = Table(tmp_path / "rows")
    store = Store(table)
    table._db_for_partition(0)

    assert [(0, b"a")] == [(partition, key) for partition, key, _ in store.states(TALLY)]
