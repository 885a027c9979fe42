"""What a workflow gets from the platform for its value alone: run by tests/architecture.

Nothing here is done for the giftcard workflow: each part is asked for it as for any other.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient
from msgspec.structs import replace
from workflows.giftcard.messages import TopUpCredited
from workflows.giftcard.process import TopUp

from app.chaos.load import Load
from app.cli import commands, trace
from app.cli.transactions import fetch_page
from app.config import Config
from app.console.api.figures import Figures
from app.console.api.workflow_requests import Repeats
from app.delivery.agent import is_decider
from app.delivery.decision import apply
from app.delivery.processor import run_batch
from app.operations.dead_letters.dead_letter import DeadLetter, sent_back
from app.operations.verification.facts import Facts
from app.operations.verification.verdict import Verdict, judge
from app.registry import load_agents, load_workflows, services, wanted_topics
from app.wire.envelope import Envelope
from app.wire.topics import traced_topics
from app.worker import metrics
from tests.support.clients import client_key
from tests.support.console import FakeWorker, client, place, queries
from tests.support.giftcard import BLOCKED, FRAUD_MINOR, TOP_UP, top_up
from tests.support.operators_site import Site, site
from tests.support.runtime import FakeRuntime, as_read
from tests.support.simulation.console_world import ConsoleWorld, world
from tests.support.source import ROOT
from workflows.analytics.figures import FIGURES
from workflows.shared.invariants import Moment, ProviderRecord
from workflows.shared.message import Message
from workflows.shared.topic import topic_of

__all__ = ["client", "queries", "site", "world"]

DECLARED = """
from app.wire.topics import reactions_of, traced_topics

print(*(topic.name for topic in traced_topics()))
print(*(event.__name__ for event in reactions_of("payment")))
"""


def keep_started(queries: FakeWorker) -> None:
    """Keep the rows of transactions of which nothing is known but how they were started."""
    for message, envelope in queries.emitted:
        workflow = load_workflows()[envelope.baggage["workflow"]]
        agent = load_agents()[workflow.name]
        assert is_decider(agent)
        state, _ = apply(agent, agent.table.initial, message, envelope.time_ms)
        queries.keep(workflow.table, envelope.subject, state)


def test_its_topics_its_service_and_its_command_are_there():
    """Those that it declares, and those that follow: dead letters, redrive, deadlines, rows."""
    assert "giftcard" in services()
    assert "giftcard" in commands.WORKFLOWS
    assert {
        "giftcards",
        "giftcard.credits",
        "giftcards.giftcard.dead",
        "giftcards.payment.dead",
        "giftcard.credits.payment.dead",
        "payments.giftcard.dead",
        "giftcard.redrive",
        "giftcard.timers",
        "payflow-giftcard-giftcard-changelog",
    } <= {spec.name for spec in wanted_topics(Config())}


def test_its_topics_and_reactions_are_there_before_its_agent_is_imported():
    """It has no topics.py and no reactions.py: what its workflow.py imports declares them."""
    answer = subprocess.run(
        [sys.executable, "-c", DECLARED], cwd=ROOT, capture_output=True, text=True, check=True
    )

    topics, events = answer.stdout.splitlines()
    assert {"giftcards", "giftcard.credits"} < set(topics.split())
    assert {"TopUpRequested", "CreditRefused"} < set(events.split())


@pytest.mark.parametrize(
    ("body", "status", "types"),
    [
        pytest.param(
            TOP_UP,
            "credited",
            ["giftcard.requested", "payment.completed", "fraud.cleared", "giftcard.credited"],
            id="credited",
        ),
        pytest.param(
            BLOCKED,
            "cancelled",
            [
                "giftcard.requested",
                "payment.completed",
                "fraud.cleared",
                "giftcard.credit_refused",
                "payment.refunded",
                "giftcard.cancelled",
            ],
            id="compensated",
        ),
        pytest.param(
            {**TOP_UP, "amount_minor": FRAUD_MINOR},
            "cancelled",
            [
                "giftcard.requested",
                "payment.completed",
                "fraud.detected",
                "payment.refunded",
                "giftcard.cancelled",
            ],
            id="compensated when fraud is detected",
        ),
    ],
)
async def test_a_top_up_goes_from_its_request_to_its_end(
    client: TestClient, world: ConsoleWorld, body: Any, status: str, types: list[str]
) -> None:
    """Through the shared payment; no agent of the other workflow stores anything of it."""
    top_up_id = await top_up(client, body)
    await asyncio.to_thread(world.carry_out)

    row = world.queries.get("giftcard", top_up_id)
    events = [
        envelope.type.removeprefix("payflow.").removesuffix(".v1")
        for message, envelope in world.emitted
        if topic_of(message).name in ("giftcards", "giftcard.credits", "payments", "fraud")
    ]
    view = await (await client.get(f"/giftcards/{top_up_id}")).json()
    assert row is not None
    assert (status, types) == (view["state"], events)
    # A call-back comes from outside, and a deadline from a clock: neither names a workflow.
    assert {"giftcard"} == {
        envelope.baggage["workflow"]
        for _, envelope in world.emitted
        if "analytics" not in envelope.type and envelope.source != "/simulation"
    }
    assert world.queries.get("order", top_up_id) is None
    assert world.queries.get("inventory", top_up_id) is None


async def test_its_transaction_has_a_page_with_a_timeline(
    client: TestClient, world: ConsoleWorld
) -> None:
    """In its own words, beside orders; a person is named nowhere."""
    top_up_id = await top_up(client, BLOCKED)
    await asyncio.to_thread(world.carry_out)

    page = await (await client.get(f"/console/transactions/{top_up_id}")).text()
    transaction = await (await client.get(f"/transactions/{top_up_id}")).json()
    topics = {topic.name for topic in traced_topics()}
    traced = [record for record in world.records if record.topic in topics]

    assert f"Giftcard {top_up_id}" in page
    assert "25.00 GBP on card ***, requested" in page
    assert f"Waterfall of {len(traced)} events" in page
    assert "credit refused" in page
    assert "payflow giftcard show" in page
    assert f'href="/giftcards/{top_up_id}/events"' in page
    assert "Cancel the order" not in page
    assert "to see personal fields" in page
    assert "ann" not in page.replace("cannot", "").replace("cancel", "").replace("channel", "")
    assert "cancelled" == transaction["giftcard"]["status"]
    assert {"step", "failure", "compensation"} == {each["kind"] for each in transaction["events"]}


async def test_one_that_is_only_accepted_is_not_taken_for_another(client: TestClient) -> None:
    """What was asked for says which workflow it is, before any service has a row."""
    top_up_id = await top_up(client)
    order_id = (await (await place(client)).json())["order_id"]

    pages = [
        await (await client.get(f"/console/transactions/{each}")).text()
        for each in (top_up_id, order_id)
    ]

    assert "The giftcard is on its topic" in pages[0]
    assert "The order is on its topic" in pages[1]


async def test_one_without_a_row_is_known_by_its_first_event(
    client: TestClient, world: ConsoleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the journal is ahead of the agent, also in a console that was not asked for it."""
    top_up_id = await top_up(client)
    await asyncio.to_thread(world.carry_out)
    del world.queries.rows["giftcard", top_up_id]
    monkeypatch.setattr(Repeats, "get", lambda *_: "")
    monkeypatch.setattr(Repeats, "workflow", lambda *_: "")

    page = await (await client.get(f"/console/transactions/{top_up_id}")).text()

    assert "The giftcard is on its topic" in page


async def test_it_is_found_by_its_id_and_by_where_it_stands(
    client: TestClient, world: ConsoleWorld
) -> None:
    """A status of its own, one that it shares with orders, and a preset."""
    ids = [await top_up(client, body, key) for body, key in ((TOP_UP, "g1"), (BLOCKED, "g2"))]
    await asyncio.to_thread(world.carry_out)

    ids_by_status = {
        status: [
            each["id"]
            for each in (await (await client.get(f"/transactions?status={status}")).json())[
                "orders"
            ]
        ]
        for status in ("credited", "cancelled", "refused_credit", "completed")
    }
    page = await (await client.get("/console/transactions?status=credited")).text()
    answer = await client.get(f"/console/transactions?q={ids[0]}", allow_redirects=False)

    assert {
        "credited": [ids[0]],
        "cancelled": [ids[1]],
        "refused_credit": [ids[1]],
        "completed": [],
    } == ids_by_status
    assert '<span class="badge good">credited</span>' in page
    assert f"/console/transactions/{ids[0]}" == answer.headers["Location"]


async def test_those_of_a_customer_are_found_in_every_workflow(site: Site) -> None:
    """Each by the table of its own; a page of one goes on in the next."""
    site.queries.keep("giftcard", "g1", TopUp(top_up_id="g1", customer_id="ann"))
    site.queries.keep("payment", "o1", {"bill": {"customer_id": "ann"}})
    site.queries.keep("payment", "o2", {"bill": {"customer_id": "bob"}})

    answers = [
        await (
            await site.client.post(
                "/operators/orders-of-customer",
                json={"customer_id": "ann", "why": "a call", "after": after},
                headers=site.machine("oda"),
            )
        ).json()
        for after in ("", "payment|", "payment|o1")
    ]

    assert [{"g1", "o1"}, {"o1"}, set()] == [set(each["ids"]) for each in answers]
    counts = answers[0]["said"].removesuffix(" were read").split(", ")
    assert {"1 giftcards", "2 payments"} <= set(counts)


async def test_both_workflows_are_listed_by_a_status_that_both_know(
    client: TestClient, queries: FakeWorker
) -> None:
    """Each by its own words, a page."""
    top_up_id = await top_up(client)
    order_id = (await (await place(client)).json())["order_id"]
    keep_started(queries)

    listing = await (await client.get("/transactions?status=waiting")).json()
    page = await (await client.get("/console/transactions?status=waiting")).text()

    assert {"giftcard": top_up_id, "order": order_id} == {
        each["workflow"]: each["id"] for each in listing["orders"]
    }
    assert "1 giftcards, 1 orders" in page


async def test_the_command_of_a_workflow_lists_its_own(
    client: TestClient, queries: FakeWorker
) -> None:
    """Also those of a status that orders know too."""
    top_up_id = await top_up(client)
    order_id = (await (await place(client)).json())["order_id"]
    keep_started(queries)
    config = Config(console_url=str(client.make_url("")).rstrip("/"))

    ids = {
        name: [
            each["id"]
            for each in (await fetch_page(config, workflow, "waiting", ""))["transactions"]
        ]
        for name, workflow in load_workflows().items()
    }

    assert [top_up_id] == ids.pop("giftcard")
    assert [order_id] == ids.pop("order")
    assert [] == [each for others in ids.values() for each in others]


async def test_trace_prints_it(
    client: TestClient,
    world: ConsoleWorld,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its status in its own words, and its events."""
    monkeypatch.setenv("COLUMNS", "200")
    top_up_id = await top_up(client, BLOCKED)
    await asyncio.to_thread(world.carry_out)

    trace.show(await (await client.get(f"/transactions/{top_up_id}")).json())

    output = capsys.readouterr().out
    assert "cancelled: 25.00 GBP on card ***, requested" in output
    assert "because of credit refused" in output
    assert "✗ giftcard.credit refused" in output


def verdict_on(messages: list[tuple[Message, Envelope]], key: str) -> Verdict:
    """Return the verdict long after `messages`; the provider has charged for `key`."""
    facts = Facts()
    for message, envelope in messages:
        facts.project(load_workflows().values(), message, envelope)
    now_ms = max(envelope.time_ms for _, envelope in messages) + 1_000_000
    charged = ProviderRecord(charges=1, charged_minor=2_500, last_ms=1)
    moment = Moment(now_ms=now_ms, provider={key: charged})
    return judge(facts, moment, load_workflows().values())


async def test_verify_judges_it_and_finds_a_breach(client: TestClient, world: ConsoleWorld) -> None:
    """A top-up breaks no promise about orders; a credit without a payment breaks its own."""
    top_up_id = await top_up(client)
    await asyncio.to_thread(world.carry_out)
    whole = verdict_on(world.emitted, top_up_id)
    stolen = [
        (replace(message, amount_minor=9_999), envelope)
        if isinstance(message, TopUpCredited)
        else (message, envelope)
        for message, envelope in world.emitted
    ]

    broken = verdict_on(stolen, top_up_id)

    assert [] == [check for check in whole.checks if not check.ok]
    assert (1, 0) == (whole.plain()["top_ups"], whole.plain()["unpaid_credit_minor"])
    assert [("credits_are_paid", (top_up_id,))] == [
        (check.name, check.offending) for check in broken.checks if not check.ok
    ]
    assert 7_499 == broken.plain()["unpaid_credit_minor"]


async def test_a_dead_letter_of_it_is_sent_back(client: TestClient, world: ConsoleWorld) -> None:
    """What its agent cannot read lies in the dead topic of its service; mended, it is applied."""
    await top_up(client)
    [(message, envelope)] = world.queries.emitted
    world.produce(message, envelope)
    [whole] = world.records
    agent, runtime = load_agents()["giftcard"], FakeRuntime()
    await run_batch(agent, runtime, [replace(whole, value=b"{")])
    [dead] = runtime.emitted
    dead_letter = DeadLetter(record=replace(as_read(dead, 0), value=whole.value), at_ms=0)

    await run_batch(agent, runtime, [as_read(sent_back(dead_letter, 0), 1)])

    assert "giftcards.giftcard.dead" == dead.topic
    assert 1 == len(runtime.rows)


async def test_a_drill_plays_it_beside_the_others(
    client: TestClient, queries: FakeWorker, tmp_path: Path
) -> None:
    """The load alternates; what needs nothing beforehand asks for nothing."""
    key = client_key(tmp_path, "drill")
    async with aiohttp.ClientSession() as session:
        load = Load(7, str(client.make_url("")).rstrip("/"), session, key)
        await load.stock_up(lambda: client.get("/livez"))
        await load.burst(4, 1_000)
        await load.join()

    started = [envelope.baggage.get("workflow") for _, envelope in queries.emitted]
    assert ([], 4) == (load.failed, load.accepted)
    assert {2} == {started.count(name) for name in ("giftcard", "order")}


async def test_its_time_to_an_end_is_measured_and_its_events_are_counted(
    client: TestClient, world: ConsoleWorld
) -> None:
    """By outcome, in a metric of its own; in figures of its own, not in those of orders."""
    metrics.declare_metrics()
    sample, credited = metrics.REGISTRY.get_sample_value, {"outcome": "credited"}
    before = sample("payflow_giftcard_seconds_count", credited) or 0
    await top_up(client)
    await asyncio.to_thread(world.carry_out)
    for name in ("giftcard", metrics.CLOCK_AGENT):
        agent = load_agents()[name]
        topics = {topic.name for topic in agent.consumes}
        records = [record for record in world.records if record.topic in topics]
        counted = await run_batch(agent, FakeRuntime(), records)
        metrics.count_batch(agent, records, counted, 0.1)
    figures = Figures(FIGURES)
    for message, _ in world.emitted:
        if figures._shape.is_one(message):
            figures.receive(message)

    live = figures.facts()
    step = {"service": "giftcard", "room": "giftcard"}
    assert before + 1 == sample("payflow_giftcard_seconds_count", credited)
    assert 0 < (sample("payflow_step_seconds_count", step) or 0)
    assert {"open": 0} == live["totals"]
    assert {"started": 1, "payments": 1, "credited": 1, "revenue_minor": 2_500}.items() <= (
        live["workflows"]["giftcard"].items()
    )
