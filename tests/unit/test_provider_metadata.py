"""Whose a charge on the provider's account is: every reader of it decides by one function."""

from typing import Any

import pytest
from msgspec.structs import replace

from app.entrypoints.webhooks import provider_notified
from app.gateways.provider import open_provider
from app.operations.reconciliation.reader import provider_lines
from app.operations.reconciliation.settlement_reader import read_settlement
from app.operations.verification.external_systems import read_provider
from tests.support.external_systems import until
from tests.support.settlement import Settlement
from tests.support.shop import Shop
from workflows.payment.provider_messages import VoidCharge
from workflows.shared.provider_metadata import metadata_of, owner_of

NOT_OURS = [
    pytest.param({}, id="of nobody"),
    pytest.param({"invoice": "i1"}, id="of another program"),
    pytest.param({"order_id": "o1", "installation": "elsewhere"}, id="of another installation"),
    pytest.param({"order_id": "o1\nx"}, id="of an order that Payflow would never name"),
]


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        pytest.param({"order_id": "o1"}, "o1", id="of before installations had names"),
        pytest.param({"order_id": "o1", "installation": "north"}, "o1", id="ours"),
        pytest.param({"order_id": "o1", "installation": "south"}, "", id="another's"),
        pytest.param({"order_id": "o1", "installation": None}, "", id="no installation's name"),
        pytest.param({"installation": "north"}, "", id="no order"),
        pytest.param({"order_id": ""}, "", id="an order without a name"),
        pytest.param({"order_id": 7}, "", id="an order whose name is not text"),
        pytest.param(None, "", id="no metadata"),
        pytest.param(["order_id"], "", id="metadata of another shape"),
        pytest.param(metadata_of("o1", "north"), "o1", id="what we write ourselves"),
        pytest.param(metadata_of("o1", ""), "o1", id="and without an installation"),
    ],
)
def test_the_metadata_says_whose_it_is(metadata: Any, owner: str) -> None:
    """What we have written, and nothing else."""
    assert owner == owner_of(metadata, "north")


@pytest.mark.parametrize("metadata", NOT_OURS)
async def test_verify_reconcile_and_settlement_leave_out_the_same(
    shop: Shop, metadata: dict[str, str]
) -> None:
    """A charge, a hold, a void, a refund and a dispute of somebody else's, beside one of ours."""
    config = shop.system.config
    await shop.system.set(dispute_seconds=0.05)
    about = {"confirm": True, "metadata": metadata}
    await shop.create("o1", confirm=True)
    await shop.create("x1", **about, payment_method="pm_card_createDispute")
    back = await shop.create("x2", **about)
    await shop.refund(back.id, "x2:back", amount=100)
    await shop.create("x3", **about, capture_method="manual")
    let_go = await shop.create("x4", metadata=metadata)
    await shop.v1.payment_intents.cancel_async(let_go.id)
    await until(lambda: any(line.category == "dispute" for line in read_settlement(config).lines))

    verified, lines = read_provider(config) or {}, list(provider_lines(config))
    books, figures = read_settlement(config), await Settlement(shop).settle()

    assert ["o1"] == list(verified)
    assert (1, 1_000, 0, 0, 0) == (
        verified["o1"].charges,
        verified["o1"].charged_minor,
        verified["o1"].refunded_minor,
        verified["o1"].held_minor,
        verified["o1"].disputed_minor,
    )
    assert [("o1", "charge")] == [(line.order_id, line.kind) for line in lines]
    assert ["o1"] == [line.order_id for line in books.lines if line.order_id]
    assert figures.not_ours == len(books.lines) - 1 >= 3
    assert 1 == figures.transactions


@pytest.mark.parametrize("metadata", NOT_OURS)
def test_a_webhook_of_it_is_acknowledged_and_ignored(shop: Shop, metadata: dict[str, str]) -> None:
    """An event as Stripe sends it, of a charge that somebody else made on the account."""
    intent = {
        "id": "pi_foreign1",
        "object": "payment_intent",
        "amount": 4_200,
        "amount_received": 4_200,
        "currency": "gbp",
        "metadata": metadata,
    }
    event = {"id": "evt_x1", "type": "payment_intent.succeeded", "data": {"object": intent}}

    assert provider_notified(event, shop.system.config) is None


async def test_the_search_of_an_old_charge_takes_no_other_installations(shop: Shop) -> None:
    """The search by order alone finds the intent of a neighbour, which a void must not cancel."""
    theirs = await shop.create(
        "o1",
        confirm=True,
        capture_method="manual",
        metadata={"order_id": "o1", "installation": "elsewhere"},
    )
    ask = open_provider(replace(shop.system.config, installation="north"))
    command = VoidCharge(
        transaction_id="o1",
        amount_minor=1_000,
        currency="GBP",
        payment_method="pm_card_visa",
        attempt=1,
        capture="manual",
    )

    await ask(command)

    await ask.close()
    assert "requires_capture" == (await shop.retrieve(theirs.id)).status
