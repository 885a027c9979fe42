"""Three books compared line by line: what agrees, what differs and how, what is still in motion."""

import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from msgspec.structs import replace
from rich.console import Console
from typer.testing import CliRunner

from app.cli import instance
from app.cli import reconcile as reconcile_command
from app.cli.reconcile import SHOWN_MAX, reconcile_books, show
from app.config import Config, current
from app.local.simulators.intent_states import cancel, take
from app.local.simulators.provider_store import ProviderStore
from app.operations.reconciliation.compare import DAY_MS, Reconciliation
from app.operations.reconciliation.reader import Books, provider_lines
from app.operations.reconciliation.settlement_books import (
    BalanceLine,
    PayoutRecord,
    SettlementBooks,
)
from app.operations.verification.external_systems import provider_file
from app.operations.verification.reader import Unreadable
from tests.support.examples import payment as example
from tests.support.examples.reconciliation import (
    AT_MS,
    DAY_BEGINS_MS,
    LATER_MS,
    MOTION_MS,
    reconcile,
    settled,
    voided,
)
from tests.support.workflow_runner import after
from workflows.ledger import process as ledger
from workflows.ledger.messages import Account, EntryPosted, Posting
from workflows.payment import process as payment
from workflows.payment.books import lines_of_entry, lines_of_payment
from workflows.payment.messages import PaymentCompleted, PaymentRefunded
from workflows.shared.books import Line, SettlementLine
from workflows.shipping.messages import ShipmentCreated

DAY = "2026-03-01"


def differences(reconciliation: Reconciliation) -> dict[tuple[str, str, str], tuple[str, ...]]:
    return {(one.order_id, one.kind, one.key): one.differences for one in reconciliation.offending}


# --- the comparison ------------------------------------------------------------


def test_a_refund_that_was_reversed_is_no_line_and_another_takes_its_place() -> None:
    """The ledger keeps both; a reversal without what it reverses is a difference."""
    lines = settled(r1=300)
    [posted] = [line for line in lines if line.book == "ledger" and line.kind == "refund"]
    failed = replace(posted, reference="re-failed")
    reversal = replace(failed, reverses=True, amount_minor=-failed.amount_minor)

    netted = reconcile([*lines, failed, reversal], LATER_MS)
    alone = reconcile([*lines, reversal], LATER_MS)

    assert (True, 2) == (netted.reconciled, netted.compared)
    assert not alone.reconciled


def test_books_that_agree_match_line_by_line() -> None:
    """A charge, a refund by return, one by compensation and a void: nothing differs."""
    lines = [*settled(r1=300, compensation=700), *voided("o2")]

    reconciliation = reconcile(lines, LATER_MS)

    assert (True, 4, 4, 0) == (
        reconciliation.reconciled,
        reconciliation.compared,
        reconciliation.matched,
        reconciliation.in_motion,
    )
    assert {"GBP"} == set(reconciliation.totals)
    assert [(1_000, 1_000)] * 3 == [
        (moved.charged_minor, moved.refunded_minor)
        for moved in reconciliation.totals["GBP"].values()
    ]


CHARGE, REFUND = ("o1", "charge", ""), ("o1", "refund", "r1")


@pytest.mark.parametrize(
    ("book", "kind", "change", "expected"),
    [
        pytest.param(
            "provider", "charge", None, {CHARGE: ("missing_at_provider",)}, id="uncharged"
        ),
        pytest.param("payments", "charge", None, {CHARGE: ("missing_in_payments",)}, id="unknown"),
        pytest.param("ledger", "charge", None, {CHARGE: ("missing_in_ledger",)}, id="not booked"),
        pytest.param(
            "provider", "refund", None, {REFUND: ("missing_at_provider",)}, id="not given"
        ),
        pytest.param(
            "payments", "refund", None, {REFUND: ("missing_in_payments",)}, id="not asked"
        ),
        pytest.param("ledger", "refund", None, {REFUND: ("missing_in_ledger",)}, id="not entered"),
        *(
            pytest.param(
                book,
                "refund",
                {"amount_minor": 301},
                {REFUND: ("amount_differs",)},
                id=f"a penny {book}",
            )
            for book in ("provider", "payments", "ledger")
        ),
        *(
            pytest.param(
                book,
                "charge",
                {"currency": "EUR"},
                {CHARGE: ("currency_differs",)},
                id=f"euros {book}",
            )
            for book in ("provider", "payments", "ledger")
        ),
        pytest.param(
            "payments",
            "charge",
            {"reference": "pi_2"},
            {CHARGE: ("reference_differs",)},
            id="whose",
        ),
        pytest.param(
            "ledger",
            "refund",
            {"reference": "re_x"},
            {
                REFUND: ("missing_in_ledger",),
                ("o1", "refund", "re_x"): ("missing_at_provider", "missing_in_payments"),
            },
            id="a refund of the ledger that nobody gave",
        ),
        pytest.param(
            "provider",
            "charge",
            {"order_id": "o9"},
            {
                CHARGE: ("missing_at_provider",),
                ("o9", "charge", ""): ("missing_in_payments", "missing_in_ledger"),
            },
            id="a charge of another order",
        ),
    ],
)
def test_one_line_that_differs_is_named(
    book: str, kind: str, change: dict[str, Any] | None, expected: dict[Any, tuple[str, ...]]
) -> None:
    """One of nine lines is dropped, or changed."""
    lines = settled(r1=300)
    at = next(at for at, line in enumerate(lines) if (line.book, line.kind) == (book, kind))
    lines[at : at + 1] = [] if change is None else [replace(lines[at], **change)]

    reconciliation = reconcile(lines, LATER_MS)

    assert expected == differences(reconciliation)
    assert not reconciliation.reconciled


@pytest.mark.parametrize(
    ("book", "difference"),
    [
        pytest.param("provider", "duplicate_at_provider", id="charged twice"),
        pytest.param("payments", "duplicate_in_payments", id="counted twice"),
        pytest.param("ledger", "duplicate_in_ledger", id="booked twice"),
    ],
)
def test_a_line_that_is_there_twice_is_named_at_once(book: str, difference: str) -> None:
    """No waiting mends it; the book's column has the sum."""
    lines = settled()
    twice = next(line for line in lines if line.book == book)

    reconciliation = reconcile([*lines, twice], AT_MS)

    assert {CHARGE: (difference,)} == differences(reconciliation)
    assert 2_000 == getattr(reconciliation.offending[0], f"{book}_minor")


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        pytest.param(settled()[:1], "charge", id="the provider has charged"),
        pytest.param(settled()[:2], "charge", id="the ledger has yet to receive it"),
        pytest.param(settled(r1=5)[1:4:2], "refund", id="a refund is yet to be booked"),
        pytest.param(voided()[:1], "void", id="a void is yet to be received"),
        pytest.param([replace(settled()[1], open=True)], "charge", id="asked for and not known"),
    ],
)
def test_what_is_missing_is_in_motion_until_its_deadline(lines: list[Line], kind: Any) -> None:
    """A millisecond before the deadline it is counted, at the deadline it is a difference."""
    limit_ms = AT_MS + MOTION_MS[kind]

    young, old = reconcile(lines, limit_ms - 1), reconcile(lines, limit_ms)

    assert (True, False) == (young.reconciled, old.reconciled)
    assert young.in_motion > 0
    assert old.in_motion == 0
    assert len(young.moving) == len(old.offending)


def test_a_book_has_as_long_as_the_one_it_consumes_from_is_young() -> None:
    """Payment was away for a day: the ledger can only have received since then."""
    provider, stored, _ = settled()
    lines = [provider, replace(stored, at_ms=LATER_MS)]

    assert 1 == reconcile(lines, LATER_MS + 1).in_motion
    assert 0 == reconcile(lines, LATER_MS + MOTION_MS["charge"]).in_motion


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(settled()[1:], ("missing_at_provider",), id="never taken"),
        pytest.param(
            settled()[2:],
            ("missing_at_provider", "missing_in_payments"),
            id="booked out of nowhere",
        ),
        pytest.param(settled()[::2], ("missing_in_payments",), id="booked and not remembered"),
    ],
)
def test_what_can_come_from_nowhere_else_is_not_in_motion(
    lines: list[Line], expected: tuple[str, ...]
) -> None:
    """Payment consumes from the provider, the ledger from payment: those cannot be behind."""
    reconciliation = reconcile(lines, AT_MS)

    assert {CHARGE: expected} == differences(reconciliation)
    assert 0 == reconciliation.in_motion


def test_an_amount_that_differs_is_not_in_motion() -> None:
    """However young: waiting mends no amount."""
    provider, *_ = settled()
    payment_line = replace(settled()[1], open=True, amount_minor=999)

    reconciliation = reconcile([provider, payment_line], AT_MS)

    assert "amount_differs" in differences(reconciliation)[CHARGE]
    assert 0 == reconciliation.in_motion


def test_a_day_is_what_the_provider_says() -> None:
    """Lines of other books fall on the day of the provider's; other days are not compared."""
    lines = [
        *settled("o1", at_ms=DAY_BEGINS_MS),
        *settled("o2", at_ms=DAY_BEGINS_MS - 1)[:1],
        *settled("o3", at_ms=DAY_BEGINS_MS + DAY_MS)[:1],
        *(replace(line, at_ms=LATER_MS) for line in settled("o4")[1:]),
        replace(settled("o4", at_ms=DAY_BEGINS_MS + DAY_MS - 1)[0], amount_minor=7),
    ]

    reconciliation = reconcile(lines, LATER_MS, DAY, DAY_BEGINS_MS)

    assert {("o4", "charge", ""): ("amount_differs",)} == differences(reconciliation)
    assert (2, DAY) == (reconciliation.compared, reconciliation.day)


def test_totals_are_kept_apart_by_currency_and_book() -> None:
    """What was voided, or is only asked for, has moved nothing."""
    lines = [
        *settled("o1", 1_000, r1=300),
        *settled("o2", 500, currency="EUR")[:2],
        *voided("o3"),
        replace(settled("o4")[1], open=True),
    ]

    totals = reconcile(lines, LATER_MS).totals

    assert {"EUR": [(500, 0), (500, 0), (0, 0)], "GBP": [(1_000, 300)] * 3} == {
        currency: [(moved.charged_minor, moved.refunded_minor) for moved in books.values()]
        for currency, books in totals.items()
    }


# --- from rows, entries and the provider's file ---------------------------------


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        pytest.param([], [], id="nothing is received"),
        pytest.param([example.CANCELLED, example.PLACED], [], id="never asked"),
        pytest.param([example.PLACED, example.DECLINED], [], id="a decline moves nothing"),
        pytest.param([example.PLACED], [("charge", "", 1_000, True)], id="asked"),
        pytest.param(
            [example.PLACED, example.SUCCEEDED], [("charge", "", 1_000, False)], id="paid"
        ),
        pytest.param(
            [example.PLACED, example.CANCELLED, example.UNKNOWN, example.VOIDED],
            [("void", "", 1_000, False)],
            id="voided",
        ),
        pytest.param(
            [example.PLACED, example.SUCCEEDED, example.RETURN, example.RETURN_BACK],
            [("charge", "", 1_000, False), ("refund", "r1", 300, False)],
            id="one return is refunded",
        ),
        pytest.param(
            [
                *(example.PLACED, example.SUCCEEDED, example.RETURN, example.CANCELLED),
                replace(example.BACK, amount_minor=700),
            ],
            [
                ("charge", "", 1_000, False),
                ("refund", "r1", 300, True),
                ("refund", "compensation", 700, False),
            ],
            id="one refund is asked for, one given",
        ),
    ],
)
def test_a_payment_row_says_what_moved(story: list[Any], expected: list[tuple]) -> None:
    """Kind, key, amount, and whether it is only asked for."""
    state, _ = after(payment, *story)

    lines = list(lines_of_payment(state, AT_MS))

    assert expected == [(line.kind, line.key, line.amount_minor, line.open) for line in lines]
    assert {"GBP"} >= {line.currency for line in lines}


def test_what_is_asked_for_is_as_old_as_its_question() -> None:
    """A row written again makes no unanswered refund young; what is answered is the row's age."""
    state, _ = after(
        payment, example.PLACED, example.SUCCEEDED, (example.RETURN, 5), (example.UNKNOWN, 9)
    )

    ages = {line.kind: line.at_ms for line in lines_of_payment(state, LATER_MS)}

    assert {"charge": LATER_MS, "refund": 1_700_000_005_000} == ages


def entry(cause: str, *sides: tuple[Account, int]) -> EntryPosted:
    return EntryPosted(
        entry_id=f"o1/{cause}",
        transaction_id="o1",
        currency="GBP",
        cause=cause,
        postings=tuple(
            Posting(account=account, debit_minor=max(minor, 0), credit_minor=max(-minor, 0))
            for account, minor in sides
        ),
    )


@pytest.mark.parametrize(
    ("posted", "expected"),
    [
        pytest.param(
            entry("payment", ("cash_at_provider", 1_000), ("customer_receivable", -1_000)),
            [("charge", "", "", 1_000)],
            id="a payment",
        ),
        pytest.param(
            entry("refund/re_1", ("refunds", 300), ("cash_at_provider", -300)),
            [("refund", "", "re_1", 300)],
            id="a refund",
        ),
        pytest.param(
            entry("sale", ("customer_receivable", 1_000), ("revenue", -1_000)), [], id="a sale"
        ),
        pytest.param(entry("payment", ("revenue", 5)), [("charge", "", "", 0)], id="no cash in it"),
        pytest.param(
            entry("a slip", ("cash_at_provider", -5)),
            [("refund", "a slip", "", 5)],
            id="cash leaves",
        ),
        pytest.param(
            entry("a gift", ("cash_at_provider", 5)), [("charge", "a gift", "", 5)], id="cash comes"
        ),
    ],
)
def test_an_entry_says_what_cash_moved(posted: EntryPosted, expected: list[tuple]) -> None:
    """Kind, key, reference and amount; cash under any other cause is a line too."""
    lines = lines_of_entry(posted, AT_MS)

    assert expected == [(line.kind, line.key, line.reference, line.amount_minor) for line in lines]


def test_the_entries_of_the_ledger_match_what_payment_remembers() -> None:
    """The two workflows themselves, and the provider's ids: nothing is compared by luck."""
    story = [example.PLACED, example.SUCCEEDED, example.RETURN, example.RETURN_BACK]
    emitted = [
        message for at in range(len(story)) for message in after(payment, *story[: at + 1])[1]
    ]
    shipped = ShipmentCreated(order_id="o1", shipment_id="s1")
    received = [*(w for w in emitted if isinstance(w, PaymentCompleted | PaymentRefunded)), shipped]
    entries = [
        message for at in range(len(received)) for message in after(ledger, *received[: at + 1])[1]
    ]
    same: dict[str, Any] = {"book": "provider", "order_id": "o1", "currency": "GBP", "at_ms": AT_MS}
    provider = [
        Line(kind="charge", reference="pi", amount_minor=1_000, **same),
        Line(kind="refund", key="r1", reference="re1", amount_minor=300, **same),
    ]
    booked = [line for posted in entries for line in lines_of_entry(posted, AT_MS)]
    payment_lines = lines_of_payment(after(payment, *story)[0], AT_MS)

    reconciliation = reconcile([*provider, *payment_lines, *booked], LATER_MS)

    assert (2, 2) == (reconciliation.compared, reconciliation.matched)


def test_the_providers_file_is_read_as_the_provider_writes_it(tmp_path: Path) -> None:
    """A charge, its two refunds and a void, each a line; an open intent is none."""
    config = Config(data_dir=str(tmp_path))
    with closing(ProviderStore(provider_file(config))) as store, store.writing():
        paid = store.create_intent("k1", 1_000, "gbp", "pm", {"order_id": "o1"})
        charged = store.apply(take(paid, 1_000))
        back = store.refund("k2", charged, 300, {"order_id": "o1", "refund_key": "r1"})
        byhand = store.refund("k3", charged, 200, {})
        stopped = store.create_intent("k4", 50, "eur", "pm", {"order_id": "o2"})
        store.apply(cancel(stopped, None, store.now_ms()))
        store.create_intent("k5", 70, "eur", "pm", {"order_id": "o3"})

    lines = [
        (line.order_id, line.kind, line.key, line.reference, line.amount_minor, line.currency)
        for line in provider_lines(config)
    ]

    assert [
        ("o1", "charge", "", paid.id, 1_000, "GBP"),
        ("o1", "refund", "r1", back.id, 300, "GBP"),
        ("o1", "refund", byhand.id, byhand.id, 200, "GBP"),
        ("o2", "void", "", stopped.id, 50, "EUR"),
    ] == lines


def test_a_provider_without_a_file_has_settled_nothing_or_cannot_be_seen(tmp_path: Path) -> None:
    """One of our own has an empty book; one elsewhere has a report that somebody must bring."""
    own = Config(data_dir=str(tmp_path))
    elsewhere = replace(own, provider_url="https://api.provider.test", installation="north")

    assert [] == list(provider_lines(own))
    with pytest.raises(Unreadable, match=r"provider\.sqlite"):
        list(provider_lines(elsewhere))


# --- the command ----------------------------------------------------------------

command = typer.Typer()
command.command()(reconcile_books)


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty data folder: nothing runs there."""
    monkeypatch.setenv("PAYFLOW_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(instance.err, "width", 300)
    current.cache_clear()
    yield
    current.cache_clear()


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize(
    ("broker", "reason"),
    [
        pytest.param("", "payflow up", id="nothing runs"),
        pytest.param("127.0.0.1:9", "cannot reconcile", id="no broker"),
    ],
)
def test_who_cannot_look_says_so_with_two(
    monkeypatch: pytest.MonkeyPatch, broker: str, reason: str
) -> None:
    """Exit code 2 says nothing about the books."""
    monkeypatch.setenv("PAYFLOW_BROKER_URL", broker)

    result = CliRunner().invoke(command, ["--json"])

    assert 2 == result.exit_code
    assert reason in result.output
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("_folder")
def test_a_day_of_another_form_is_a_usage_error() -> None:
    """The form is named."""
    result = CliRunner().invoke(command, ["--day", "01.03.2026"])

    assert 2 == result.exit_code
    assert "%Y-%m-%d" in result.output


def test_each_currency_is_shown_with_its_own_decimals() -> None:
    """Yen, dinars and pounds of the same minor units are three amounts, and three totals."""
    lines = [
        replace(line, currency=currency)
        for currency in ("JPY", "KWD", "GBP")
        for line in settled(f"order of {currency}")[:1]
    ]
    console = Console(width=200, file=io.StringIO(), record=True)

    show(reconcile(lines, LATER_MS), {}, console)

    text = console.export_text()
    for currency, amount in (("GBP", "10.00"), ("JPY", "1,000"), ("KWD", "1.000")):
        assert f"(provider {amount} {currency}, payments -, ledger -; {currency})" in text
        assert f"{currency}: provider {amount} {currency} - 0" in text


def test_people_are_shown_the_first_lines_and_emitted_how_many_there_are() -> None:
    """Each with its whole id, the amounts of all three books and the difference in text."""
    order_id = "0fa33fd8-df97-5e79-80ac-90287341{:04}"
    lines = [line for n in range(SHOWN_MAX + 3) for line in settled(order_id.format(n))[:1]]
    console = Console(width=80, file=io.StringIO(), record=True)

    show(reconcile(lines, LATER_MS), {"ledger": "0 lines"}, console)

    first, *_, last_shown, more, totals, ledger_read, verdict = console.export_text().splitlines()
    assert (
        f"{order_id.format(0)}  charge: missing in payments, missing in ledger"
        "  (provider 10.00 GBP, payments -, ledger -; GBP)"
    ) == first
    assert last_shown.startswith(order_id.format(SHOWN_MAX - 1))
    assert more.startswith("... and 3 more")
    assert totals.startswith("GBP: provider 530.00 GBP - 0.00 GBP, payments 0.00 GBP - 0.00 GBP")
    assert "ledger: 0 lines" == ledger_read
    assert "53 compared: 0 matched, 0 in motion, 53 differ, 0 unreadable" == verdict


def test_what_nobody_can_read_is_named_and_no_book_with_it_is_reconciled() -> None:
    """All lines agree; one more record may have been a line, whatever day is asked for."""
    place = "payflow-payment-payment-changelog/2/17 is not a row of payment: [red]malformed"
    console = Console(width=80, file=io.StringIO(), record=True)

    reconciliation = reconcile(settled(), LATER_MS, unreadable=[place])
    elsewhere = reconcile(settled(), LATER_MS, "2001-01-01", 978_307_200_000, unreadable=[place])
    show(reconciliation, {}, console)
    output = console.export_text()

    assert (False, 0, False) == (
        reconciliation.reconciled,
        len(reconciliation.offending),
        elsewhere.reconciled,
    )
    assert f"unreadable: {place}. Operator: who writes there?" in output
    assert "1 compared: 1 matched, 0 in motion, 0 differ, 1 unreadable" in output


SENT_BACK = SettlementBooks(
    lines=(
        BalanceLine(
            id="txn_1",
            category="charge",
            order_id="o1",
            amount_minor=1_250,
            fee_minor=0,
            net_minor=1_250,
            source_minor=1_250,
            currency="GBP",
            at_ms=1,
            available_ms=2,
            payout_id="po_1",
        ),
    ),
    payouts=(
        PayoutRecord(
            id="po_1",
            amount_minor=1_250,
            currency="GBP",
            status="failed",
            created_ms=3,
            arrival_ms=4,
        ),
    ),
)
FEE = SettlementLine(
    order_id="o1",
    balance_transaction_id="txn_1",
    payout_id="",
    step="fee",
    amount_minor=0,
    currency="GBP",
    at_ms=2,
)


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize(
    ("settlement", "posted", "code"),
    [
        pytest.param(SettlementBooks(), (), 0, id="nothing has happened"),
        pytest.param(SENT_BACK, (FEE,), 3, id="a payout was sent back, and the books say so"),
        pytest.param(
            SENT_BACK,
            (FEE, replace(FEE, balance_transaction_id="txn_2")),
            1,
            id="one was sent back, and the books differ",
        ),
    ],
)
def test_the_exit_code_of_a_payout_that_was_sent_back(
    monkeypatch: pytest.MonkeyPatch,
    settlement: SettlementBooks,
    posted: tuple[SettlementLine, ...],
    code: int,
) -> None:
    """No book differs, and yet somebody has to act: it is neither 0 nor that of a difference."""
    monkeypatch.setenv("PAYFLOW_BROKER_URL", "127.0.0.1:9")

    async def read(_config: Config) -> Books:
        return Books(
            lines=(), holds=(), read={}, motion_ms=MOTION_MS, settlement=settlement, posted=posted
        )

    monkeypatch.setattr(reconcile_command, "read_books", read)
    result = CliRunner().invoke(command, ["--json"])

    assert code == result.exit_code, result.output
    assert (code != 1) == json.loads(result.stdout)["settlement"]["reconciled"]
