"""One real broker for all integration tests of a run; `conftest.py` makes its fixtures known."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from app.config import Config
from app.local import broker


def local_config(folder: Path, **changes: object) -> Config:
    """Return a configuration whose files lie in `folder` and whose ports are free ones."""
    standard = Config(data_dir=str(folder), broker_port=0, broker_heap_mb=256, console_port=0)
    return msgspec.structs.replace(standard, **changes)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker.Broker]:
    """A running broker, shared: name topics and groups after your test (`own_name`)."""
    started = broker.start(local_config(tmp_path_factory.mktemp("kafka")))
    yield started
    started.stop()


@pytest.fixture
def kafka_config(kafka: broker.Broker, tmp_path: Path) -> Config:
    """A configuration that points at the running broker, with a data folder of its own."""
    return local_config(tmp_path, broker_url=kafka.url)


@pytest.fixture
def own_name(request: pytest.FixtureRequest) -> str:
    """A name no other test has, fit for topics, groups and services."""
    return re.sub(r"[^A-Za-z0-9]+", "-", request.node.name).strip("-")
