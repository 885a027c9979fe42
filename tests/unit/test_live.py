"""The live page's stream: a snapshot, then what changed; come again, no more than was missed."""

import asyncio
from typing import Any

import msgspec
import pytest

from app.config import Config
from app.console.api import figures as figures_module
from app.console.api import live, live_state
from app.console.api.figures import (
    FIGURES,
    OTHER_COUNTRIES,
    SECONDS_SHOWN,
    Figures,
)
from app.console.api.flow_metrics import FlowMetrics
from app.console.api.live_state import LiveState
from app.console.api.open_orders import OPEN_ORDERS, OpenOrders
from app.console.api.quotas import Holdings, Quotas
from app.console.server import make_api
from app.delivery.row import Row, encode_row
from app.registry import load_agents, load_workflows
from app.wire import codecs
from app.wire.envelope import Envelope, to_headers
from app.wire.records import Outgoing
from app.wire.signing import signed
from app.worker.discovery import Directory
from tests.support.console import FakeWorker
from tests.support.runtime import as_read
from workflows.analytics.figures import FIGURES as FIGURES_OF_ORDERS
from workflows.analytics.messages import FiguresUpdated
from workflows.order.process import STUCK_AFTER_MS
from workflows.order.state import Mark, Order
from workflows.shared.figures import amounts_of
from workflows.shared.message import type_name

CONFIG = Config(service="console")
PLACED_MS = 1_000


def emitted(event: bytes) -> tuple[str, str, dict[str, Any]]:
    """Return name, id and data of a server-sent event."""
    fields = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    return fields["event"], fields["id"], msgspec.json.decode(fields["data"])


def figures(**counts: int) -> FiguresUpdated:
    """Return all figures of one minute."""
    return FiguresUpdated(
        minute_ms=60_000, country="France", partition=0, counts=counts, sums={"revenue_minor": 700}
    )


def row(**facts: Any) -> bytes:
    """Return the row of an order, as the changelog has it."""
    return encode_row(Row(state=Order(order_id="o1", placed_at_ms=PLACED_MS, **facts)))


# --- live state ---------------------------------------------------------------------


def test_only_what_changed_is_emitted_again():
    """Rows that stayed are not sent; removals are."""
    state = LiveState()
    state.put("a", {"x": 1, "y": 2, "z": 3})
    name, event_id, whole = emitted(state.event(0))
    state.put("a", {"x": 1, "y": 5})

    assert ("snapshot", {"a": {"x": 1, "y": 2, "z": 3}}) == (name, whole)
    assert ("change", {"a": {"y": 5, "z": None}}) == emitted(
        state.event(state.version_in(event_id))
    )[::2]


def test_the_same_again_is_no_change():
    """Nobody is woken for it."""
    state = LiveState()
    state.put("a", {"x": 1})
    before = state.version
    state.put("a", {"x": 1})

    assert before == state.version


def test_a_row_that_comes_back_is_there_again():
    """To whom saw it go, and to whom did not."""
    state = LiveState()
    state.put("a", {"x": 1})
    first = state.version
    state.put("a", {})
    state.put("a", {"x": 1})

    assert {"a": {"x": 1}} == emitted(state.event(first))[2]
    assert {"a": {"x": 1}} == emitted(state.event(0))[2]


@pytest.mark.parametrize(
    "event_id", ["", "1", "-", "other-1", "{epoch}-9", "{epoch}--1", "{epoch}-x", "{epoch}-²"]
)
def test_whoever_says_no_version_of_ours_begins_anew(event_id: str):
    """Of another process, of the future, of nobody."""
    state = LiveState()
    state.put("a", {"x": 1})
    epoch = emitted(state.event(0))[1].split("-")[0]

    assert 0 == state.version_in(event_id.format(epoch=epoch))
    assert 1 == state.version_in(f"{epoch}-1")


def test_who_was_away_for_too_long_begins_anew(monkeypatch: pytest.MonkeyPatch):
    """What went in between is not known any more."""
    monkeypatch.setattr(live_state, "GONE_MAX", 2)
    state = LiveState()
    state.put("a", {"x": 1, "y": 1, "z": 1})
    _, event_id, _ = emitted(state.event(0))
    for left in ({"y": 1, "z": 1}, {"z": 1}, {}):
        state.put("a", left)

    assert 0 == state.version_in(event_id)


# --- the status of orders --------------------------------------------------------------


def test_open_orders_stand_where_they_wait():
    """A new one waits for money and items; ended, it stands nowhere."""
    open_orders = OpenOrders(load_workflows()["order"], Holdings(Quotas(), lambda: 0))
    open_orders.receive("o1", row())
    waits = open_orders.counts(PLACED_MS)
    open_orders.receive("o1", row(cancelled_at_ms=5_000))

    assert (1, 1, 0) == tuple(waits[at]["waiting"] for at in ("payment", "inventory", "fraud"))
    assert {0} == {
        count for step in open_orders.counts(PLACED_MS).values() for count in step.values()
    }


@pytest.mark.parametrize(
    ("facts", "at_ms", "step", "status"),
    [
        pytest.param({"payment": Mark(status="pending")}, 0, "payment", "retrying", id="again"),
        pytest.param({"overdue": ("inventory",)}, 0, "inventory", "retrying", id="overdue"),
        pytest.param(
            {"cause": "fraud", "cause_at_ms": 9}, 10, "compensating", "compensating", id="back"
        ),
        pytest.param(
            {"cause": "fraud", "cause_at_ms": 9},
            10 + STUCK_AFTER_MS,
            "compensating",
            "stuck",
            id="stuck",
        ),
        pytest.param({}, 10**9, "payment", "stuck", id="long overdue"),
    ],
)
def test_it_is_said_how_they_wait(facts: dict[str, Any], at_ms: int, step: str, status: str):
    """Tried again, on the way back, or for too long."""
    open_orders = OpenOrders(load_workflows()["order"], Holdings(Quotas(), lambda: 0))
    open_orders.receive("o1", row(**facts))

    assert 1 == open_orders.counts(at_ms)[step][status]


def test_a_deleted_row_and_a_broken_one_stand_nowhere():
    """And the next one is counted."""
    open_orders = OpenOrders(load_workflows()["order"], Holdings(Quotas(), lambda: 0))
    open_orders.receive("o1", row())
    open_orders.receive("o1", None)
    open_orders.receive("o2", b"{broken")
    open_orders.receive("o3", row())

    assert 1 == open_orders.counts(PLACED_MS)["payment"]["waiting"]


def test_invented_countries_are_counted_together():
    """Figures of before ISO 3166 may name any: the answer for everybody grows no further."""
    live_figures = Figures(FIGURES_OF_ORDERS, clock=lambda: 1_000.0)
    names = [f"land {number}" for number in range(400)]
    for name in (*names, "France", "FR", "unknown"):
        for orders in (1, 2):
            live_figures.receive(
                FiguresUpdated(
                    minute_ms=0, country=name, partition=0, counts={"orders": orders}, sums={}
                )
            )

    countries = {each["country"]: each["orders"] for each in live_figures.facts()["countries"]}
    assert {OTHER_COUNTRIES: 800, "FR": 4, "unknown": 2} == countries
    assert 806 == live_figures.facts()["totals"]["orders"]


# --- a second ------------------------------------------------------------------------


def test_amounts_of_two_currencies_are_never_one_figure():
    """An amount has a name without its currency only while there is no other one."""
    live_figures = Figures(FIGURES_OF_ORDERS, clock=lambda: 1_000.0)
    pounds, yen = (
        FiguresUpdated(
            minute_ms=60_000, country=country, partition=0, counts={"orders": 1}, sums=sums
        )
        for country, sums in (
            ("France", {"revenue_minor/GBP": 700}),
            ("Japan", {"revenue_minor/JPY": 1_250}),
        )
    )
    live_figures.receive(pounds, 999)
    before = live_figures.facts()["totals"]
    live_figures.receive(yen, 999)

    money = {"revenue_minor/GBP": 700, "revenue_minor/JPY": 1_250}
    totals = live_figures.facts()["totals"]
    assert 700 == before["revenue_minor"]
    assert money == {name: size for name, size in totals.items() if "revenue" in name}
    assert [{"orders": 2, **money}] == list(live_figures.seconds().values())
    assert [700, 1_250] == [each["revenue_minor"] for each in live_figures.facts()["countries"]]


def test_what_has_begun_and_not_ended_is_left_and_never_less_than_nothing():
    """Disputes that were opened before there was a figure of them may end all the same."""
    counted = []
    for counts in ({"orders": 1}, {"disputes": 3, "disputes_closed": 1}, {"disputes_closed": 9}):
        live_figures = Figures(FIGURES_OF_ORDERS)
        live_figures.receive(figures(disputes=1))
        live_figures.receive(
            FiguresUpdated(minute_ms=0, country="Japan", partition=1, counts=counts, sums={})
        )
        counted.append(live_figures.facts()["totals"]["disputes_open"])

    assert [1, 3, 0] == counted


def test_what_banks_hold_is_shown_by_currency_and_never_less_than_nothing():
    """Yen do not make up for pounds, nor does what was taken before there was a figure of it."""
    live_figures = Figures(FIGURES_OF_ORDERS)
    withdrawals = {"disputes_taken_minor/GBP": 1_250, "disputes_taken_minor/JPY": 900}
    back = {"disputes_decided_minor/GBP": 1_000, "disputes_decided_minor/JPY": 2_000}
    for partition, sums in enumerate((withdrawals, back, {"disputes_decided_minor/KWD": 10})):
        live_figures.receive(
            FiguresUpdated(
                minute_ms=0, country="Japan", partition=partition, counts={"other": 1}, sums=sums
            )
        )
    totals = live_figures.facts()["totals"]

    assert {"GBP": 250, "JPY": 0} == amounts_of(totals, "disputes_held_minor")
    assert "disputes_held_minor" not in totals, "there is no sum over currencies"


def test_figures_that_are_repeated_count_nothing():
    """A worker that starts again reads old ones and repeats them; figures only grow."""
    live_figures = Figures(FIGURES_OF_ORDERS)
    for message in (figures(orders=3), figures(orders=3), figures(orders=1)):
        live_figures.receive(message)

    totals = live_figures.facts()["totals"]
    assert (3, 700) == (totals["orders"], totals["revenue_minor"])


async def test_figures_that_nobody_has_signed_count_nothing(monkeypatch: pytest.MonkeyPatch):
    """Whoever may write to the topic could otherwise show any revenue."""
    config = Config(signing_key="one")
    message = figures(orders=3)
    plain = Outgoing(
        topic="figures",
        key=b"60000|France|0",
        value=codecs.encode(message),
        headers=to_headers(
            Envelope(
                id="e1",
                type=type_name(FiguresUpdated),
                source="/payflow/analytics",
                time_ms=1,
                subject="k",
                correlation_id="k",
            )
        ),
    )

    async def lying_there(_config: Config, _topic: str) -> Any:
        await asyncio.sleep(0)
        for offset, sent in enumerate((plain, signed(plain, "two"), signed(plain, "one"))):
            yield as_read(sent, offset), False
            counted.append(live_figures.facts()["totals"].get("orders", 0))

    counted: list[int] = []
    live_figures = Figures(FIGURES_OF_ORDERS)
    monkeypatch.setattr(figures_module, "follow", lying_there)
    monkeypatch.setattr(figures_module, "as_read", lambda record: record)

    await live_figures.run("figures", config)

    assert [0, 0, 3] == counted


def test_what_came_is_counted_in_the_second_in_which_it_came():
    """Not what lay there before, and only what was added."""
    now = 1_000.0
    live = Figures(FIGURES_OF_ORDERS, lambda: now)
    live.receive(figures(orders=5, fraud_cleared=1))
    live.receive(figures(orders=7, fraud_cleared=2, fraud_detected=1), second=999)
    live.receive(figures(orders=8, fraud_cleared=2, fraud_detected=1), second=1_000)

    assert 2 == live.seconds()["999"]["orders"]
    assert 2 == live.seconds()["999"]["verdicts"]
    assert 1 == live.seconds()["1000"]["orders"]
    now += SECONDS_SHOWN
    assert {} == live.seconds()


# --- the stream ------------------------------------------------------------------------


@pytest.fixture
async def client(aiohttp_client: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the console; the workers have nothing to say."""

    async def quiet(_: FlowMetrics) -> dict[str, Any]:
        return {"steps": [], "services": []}

    monkeypatch.setattr(FlowMetrics, "query", quiet)
    monkeypatch.setattr(live, "PUSH_SECONDS", 0.02)
    load_agents()
    return await aiohttp_client(make_api(FakeWorker(), FakeWorker(), Directory(), CONFIG))


async def received(stream: Any, section: str) -> tuple[str, str, dict[str, Any]]:
    """Return the next event that says something of `section`."""
    while True:
        event = emitted(await stream.content.readuntil(b"\n\n"))
        if section in event[2]:
            return event


async def test_a_snapshot_comes_first_and_then_the_change(client: Any):
    """In a moment, and no more of it than has changed."""
    client.app[FIGURES].receive(figures(orders=2))
    stream = await client.get("/live")
    first = await received(stream, "totals")
    client.app[FIGURES].receive(figures(orders=3))
    second = await received(stream, "totals")

    assert ("snapshot", 2, 700) == (first[0], *_of(first, "orders", "revenue_minor"))
    assert ("change", {"orders": 3, "open": 3}) == (second[0], second[2]["totals"])
    assert "open_orders" in first[2]
    assert "open_orders" not in second[2]


async def test_who_comes_again_is_emitted_what_was_missed(client: Any):
    """By the id of the last event; with one of nobody, all of it."""
    stream = await client.get("/live")
    _, event_id, _ = await received(stream, "totals")
    stream.close()
    client.app[OPEN_ORDERS][0].receive("o1", row())

    again = await client.get("/live", headers={"Last-Event-ID": event_id})
    anew = await client.get("/live", headers={"Last-Event-ID": "nobody-7"})

    assert "change" == (await received(again, "open_orders"))[0]
    assert "snapshot" == (await received(anew, "totals"))[0]


async def test_an_open_tab_does_not_hold_up_a_stop(client: Any):
    """And nobody looks on when the last has gone."""
    stream = await client.get("/live")
    await received(stream, "totals")
    tasks = client.app[live.LIVE]._tasks
    async with asyncio.timeout(30):  # aiohttp itself waits 60 s for a stream that stays open
        await client.server.close()

    assert [True, True] == [task.done() for task in tasks]


def _of(event: tuple[str, str, dict[str, Any]], *names: str) -> tuple[Any, ...]:
    return tuple(event[2]["totals"][name] for name in names)
