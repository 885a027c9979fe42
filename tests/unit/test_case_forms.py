"""The forms by which operators decide cases on the page of an order, and what they refuse."""

import time
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from app.auth.operators import Role
from tests.support.examples.cases import (
    CAPTURE_CASE,
    DISPUTE_CASE,
    DISPUTED_REFUND_CASE,
    MISMATCH_CASE,
    REFUND_CASE,
    WRITTEN_OFF,
)
from tests.support.examples.payment import CANCELLED, PLACED, SUCCEEDED
from tests.support.operators_site import Site
from tests.support.workflow_runner import after
from workflows.audit.case_decisions import (
    CaptureCaseDecidedByOperator,
    DisputeAnsweredByOperator,
    RefundCaseDecidedByOperator,
)
from workflows.fraud.messages import FraudCleared
from workflows.fraud.state import PaymentCheck
from workflows.notification.messages import SendMessage
from workflows.order import process as order
from workflows.order.messages import OrderCancelRequested
from workflows.order.state import Order
from workflows.payment import process as payment
from workflows.payment.dispute_messages import DisputeDecided
from workflows.payment.provider_dispute_messages import DisputeReported
from workflows.shared.journal import JournalEntry, row_of
from workflows.shared.message import Message, type_name
from workflows.shipping.messages import ShipmentCreated, ShipmentDelivered
from workflows.shipping.state import Shipment

PAGE = "/console/transactions/o1"
DAYS_MS = 2 * 86_400_000 + 3_600_000
REPORTED = DISPUTE_CASE[-1]
SCRIPT = "<script>alert(1)</script>"


class Forms(HTMLParser):
    """The forms of a page: the request of each, its hidden fields, and those to be filled."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            self.forms.append({"act": attributes.get("data-act"), "fields": {}})
        elif tag in ("input", "textarea") and self.forms and attributes.get("name"):
            self.forms[-1]["fields"][attributes["name"]] = attributes.get("value")


def dispute(**changed: Any) -> tuple[Any, ...]:
    """Return the story of a dispute whose last day is in two days and an hour."""
    assert isinstance(REPORTED, DisputeReported)
    due_by_ms = round(time.time() * 1_000) + DAYS_MS
    return (*DISPUTE_CASE[:-1], replace(REPORTED, **{"due_by_ms": due_by_ms, **changed}))


def keep(site: Site, *story: Any) -> None:
    """Put the rows of an order and its payment where the console finds them."""
    state, emitted = after(payment, *story)
    site.queries.keep("payment", "o1", state)
    paid = after(payment, PLACED, SUCCEEDED)[1][0]
    shipped = ShipmentCreated(order_id="o1", shipment_id="s1")
    delivered = ShipmentDelivered(order_id="o1", shipment_id="s1")
    row, _ = after(order, PLACED, paid, shipped, delivered, *emitted)
    site.queries.keep("order", "o1", row)


async def fetch_page(site: Site, name: str = "") -> str:
    """Return the page as `name` sees it; empty: as anybody does."""
    headers = await site.page(name) if name else {}
    page = await (await site.client.get(PAGE, headers=headers)).text()
    return " ".join(page.split())


async def form(site: Site, path: str, decision: str) -> dict[str, Any]:
    """Return the form of a decision, as an approver sees it."""
    forms = [
        each
        for each in Forms(await fetch_page(site, "pat")).forms
        if each["act"] == f"POST /operators/orders/o1/{path}"
        and each["fields"].get("decision") == decision
    ]
    assert 1 == len(forms), path
    return forms[0]


async def sent(site: Site, path: str, decision: str, **filled: str) -> int:
    """Fill the form and send it as the page does; return the status."""
    fields = {**(await form(site, path, decision))["fields"], **filled}
    assert all(value is not None for value in fields.values()), "a field is not filled"
    headers = await site.page("pat")
    return (
        await site.client.post(f"/operators/orders/o1/{path}", json=fields, headers=headers)
    ).status


@pytest.mark.parametrize(
    ("story", "path", "decision", "filled", "audited"),
    [
        pytest.param(dispute(), "dispute", "submit", {"text": "it was delivered"},
                     DisputeAnsweredByOperator, id="evidence for a dispute"),
        pytest.param(dispute(), "dispute", "accept", {}, DisputeAnsweredByOperator,
                     id="a dispute is given up"),
        pytest.param(REFUND_CASE, "refund-cases/compensation", "retry", {},
                     RefundCaseDecidedByOperator, id="a refund again"),
        pytest.param(REFUND_CASE, "refund-cases/compensation", "settled", {"reference": "t-1"},
                     RefundCaseDecidedByOperator, id="a refund another way"),
        pytest.param(DISPUTED_REFUND_CASE, "refund-cases/compensation", "settled",
                     {"reference": "t-1"}, RefundCaseDecidedByOperator,
                     id="a refund another way, of a disputed payment"),
        pytest.param(CAPTURE_CASE, "capture-case", "retry", {}, CaptureCaseDecidedByOperator,
                     id="a capture again"),
        pytest.param(CAPTURE_CASE, "capture-case", "written_off", {"reference": "c-1"},
                     CaptureCaseDecidedByOperator, id="a capture written off"),
    ],
)  # fmt: skip
async def test_each_decision_has_a_form_that_is_taken(  # noqa: PLR0913  a case and its form
    site: Site, story: Any, path: str, decision: str, filled: dict[str, str], audited: type
) -> None:
    """What the form has, with its empty fields filled, is all that the request needs."""
    keep(site, *story)

    assert 202 == await sent(site, path, decision, reason="asked by phone", **filled)
    action, message = site.emitted
    assert isinstance(action, audited)
    assert ("pat", "asked by phone", decision) == (action.who, action.why, action.decision)
    assert "o1" == message.transaction_id


async def test_who_may_pay_twice_is_warned_beside_the_form(site: Site) -> None:
    """A dispute is open: its bank may give the customer the money too."""
    keep(site, *DISPUTED_REFUND_CASE)
    warned = await fetch_page(site, "pat")
    keep(site, *REFUND_CASE)

    assert "Take care</strong>: the customer disputes this payment (du)" in warned
    assert "Take care" not in await fetch_page(site, "pat")


async def test_evidence_sent_twice_is_sent_once(site: Site) -> None:
    """A double click is one event; a form of before the answer is refused."""
    keep(site, *dispute())
    filled = {"text": "it was delivered", "reason": "a signature"}
    old = await form(site, "dispute", "submit")
    assert "du" == old["fields"]["dispute_id"]
    statuses = []
    for _ in range(2):
        keep(site, *dispute())
        statuses.append(await sent(site, "dispute", "submit", **filled))
    assert 1 == len({envelope.id for _, envelope in site.queries.emitted[1::2]})
    assert isinstance(site.emitted[1], DisputeDecided)
    late = await site.client.post(
        "/operators/orders/o1/dispute",
        json={**old["fields"], **filled},
        headers=await site.page("pat"),
    )

    assert [202, 202] == statuses
    assert 409 == late.status
    assert 4 == len(site.emitted)
    assert "Waits for a decision" not in await fetch_page(site, "pat")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        pytest.param({"Cookie": None, "X-CSRF-Token": None}, 401, id="anonymous"),
        pytest.param({"X-CSRF-Token": None}, 403, id="no CSRF token"),
        pytest.param({"X-CSRF-Token": "guess"}, 403, id="a guessed CSRF token"),
        pytest.param({"Origin": "http://evil.example"}, 403, id="another page"),
        pytest.param({"Origin": None}, 403, id="no page"),
    ],
)
@pytest.mark.parametrize(
    ("story", "path", "decision"),
    [
        pytest.param(dispute(), "dispute", "accept", id="dispute"),
        pytest.param(REFUND_CASE, "refund-cases/compensation", "retry", id="refund"),
        pytest.param(CAPTURE_CASE, "capture-case", "retry", id="capture"),
    ],
)
async def test_a_form_is_refused_as_every_form_is(  # noqa: PLR0913  a case and a request
    site: Site, story: Any, path: str, decision: str, changed: dict[str, str | None], status: int
) -> None:
    """Nothing is audited, and nothing emitted."""
    keep(site, *story)
    fields = {**(await form(site, path, decision))["fields"], "reason": "asked by phone"}
    headers = {**await site.page("pat"), **changed}
    answer = await site.client.post(
        f"/operators/orders/o1/{path}",
        json=fields,
        headers={name: value for name, value in headers.items() if value is not None},
    )

    assert (status, []) == (answer.status, site.emitted)


@pytest.mark.parametrize(
    ("name", "role", "text"),
    [
        pytest.param("", None, "Sign in as an approver</a> to decide", id="anybody"),
        pytest.param("vic", "viewer", "your role is viewer", id="a viewer"),
        pytest.param("oda", "operator", "your role is operator", id="an operator"),
    ],
)
async def test_who_may_not_decide_sees_what_waits_and_no_form(
    site: Site, name: str, role: Role | None, text: str
) -> None:
    """With who may."""
    keep(site, *dispute())
    page = await fetch_page(site, name)

    assert "Waits for a decision" in page
    assert text in page, role
    assert "orders/o1/dispute" not in page


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("", "Sign in as an operator</a> to decide", id="anybody"),
        pytest.param("vic", "An operator decides: your role is viewer", id="a viewer"),
        pytest.param("oda", "all of it goes back", id="an operator"),
        pytest.param("pat", "all of it goes back", id="an approver"),
    ],
)
async def test_an_operator_ends_a_payment_of_another_amount(
    site: Site, name: str, text: str
) -> None:
    """By the request that cancels the order, with all that the form has."""
    keep(site, *MISMATCH_CASE)
    page = await fetch_page(site, name)
    forms = [each for each in Forms(page).forms if each["fields"].get("decision") == "cancel"]

    assert text in page
    assert len(forms) == (name in ("oda", "pat"))
    for decision_form in forms:
        headers, fields = (
            await site.page(name),
            {**decision_form["fields"], "reason": "a penny is missing"},
        )
        path = decision_form["act"].removeprefix("POST ")
        answer = await site.client.post(path, json=fields, headers=headers)
        assert 202 == answer.status
        assert OrderCancelRequested in map(type, site.emitted)


async def test_a_dispute_says_what_is_left_and_what_happens_otherwise(site: Site) -> None:
    """The days until the last one; then that it is over."""
    keep(site, *dispute())
    page = await fetch_page(site, "pat")
    assert "Dispute du: 10.00 GBP" in page
    assert (
        "<strong>2 d 0 h are left</strong>" in page or "<strong>2 d 1 h are left</strong>" in page
    )
    assert "the dispute is lost: the customer keeps the money" in page

    keep(site, *DISPUTE_CASE)
    assert "The last day was 2023-" in await fetch_page(site, "pat")
    keep(site, *dispute(status="warning_needs_response"))
    assert "the bank ends its inquiry as it likes" in await fetch_page(site, "pat")


async def test_the_evidence_is_beside_the_form(site: Site) -> None:
    """Order, payment, verdict, shipment and messages, as text; nobody is named."""
    keep(site, *dispute())
    verdict = FraudCleared(transaction_id="o1", score=0.125, reasons=(SCRIPT,), rules_version="1")
    site.queries.keep("verdict", "o1", PaymentCheck(verdict=verdict))
    site.queries.keep("shipping", "o1", Shipment(shipment_id="s1", tracking="tr-7"))
    text = {"title": "Delivered", "text": "It was signed for."}
    about = {"transaction_id": "o1", "notification_id": "n", "customer_id": "ann"}
    put(site, SendMessage(channel="push", **about, **text))
    page = await fetch_page(site, "pat")
    evidence = page[page.index("What there is as evidence") : page.index('id="drawn"')]

    for text in (
        "placed in France for 10.00 GBP: 2 of mug",
        "10.00 GBP charged; the customer was not asked to confirm it (no 3-D Secure)",
        "with a score of 0.12: &lt;script&gt;",
        "s1, tracking tr-7: created",
        "delivered, as the carrier says",
        "Delivered: It was signed for.",
    ):
        assert text in evidence
    assert ("ann" in evidence.replace("cannot", ""), SCRIPT in page) == (False, False)
    facts = await (await site.client.get("/transactions/o1")).json()
    assert (["dispute"], "Order") == (
        [each["kind"] for each in facts["cases"]],
        facts["evidence"][0]["subject"],
    )


def put(site: Site, message: Message) -> None:
    """Put a message into the journal of the order."""
    entry = JournalEntry(
        id="m1",
        type=type_name(type(message)),
        source="/payflow/notification",
        time_ms=round(time.time() * 1_000),
        correlation_id="o1",
        body=msgspec.to_builtins(message),
    )
    site.queries.keep("journal", row_of(entry), msgspec.to_builtins(entry))


@pytest.mark.parametrize("story", [
    pytest.param((PLACED, SUCCEEDED), id="paid"),
    pytest.param((PLACED, SUCCEEDED, CANCELLED), id="being refunded"),
    pytest.param((*CAPTURE_CASE, WRITTEN_OFF), id="written off"),
])  # fmt: skip
async def test_an_order_without_a_case_has_no_form_for_one(site: Site, story: Any) -> None:
    """Nor evidence, which is for disputes."""
    keep(site, *story)
    page = await fetch_page(site, "pat")

    assert "Waits for a decision" not in page
    assert "What there is as evidence" not in page
    assert 'name="decision"' not in page


@pytest.mark.parametrize(
    ("story", "moves"),
    [
        pytest.param(dispute(), True, id="with a case"),
        pytest.param((PLACED, SUCCEEDED), False, id="without one"),
    ],
)
async def test_the_page_of_an_ended_order_moves_while_a_case_is_open(
    site: Site, story: Any, moves: bool
) -> None:
    """Somebody else may decide it, or the bank; the form lies apart from what moves."""
    keep(site, *story)
    state = msgspec.convert(site.queries.rows["order", "o1"]["state"], Order)
    site.queries.keep("order", "o1", replace(state, completed_at_ms=2_000))
    page = await fetch_page(site, "pat")
    moving, rest = page.split('<div id="cases">')

    assert moves == ('hx-get="/console/transactions/o1"' in moving)
    assert "data-act" not in moving.split("</header>")[1]
    assert moves == ("orders/o1/dispute" in rest)
