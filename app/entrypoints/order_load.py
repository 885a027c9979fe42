"""The orders of a drill: steady, of many articles, some scarce, some cancelled or returned."""

from random import Random

from app.entrypoints.drill_load import DrillLoad, LoadCase, LoadRequest

LINES = 4
SKUS = 200
SCARCE_SKUS = 6
SCARCE_UNITS = 300
PLENTY_UNITS = 1_000_000
HOT = "sku-hot"
CUSTOMERS = 2_000
COUNTRIES = ("GB", "DE", "FR", "IE")
DECLINED = "pm_card_chargeDeclined"
VISA = "pm_card_visa"
DECLINED_RATE, CANCELLED_RATE, RETURNED_RATE = 0.03, 0.03, 0.02
WRITTEN_OFF_RATE = 0.3
"""How often an operator gives money up that cannot be taken."""
RETURN_SECONDS = 10.0
"""How long after its placing an order has probably arrived."""


def stock_up(seed: int) -> LoadRequest:
    """Return the request that receives all items."""
    units = {f"sku-{at}": PLENTY_UNITS for at in range(SKUS)}
    units |= {f"sku-{at}": SCARCE_UNITS for at in range(SCARCE_SKUS)}
    units[HOT] = PLENTY_UNITS
    items = [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]
    return LoadRequest(path="/stock/receipts", body={"receipt_id": f"drill-{seed}", "items": items})


def order(seed: int, number: int, random: Random, hot: bool) -> LoadCase:  # noqa: FBT001
    """Return order `number`: placed, and then perhaps cancelled, or returned in part."""
    hot_skus = (HOT,) if hot else ()
    others = random.sample([f"sku-{at}" for at in range(SKUS)], LINES - len(hot_skus))
    body = {
        "country": random.choice(COUNTRIES),
        "currency": "GBP",
        "customer_id": f"c{random.randrange(CUSTOMERS)}",
        "payment_method": DECLINED if random.random() < DECLINED_RATE else VISA,
        "reference": f"drill-{seed}-{number}",
        "capture": "at_shipment" if number % 2 else "automatic",
        "partial_shipment": number % 3 == 0,
        "lines": [
            {
                "sku": sku,
                "quantity": random.randint(1, 3),
                "unit_price_minor": random.randint(50, 5_000),
            }
            for sku in (*hot_skus, *others)
        ],
    }
    cancels = random.random() < CANCELLED_RATE
    returns = random.random() < RETURNED_RATE
    after = random.uniform(0.0, 3.0)
    path = "/orders/{id}"
    then: list[LoadRequest] = []
    if cancels:
        why = {"reason": "changed my mind"}
        then.append(LoadRequest(path=f"{path}/cancel", body=why, after_seconds=after))
    if returns:
        then.append(_returned(path, number, body["lines"][0], RETURN_SECONDS + after))
    return LoadCase(
        start=LoadRequest(path="/orders", body=body, idempotency_key=f"drill:{seed}:{number}"),
        then=tuple(then),
    )


def _returned(path: str, number: int, line: dict[str, object], after: float) -> LoadRequest:
    back = {"sku": line["sku"], "quantity": 1}
    return LoadRequest(
        path=f"{path}/returns",
        body={"return_id": f"back-{number}", "lines": [back]},
        after_seconds=after,
        # It may be cancelled by now, or not have arrived.
        may_be_refused=True,
    )


def decided(order_id: str, random: Random) -> LoadRequest:
    """Return the decision about items that have left and are not paid."""
    gives_up = random.random() < WRITTEN_OFF_RATE
    lost = {"decision": "written_off", "reference": f"loss-{order_id}"}
    body = {**(lost if gives_up else {"decision": "retry"}), "reason": "decided in a drill"}
    return LoadRequest(path=f"/operators/orders/{order_id}/capture-case", body=body)


LOAD = DrillLoad(prepare=stock_up, case=order, cases={"captures_arrive": decided})
