"""Money that operators refund beyond what returns are worth."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.console import CONFIG
from tests.support.operators_site import WHY, Site
from workflows.audit.case_decisions import GoodwillGrantedByOperator
from workflows.order.messages import GoodwillGranted
from workflows.order.return_decision import pending
from workflows.order.returns import Return, Returns, evolve
from workflows.order.state import Order
from workflows.shared.reference_rates import BUILT_IN_RATES

GOODWILL = "/operators/orders/o1/goodwill"
LIMIT_MINOR = CONFIG.refund_two_people_minor


def order(left_minor: int, **returns: Return) -> Order:
    """Return an order of which so much is left of what was paid."""
    back = sum(each.amount_minor for each in returns.values())
    return Order(
        order_id="o1",
        currency="GBP",
        charged_minor=left_minor + back,
        returns=Returns(by_id=returns),
    )


async def give(site: Site, name: str, amount_minor: Any, goodwill_id: str = "g1") -> int:
    """Return the status of the answer to `name`."""
    body = {**WHY, "goodwill_id": goodwill_id, "amount_minor": amount_minor}
    return (await site.client.post(GOODWILL, json=body, headers=site.machine(name))).status


async def test_an_approver_gives_it_and_it_is_audited(site: Site) -> None:
    """The act first, then the message, under a name that no customer's return can have."""
    site.queries.keep("order", "o1", order(LIMIT_MINOR))

    assert 202 == await give(site, "pat", LIMIT_MINOR)

    action, message = site.emitted
    assert isinstance(action, GoodwillGrantedByOperator)
    assert isinstance(message, GoodwillGranted)
    assert ("pat", "asked by phone", LIMIT_MINOR) == (action.who, action.why, action.amount_minor)
    assert ("goodwill-g1", LIMIT_MINOR) == (message.return_id, message.amount_minor)


@pytest.mark.parametrize("name", ["vic", "oda"])
async def test_nobody_below_an_approver_gives_it(site: Site, name: str) -> None:
    """Nothing is emitted."""
    site.queries.keep("order", "o1", order(LIMIT_MINOR))

    assert (403, []) == (await give(site, name, 1), site.emitted)


@pytest.mark.parametrize(
    ("state", "amount_minor", "status"),
    [
        pytest.param(order(100), 100, 202, id="all that is left"),
        pytest.param(order(100), 101, 409, id="more than is left"),
        pytest.param(
            order(100, r1=Return(status="accepted", amount_minor=400)),
            101,
            409,
            id="what came back is not there any more",
        ),
        pytest.param(
            order(100, r1=Return(status="waiting", amount_minor=400, is_goodwill=True)),
            101,
            409,
            id="neither is what was promised",
        ),
        pytest.param(
            Order(order_id="o1", charged_minor=500, compensated_minor=500), 1, 409, id="cancelled"
        ),
        pytest.param(order(LIMIT_MINOR + 1), LIMIT_MINOR + 1, 409, id="too much for one person"),
        pytest.param(order(100), 0, 400, id="nothing"),
        pytest.param(
            replace(order(2_000), currency="KWD"), 1_005, 400, id="what no card moves: 1.005 KWD"
        ),
        pytest.param(replace(order(2_000), currency="KWD"), 1_010, 202, id="1.010 KWD"),
        pytest.param(order(100), -1, 400, id="less than nothing"),
    ],
)
async def test_it_is_bounded(site: Site, state: Order, amount_minor: int, status: int) -> None:
    """By what is left of what was paid, and by what one person may give."""
    site.queries.keep("order", "o1", state)

    answer = await give(site, "pat", amount_minor)

    assert (status, status == 202) == (answer, bool(site.emitted))


async def test_small_parts_add_up(site: Site) -> None:
    """What this process has promised counts, whether the order knows it yet or not."""
    site.queries.keep("order", "o1", order(2 * LIMIT_MINOR))

    answers = [
        await give(site, "pat", LIMIT_MINOR, "g1"),
        await give(site, "pat", LIMIT_MINOR, "g1"),
        await give(site, "pat", 1, "g2"),
    ]

    assert [202, 202, 409] == answers
    events = {envelope.id for message, envelope in site.queries.emitted
              if isinstance(message, GoodwillGranted)}  # fmt: skip
    assert 1 == len(events)


@pytest.mark.parametrize(
    ("currency", "amount_minor", "status"),
    [
        pytest.param("JPY", 20_000, 202, id="yen-worth-less"),
        pytest.param("JPY", 40_000, 409, id="yen-worth-more"),
        pytest.param("KWD", 100_000, 409, id="dinars-worth-more"),
        pytest.param("AFN", 1, 409, id="no-rate"),
    ],
)
async def test_the_limit_of_one_person_is_a_worth(
    site: Site, currency: str, amount_minor: int, status: int
) -> None:
    """100 pounds are 21,000 yen, and a currency without a rate takes two people."""
    site.queries.keep("order", "o1", replace(order(1_000_000), currency=currency))

    assert status == await give(site, "pat", amount_minor)


# --- the limit in the order's own row -------------------------------------------------


def answers(*received: GoodwillGranted) -> list[str]:
    """Return what becomes of each when an order that has ended receives them in this order."""
    state = Returns()
    for message in received:
        state = evolve(state, message)
        [answer] = pending(state, "o1", cancelled=False, paid_minor=90_000, currency="GBP")
        state = evolve(state, answer)
    return [each.status for each in state.by_id.values()]


def gift(return_id: str, amount_minor: int, alone_max_minor: int | None) -> GoodwillGranted:
    return GoodwillGranted(
        order_id="o1",
        return_id=return_id,
        amount_minor=amount_minor,
        alone_max_minor=alone_max_minor,
    )


def test_what_two_consoles_give_at_once_is_no_more_than_one_person_may() -> None:
    """Neither knew of the other; the row does. What was refused counts for nothing."""
    most, more = LIMIT_MINOR - 1_000, 1_001

    assert ["accepted", "refused", "accepted"] == answers(
        gift("operator-a", most, LIMIT_MINOR),
        gift("goodwill-b", more, LIMIT_MINOR),
        gift("operator-c", 1_000, LIMIT_MINOR),
    )


def test_what_two_people_agreed_on_has_no_limit() -> None:
    """But then one person gives nothing more."""
    assert ["accepted", "refused"] == answers(
        gift("operator-a", LIMIT_MINOR + 1, None), gift("operator-b", 1, LIMIT_MINOR)
    )


def test_a_message_of_a_version_before_has_no_limit() -> None:
    """It was judged by the console that emitted it."""
    old = GoodwillGranted(order_id="o1", return_id="operator-a", amount_minor=LIMIT_MINOR + 1)

    assert ["accepted"] == answers(old)


async def test_the_row_is_given_the_limit_of_who_acts_alone(site: Site) -> None:
    """In the currency of the order; of what was approved by another there is none."""
    site.queries.keep("order", "o1", replace(order(90_000), currency="JPY"))
    limit = BUILT_IN_RATES.most_minor(LIMIT_MINOR, "JPY")
    assert 202 == await give(site, "pat", 100)
    assert 202 == await site.refund("oda", 200)
    assert 202 == await site.refund("oda", 80_000, "r2")
    body = {**WHY, "amount_minor": 80_000}
    approved = await site.client.post(
        "/operators/orders/o1/refund/r2/approve", json=body, headers=site.machine("pat")
    )

    assert 202 == approved.status
    assert [(100, limit), (200, limit), (80_000, None)] == [
        (each.amount_minor, each.alone_max_minor)
        for each in site.emitted
        if isinstance(each, GoodwillGranted)
    ]
