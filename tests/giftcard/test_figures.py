"""The live figures of a second workflow: in the API, the stream, the page and the terminal."""

import asyncio
import io

import pytest
from aiohttp.test_utils import TestClient
from rich.console import Console
from workflows.giftcard.process import TopUp

from app.cli import watch
from app.console.api.figures import FIGURES
from app.console.api.live import LIVE
from app.console.api.open_orders import OPEN_ORDERS
from app.delivery.row import Row, encode_row
from app.registry import live_figures
from tests.support.console import client, queries
from tests.support.giftcard import top_up
from tests.support.simulation.console_world import ConsoleWorld, world
from workflows.analytics.messages import FiguresUpdated

__all__ = ["client", "queries", "world"]


@pytest.fixture
async def counted(client: TestClient, world: ConsoleWorld) -> TestClient:
    """The console that has received the figures of one credited top-up; another is open."""
    await top_up(client)
    await asyncio.to_thread(world.carry_out)
    for message, _ in world.emitted:
        if isinstance(message, FiguresUpdated):
            client.app[FIGURES].receive(message)
    waiting = encode_row(Row(state=TopUp(top_up_id="g2", requested_at_ms=1)))
    for each in client.app[OPEN_ORDERS]:
        if each.workflow == "giftcard":
            each.receive("g2", waiting)
    return client


def test_those_of_orders_come_first():
    """Their messages name no workflow, in whichever order workflows are declared."""
    assert ["order", "giftcard"] == list(live_figures())


async def test_they_are_answered_beside_those_of_orders(counted: TestClient) -> None:
    """Totals and what is open, each under the name of the workflow; steps are never merged."""
    answer = await (await counted.get("/figures")).json()

    totals = answer["workflows"]["giftcard"]
    assert {"started": 1, "credited": 1, "revenue_minor": 2_500, "open": 0}.items() <= (
        totals.items()
    )
    assert {"open": 0} == answer["totals"]
    assert {"waiting": 1, "compensating": 0} == answer["open_by_workflow"]["giftcard"]["charge"]
    assert {"charge", "verdict"}.isdisjoint(answer["open_orders"])
    assert "payment" in answer["open_orders"]
    assert "giftcard" in answer["open_by_workflow"]
    assert "order" not in answer["open_by_workflow"]


async def test_the_live_page_has_a_section_of_it_which_the_stream_fills(
    counted: TestClient,
) -> None:
    """With its declared totals and its own funnel, apart from that of orders."""
    page = await (await counted.get("/", headers={"Accept": "text/html"})).text()
    live = counted.app[LIVE]
    live.begin()
    event = live.live_state.event(0).decode()
    live.end()
    await asyncio.sleep(0)

    orders, section = page.split('data-workflow="giftcard"')
    assert '["loaded", "revenue_minor"]' in section
    assert 'data-figure="credited"' in section
    assert 'data-figure="credited"' not in orders
    assert '"workflows":{"giftcard":{' in event
    assert '"open_by_workflow":{"giftcard":{' in event


async def test_a_terminal_shows_them(counted: TestClient) -> None:
    """Under those of orders."""
    figures = await (await counted.get("/figures")).json()
    answers = {"figures": figures, "workers": [], "services": [], "steps": []}
    console = Console(file=io.StringIO(), width=200)
    console.print(watch.figures_view(answers, {}))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]

    assert "open giftcard wait for" in text
    assert "25.00" in text
