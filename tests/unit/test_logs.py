"""Log lines: found by correlation id, forged by nobody, and silent about customers."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.config import Config
from app.host.logs import configure_logging
from app.wire.envelope import Envelope
from app.wire.log_context import logging_about
from tests.support.agents import cancel
from workflows.payment.messages import PaymentCompleted

PAID = PaymentCompleted(
    transaction_id="o1",
    payment_id="pi_1",
    amount_minor=1,
    goods_minor=1,
    charges_minor=0,
    currency="GBP",
    customer_id="C-17850",
    country="France",
    ordered_at_ms=1,
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Put logging back as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def logged(lines: io.StringIO) -> dict:
    return json.loads(lines.getvalue())


def test_a_line_says_where_we_are(lines):
    """Correlation id, service, agent and record, on every line logged while it is handled."""
    configure_logging(Config(log_json=True), lines)
    envelope = Envelope(
        id="e1", type="t", source="/s", time_ms=1, subject="o1", correlation_id="order-1"
    )

    with logging_about("payment", "provider") as about:
        about.at(cancel(7), envelope)
        structlog.get_logger("app.x").info("charged")

    assert {
        "correlation_id": "order-1",
        "service": "payment",
        "agent": "provider",
        "origin": "orders/0/7",
        "event": "charged",
        "logger": "app.x",
        "level": "info",
    } == {name: text for name, text in logged(lines).items() if name != "timestamp"}


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "console"])
@pytest.mark.parametrize(
    "evil",
    [
        pytest.param("ok\n2026-01-01 [info] all is well", id="a line break"),
        pytest.param("ok\r\x1b[2K\x1b[1A", id="terminal codes"),
        pytest.param("ok\u2028next\u202eesrever", id="unicode separators and direction"),
    ],
)
def test_no_value_can_forge_a_line(lines, evil, as_json):
    """In the message, in a field, in a name, deep inside: one event is one line of plain text."""
    configure_logging(Config(log_json=as_json), lines)

    structlog.get_logger().info(evil, reason=evil, deep={evil: [evil]})
    logging.getLogger("other").warning("%s", evil)

    text = lines.getvalue()
    assert 2 == text.count("\n") == len(text.splitlines())
    assert text.replace("\n", "").isprintable()


def test_a_traceback_is_set_in_so_that_its_lines_cannot_pass_for_others(lines):
    """An exception's text is somebody else's text too."""
    configure_logging(Config(), lines)

    evil = ValueError("bad\n2026-01-01 [info] all is well")
    structlog.get_logger().error("failed", exc_info=evil)

    first, *rest = lines.getvalue().splitlines()
    assert "failed" in first
    assert all(line.startswith("    | ") for line in rest)
    assert any("ValueError" in line for line in rest)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"customer_id": "C-17850"}, id="a field"),
        pytest.param({"body": {"order": [{"customer_id": "C-17850"}]}}, id="deep in a body"),
        pytest.param({"word": PAID}, id="a whole message"),
        pytest.param({"words": [PAID]}, id="a list of words"),
        pytest.param({"email": "C-17850", "phone": "C-17850"}, id="other personal fields"),
    ],
)
def test_personal_fields_are_masked(lines, fields):
    """However deep they lie, and whoever logs them."""
    configure_logging(Config(log_json=True), lines)

    structlog.get_logger().info("paid", **fields)

    assert "C-17850" not in lines.getvalue()
    assert "***" in lines.getvalue()


def test_what_is_below_the_level_is_not_logged(lines):
    """The level of the configuration holds for us and for libraries."""
    configure_logging(Config(log_level="warning", log_json=True), lines)

    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    logging.getLogger("library").warning("loud")

    assert "loud" == logged(lines)["event"]
