"""A second workflow in a folder of its own, for processes with PAYFLOW_EXTENSIONS=`FOLDER`.

What is declared cannot be undone, so tests of it run in processes of their own. They run it in the
simulated world, as they would any other; here is only what they ask of it.
"""

from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient

FOLDER = Path(__file__).parent

TOP_UP = {
    "card_id": "card-1",
    "customer_id": "ann",
    "country": "France",
    "currency": "GBP",
    "amount_minor": 2_500,
    "payment_method": "pm_card_visa",
}
FRAUD_MINOR = 9_000_00
"""An amount that the built-in rules of fraud block."""
BLOCKED = {**TOP_UP, "card_id": "blocked-1"}


async def top_up(client: TestClient, body: Any = TOP_UP, key: str = "g1") -> str:
    """Return the id of a top-up that the console has accepted."""
    answer = await client.post("/giftcards", json=body, headers={"Idempotency-Key": key})
    assert 202 == answer.status, await answer.text()
    return str((await answer.json())["top_up_id"])
