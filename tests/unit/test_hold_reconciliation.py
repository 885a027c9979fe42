"""What was held on cards is taken, voided or still held: the provider and the rows say the same."""

import io
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from msgspec.structs import replace
from rich.console import Console as Terminal

from app.cli.reconcile_holds import show_holds
from app.gateways.provider import ProviderGateway, open_provider
from app.operations.reconciliation.holds import Holds, compare_holds
from app.operations.reconciliation.reader import provider_holds, provider_lines
from tests.support.examples import capture as example
from tests.support.examples.reconciliation import AT_MS, LATER_MS, MOTION_MS
from tests.support.shop import Shop
from tests.support.workflow_runner import after
from workflows.payment import process as payment
from workflows.payment.books import holds_of_payment, lines_of_payment
from workflows.payment.provider_messages import ChargeVoided, VoidCharge
from workflows.shared.books import Hold

DAY_MS = 86_400_000


def hold(
    book: Literal["provider", "payments"] = "provider",
    authorized: int = 1_000,
    captured: int = 0,
    voided: int = 0,
    **more: Any,
) -> Hold:
    """Return a hold of one order in one book."""
    about = {"order_id": "o1", "currency": "GBP", "at_ms": AT_MS, **more}
    sums = {"authorized_minor": authorized, "captured_minor": captured, "voided_minor": voided}
    return Hold(book=book, **sums, **about)


def compared(*holds: Hold, now_ms: int = LATER_MS) -> Holds:
    return compare_holds(holds, now_ms, motion_ms=MOTION_MS["charge"])


def differences(comparison: Holds) -> dict[str, tuple[str, ...]]:
    return {one.order_id: one.differences for one in comparison.offending}


@pytest.mark.parametrize(
    ("theirs", "ours", "difference_names"),
    [
        pytest.param((1_000,), (1_000,), (), id="held in both"),
        pytest.param((1_000, 1_000), (1_000, 1_000), (), id="taken"),
        pytest.param((1_000, 0, 1_000), (1_000, 0, 1_000), (), id="voided"),
        pytest.param((1_000, 525, 475), (1_000, 525, 475), (), id="taken in part"),
        pytest.param((1_000,), (999,), ("authorized_differs",), id="a penny more is held"),
        pytest.param(
            (1_000, 525, 475),
            (1_000, 525, 474),
            ("voided_differs",),
            id="a penny more is voided",
        ),
        pytest.param(
            (1_000, 524, 476),
            (1_000, 525, 475),
            ("captured_differs", "voided_differs"),
            id="a penny less is taken",
        ),
        pytest.param((1_000,), None, ("missing_in_payments",), id="a hold that no row knows"),
        pytest.param(None, (1_000,), ("missing_at_provider",), id="a hold that is none"),
        pytest.param((1_000, 0, 1_000), None, (), id="voided before payment knew of it"),
        pytest.param((1_000,), (1_000, 0, 1_000), ("voided_differs",), id="it is still held"),
    ],
)
def test_a_hold_that_differs_is_named_with_its_order(
    theirs: tuple[int, ...] | None, ours: tuple[int, ...] | None, difference_names: tuple[str, ...]
) -> None:
    """By one minor unit too."""
    holds = [hold("provider", *theirs)] if theirs else []
    holds += [hold("payments", *ours)] if ours else []

    comparison = compared(*holds)

    assert ({"o1": difference_names} if difference_names else {}) == differences(comparison)
    assert comparison.reconciled is (not difference_names)


def test_two_currencies_of_one_hold_are_named() -> None:
    """Amounts that are the same by chance do not agree."""
    comparison = compared(hold(), hold("payments", currency="EUR"))

    assert {"o1": ("currency_differs",)} == differences(comparison)


def test_an_order_that_holds_twice_is_named() -> None:
    """Two intents hold the money of one order; the row knows one of them."""
    comparison = compared(hold(), hold(), hold("payments"))

    assert {"o1": ("authorized_differs",)} == differences(comparison)


@pytest.mark.parametrize(
    ("holds", "moves"),
    [
        pytest.param([hold()], True, id="the row has yet to be written"),
        pytest.param([hold("provider", 1_000, 1_000), hold("payments")], True, id="taken just now"),
        pytest.param(
            [hold("provider", 1_000, 0, 1_000), hold("payments")], True, id="voided just now"
        ),
        pytest.param([hold(), hold("payments", 999)], False, id="waiting mends no amount"),
        pytest.param(
            [hold("provider", 1_000, 600, 400), hold("payments", 1_000, 601, 399)],
            False,
            id="nor what was taken",
        ),
        pytest.param([hold("payments")], False, id="the provider is never behind"),
    ],
)
def test_what_the_row_lacks_is_in_motion_until_its_deadline(
    holds: list[Hold], *, moves: bool
) -> None:
    """Rows are read before the provider's file."""
    limit_ms = AT_MS + MOTION_MS["charge"]

    young, old = compared(*holds, now_ms=limit_ms - 1), compared(*holds, now_ms=limit_ms)

    assert (moves, int(moves)) == (young.reconciled, young.in_motion)
    assert (False, 0) == (old.reconciled, old.in_motion)


def test_the_sums_are_by_currency_and_book() -> None:
    """Each of them is authorized = captured + voided + held, and a day has only its own."""
    holds = [
        *(hold(book, 1_000, 600, 400) for book in ("provider", "payments")),
        *(hold(book, 300, order_id="o2") for book in ("provider", "payments")),
        hold("provider", 70, 0, 70, order_id="o3", currency="JPY", at_ms=AT_MS - DAY_MS),
    ]

    comparison = compared(*holds)
    today = compare_holds(holds, LATER_MS, motion_ms=0, day_ms=AT_MS - AT_MS % DAY_MS)

    sums = comparison.totals["GBP"]["provider"]
    assert (1_300, 600, 400, 300) == (
        sums.authorized_minor,
        sums.captured_minor,
        sums.voided_minor,
        sums.held_minor,
    )
    assert sums == comparison.totals["GBP"]["payments"]
    assert {"GBP", "JPY"} == set(comparison.totals)
    assert (2, {"GBP"}) == (today.compared, set(today.totals))


def test_people_read_the_sums_and_who_differs() -> None:
    """The order, both books, and the currency."""
    terminal = Terminal(file=io.StringIO(), width=200)

    show_holds(compared(hold("provider", 1_000, 525, 475), hold("payments", 1_000)), terminal)
    show_holds(compared(), terminal)

    output = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "o1  hold: captured differs, voided differs  (provider 10.00 GBP authorized" in output
    assert "= 5.25 GBP captured + 4.75 GBP voided + 0.00 GBP held" in output
    assert "holds: 1 orders compared, 0 in motion, 1 differ" in output
    assert 1 == output.count("orders compared")


# --- from rows, and from the provider's file ---------------------------------------


@pytest.mark.parametrize(
    ("story", "sums"),
    [
        pytest.param([example.LATER], [], id="nothing is held yet"),
        pytest.param([example.LATER, example.HELD], [(1_000, 0, 0)], id="held"),
        pytest.param(
            [example.LATER, example.HELD, example.CANCELLED, example.VOIDED],
            [(1_000, 0, 1_000)],
            id="voided",
        ),
        pytest.param(
            [example.LATER, example.HELD, example.SHIPPED, example.CAPTURED],
            [(1_000, 1_000, 0)],
            id="taken",
        ),
        pytest.param(
            [example.LATER, example.HELD, example.CREATED_IN_PART, example.CAPTURED_IN_PART],
            [(1_000, 525, 475)],
            id="taken in part",
        ),
        pytest.param(
            [example.LATER, example.CANCELLED, example.UNKNOWN, example.VOIDED],
            [],
            id="never held, as far as anybody knows",
        ),
        pytest.param(
            [
                example.LATER,
                example.CANCELLED,
                example.UNKNOWN,
                replace(example.VOIDED, held_minor=999),
            ],
            [(999, 0, 999)],
            id="its answer was lost, and the void says what it was",
        ),
    ],
)
def test_a_row_says_what_was_held(story: list[Any], sums: list[tuple[int, int, int]]) -> None:
    """And what has become of it."""
    state, _ = after(payment, *story)

    assert sums == [
        (each.authorized_minor, each.captured_minor, each.voided_minor)
        for each in holds_of_payment(state, AT_MS)
    ]


def test_a_void_is_of_what_was_held_or_else_of_what_was_asked_for() -> None:
    """So that it can be compared to the minor unit."""
    story = [example.LATER, example.CANCELLED, example.UNKNOWN]
    voids = [example.VOIDED, replace(example.VOIDED, held_minor=999)]
    lines = [list(lines_of_payment(after(payment, *story, each)[0], AT_MS)) for each in voids]

    assert [[("void", 1_000)], [("void", 999)]] == [
        [(line.kind, line.amount_minor) for line in each] for each in lines
    ]


async def test_the_providers_file_says_what_became_of_each_hold(shop: Shop) -> None:
    """Held, taken, taken in part, voided; what was taken at once was never held."""
    manual: dict[str, Any] = {"capture_method": "manual", "confirm": True}
    held = {name: await shop.create(name, **manual) for name in ("o1", "o2", "o3", "o4")}
    await shop.capture(held["o2"].id, "o2:take")
    await shop.capture(held["o3"].id, "o3:take", amount_to_capture=525)
    await shop.v1.payment_intents.cancel_async(held["o4"].id)
    await shop.create("o5", confirm=True)

    hold_by_order = {each.order_id: each for each in provider_holds(shop.system.config)}

    assert {
        "o1": (1_000, 0, 0, 1_000),
        "o2": (1_000, 1_000, 0, 0),
        "o3": (1_000, 525, 475, 0),
        "o4": (1_000, 0, 1_000, 0),
    } == {
        name: (each.authorized_minor, each.captured_minor, each.voided_minor, each.held_minor)
        for name, each in hold_by_order.items()
    }
    [void] = [line for line in provider_lines(shop.system.config) if line.kind == "void"]
    assert ("o4", 1_000) == (void.order_id, void.amount_minor)


@pytest.fixture
async def gateway(shop: Shop) -> AsyncIterator[ProviderGateway]:
    """Open the gateway to the provider of the shop."""
    ask = open_provider(replace(shop.system.config, provider_timeout_seconds=10.0))
    yield ask
    await ask.close()


@pytest.mark.parametrize(
    ("more", "held_minor"),
    [
        pytest.param({"confirm": True}, 1_000, id="held"),
        pytest.param({}, 0, id="never confirmed"),
        pytest.param({"confirm": True, "payment_method": "pm_card_threeDSecure2Required"}, 0,
                     id="the customer never confirmed"),
    ],
)  # fmt: skip
async def test_the_answer_to_a_void_says_what_was_let_go(
    shop: Shop, gateway: ProviderGateway, more: dict[str, Any], held_minor: int
) -> None:
    """Also asked again, when it is canceled already; payment may never have known of the hold."""
    intent = await shop.create("o1", capture_method="manual", **more)
    void = VoidCharge(
        transaction_id="o1",
        amount_minor=1_000,
        currency="GBP",
        payment_method="pm_card_visa",
        attempt=1,
        capture="manual",
        payment_id=intent.id,
    )

    answers = [(await gateway(each))[0] for each in (void, replace(void, attempt=2))]

    assert [
        ChargeVoided(transaction_id="o1", attempt=attempt, held_minor=held_minor)
        for attempt in (1, 2)
    ] == answers
