"""Fraud through the API: who may do what, audited first; nobody approves their own."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.console.api import fraud_rules
from app.console.api.fraud import FRAUD
from app.console.api.fraud_actions import LIST_MAX
from app.console.api.searches import SHARES
from app.fraud.analysis.fraud_admin import Action, as_action
from app.wire.envelope import Envelope
from app.worker.metrics import fraud_alert_rate, fraud_psi
from tests.support.examples.fraud import paid
from tests.support.examples.fraud_rules import MUCH, rule
from tests.support.external_systems import until
from tests.support.fraud_site import (
    AT_MS,
    EXTERNAL_SYSTEMS,
    ORDER,
    FraudSite,
    check,
    fraud_site,
    verdict,
)
from workflows.audit.messages import (
    ListChanged,
    PaymentLabelledByOperator,
    RuleChanged,
    RuleSnoozedByOperator,
)
from workflows.fraud.messages import CaseClosed, CaseOpened, PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.shared.message import Message
from workflows.shared.topic import Topic

RULE = {
    "rule_id": "much",
    "state": "shadow",
    "outcome": "review",
    "description": "much",
    "when": MUCH,
}
RULE_TEXT = msgspec.json.encode(RULE).decode()
NAMES_A_CUSTOMER = {"eq": [{"field": "customer"}, "cust-77"]}
NAMING = RulePut(rule_id="naming", rule=rule("naming", when={"any": [NAMES_A_CUSTOMER]}))
"""Set in a terminal: pages take none that names people."""
WHY = {"reason": "because"}
DECIDE = (f"/cases/{ORDER}/decide", WHY | {"verdict": "fraud"})
PUT = ("/rules", WHY | {"rule": RULE})
APPROVE = ("/rules/much/approve", WHY | {"version": 1})
PAUSE = ("/rules/velocity.card/pause", WHY | {"version": 1})
SNOOZE = ("/rules/velocity.card/snooze", WHY | {"entity": "card:k1", "hours": 1})
LIST = ("/lists", WHY | {"name": "blocked.card", "add": ["k1"]})


@pytest.fixture
async def site(tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any) -> FraudSite:
    """A site with one case."""
    return await fraud_site(tmp_path, aiohttp_client, aiohttp_server)


@pytest.mark.parametrize(
    ("action", "emitted"),
    [
        pytest.param(DECIDE, (PaymentLabelledByOperator, PaymentLabelled), id="decide"),
        pytest.param(PUT, (RuleChanged, RulePut), id="put"),
        pytest.param(PAUSE, (RuleChanged, RulePut), id="pause"),
        pytest.param(SNOOZE, (RuleSnoozedByOperator, RuleSnoozed), id="snooze"),
        pytest.param(LIST, (ListChanged, ListPut), id="list"),
    ],
)
async def test_operators_act_and_the_audit_records_it_first(
    site: FraudSite, action: tuple[str, Any], emitted: tuple[type, type]
) -> None:
    """Nobody and viewers may not.

    The audit names who, why, and the event that the agents receive.
    """
    before = len(site.emitted)
    refused = [(await site.action(name, *action))[0] for name in ("", "vic")]
    assert before == len(site.emitted)

    assert 202 == (await site.action("oda", *action))[0]

    (entry, _), (message, envelope) = site.queries.emitted[before:]
    assert ([401, 403], emitted) == (refused, (type(entry), type(message)))
    assert ("oda", "because", envelope.id) == (entry.who, entry.why, entry.event_id)


async def test_the_audit_says_which_act_was_not_confirmed(
    site: FraudSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topic of rules takes nothing: what the audit holds is not taken for done."""
    produce = site.queries.publish

    async def fail_for_rules(message: Message, envelope: Envelope) -> None:
        if isinstance(message, RulePut):
            raise TimeoutError
        await produce(message, envelope)

    monkeypatch.setattr(site.queries, "publish", fail_for_rules)
    failed = (await site.action("oda", *PAUSE))[0]
    monkeypatch.setattr(site.queries, "publish", produce)
    (entry, envelope), (lost, _) = site.queries.emitted[-2:]
    assert 202 == (await site.action("oda", *PAUSE))[0]
    rule = await (await site.client.get(f"/fraud/rules/{PAUSE[0].split('/')[2]}")).json()

    assert (503, RuleChanged) == (failed, type(entry))
    assert ("oda", envelope.id, "Problem") == (lost.who, lost.action_id, lost.failure)
    assert {True, False} == {each["confirmed"] for each in rule["history"]}


async def test_a_rule_is_made_active_by_somebody_else_alone(site: FraudSite) -> None:
    """Not by an operator, not by who proposed it; the version that was read, and once."""
    await site.action("pat", *PUT)
    statuses = [
        (await site.action("oda", *APPROVE))[0],
        (await site.action("pat", *APPROVE))[0],
        (await site.action("eve", "/rules/much/approve", WHY | {"version": 2}))[0],
        (await site.action("eve", *APPROVE))[0],
        (await site.action("eve", "/rules/much/approve", WHY | {"version": 2}))[0],
    ]

    active = site.emitted[-1].rule
    assert [403, 403, 409, 202, 409] == statuses
    assert ("active", 2, "pat", "eve") == tuple(
        active[name] for name in ("state", "version", "proposed_by", "approved_by")
    )


async def test_what_a_rule_says_of_its_maker_is_not_believed(site: FraudSite) -> None:
    """Nor of who approved it, of its version, or that it is active."""
    claims = {"state": "active", "version": 9, "proposed_by": "ann", "approved_by": "bob"}

    await site.action("pat", "/rules", WHY | {"rule": RULE | claims})

    rule = site.emitted[-1].rule
    assert ("draft", 1, "pat") == (rule["state"], rule["version"], rule["proposed_by"])
    assert "" == rule.get("approved_by", "")
    assert 403 == (await site.action("pat", *APPROVE))[0]


async def test_a_pause_makes_nobody_the_maker_of_what_is_not_approved(site: FraudSite) -> None:
    """Else its maker could have it paused, and approve it then."""
    await site.action("pat", *PUT)
    await site.action("oda", "/rules/much/pause", WHY | {"version": 1})

    again, _ = await site.action("oda", "/rules/much/pause", WHY | {"version": 2})
    own, _ = await site.action("pat", "/rules/much/approve", WHY | {"version": 2})
    other, _ = await site.action("eve", "/rules/much/approve", WHY | {"version": 2})

    assert (409, 403, 202) == (again, own, other)


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        pytest.param(
            "/rules",
            {"rule": RULE | {"when": {"gt": [{"field": "amont"}, 1]}}},
            *(400, "rule.when.gt[0].field"),
            id="an unknown field",
        ),
        pytest.param("/rules", {"rule": RULE | {"outcome": 5}}, 400, "rule.outcome", id="a type"),
        pytest.param("/rules", {"rule": RULE | {"rule_id": []}}, 400, "rule.rule_id", id="no id"),
        pytest.param("/rules", {"rule": RULE | {"state": {}}}, 400, "rule.state", id="no state"),
        pytest.param("/rules", {"rule": 5}, 400, "rule", id="no rule"),
        pytest.param(
            "/rules",
            {"rule": RULE | {"when": {"not": {"in": [{"field": "card"}, ["k1"]]}}}},
            *(400, "rule.when"),
            id="a rule that names people",
        ),
        pytest.param(
            "/rules", {"rule": RULE, "version_before": 3}, 409, "version_before", id="an old look"
        ),
        pytest.param(PAUSE[0], {"version": 7}, 409, "version", id="a pause of another version"),
        pytest.param("/rules/none/pause", {"version": 1}, 404, "rule_id", id="an unknown rule"),
        pytest.param(
            SNOOZE[0], {"entity": "instance:1", "hours": 1}, 400, "entity", id="an unknown kind"
        ),
        pytest.param(SNOOZE[0], {"entity": "card:", "hours": 1}, 400, "entity", id="no name"),
        pytest.param(SNOOZE[0], {"entity": "card:k", "hours": -1}, 400, "hours", id="backwards"),
        pytest.param(
            SNOOZE[0], {"entity": "card:~0123456789", "hours": 1}, 404, "entity", id="no such tag"
        ),
        pytest.param(
            SNOOZE[0], {"entity": "card:@young", "hours": 1}, 409, "entity", id="no such entity"
        ),
        pytest.param("/lists", {"name": "blocked.card"}, 400, "add", id="no change"),
        pytest.param(
            "/lists", {"name": "blocked.card", "remove": ["k"]}, 409, "remove", id="not there"
        ),
        pytest.param("/lists", {"name": "../x", "add": ["k"]}, 400, "name", id="no list"),
        pytest.param("/lists", {"name": "x", "add": ["~0123"]}, 404, "add", id="a tag added"),
        pytest.param("/lists", {"name": "x", "add": [f"@{ORDER}"]}, 409, "add", id="of no kind"),
        pytest.param(DECIDE[0], {"verdict": "perhaps"}, 400, "verdict", id="no verdict"),
        pytest.param(
            "/cases/none/decide", {"verdict": "fraud"}, 404, "order_id", id="an unknown order"
        ),
        pytest.param(
            "/cases/young/decide", {"verdict": "fraud"}, 409, "order_id", id="not judged yet"
        ),
    ],
)
async def test_a_wrong_act_is_refused_by_its_place(
    site: FraudSite, path: str, body: Any, status: int, field: str
) -> None:
    """And nothing is produced."""
    before = len(site.emitted)

    answer_status, problem = await site.action("pat", path, WHY | body)

    assert (status, field) == (answer_status, problem["errors"][0]["field"]), problem
    assert before == len(site.emitted)


async def test_entities_go_on_lists_and_are_snoozed_without_being_named(site: FraudSite) -> None:
    """By the order they paid; off again by the tag that is shown."""
    await site.action("oda", "/lists", WHY | {"name": "blocked.card", "add": [f"@{ORDER}"]})
    listed = site.emitted[-1].values
    await site.action("oda", SNOOZE[0], WHY | {"entity": f"device:@{ORDER}", "hours": 2})
    asleep = site.emitted[-1].entity
    rulebook = await (await site.client.get("/fraud/rules")).json()
    (names,) = [each["names"] for each in rulebook["lists"] if each["size"]]
    (snooze,) = rulebook["snoozes"]

    off = await site.action("oda", "/lists", WHY | {"name": "blocked.card", "remove": names})
    woken = await site.action("oda", SNOOZE[0], WHY | {"entity": snooze["entity"], "hours": 0})

    assert ((EXTERNAL_SYSTEMS["card"],), f"device:{EXTERNAL_SYSTEMS['device']}") == (listed, asleep)
    assert (202, {"name": "blocked.card", "size": 0}) == off
    assert (202, asleep) == (woken[0], site.emitted[-1].entity)
    assert [] == (await (await site.client.get("/fraud/rules")).json())["snoozes"]


async def test_a_list_of_long_names_is_refused_before_anything_is_done(site: FraudSite) -> None:
    """Fewer than there may be; yet no agent would read a record of so many bytes."""
    wide = [f"{at}-" + "\U0001f600" * 120 for at in range(2_100)]
    held = ListPut(name="blocked.card", values=tuple(sorted(wide[:1_900])))
    site.publish(held)
    before = len(site.emitted)

    body = {"name": "blocked.card", "add": wide[1_900:]}
    status, problem = await site.action("oda", "/lists", WHY | body)

    assert (413, before) == (status, len(site.emitted)), problem
    assert "at most 1,000,000" in problem["detail"]


async def test_a_list_has_an_end(site: FraudSite) -> None:
    """It is one record."""
    full = ListPut(name="blocked.card", values=tuple(f"k{at}" for at in range(LIST_MAX)))
    site.publish(full)

    assert (
        409 == (await site.action("oda", "/lists", WHY | {"name": full.name, "add": ["more"]}))[0]
    )


async def test_cases_are_listed_with_what_became_of_them(site: FraudSite) -> None:
    """Open ones by age.

    What nobody holds is said to be unknown; a message emitted twice counts once.
    """
    site.publish(CaseOpened(transaction_id="older", case="late", opened_at_ms=1), event_id="twice")
    site.publish(CaseOpened(transaction_id="shut", case="review", opened_at_ms=0), event_id="shut")
    site.publish(
        CaseClosed(transaction_id="shut", case="review", fraud=True, by="ann", note="seen"), 5
    )
    site.publish(CaseOpened(transaction_id="shut", case="review", opened_at_ms=0), event_id="shut")

    first = await (await site.client.get("/fraud/cases?limit=1")).json()
    every = await (await site.client.get("/fraud/cases?state=all")).json()
    closed = await (await site.client.get("/fraud/cases?state=closed")).json()

    assert (["older"], 1, 2, 1) == (
        [each["order_id"] for each in first["cases"]],
        *(first[name] for name in ("next", "open", "closed")),
    )
    assert ["older", ORDER, "shut"] == [each["order_id"] for each in every["cases"]]
    assert [None, "review"] == [
        each["verdict"] and each["verdict"]["outcome"] for each in every["cases"][:2]
    ]
    (shut,) = closed["cases"]
    assert {"fraud": True, "by": "ann", "note": "seen", "at_ms": 5} == shut["closed"]


async def test_nobody_is_named_anywhere(site: FraudSite) -> None:
    """In what is read without signing in; the same entity has the same tag."""
    site.queries.keep("verdict", "other", check("other"))
    await site.action("oda", "/lists", WHY | {"name": "allowed.customer", "add": ["cust-77"]})
    await site.action("oda", SNOOZE[0], WHY | {"entity": "address:home-of-bob", "hours": 1})
    site.publish(NAMING)
    site.publish(as_action(NAMING, Action(who="ann", why="customer:cust-77", at_ms=AT_MS))[0])
    rules = ("", "/velocity.card", "/naming")
    paths = ("/fraud/cases", f"/fraud/cases/{ORDER}", *(f"/fraud/rules{rule}" for rule in rules))

    texts = [await site.text(path) for path in paths]
    entities = [
        (await (await site.client.get(f"/fraud/cases/{order_id}")).json())["entities"]
        for order_id in (ORDER, "other")
    ]

    for name in (*EXTERNAL_SYSTEMS.values(), "cust-77", "home-of-bob"):
        assert not any(f'"{name}"' in text or f":{name}" in text for text in texts), name
    assert set(EXTERNAL_SYSTEMS) == set(entities[0])
    assert entities[0] == entities[1]


async def test_a_rule_is_tried_on_what_was_paid(site: FraudSite) -> None:
    """A known one by its id, or one that nobody has put."""
    site.publish(paid("dear", pounds=9_000))
    site.publish(paid("cheap", 1_000))

    answer = await site.client.get("/fraud/backtest?rule_id=amount.large")
    tried = await site.client.get("/fraud/backtest", params={"rule": RULE_TEXT})
    wrong = await site.client.get("/fraud/backtest", params={"rule": "{", "from": "x"})

    backtest = (await answer.json())["found"]
    assert (2, 1, ["dear"]) == (backtest["payments"], backtest["hits"], backtest["examples"])
    assert 2 == (await tried.json())["found"]["hits"]
    assert (400, "rule") == (wrong.status, (await wrong.json())["errors"][0]["field"])


async def test_the_trial_and_the_hits_are_of_the_verdicts(site: FraudSite) -> None:
    """What is on trial beside what decided; and the metrics of the workers."""
    site.publish(verdict())
    site.publish(
        PaymentLabelled(transaction_id=ORDER, fraud=True, source="chargeback", known_at_ms=AT_MS)
    )
    fraud_psi.clear()
    fraud_psi.labels("amount").set(0.3)
    fraud_alert_rate.labels("active").set(0.01)

    report = await (await site.client.get("/fraud/trial")).json()
    rules = await (await site.client.get("/fraud/rules")).json()

    (hit,) = [rule for rule in rules["rules"] if rule["hits"]]
    assert (1, ["on.trial"]) == (report["trial"]["payments"], list(report["trial"]["rules"]))
    assert ("amount.profile", 1, 1, 1.0) == tuple(
        hit[name] for name in ("rule_id", "hits", "decided", "precision")
    )
    (worker,) = report["drift"]
    assert ("amount paid", 0.3, "moved much") == tuple(
        worker["psi"][0][name] for name in ("label", "psi", "moved")
    )
    assert 0.01 == worker["alert_rate"]["active"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"{", id="no metrics"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"payflow_fraud_psi 0.1\n", id="a figure without its name"),
        pytest.param(b"payflow_fraud_watched_verdicts NaN\n", id="no number"),
        pytest.param(b"payflow_fraud_watched_verdicts +Inf\n", id="no end"),
    ],
)
async def test_a_worker_that_answers_with_no_metrics_does_not_answer(
    site: FraudSite, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """The others and the trial are shown all the same."""

    async def body(_answer: object) -> bytes:
        return answer

    monkeypatch.setattr(fraud_rules, "read_answer", body)

    trial = await site.client.get("/fraud/trial")
    (worker,) = (await trial.json())["drift"]

    assert (200, "it does not answer", []) == (trial.status, worker["trouble"], worker["psi"])


async def test_what_cannot_be_reckoned_now_is_said_so(site: FraudSite) -> None:
    """503 with the reason, and nothing is kept of it."""
    site.trouble = "no time"
    failed = await site.client.get("/fraud/trial")
    site.trouble = ""
    again = await site.client.get("/fraud/trial")
    cached_answer = await site.client.get("/fraud/trial")

    assert (503, "no time", 200, 200) == (
        failed.status,
        (await failed.json())["detail"],
        again.status,
        cached_answer.status,
    )
    assert 2 == len(site.asked)


async def test_readers_share_what_reads_whole_topics(site: FraudSite) -> None:
    """Callers without a name have some of it together; whoever signs in has their own."""
    inside, goes_on, messages = [], asyncio.Event(), site.messages

    async def slow(topics: Sequence[Topic]) -> list[tuple[Envelope, Any]]:
        inside.append(topics)
        await asyncio.wait_for(goes_on.wait(), 10)
        return await messages(topics)

    site.client.app[FRAUD].messages = slow
    shares = site.client.app[SHARES]

    async def status(path: str, headers: dict[str, str]) -> int:
        return (await site.client.get(path, headers=headers)).status

    paths = ["/fraud/cases", "/console/fraud"] * 5
    asking = [asyncio.create_task(status(path, {})) for path in paths]
    await until(lambda: sum(task.done() for task in asking) == 6)
    assert (4, 4) == (len(inside), shares.running("read"))
    own = asyncio.create_task(status("/fraud/cases", site.machine("vic")))
    await until(lambda: len(inside) == 5)
    goes_on.set()
    statuses = sorted(await asyncio.gather(*asking))

    assert [200] * 4 + [429] * 6 == statuses
    assert (200, 200) == (await own, await status("/fraud/cases", {}))
