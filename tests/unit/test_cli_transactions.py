"""`payflow order ls`: which orders there are, or stand somewhere, a page at a time."""

from collections.abc import Callable

import pytest
from aiohttp.test_utils import TestClient
from rich.console import Console

from app.cli.instance import ApiError
from app.cli.transactions import fetch_page, show_listed
from app.config import Config
from app.registry import load_workflows
from tests.support.console import FakeWorker
from workflows.order.state import Order


@pytest.fixture
def keep(queries: FakeWorker) -> Callable[[int], None]:
    """Put so many orders where the API finds them: all are past the last of their deadlines."""

    def action(count: int) -> None:
        for at in range(count):
            order = Order(order_id=f"o{at:03}", placed_at_ms=1 + at, country="France")
            queries.keep("order", order.order_id, order)

    return action


def config_of(client: TestClient) -> Config:
    return Config(console_url=str(client.make_url("")).rstrip("/"))


async def test_those_of_one_status_are_listed_page_by_page(
    client: TestClient, keep: Callable[[int], None]
) -> None:
    """Each is on one page; what a page ends with begins the next."""
    keep(100)
    config, order = config_of(client), load_workflows()["order"]

    first = await fetch_page(config, order, "stuck", "")
    rest = await fetch_page(config, order, "stuck", first["next"])

    ids = {each["id"] for each in (*first["transactions"], *rest["transactions"])}
    assert (60, 40, 100) == (len(first["transactions"]), len(rest["transactions"]), len(ids))
    assert rest["next"] is None


async def test_a_status_that_there_is_not_is_answered_with_those_there_are(
    client: TestClient,
) -> None:
    """So nobody has to know them."""
    with pytest.raises(ApiError, match="waiting, retrying, compensating, stuck, completed"):
        await fetch_page(config_of(client), load_workflows()["order"], "lost", "")


async def test_a_line_says_what_is_waited_for_and_commands_no_terminal(
    client: TestClient, queries: FakeWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escapes are spelled out; a page that is not the last says how to go on."""
    queries.keep("order", "o1", Order(order_id="o1", placed_at_ms=1, country="\x1b[2J"))
    page = await fetch_page(config_of(client), load_workflows()["order"], "stuck", "")

    show_listed(page["transactions"], "o1", Console())

    output = capsys.readouterr().out
    assert output.startswith("o1  stuck       0 minor units")
    assert "placed" in output
    assert "waits for" in output
    assert "--after o1" in output
    assert "\x1b" not in output
