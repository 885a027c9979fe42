"""The list of open cases: what waits for an operator, of all transactions."""

from typing import Any

import pytest

from app.console.api.open_cases import OPEN_CASES
from app.delivery.row import Row, encode_row
from tests.support.examples.cases import (
    CAPTURE_CASE,
    DISPUTE_CASE,
    DISPUTED_REFUND_CASE,
    INQUIRY_CASE,
    LAST_DAY_MS,
    MISMATCH_CASE,
    REFUND_CASE,
    WRITTEN_OFF,
)
from tests.support.examples.payment import CANCELLED
from tests.support.operators_site import Site
from tests.support.workflow_runner import after
from workflows.payment import process as payment
from workflows.shared.message import Message


def receive(site: Site, key: str, *story: Message) -> None:
    """Let the console receive the row of a payment after `story`."""
    [cases] = site.client.app[OPEN_CASES]
    state, _ = after(payment, *story)
    cases.receive(key, encode_row(Row(state=state)))


async def listed(site: Site) -> dict[str, Any]:
    """Return what the API lists."""
    return await (await site.client.get("/cases")).json()


async def test_what_ends_first_is_listed_first_and_each_says_what_ends_it(site: Site) -> None:
    """A dispute has a last day; the others wait for ever."""
    receive(site, "o1", *REFUND_CASE)
    receive(site, "o2", *CAPTURE_CASE)
    receive(site, "o3", *DISPUTE_CASE)
    receive(site, "o4", *MISMATCH_CASE)

    listing = await listed(site)

    cases = [(each["transaction_id"], each["kind"], each["path"]) for each in listing["cases"]]
    assert ("o3", "dispute", "dispute") == cases[0]
    assert {
        ("o1", "refund", "refund-cases/compensation"),
        ("o2", "capture", "capture-case"),
        ("o4", "mismatch", "cancel"),
    } == set(cases[1:])
    assert 4 == listing["count"]
    amounts = {each["kind"]: (each["amount_minor"], each["currency"]) for each in listing["cases"]}
    assert (999, "GBP") == amounts.pop("mismatch")
    assert {(1_000, "GBP")} == set(amounts.values())
    assert LAST_DAY_MS == listing["cases"][0]["until_ms"]


async def test_a_case_that_is_decided_is_listed_no_more(site: Site) -> None:
    """Nor is one whose row was deleted, or cannot be read."""
    receive(site, "o1", *CAPTURE_CASE)
    receive(site, "o1", *CAPTURE_CASE, WRITTEN_OFF)
    receive(site, "o2", *REFUND_CASE)
    site.client.app[OPEN_CASES][0].receive("o2", None)
    receive(site, "o3", *DISPUTE_CASE)
    site.client.app[OPEN_CASES][0].receive("o3", b"{")
    receive(site, "o4", *MISMATCH_CASE)
    receive(site, "o4", *MISMATCH_CASE, CANCELLED)

    assert 0 == (await listed(site))["count"]


@pytest.mark.parametrize(("story", "text"), [
    pytest.param((), "Nothing waits for a decision", id="none"),
    pytest.param(REFUND_CASE, "POST /operators/orders/o1/refund-cases/compensation", id="a refund"),
    pytest.param(CAPTURE_CASE, "retry or written_off", id="a capture"),
    pytest.param(DISPUTE_CASE, "10.00", id="a dispute"),
    pytest.param(MISMATCH_CASE, "has taken 9.99 GBP, which is not what", id="another amount"),
    pytest.param(INQUIRY_CASE, "submit or accept or refund", id="an inquiry that holds a refund"),
])  # fmt: skip
async def test_the_page_says_what_waits(site: Site, story: tuple[Message, ...], text: str) -> None:
    """In the currency of the payment, with the request that ends it."""
    if story:
        receive(site, "o1", *story)

    page = await (await site.client.get("/console/cases")).text()

    assert text in page
    assert ("/console/transactions/o1" in page) == bool(story)


async def test_what_an_operator_may_decide_of_an_inquiry(site: Site) -> None:
    """Whether a refund goes out all the same, where there is one."""
    receive(site, "o1", *INQUIRY_CASE)
    receive(site, "o2", *INQUIRY_CASE[:-1])

    decisions = {
        each["transaction_id"]: [decision["name"] for decision in each["decisions"]]
        for each in (await listed(site))["cases"]
    }

    assert {"o1": ["submit", "accept", "refund"], "o2": ["submit", "accept"]} == decisions


async def test_a_refund_says_that_its_payment_is_disputed(site: Site) -> None:
    """On the list, on its page, and in the form, which has to name the dispute that is known."""
    receive(site, "o1", *DISPUTED_REFUND_CASE)
    receive(site, "o2", *REFUND_CASE)
    receive(site, "o3", *DISPUTE_CASE)

    cases = (await listed(site))["cases"]
    page = await (await site.client.get("/console/cases")).text()

    warned = [each for each in cases if each["warning"]]
    assert [("o1", "refund", {"due_minor": "1000", "despite_dispute": "du"})] == [
        (each["transaction_id"], each["kind"], each["fields"]) for each in warned
    ]
    assert "disputes this payment (du)" in warned[0]["warning"]
    assert 1 == page.count("Take care")
