"""A refund that an operator has found at the provider is asked about before it settles a case."""

from typing import Any

import pytest
from msgspec.structs import replace

from app.gateways import found_refund
from app.gateways.found_refund import FoundRefund
from app.gateways.provider_account import Unclear
from tests.support.examples.cases import REFUND_CASE
from tests.support.operators_site import WHY, Site
from tests.support.shop import Shop
from tests.support.workflow_runner import after
from workflows.payment import process as payment
from workflows.payment.messages import RefundCaseDecided

NOBODY = "http://127.0.0.1:9"
FOUND = {"payment_id": "pi", "status": "succeeded", "amount_minor": 1_000, "currency": "GBP"}


async def decide(
    site: Site, monkeypatch: pytest.MonkeyPatch, provider_answer: Any, reference: str = "re_9"
) -> tuple[int, dict[str, Any], list[str]]:
    """Return status and body of the answer, and what the provider was asked for."""
    refund_ids: list[str] = []

    async def answered(_config: object, refund_id: str) -> FoundRefund | None:
        refund_ids.append(refund_id)
        if isinstance(provider_answer, Exception):
            raise provider_answer
        return FoundRefund(**{**FOUND, **provider_answer}) if provider_answer is not None else None

    monkeypatch.setattr(found_refund, "found_refund", answered)
    site.queries.keep("payment", "o1", after(payment, *REFUND_CASE)[0])
    answer = await site.client.post(
        "/operators/orders/o1/refund-cases/compensation",
        json={**WHY, "decision": "settled", "reference": reference},
        headers=site.machine("pat"),
    )
    return answer.status, await answer.json(), refund_ids


@pytest.mark.parametrize(
    ("provider_answer", "reference", "status", "objection"),
    [
        pytest.param(None, "re_9", 409, "the provider has no refund re_9", id="none"),
        pytest.param({"amount_minor": 400}, "re_9", 409,
                     "re_9 refunded 4.00 GBP, and 10.00 GBP are due", id="less"),
        pytest.param({"amount_minor": 1_001}, "re_9", 409, "10.01 GBP", id="more"),
        pytest.param({"currency": "JPY"}, "re_9", 409,
                     "re_9 refunded 1,000 JPY, and 10.00 GBP are due", id="another currency"),
        pytest.param({"payment_id": "pi2"}, "re_9", 409, "another payment", id="another payment"),
        pytest.param({"refund_key": "r1"}, "re_9", 409,
                     "re_9 is the refund of r1, and not of compensation", id="another refund"),
        pytest.param({"status": "pending"}, "re_9", 409, "re_9 is pending", id="not yet"),
        pytest.param({"status": "failed"}, "pyr_9", 409, "pyr_9 is failed", id="failed"),
        pytest.param({}, "pi_9", 409, "pi_9 is not a refund", id="another object of the provider"),
        pytest.param(Unclear("no connection"), "re_9", 503, "no connection", id="no answer"),
    ],
)  # fmt: skip
async def test_what_the_provider_does_not_confirm_settles_nothing(  # noqa: PLR0913  a difference
    site: Site, monkeypatch: Any, provider_answer: Any, reference: str, status: int, objection: str
) -> None:
    """With the difference in words, and nothing is audited or emitted."""
    answered, body, _ = await decide(site, monkeypatch, provider_answer, reference)

    assert (status, []) == (answered, site.emitted)
    assert objection in str(body)
    assert (status == 409) == ("reference" in str(body))


async def test_what_it_confirms_settles_the_case(site: Site, monkeypatch: Any) -> None:
    """The decision says which amount was confirmed, for the row may owe another one by then."""
    status, body, refund_ids = await decide(site, monkeypatch, {})
    decided = site.emitted[1]

    assert ((202, "decided"), ["re_9"]) == ((status, body["state"]), refund_ids)
    assert isinstance(decided, RefundCaseDecided)
    assert (1_000, "re_9", "pat") == (decided.amount_minor, decided.reference, decided.decided_by)


async def test_a_bank_transfer_is_believed_and_nobody_is_asked(
    site: Site, monkeypatch: Any
) -> None:
    """The provider knows nothing of it."""
    status, _, refund_ids = await decide(site, monkeypatch, None, "bank-7")

    assert (202, []) == (status, refund_ids)


async def test_the_gateway_retrieves_it_as_it_is(shop: Shop) -> None:
    """Of whoever has made it; what there is not is none, and a silent provider is not an answer."""
    intent = await shop.create(confirm=True)
    refund = await shop.refund(intent.id, "by hand", amount=400, metadata={"refund_key": "r1"})
    config = shop.system.config

    retrieved_refund = await found_refund.found_refund(config, refund.id)
    none = await found_refund.found_refund(config, "re_none")

    of_payment = {"payment_id": intent.id, "amount_minor": 400, "refund_key": "r1"}
    assert FoundRefund(**{**FOUND, **of_payment}) == retrieved_refund
    assert none is None
    with pytest.raises(Unclear):
        await found_refund.found_refund(replace(config, provider_url=NOBODY), refund.id)
