"""`payflow fraud evaluate --through kafka`: judged by real workers, the same to the last bit."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from tests.support.payments_file import plant

PAYFLOW = (sys.executable, "-c", "from app.cli.main import main; main()")


@pytest.mark.timeout(400)
async def test_through_the_broker_as_offline(tmp_path: Path) -> None:
    """Two workers, four partitions, two folds: every figure and every score."""
    file = plant(tmp_path / "payments.csv")
    result = tmp_path / "found.json"
    arguments = ["evaluate", str(file), "--folds", "2", "--through", "kafka", "--json", str(result)]
    command = await asyncio.create_subprocess_exec(
        *(*PAYFLOW, "fraud", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await command.communicate()
    assert 0 == command.returncode, errors.decode()
    report = msgspec.json.decode(result.read_bytes())

    assert "kafka" == report["through"]["by"]
    assert report["through"]["payments"] > 7_000
    assert 0 == report["through"]["figures_differ"]
    assert 0 == report["through"]["scores_differ"]
    assert report["mean"]["average_precision"] > 0.9
    assert [28, 21] == [fold["start_day"] for fold in report["folds"]]
