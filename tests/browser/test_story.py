"""What a newcomer tries, by links, labels and buttons alone: nothing here knows an address."""

import re
import time
from collections.abc import Callable

import msgspec
import requests
from playwright.sync_api import Page, expect

from tests.browser.demo import Demo, put, wait_for

END_MS_MAX = 60_000
POISON = {
    "type": "payflow.order.cancel_requested.v1",
    "order_id": "poisoned",
    "reason": 7,
    "note": "of customer:ann",
}


def go(page: Page, name: str) -> None:
    """Follow a link of the head."""
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", level=1, name=name).wait_for()


def place_order(page: Page, card: str = "a card that pays") -> None:
    """Place an order, and be at its page."""
    go(page, "Transactions")
    page.get_by_role("link", name="Place an order").click()
    page.get_by_label("Paid with").select_option(card)
    page.get_by_role("button", name="Place the order").click()
    page.get_by_role("heading", level=1, name="Order ").wait_for()


def test_an_order_is_placed_and_watched_until_it_settles(
    page: Page, demo: Demo, sign_in: Callable[[Page], None]
) -> None:
    """By itself the page comes to say that nothing is awaited any more; the phone rang."""
    sign_in(page)
    place_order(page)
    expect(page.get_by_text("Nothing: it has ended")).to_be_visible(timeout=END_MS_MAX)
    order_id = page.get_by_role("heading", level=1).inner_text().removeprefix("Order ")

    expect(page.get_by_role("img", name="Waterfall of")).to_be_visible()
    expect(page.get_by_role("cell", name="payment.completed")).to_be_visible()
    expect(page.get_by_text("delivered").first).to_be_visible()
    page.get_by_text("Show", exact=True).first.click()
    kinds = page.get_by_role("definition").filter(has_text="payflow.order.placed.v1")
    expect(kinds.first).to_be_visible()
    assert any(event["heard_ms"] for event in demo.ask(f"/orders/{order_id}/events")["events"])
    go(page, "Inbox")
    page.get_by_label("Of one order").fill(order_id)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("log").get_by_role("heading", name="Delivered")).to_be_visible()


def test_a_broken_provider_makes_everything_go_back(
    page: Page, sign_in: Callable[[Page], None]
) -> None:
    """Every card is declined: the items go back, the page says why, and the books are even."""
    sign_in(page)
    go(page, "Faults")
    provider = page.get_by_role("region", name="provider")
    provider.get_by_label("cards are declined").fill("1")
    provider.get_by_role("button", name="Inject faults").click()
    expect(provider.get_by_text("Faults:")).to_be_visible()
    place_order(page)
    expect(page.get_by_text("Nothing: it has ended, and everything")).to_be_visible(
        timeout=END_MS_MAX
    )
    expect(page.get_by_text("payment failed").first).to_be_visible()
    # Where the card is declined before the items are reserved, there is nothing to release.
    over = re.compile(r"inventory\.(released|rejected)")
    expect(page.get_by_role("cell", name=over).first).to_be_visible()

    go(page, "Faults")
    provider.get_by_role("button", name="End the faults").click()
    expect(provider.get_by_text("No faults.")).to_be_visible()
    go(page, "Invariants")
    expect(page.get_by_text("Everything is accounted for.")).to_be_visible(timeout=END_MS_MAX)


def poison(demo: Demo) -> None:
    """Produce an event whose reason is a number."""
    envelope = {
        "ce_specversion": "1.0",
        "ce_id": "poisoned-1",
        "ce_type": str(POISON["type"]),
        "ce_source": "/somebody",
        "ce_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "ce_correlationid": "poisoned",
        "content-type": "application/json",
    }
    headers = [(name, value.encode()) for name, value in envelope.items()]
    put(demo, "orders", msgspec.json.encode(POISON), b"poisoned", headers)
    wait_for(
        lambda: demo.ask("/dead-letters/list?service=payment&cause=wrong_shape")["dead_letters"],
        "payment lays it aside",
    )


def test_poison_is_found_mended_and_sent_back(
    page: Page, demo: Demo, sign_in: Callable[[Page], None]
) -> None:
    """Compared before it is sent; handled afterwards; nobody was seen on the way."""
    poison(demo)
    sign_in(page)
    go(page, "Dead letters")
    group = page.get_by_role("region", name="payment wrong_shape")
    group.get_by_role("link", name="An example").click()
    body = page.get_by_label("Body (*** stays what it was)")
    assert "ann" not in page.content().replace("channel", "").replace("cannot", "")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("It would fail again")).to_be_visible()
    body.fill(body.input_value().replace("7", '"too late"'))
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("It is an event of Payflow.")).to_be_visible()
    page.locator("form#edit").get_by_label("Why").fill("a number where messages belong")
    page.get_by_role("button", name="Send it changed").click()

    wait_for(lambda: _reload_until(page, "sent back, and handled"), "it is handled", 60)


def _reload_until(page: Page, text: str) -> bool:
    page.reload()
    return page.get_by_text(text).count() > 0


def test_a_killed_worker_comes_back(
    page: Page, demo: Demo, sign_in: Callable[[Page], None]
) -> None:
    """Another number in its line, and orders settle again."""
    sign_in(page)
    go(page, "Faults")
    before = demo.pids()["shipping"]
    page.get_by_role("button", name="Kill shipping").click()

    line = page.get_by_role("row").filter(has_text="shipping")
    wait_for(lambda: demo.pids()["shipping"] != before, "shipping is started again")
    expect(line).to_contain_text(str(demo.pids()["shipping"]))
    place_order(page)
    expect(page.get_by_text("Nothing: it has ended")).to_be_visible(timeout=END_MS_MAX)


def test_a_planted_record_is_found_with_what_was_looked_at(page: Page, demo: Demo) -> None:
    """By the form, and by the streaming search over the whole topic."""
    put(demo, "orders", b'{"needle": "in the haystack"}', b"needle", [])
    go(page, "Topics")
    page.get_by_role("link", name="orders", exact=True).click()
    page.get_by_label("Searched for").fill("key:needle")
    page.get_by_label("From", exact=True).fill("earliest")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("1 found")).to_be_visible()
    expect(page.get_by_text("Everything from there to the end was read.")).to_be_visible()

    page.get_by_role("button", name="Search everything").click()
    expect(page.locator("#progress")).to_contain_text("1 found in")
    expect(page.locator("#progress")).to_contain_text("everything was read")
    expect(page.get_by_role("row").filter(has_text="needle")).to_have_count(1)


def test_a_keyboard_is_enough(page: Page, demo: Demo, sign_in: Callable[[Page], None]) -> None:
    """Past the head by one key, into the form, and back by it: an order is placed unseen."""
    page.keyboard.press("Tab")
    assert "Skip to the content" == page.evaluate("document.activeElement.textContent")
    sign_in(page)
    page.goto(f"{demo.url}/console/place")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for _ in range(8):
        page.keyboard.press("Tab")
    assert "Place the order" == page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Order ").wait_for()


def test_no_page_acts_for_who_is_not_signed_in(page: Page, demo: Demo) -> None:
    """No button to press, and a route that refuses."""
    for name in ("Faults", "Dead letters", "Fraud"):
        go(page, name)
        assert 0 == page.locator("form[data-act^='POST /operators/']").count()
    page.goto(f"{demo.url}/console/place")
    assert 0 == page.get_by_role("button", name="Place the order").count()
    page.get_by_role("link", name="Sign in as an operator").wait_for()
    answer = requests.post(f"{demo.url}/operators/processes/order/kill", json={}, timeout=10)
    assert 401 == answer.status_code
