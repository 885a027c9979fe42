"""What a demo does after its file: orders until the folder is full, and one line of progress."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.cli.output import LINE_SECONDS, progress_line
from app.config import Config
from app.local import demo_stream
from app.local.demo_stream import CARRIER_FAULTS, FIRSTS, Firsts, Stream, folder_bytes
from app.local.importers.endless import POISON, POISON_TOPIC, DrawnOrder
from app.local.importers.file_content import LoadError
from app.local.importers.order_file import read_plan
from app.local.importers.retail_file import Plan

FILE = Path(__file__).parents[2] / "data" / "online_retail_2010-12.csv"
FIGURES: dict[str, Any] = {
    "totals": {"orders": 1_234, "completed": 1_200, "open": 34, "revenue_minor/GBP": 56_789},
    "to_shipped_ms": {"p95": 250},
    "doing": "1 per second",
}


class Orders:
    """A player that places orders without end, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.placed = 0

    async def go_on(self, orders: Iterator[DrawnOrder], _rate: float) -> None:
        """Count orders."""
        for _ in orders:
            self.placed += 1
            if self.error:
                raise self.error
            await asyncio.sleep(0.001)


class Outside:
    """The carrier and the broker, which note what they are sent."""

    def __init__(self, faults: dict[str, float]) -> None:
        self.faults = faults
        self.sent: list[tuple[str, bytes]] = []

    async def get(self, _config: Config, _system: str) -> dict[str, float]:
        """Return the faults of the carrier."""
        return self.faults

    async def put(self, _config: Config, _system: str, faults: dict[str, float]) -> None:
        """Set the faults of the carrier."""
        self.faults = faults

    @asynccontextmanager
    async def open_producer(self, _config: Config) -> AsyncIterator["Outside"]:
        """Give itself."""
        yield self

    async def send_and_wait(self, topic: str, value: bytes) -> None:
        """Note one record."""
        self.sent.append((topic, value))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_plan(FILE)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Outside:
    outside = Outside({"refuse": 0.0})
    monkeypatch.setattr(demo_stream, "fault_switches", outside)
    monkeypatch.setattr(demo_stream, "open_producer", outside.open_producer)
    monkeypatch.setattr(demo_stream, "SIZE_SECONDS", 0.02)
    return outside


async def run(folder: Path, player: Orders, plan: Plan) -> tuple[Stream, list[str]]:
    """Run a stream on `folder` until it returns; return it, and what it said."""
    lines: list[str] = []
    stream = Stream(Config(data_dir=str(folder)), rate=2.0, disk_mb=1)
    async with asyncio.timeout(10):
        await stream.run(player, plan, lines.append)
    return stream, lines


async def test_orders_end_when_the_folder_is_full(
    outside: Outside, plan: Plan, tmp_path: Path
) -> None:
    """The stream says at which size, before and after."""
    player = Orders()
    running = asyncio.create_task(run(tmp_path, player, plan))
    await asyncio.sleep(0.1)
    assert player.placed
    assert not running.done()

    (tmp_path / "segment").write_bytes(b"x" * 1_100_000)
    stream, lines = await running

    placed = player.placed
    await asyncio.sleep(0.02)
    assert placed == player.placed
    assert "no more: 1 MB are used" == stream.doing
    assert any("2 orders per second" in line and "holds 1 MB" in line for line in lines)
    assert "no more orders are placed" in lines[-1]
    assert [(POISON_TOPIC, POISON)] == outside.sent
    assert CARRIER_FAULTS == outside.faults


async def test_faults_that_somebody_has_set_stay(
    outside: Outside, plan: Plan, tmp_path: Path
) -> None:
    """`--faults refuse=0.3` counts after the file too."""
    outside.faults = {"refuse": 0.3}
    (tmp_path / "segment").write_bytes(b"x" * 1_100_000)

    await run(tmp_path, Orders(), plan)

    assert {"refuse": 0.3} == outside.faults


@pytest.mark.usefixtures("outside")
async def test_an_order_that_nobody_answers_ends_the_stream(plan: Plan, tmp_path: Path) -> None:
    """The error is the demo's."""
    with pytest.raises(LoadError, match="never answered"):
        await run(tmp_path, Orders(LoadError("POST /orders was never answered")), plan)


def test_what_happens_for_the_first_time_is_said_once() -> None:
    """Each ending has a line of its own."""
    lines: list[str] = []
    firsts = Firsts(lines.append)

    firsts.note({"orders": 3, "completed": 0})
    firsts.note({"completed": 1})
    firsts.note({"completed": 2, "stock_outs": 1})

    assert [FIRSTS["completed"], FIRSTS["stock_outs"]] == lines


def test_a_folder_counts_what_it_takes_on_the_disk(tmp_path: Path) -> None:
    """Kafka's indexes are files with holes."""
    with (tmp_path / "index").open("wb") as index:
        index.truncate(10_000_000)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_bytes(b"x" * 100_000)

    assert 100_000 <= folder_bytes(tmp_path) < 1_000_000
    assert 0 == folder_bytes(tmp_path / "none")


def test_without_a_terminal_a_line_is_printed_when_it_is_new() -> None:
    """Not more often than its time, and not the same again."""
    now, out = 0.0, io.StringIO()
    with progress_line(Console(file=out, width=200), lambda: now) as show:
        show(FIGURES)
        show({**FIGURES, "doing": "too early"})
        now = LINE_SECONDS
        show(FIGURES)
        show({**FIGURES, "doing": "new"})

    first, second = out.getvalue().splitlines()
    assert "1,234 orders: 1,200 completed, 0 cancelled, 34 open; 1 per second" in first
    assert "; new; revenue 567.89 GBP" in second


def test_a_terminal_has_one_line_that_changes() -> None:
    """It never wraps, so the terminal does not scroll."""
    out = io.StringIO()
    with progress_line(Console(file=out, width=50, force_terminal=True)) as show:
        for at in range(20):
            show({**FIGURES, "doing": f"step {at}"})

    assert out.getvalue().count("\n") <= 1
    assert "…" in out.getvalue()
