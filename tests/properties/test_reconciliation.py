"""What is true of the three books whatever was sold: any one change to one of them is named."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.operations.reconciliation.compare import BOOKS, DUPLICATE, KEPT_BY, MISSING
from tests.support.examples.reconciliation import AT_MS, LATER_MS, reconcile, settled, voided
from workflows.shared.books import Line

CURRENCIES = ("GBP", "EUR", "JPY")
KEYS = ("r1", "r2", "compensation")
ELSEWHERE = "nobody's"

minor = st.integers(1, 100_000)
sales = st.builds(
    lambda amount, currency, refunds: ("paid", amount, currency, refunds),
    minor, st.sampled_from(CURRENCIES), st.dictionaries(st.sampled_from(KEYS), minor),
)  # fmt: skip
voids = st.builds(lambda amount: ("void", amount, "GBP", {}), minor)
histories = st.lists(sales | voids, min_size=1, max_size=8)


def books_of(history: list[Any]) -> list[Line]:
    """Return three books that agree about `history`, order by order."""
    lines: list[Line] = []
    for number, (what, amount, currency, refunds) in enumerate(history):
        order_id = f"o{number}"
        if what == "void":
            lines += voided(order_id, amount)
        else:
            lines += settled(order_id, amount, currency, **refunds)
    return lines


def changes(line: Line) -> dict[str, dict[str, Any] | None]:
    """Return what may happen to `line`, by the difference that must be named."""
    lost = MISSING[line.book]
    change_by_difference: dict[str, dict[str, Any] | None] = {
        f"{lost} because it is dropped": None,
        f"{lost} because it moved to another order": {"order_id": ELSEWHERE},
        "amount_differs": {"amount_minor": line.amount_minor + 1},
        "currency_differs": {"currency": "XAU"},
        f"{DUPLICATE[line.book]}": {},
    }
    if line.kind == "refund" and line.key:
        change_by_difference[f"{lost} because its key is another"] = {"key": ELSEWHERE}
    if line.book == "ledger" and line.reference:
        change_by_difference[f"{lost} because its refund is another"] = {"reference": ELSEWHERE}
    elif line.reference and line.kind != "void":
        change_by_difference["reference_differs"] = {"reference": ELSEWHERE}
    return change_by_difference


@given(histories, st.randoms(use_true_random=False))
def test_books_that_agree_are_reconciled_in_any_order_of_lines(history: Any, random: Any) -> None:
    """No difference, however the lines are shuffled, and the same sums in all three books."""
    lines = books_of(history)
    random.shuffle(lines)

    reconciliation = reconcile(lines, LATER_MS)

    assert (True, 0, ()) == (
        reconciliation.reconciled,
        reconciliation.in_motion,
        reconciliation.offending,
    )
    assert all(len({(m.charged_minor, m.refunded_minor) for m in books.values()}) == 1
               for books in reconciliation.totals.values())  # fmt: skip


@given(histories, st.data())
def test_any_one_change_to_one_book_is_found_and_named(history: Any, data: Any) -> None:
    """Drop, double, move or alter one line: its movement is named, and no other order's is."""
    lines = books_of(history)
    at = data.draw(st.integers(0, len(lines) - 1), label="line")
    line = lines[at]
    due, change = data.draw(st.sampled_from(sorted(changes(line).items())), label="change")
    if change is None:
        lines[at : at + 1] = []
    elif due.startswith("duplicate"):
        lines.append(line)
    else:
        lines[at] = replace(line, **change)

    reconciliation = reconcile(lines, LATER_MS)

    difference = due.split(" ")[0]
    # The ledger has no key of its own for a refund: the amount says which one it was.
    due_in = [
        one
        for one in reconciliation.offending
        if (one.order_id, one.kind) == (line.order_id, line.kind) and difference in one.differences
    ]
    assert not reconciliation.reconciled
    assert due_in
    assert {one.order_id for one in reconciliation.offending} <= {line.order_id, ELSEWHERE}
    assert all(line.key == one.key for one in due_in if line.key and difference in MISSING.values())


@given(histories, st.sampled_from(BOOKS))
def test_a_book_that_is_lost_is_named_line_by_line(history: Any, book: Any) -> None:
    """Every movement that this book should have is missing in it; the others are matched."""
    lines = [line for line in books_of(history) if line.book != book]

    reconciliation = reconcile(lines, LATER_MS)

    movements = {(line.order_id, line.kind) for line in lines if book in KEPT_BY[line.kind]}
    assert movements == {(one.order_id, one.kind) for one in reconciliation.offending}
    assert all((MISSING[book],) == one.differences for one in reconciliation.offending)


@given(histories, st.integers(0, 1_000_000))
def test_waiting_only_turns_what_moves_into_a_difference(history: Any, waited_ms: int) -> None:
    """The provider alone has received: each movement is in motion or offending, never matched."""
    lines = [line for line in books_of(history) if line.book == "provider"]

    now, later = (reconcile(lines, AT_MS + ms) for ms in (waited_ms, waited_ms + 1))

    assert len(lines) == now.in_motion + len(now.offending)
    assert later.in_motion <= now.in_motion
