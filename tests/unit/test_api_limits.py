"""What the API refuses because the inside could not carry it."""

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from app.wire import codecs
from app.wire.byte_limits import OPEN_BODY_BYTES_MAX
from tests.support.console import ORDER, FakeWorker
from workflows.shared.limits import LINES_MAX, TEXT_CHARS_MAX


def order_of(size: int) -> bytes:
    """Return an order of so many bytes, as Payflow writes it, or up to two thousand less."""
    line = {"sku": "tea", "quantity": 1, "amount_minor": 1, "description": ""}
    text_bytes = (size - 500) // LINES_MAX - len(msgspec.json.encode(line)) - 1
    text = "\u00e9" * (text_bytes - TEXT_CHARS_MAX)
    text += "x" * (text_bytes - 2 * len(text))
    return msgspec.json.encode({**ORDER, "lines": [{**line, "description": text}] * LINES_MAX})


@pytest.mark.parametrize(
    ("size", "status"),
    [
        pytest.param(OPEN_BODY_BYTES_MAX, 202, id="as much as there may be"),
        pytest.param(OPEN_BODY_BYTES_MAX + 2_000, 413, id="a little more"),
        pytest.param(905_000, 413, id="what six agents refused"),
        pytest.param(970_000, 413, id="nearly all that is read"),
    ],
)
async def test_an_order_that_no_agent_takes_is_refused(
    client: TestClient, queries: FakeWorker, size: int, status: int
) -> None:
    """With how much it is, and how much it may be."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    answer = await client.post("/orders", data=order_of(size), headers=headers)
    body = await answer.json()

    assert status == answer.status, body
    if status == 202:
        (message, _) = queries.emitted[0]
        assert size - 2_000 < len(codecs.encode(message)) <= OPEN_BODY_BYTES_MAX
    else:
        assert [] == queries.emitted
        assert f"at most {OPEN_BODY_BYTES_MAX:,} as Payflow writes it" in body["detail"]
