"""An operator decides cases of payments by forms, and sees what comes of it."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.appearance import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.browser.demo import Demo, wait_for

END_MS_MAX = 60_000
REFRESHES = 2


def order(demo: Demo, card: str, key: str) -> str:
    """Place an order that is paid with a card of the provider's documents; return its id."""
    shelf = {"receipt_id": f"cases-{key}", "items": [{"sku": "case-mug", "quantity": 1}]}
    shop = {"Authorization": f"Bearer {demo.client_key()}"}
    assert requests.post(f"{demo.url}/stock/receipts", json=shelf, headers=shop, timeout=30).ok
    body = {
        "country": "France",
        "currency": "GBP",
        "lines": [{"sku": "case-mug", "quantity": 1, "unit_price_minor": 1_250}],
        "payment_method": f"pm_card_{card}",
    }
    placed = requests.post(
        f"{demo.url}/orders", json=body, headers={"Idempotency-Key": key, **shop}, timeout=30
    )
    assert placed.ok, placed.text
    return placed.json()["order_id"]


def case_of(demo: Demo, order_id: str) -> Any:
    """Return the open case of an order, once there is one."""

    def listed_case() -> Any:
        cases = demo.ask("/cases")["cases"]
        return next((each for each in cases if each["transaction_id"] == order_id), None)

    return wait_for(listed_case, "the case is open")


def open_case(page: Page, order_id: str) -> None:
    """Go to the order of a case, from the list of all of them."""
    page.get_by_role("navigation").get_by_role("link", name="Cases", exact=True).click()
    page.get_by_role("heading", level=1, name="Cases").wait_for()
    assert_fits(page)
    assert_accessible(page)
    page.locator(f'a[href="/console/transactions/{order_id}#cases"]').click()
    page.get_by_role("heading", level=1, name=order_id).wait_for()


@pytest.mark.parametrize(
    ("window", "name"),
    [
        pytest.param(DESKTOP, "desktop", id="desktop"),
        pytest.param(PHONE, "phone", id="phone"),
    ],
)
def test_a_dispute_is_answered_with_a_click_and_won(
    page: Page, demo: Demo, sign_in: Callable[[Page], None], window: ViewportSize, name: str
) -> None:
    """What is written stays while the page goes on; the answer is at the bank, which decides."""
    order_id = order(demo, "createDispute", f"won-{name}")
    sign_in(page)
    page.set_viewport_size(window)
    dispute_id = case_of(demo, order_id)["key"]
    open_case(page, order_id)

    case = page.get_by_role("region", name=f"dispute {dispute_id}")
    expect(case).to_contain_text("are left")
    expect(case).to_contain_text("If nobody decides by then, the dispute is lost")
    evidence = page.get_by_role("region", name="What there is as evidence")
    expect(evidence).to_contain_text("12.50 GBP charged")
    expect(evidence).to_contain_text("Payment received: 12.50 GBP paid.")
    case.get_by_label("What the bank reads").fill("winning_evidence")
    for _ in range(REFRESHES):
        with page.expect_response(lambda answer: answer.url.endswith(order_id)):
            pass
    expect(case.get_by_label("What the bank reads")).to_have_value("winning_evidence")
    assert_fits(page)
    assert_accessible(page)
    case.get_by_label("Why, for the audit").first.fill("there is a signature")
    case.get_by_role("button", name="Send the evidence to the bank").click()

    expect(page.get_by_text("The bank has decided for us")).to_be_visible(timeout=END_MS_MAX)
    expect(case).to_have_count(0)
    assert_fits(page)
    assert order_id not in str(demo.ask("/cases"))


def test_a_dispute_is_given_up_on_a_phone(
    page: Page, demo: Demo, sign_in: Callable[[Page], None]
) -> None:
    """Behind a line that is opened first; the money is gone, and the page says so."""
    order_id = order(demo, "createDisputeProductNotReceived", "lost")
    sign_in(page)
    page.set_viewport_size(PHONE)
    case_of(demo, order_id)
    open_case(page, order_id)
    page.get_by_text("Give the dispute up").first.click()
    form = page.locator("form").filter(has_text="Give the dispute up")
    form.get_by_label("Why").fill("it was never sent")
    form.get_by_role("button", name="Give the dispute up").click()

    expect(page.get_by_text("to the customer for good")).to_be_visible(timeout=END_MS_MAX)
    expect(page.get_by_text("Waits for a decision")).to_have_count(0)
