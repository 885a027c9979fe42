"""The external systems' files are read as those entities write them, without touching them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from app.config import Config
from app.local.simulators import carrier_store
from app.local.simulators.provider_store import ProviderStore
from app.local.simulators.sqlite_file import Books
from app.operations.verification import external_systems
from workflows.shared.invariants import CarrierRecord, ProviderRecord

INTENT = """
    INSERT INTO intents (id, order_id, amount_minor, currency, status, metadata, created_ms)
    VALUES (?, ?, 800, 'gbp', 'succeeded', json_object('order_id', 'o1'), 1)
"""
CHARGE = """
    INSERT INTO charges (id, intent_id, order_id, amount_minor, currency, created_ms)
    VALUES (?, ?, ?, 800, 'gbp', ?)
"""
REFUND = """
    INSERT INTO refunds
        (id, intent_id, charge_id, order_id, amount_minor, currency, metadata, created_ms)
    VALUES (?, ?, ?, ?, ?, 'gbp', '{}', ?)
"""
SHIPMENT = """
    INSERT INTO shipments (order_id, shipment_id, tracking, country, units, status,
        created_ms, due_ms, delivered_ms)
    VALUES (?, 's1', '', 'France', 1, ?, 5, 6, ?)
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=str(tmp_path))


@pytest.fixture
def provider(config: Config) -> Iterator[Books]:
    """The provider's books, open and being written, as they are while it runs."""
    with closing(ProviderStore(external_systems.provider_file(config))) as books:
        yield books


def test_charges_and_refunds_are_summed_by_order(config, provider):
    """Two intents of one order that both charged are two charges; what is pending is not back."""
    with provider.writing() as books:
        for number in (1, 2):
            books.execute(INTENT, (f"pi_{number}", "o1"))
            books.execute(CHARGE, (f"ch_{number}", f"pi_{number}", "o1", number))
        books.execute(REFUND, ("re_1", "pi_1", "ch_1", "o1", 300, 9))
        books.execute(REFUND, ("re_2", "pi_1", "ch_1", "o1", 200, 8))
        books.execute(REFUND, ("re_3", "pi_1", "ch_1", "o1", 100, 7))
        books.execute("UPDATE refunds SET status = 'pending' WHERE id = 're_3'")
        books.execute(INTENT, ("pi_3", "o2"))
    record = ProviderRecord(
        charges=2, charged_minor=1_600, refunded_minor=500, last_ms=9, currency="GBP"
    )
    assert {"o1": record} == external_systems.read_provider(config)

    with provider.writing() as books:
        books.execute("UPDATE refunds SET status = 'failed', changed_ms = 12 WHERE id = 're_3'")

    record.last_ms = record.unasked_ms = 12
    assert {"o1": record} == external_systems.read_provider(config)


def test_shipments_are_read_by_order(config):
    """The latest change counts, so that what happened after the cut can be told apart."""
    with closing(Books(external_systems.carrier_file(config), carrier_store.SCHEMA)) as books:
        books.connection.execute(SHIPMENT, ("o1", "delivered", 7))
        books.connection.execute(SHIPMENT, ("o2", "in_transit", None))

        assert {
            "o1": CarrierRecord(status="delivered", last_ms=7),
            "o2": CarrierRecord(status="in_transit", last_ms=5),
        } == external_systems.read_carrier(config)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("http://127.0.0.1:8701", {}, id="a local simulator has taken nothing"),
        pytest.param("http://localhost:8701", {}, id="by name too"),
        pytest.param("http://[::1]:8701", {}, id="and in the new way"),
        pytest.param("https://api.example.com", None, id="somebody else's books are not ours"),
    ],
)
def test_a_file_that_is_not_there(config, url, expected):
    """No file: nothing was taken, or it is not for us to see. Nothing is made by looking."""
    elsewhere = msgspec.structs.replace(
        config, provider_url=url, carrier_url=url, installation="north"
    )

    assert (expected, expected) == (
        external_systems.read_provider(elsewhere),
        external_systems.read_carrier(elsewhere),
    )
    assert [] == list(config.data_path.iterdir())
