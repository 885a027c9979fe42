"""Courses of payments on real processes, side by side: cards, captures, refunds, currencies.

`tests/simulation/test_provider_scenarios.py` has all courses, with kills and gaps.
"""

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.auth import clients, operators
from tests.support.instance import PAYFLOW, environment, payflow, wait_for

LINK = re.compile(r'http://[^"\\ ]+/redirect/authenticate/[^"\\ ]+')
SECRET = re.compile('name="client_secret" value="([^"]+)"')
SECONDS_MAX = 60.0
EARLY = {404, 409}
"""Answers to a request about what has not come yet."""
TWO_HOURS = "+2h"
"""Later than a refund waits for its customer, and a slow payment takes."""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One order, and what becomes of it."""

    name: str
    card: str = "visa"
    end: str = "completed"
    text: str = ""
    """What a message to the customer says."""
    capture: str = "automatic"
    currency: str = "GBP"
    amount_minor: int = 1_000
    sku: str = "tea"
    customer: str = ""
    decision: str = ""
    is_returned: bool = False
    missing_minor: int = 0
    """The price of a second line, which is out of stock; the rest ships."""
    paid_minor: tuple[int, int] | None = None
    """What is charged and what is refunded of it; None: it is not asked."""


SHIPMENT = {"capture": "at_shipment"}
SCA = "authenticationRequired"
COURSES = (
    Course(name="pounds, taken at once", text="10.00 GBP paid"),
    Course(name="yen, taken at shipment", currency="JPY", amount_minor=1_250, **SHIPMENT,
           text="1,250 JPY paid"),
    Course(name="dinars, taken at shipment", currency="KWD", amount_minor=1_230, **SHIPMENT,
           text="1.230 KWD paid"),
    Course(name="no money", card="chargeDeclinedInsufficientFunds", end="cancelled",
           text="there is not enough money on the card"),
    Course(name="3-D Secure: confirmed", card=SCA, customer="confirm", text="10.00 GBP paid"),
    Course(name="3-D Secure: held", card=SCA, customer="confirm", **SHIPMENT,
           text="10.00 GBP is held"),
    Course(name="3-D Secure: failed", card=SCA, customer="fail", end="cancelled",
           text="your bank has not confirmed"),
    Course(name="processing, then paid", card="processing", text="10.00 GBP paid"),
    Course(name="processing, then declined", card="processingFail", end="cancelled",
           text="please use another card"),
    Course(name="held, out of stock", sku="none", end="cancelled", **SHIPMENT,
           text="stock"),
    Course(name="declined at capture, written off", card="captureDeclined", **SHIPMENT,
           decision="written_off", text="10.00 GBP is held"),
    Course(name="the hold has ended, charged anew", card="holdExpired", **SHIPMENT,
           decision="retry", text="10.00 GBP paid"),
    Course(name="yen, refunded", currency="JPY", amount_minor=1_250, is_returned=True,
           text="1,250 JPY is on its way back"),
    Course(name="a refund waits for the customer", card="actionRefund", is_returned=True,
           text="10.00 GBP is on its way back"),
    Course(name="in part, taken at once", missing_minor=700, paid_minor=(1_700, 700),
           text="7.00 GBP is on its way back"),
    Course(name="in part, held", missing_minor=700, paid_minor=(1_000, 0), **SHIPMENT,
           text="10.00 GBP paid"),
    Course(name="in part, then returned", missing_minor=700, is_returned=True,
           paid_minor=(1_700, 1_700), text="10.00 GBP is on its way back"),
)  # fmt: skip


class Instance:
    """A running instance: its API, its commands, and an approver."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.url = json.loads((folder / "up.json").read_text())["console_url"]
        self.folder = folder
        self.log = log
        self._token = operators.add(folder, "pat", "approver")
        self._key = clients.add(folder, "shop", ["orders:write", "returns", "stock"])

    def post(self, path: str, body: Any, key: str = "") -> Any:
        """Return the answer to a request of a customer, or of the approver."""
        headers = {"Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        by_operator = path.startswith("/operators")
        headers["Authorization"] = f"Bearer {f'pat:{self._token}' if by_operator else self._key}"
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{path}", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def get(self, path: str) -> Any:
        """Return what the API has at `path`; None while there is nothing."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError:
            return None

    def order(self, each: Course) -> str:
        """Place the order of a course; return its id."""
        lines = [(each.sku, each.amount_minor)]
        lines += [("none", each.missing_minor)] if each.missing_minor else []
        body = {
            "country": "France",
            "currency": each.currency,
            "customer_id": each.name,
            "payment_method": f"pm_card_{each.card}",
            "capture": each.capture,
            "lines": [
                {"sku": sku, "quantity": 1, "unit_price_minor": minor} for sku, minor in lines
            ],
            "partial_shipment": each.missing_minor > 0,
        }
        return str(self.post("/orders", body, each.name)["order_id"])

    def answer(self, order_id: str, outcome: str) -> None:
        """Answer as the customer on the page of the bank, once there is its link."""

        def link() -> str:
            match = LINK.search(json.dumps(self.get(f"/orders/{order_id}")))
            return match[0] if match else ""

        url = str(wait_for(link, "a page of the bank", self.log))
        with urllib.request.urlopen(url, timeout=30) as page:  # noqa: S310
            secret = SECRET.search(page.read().decode())
        assert secret
        form = urllib.parse.urlencode({"client_secret": secret[1], "outcome": outcome})
        with urllib.request.urlopen(url, form.encode(), timeout=30):  # noqa: S310
            pass

    def decide(self, order_id: str, decision: str) -> None:
        """Decide the case of an order, once there is one."""
        body = {"decision": decision, "reason": "a test"}
        body |= {"reference": "loss-1"} if decision == "written_off" else {}
        self.repeat(f"/operators/orders/{order_id}/capture-case", body)

    def repeat(self, path: str, body: Any) -> None:
        """Ask until it is accepted: before that it is too early."""

        def accepted() -> Any:
            try:
                return self.post(path, body)
            except urllib.error.HTTPError as refused:
                if refused.code not in EARLY:
                    raise
                return None

        wait_for(accepted, path, self.log)

    def status(self, order_id: str) -> str:
        """Return the status of an order; empty while there is none."""
        return str((self.get(f"/orders/{order_id}") or {}).get("state", ""))

    def paid_minor(self, order_id: str) -> tuple[int, int]:
        """Return what of an order was charged, and what was refunded."""
        amounts = (self.get(f"/orders/{order_id}") or {})["amounts"]
        return amounts["charged_minor"], amounts["refunded_minor"]

    def texts(self, order_id: str) -> str:
        """Return what the customer has read."""
        return json.dumps(self.get(f"/inbox?order_id={order_id}"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Instance]:
    """An instance as `payflow up` starts it."""
    log = tmp_path / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*PAYFLOW, "up"], env=environment(tmp_path), stdout=out, stderr=out
        )
    try:
        wait_for((tmp_path / "up.json").exists, "everyone to be ready", log)
        yield Instance(tmp_path, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.mark.timeout(400)
def test_courses_of_payments_side_by_side(site: Instance, tmp_path: Path) -> None:
    """Each ends as it has to, with the right texts and amounts; verify and reconcile agree."""
    items = [{"sku": "tea", "quantity": 100}]
    site.post("/stock/receipts", {"receipt_id": "r", "items": items})
    orders = {each: site.order(each) for each in COURSES}
    for each, order_id in orders.items():
        if each.customer:
            site.answer(order_id, each.customer)
        if each.decision:
            site.decide(order_id, each.decision)
        if each.is_returned:
            back = {"return_id": "b1", "lines": [{"sku": "tea", "quantity": 1}]}
            site.repeat(f"/orders/{order_id}/returns", back)
    payflow(tmp_path, "faults", "clock", TWO_HOURS)

    def open_orders() -> dict[str, str]:
        status_by_name = {each.name: site.status(order_id) for each, order_id in orders.items()}
        return {
            name: status_by_name[name]
            for each in COURSES
            if status_by_name[name := each.name] != each.end
        }

    def unread() -> list[str]:
        return [each.name for each, order in orders.items() if each.text not in site.texts(order)]

    def unpaid() -> dict[str, tuple[int, int]]:
        paid_orders = {each: order for each, order in orders.items() if each.paid_minor}
        paid_by_course = {each: site.paid_minor(order) for each, order in paid_orders.items()}
        return {
            each.name: minor for each, minor in paid_by_course.items() if minor != each.paid_minor
        }

    until(open_orders)
    until(unread)
    until(unpaid)
    verdict = wait_for(lambda: verified(tmp_path), "verify without open orders", site.log)
    assert [] == [check for check in verdict["checks"] if not check["ok"]]
    compared = payflow(tmp_path, "reconcile")
    assert (True, {"GBP", "JPY", "KWD"}) == (compared["reconciled"], set(compared["totals"]))
    assert {"JPY": 2_500, "KWD": 1_230} == {
        currency: compared["totals"][currency]["provider"]["charged_minor"]
        for currency in ("JPY", "KWD")
    }


def until(wrong: Callable[[], object]) -> None:
    """Wait until nothing is wrong; raises AssertionError with what still is."""
    limit = time.monotonic() + SECONDS_MAX
    while offences := wrong():
        if time.monotonic() > limit:
            pytest.fail(f"not within {SECONDS_MAX} s: {offences}")
        time.sleep(0.5)


def verified(folder: Path) -> Any:
    """Return the verdict once nothing is in motion and every check holds; None before."""
    time.sleep(1)
    verdict = payflow(folder, "verify")
    return verdict if verdict["verify_ok"] and not verdict["orders_open"] else None
