"""What the provider has settled, beside ledger and bank: what is open, and what is wrong."""

import io
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from app.cli.reconcile_settlement import show_settlement
from app.operations.reconciliation.settlement import Settlement, compare
from app.operations.reconciliation.settlement_books import (
    BalanceLine,
    OpenItem,
    PayoutRecord,
    SettlementBooks,
)
from workflows.ledger.messages import EntryPosted, Posting
from workflows.payment.books import lines_of_entry, settlement_of_entry
from workflows.shared.books import SettlementLine

DAY_MS = 86_400_000
AT_MS = 1_700_000_000_000
LINE = BalanceLine(
    id="txn_1",
    category="charge",
    order_id="o1",
    amount_minor=1_000,
    fee_minor=35,
    net_minor=965,
    source_minor=1_000,
    currency="GBP",
    at_ms=AT_MS,
    available_ms=AT_MS + 2 * DAY_MS,
    payout_id="po_1",
)
WAITING = replace(LINE, payout_id="")
SENT_MS, ARRIVAL_MS = AT_MS + 2 * DAY_MS, AT_MS + 3 * DAY_MS
PAYOUT = PayoutRecord(
    id="po_1",
    amount_minor=965,
    currency="GBP",
    status="paid",
    created_ms=SENT_MS,
    arrival_ms=ARRIVAL_MS,
)
ON_ITS_WAY = replace(PAYOUT, status="in_transit")
FEE = SettlementLine(
    order_id="o1",
    balance_transaction_id="txn_1",
    step="fee",
    amount_minor=35,
    currency="GBP",
    at_ms=AT_MS,
)
SENT = replace(FEE, payout_id="po_1", step="sent", amount_minor=965)
PAID = replace(SENT, step="paid", bank_minor=965)
NOT_FROM_BANK = replace(SENT, step="back")
BACK = replace(NOT_FROM_BANK, bank_minor=-965)


def one_line(
    line: BalanceLine, payout: PayoutRecord | None, *posted: SettlementLine, days: float = 1
) -> Settlement:
    """Return how one line compares, so many days after the charge."""
    payouts = (payout,) if payout else ()
    books = SettlementBooks(lines=(line,), payouts=payouts)
    return compare(books, posted, AT_MS + round(days * DAY_MS))


def states(settlement: Settlement) -> list[tuple[str, str, bool]]:
    """Return what is open, how old it is, and whether it is wrong."""
    return [(item.state, item.bucket, item.wrong) for item in settlement.open_items]


@pytest.mark.parametrize(
    ("settlement", "expected"),
    [
        pytest.param(one_line(LINE, PAYOUT, FEE, SENT, PAID, days=60), [], id="it has arrived"),
        pytest.param(
            one_line(WAITING, None, FEE),
            [("waiting for availability", "0-1 d", False)],
            id="it is not available yet",
        ),
        pytest.param(
            one_line(WAITING, None, FEE, days=5),
            [("waiting for a payout", "2-7 d", False)],
            id="it is available",
        ),
        pytest.param(
            one_line(LINE, ON_ITS_WAY, FEE, SENT, days=12),
            [("payout in transit", "8-30 d", False)],
            id="it is on its way",
        ),
        pytest.param(
            one_line(WAITING, None, days=1.4),
            [
                ("waiting to be read", "0-1 d", False),
                ("waiting for availability", "0-1 d", False),
            ],
            id="the night has not come",
        ),
        pytest.param(
            one_line(WAITING, None, days=40),
            [("missing fee", "over 30 d", True), ("waiting for a payout", "over 30 d", False)],
            id="nobody has read it",
        ),
        pytest.param(
            one_line(LINE, PAYOUT, FEE, SENT, days=4),
            [("waiting to be read", "0-1 d", False)],
            id="that it has arrived was not read",
        ),
        pytest.param(
            one_line(LINE, PAYOUT, FEE, SENT, days=5),
            [("missing payout", "2-7 d", True)],
            id="for too long",
        ),
        pytest.param(
            one_line(LINE, None, FEE, SENT, PAID),
            [("missing payout", "0-1 d", True)],
            id="the provider has no such payout",
        ),
        pytest.param(
            one_line(replace(WAITING, fee_minor=36, net_minor=964), None, FEE),
            [
                ("amount differs", "0-1 d", True),
                ("waiting for availability", "0-1 d", False),
            ],
            id="a fee differs by one minor unit",
        ),
        pytest.param(
            one_line(LINE, PAYOUT, FEE, SENT, replace(PAID, amount_minor=964)),
            [("amount differs", "0-1 d", True)],
            id="what has arrived differs by one minor unit",
        ),
        pytest.param(
            one_line(LINE, replace(PAYOUT, amount_minor=966), FEE, SENT, PAID),
            [("amount differs", "0-1 d", True)],
            id="the payout is not the sum of its lines",
        ),
        pytest.param(
            one_line(replace(LINE, source_minor=999), PAYOUT, FEE, SENT, PAID),
            [("amount differs", "0-1 d", True)],
            id="the charge was another",
        ),
        pytest.param(
            one_line(
                replace(LINE, net_minor=966), replace(PAYOUT, amount_minor=966), FEE, SENT, PAID
            ),
            [("amount differs", "0-1 d", True)] * 3,
            id="the net is not amount less fee",
        ),
        pytest.param(
            one_line(LINE, PAYOUT, FEE, SENT, replace(PAID, currency="EUR")),
            [("currency differs", "0-1 d", True)],
            id="in another currency",
        ),
        pytest.param(
            one_line(LINE, PAYOUT, FEE, SENT, PAID, replace(FEE, balance_transaction_id="txn_2")),
            [("unknown line", "0-1 d", True)],
            id="the provider knows nothing of it",
        ),
        pytest.param(
            one_line(LINE, PAYOUT, FEE, SENT, PAID, replace(SENT, payout_id="po_0")),
            [("unknown line", "0-1 d", True)],
            id="another payout has it too",
        ),
        pytest.param(
            one_line(
                LINE,
                PAYOUT,
                FEE,
                SENT,
                PAID,
                replace(SENT, payout_id="po_0"),
                replace(SENT, payout_id="po_0", step="back"),
            ),
            [],
            id="an earlier payout has failed",
        ),
        pytest.param(
            one_line(LINE, replace(PAYOUT, status="failed"), FEE, SENT, replace(SENT, step="back")),
            [("payout failed", "0-1 d", True)],
            id="its payout has failed",
        ),
        pytest.param(
            one_line(LINE, replace(PAYOUT, status="failed"), FEE, SENT, PAID, days=4),
            [("payout failed", "0-1 d", True), ("waiting to be read", "0-1 d", False)],
            id="its payout has failed, which was not read",
        ),
        pytest.param(
            one_line(LINE, replace(PAYOUT, status="failed"), FEE, SENT, PAID, days=5),
            [("amount differs", "2-7 d", True), ("payout failed", "2-7 d", True)],
            id="for too long",
        ),
        pytest.param(
            one_line(LINE, PAYOUT, FEE, SENT, PAID, BACK),
            [("amount differs", "0-1 d", True)],
            id="it came back only in the ledger",
        ),
        pytest.param(
            one_line(LINE, ON_ITS_WAY, FEE, SENT, PAID),
            [("amount differs", "0-1 d", True)],
            id="it has arrived only there",
        ),
        pytest.param(
            one_line(LINE, replace(PAYOUT, status="failed"), FEE, SENT, PAID, NOT_FROM_BANK),
            [("amount differs", "0-1 d", True), ("payout failed", "0-1 d", True)],
            id="it came back from elsewhere than the bank",
        ),
        pytest.param(
            one_line(LINE, replace(PAYOUT, status="failed"), FEE, SENT, PAID, BACK),
            [("payout failed", "0-1 d", True)],
            id="it came back from the bank",
        ),
        pytest.param(
            one_line(replace(LINE, order_id=""), PAYOUT), [], id="what is not ours is left out"
        ),
        pytest.param(
            one_line(
                replace(
                    LINE, category="dispute", fee_minor=1_500, net_minor=-500, source_minor=None
                ),
                replace(PAYOUT, amount_minor=-500),
                replace(SENT, amount_minor=-500),
                replace(PAID, amount_minor=-500),
            ),
            [],
            id="the fee of a dispute is posted elsewhere",
        ),
    ],
)
def test_an_open_item_says_what_it_is(
    settlement: Settlement, expected: list[tuple[str, str, bool]]
) -> None:
    """In words, with its age; only what time does not close is wrong."""
    assert expected == states(settlement)
    differs = [state for state, _, wrong in expected if wrong and state != "payout failed"]
    assert settlement.reconciled == (not differs)


TAKEN = BalanceLine(
    id="txn_2",
    category="dispute",
    order_id="o1",
    amount_minor=-1_000,
    fee_minor=1_500,
    net_minor=-2_500,
    source_minor=None,
    currency="GBP",
    at_ms=AT_MS,
    available_ms=AT_MS,
    dispute_id="du_1",
)
"""What a dispute has taken; a part of its fee comes back when it is won:"""
WON = replace(TAKEN, id="txn_3", category="dispute_reversal", amount_minor=1_000, fee_minor=-500)
WON = replace(WON, net_minor=1_500)
TAKEN_FEE = replace(FEE, balance_transaction_id="du_1", step="dispute_fee", amount_minor=1_500)
FEE_BACK = replace(TAKEN_FEE, amount_minor=-500)


@pytest.mark.parametrize(
    ("lines", "posted", "days", "expected"),
    [
        pytest.param([TAKEN], [TAKEN_FEE], 9, [], id="it is posted"),
        pytest.param([TAKEN, WON], [TAKEN_FEE, FEE_BACK], 9, [], id="a part has come back"),
        pytest.param([TAKEN], [], 1, [("waiting to be read", 1_500, None)], id="not yet"),
        pytest.param([TAKEN], [], 9, [("missing fee", 1_500, None)], id="never"),
        pytest.param(
            [TAKEN],
            [replace(TAKEN_FEE, amount_minor=1_499)],
            9,
            [("amount differs", 1_500, 1_499)],
            id="a minor unit less",
        ),
        pytest.param(
            [TAKEN, WON], [TAKEN_FEE], 9, [("amount differs", 1_000, 1_500)], id="none came back"
        ),
        pytest.param(
            [TAKEN],
            [TAKEN_FEE, replace(TAKEN_FEE, balance_transaction_id="du_2")],
            9,
            [("amount differs", None, 1_500)],
            id="the provider has no such dispute",
        ),
        pytest.param([replace(TAKEN, order_id="")], [], 9, [], id="it is not ours"),
    ],
)
def test_the_fee_of_a_dispute_is_what_the_provider_has_kept(
    lines: list[BalanceLine],
    posted: list[SettlementLine],
    days: int,
    expected: list[tuple[str, int | None, int | None]],
) -> None:
    """It is not a part of the amounts that are compared otherwise."""
    settlement = compare(SettlementBooks(lines=tuple(lines)), posted, AT_MS + days * DAY_MS)
    items = [each for each in settlement.open_items if each.balance_transaction_id.startswith("du")]

    assert expected == [(each.state, each.provider_minor, each.ledger_minor) for each in items]
    assert all(settlement.reconciled != item.wrong for item in items)


def test_the_entry_of_a_dispute_says_its_fee() -> None:
    """And what of it came back; that is beside what is compared with the dispute itself."""
    sides = ("disputes_receivable", 1_000), ("dispute_fees", 1_500), ("cash_at_provider", -2_500)
    withdrawal = entry("dispute/du_1", *sides)
    won = entry("dispute reversed/du_1", ("dispute_fees", -500), ("cash_at_provider", 500))

    assert [TAKEN_FEE] == list(settlement_of_entry(withdrawal, AT_MS))
    assert [FEE_BACK] == list(settlement_of_entry(won, AT_MS))
    assert [] == list(settlement_of_entry(entry("chargeback/du_1", *sides), AT_MS))


def test_what_has_come_back_is_followed_to_the_next_payout() -> None:
    """Its lines are those of the payout that failed; both are the sum of what they hold."""
    back = replace(
        LINE,
        id="txn_back",
        category="payout_reversal",
        order_id="",
        amount_minor=965,
        fee_minor=0,
        source_minor=None,
        payout_id="po_2",
        returned_payout_id="po_1",
    )
    failed, second = replace(PAYOUT, status="failed"), replace(PAYOUT, id="po_2")
    books = SettlementBooks(lines=(LINE, back), payouts=(failed, second))
    posted = (
        *(FEE, SENT, replace(SENT, step="back")),
        *(replace(each, payout_id="po_2") for each in (SENT, PAID)),
    )

    settlement = compare(books, posted, AT_MS + 9 * DAY_MS)
    unsent = compare(books, posted[:3], AT_MS + 9 * DAY_MS)

    assert ([], 1, 0, 965) == (
        states(settlement),
        settlement.arrived,
        settlement.not_ours,
        settlement.totals["GBP"].paid_out_minor,
    )
    assert [("missing payout", "2-7 d", True)] == states(unsent)


def test_a_charge_without_a_balance_transaction_is_found() -> None:
    """Money that the provider took, and that is not in its balance."""
    settlement = compare(SettlementBooks(unlisted=(FEE,)), (), AT_MS)

    assert [("missing balance transaction", "0-1 d", True)] == states(settlement)


def test_sums_are_kept_by_currency() -> None:
    """What is not ours beside them, and never added across."""
    yen = replace(
        WAITING, id="txn_2", currency="JPY", amount_minor=500, source_minor=500, net_minor=465
    )
    other = replace(WAITING, id="txn_3", order_id="")
    books = SettlementBooks(lines=(LINE, yen, other), payouts=(PAYOUT,))

    settlement = compare(books, (FEE, SENT, PAID), AT_MS)

    pounds, yens = settlement.totals["GBP"], settlement.totals["JPY"]
    assert (35, 35, 965, 965, 0, 965) == (
        pounds.fees_at_provider_minor,
        pounds.fees_in_ledger_minor,
        pounds.paid_out_minor,
        pounds.at_bank_minor,
        pounds.in_balance_minor,
        pounds.not_ours_minor,
    )
    assert (35, 0, 465) == (
        yens.fees_at_provider_minor,
        yens.fees_in_ledger_minor,
        yens.in_balance_minor,
    )
    assert (2, 1, 1) == (settlement.lines, settlement.arrived, settlement.not_ours)


def test_people_read_what_is_open_and_how_old_it_is() -> None:
    """Amounts in the decimals of their currency; markup in an id is not rendered."""
    line = replace(LINE, order_id="[red]o1", currency="KWD", fee_minor=40, net_minor=960)
    posted = tuple(replace(each, currency="KWD") for each in (FEE, SENT))
    payout = replace(ON_ITS_WAY, currency="KWD", amount_minor=960)
    output = io.StringIO()

    show_settlement(
        compare(SettlementBooks(lines=(line,), payouts=(payout,)), posted, AT_MS + 9 * DAY_MS),
        Console(file=output, width=200),
    )

    text = output.getvalue()
    assert "[red]o1 txn_1: amount differs  (provider 0.040 KWD, ledger 0.035 KWD; 9 d)" in text
    assert "settlement, payout in transit: 2-7 d: 1" in text
    assert "fees 0.040 KWD at the provider, 0.035 KWD in the ledger" in text


def entry(cause: str, *sides: tuple[Any, int]) -> EntryPosted:
    """Return an entry; a negative amount is a credit."""
    postings = tuple(
        Posting(account=name, debit_minor=max(0, amount), credit_minor=max(0, -amount))
        for name, amount in sides
    )
    return EntryPosted(
        entry_id=cause, transaction_id="o1", currency="GBP", postings=postings, cause=cause
    )


@pytest.mark.parametrize(
    ("posted", "line"),
    [
        pytest.param(
            entry("fee/txn_1", ("provider_fees", 35), ("cash_at_provider", -35)), FEE, id="a fee"
        ),
        pytest.param(
            entry("payout sent/txn_1/po_1", ("payout_clearing", 965), ("cash_at_provider", -965)),
            SENT,
            id="a payout is sent",
        ),
        pytest.param(
            entry("payout paid/txn_1/po_1", ("cash_at_bank", 965), ("payout_clearing", -965)),
            PAID,
            id="it arrives",
        ),
        pytest.param(
            entry("payout back/txn_1/po_1", ("cash_at_provider", 965), ("cash_at_bank", -965)),
            replace(SENT, step="back", bank_minor=-965),
            id="it is returned",
        ),
    ],
)
def test_an_entry_of_settlement_is_no_charge_and_no_refund(
    posted: EntryPosted, line: SettlementLine
) -> None:
    """It is compared with the balance transaction that it names."""
    assert [] == list(lines_of_entry(posted, AT_MS))
    assert [line] == list(settlement_of_entry(posted, AT_MS))


def test_an_entry_of_another_cause_is_none_of_settlement() -> None:
    """A payment is compared with the provider's charges."""
    payment = entry("payment", ("cash_at_provider", 5), ("customer_receivable", -5))

    assert [] == list(settlement_of_entry(payment, AT_MS))
    assert 1 == len(list(lines_of_entry(payment, AT_MS)))


def test_the_oldest_wrong_item_is_the_first() -> None:
    """What is only open comes after what is wrong."""
    late = replace(WAITING, id="txn_2", at_ms=AT_MS + 1)
    settlement = compare(SettlementBooks(lines=(late, WAITING)), (), AT_MS + 3 * DAY_MS)

    items: list[OpenItem] = list(settlement.open_items)

    assert ["txn_1", "txn_2"] == [item.balance_transaction_id for item in items if item.wrong]
    assert [True, True, False, False] == [item.wrong for item in items]


@pytest.mark.parametrize(
    ("settlement", "reconciled", "sent_back"),
    [
        pytest.param(one_line(LINE, PAYOUT, FEE, SENT, PAID), True, 0, id="it has arrived"),
        pytest.param(
            one_line(LINE, replace(PAYOUT, status="failed"), FEE, SENT, replace(SENT, step="back")),
            True,
            1,
            id="its payout has failed, and every book says so",
        ),
        pytest.param(
            one_line(LINE, replace(PAYOUT, status="failed"), FEE, SENT, PAID, days=5),
            False,
            1,
            id="its payout has failed, and the ledger says that it has arrived",
        ),
    ],
)
def test_a_payout_that_was_sent_back_is_no_difference_of_books(
    settlement: Settlement, reconciled: bool, sent_back: int
) -> None:
    """It waits for a person, and is counted apart: `payflow reconcile` ends with a code for it."""
    assert (reconciled, sent_back) == (settlement.reconciled, settlement.sent_back)
