"""The pages of fraud: what they show, to whom they show forms, and hostile text that stays text."""

from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from msgspec.structs import replace

from app.console.api.problems import Problem
from app.console.pages import fraud as fraud_page
from app.console.pages.rule_text import EXAMPLE, to_text
from app.worker.metrics import fraud_alert_rate, fraud_psi
from tests.support.examples.fraud import paid
from tests.support.examples.fraud_rules import rule
from tests.support.fraud_site import (
    AT_MS,
    BASIS,
    EXTERNAL_SYSTEMS,
    ORDER,
    FraudSite,
    check,
    fraud_site,
    registered,
    verdict,
)
from workflows.audit.messages import RuleChanged
from workflows.fraud.messages import CaseClosed, Contribution, PaymentLabelled
from workflows.fraud.rule_messages import RulePut, RuleSnoozed

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"
PAGES = (
    "/console/fraud?state=all",
    f"/console/fraud/cases/{quote(HOSTILE, safe='')}",
    "/console/fraud/rules?hits=1",
    "/console/fraud/rules/much?from=",
    "/console/fraud/lists",
    "/console/fraud/trial",
    "/console/fraud/propose?like=much",
    f"/console/fraud/propose?from=&rule={quote(HOSTILE)}",
)


@pytest.fixture
async def site(tmp_path: Path, aiohttp_client: Any, aiohttp_server: Any) -> FraudSite:
    """A site with one case."""
    return await fraud_site(tmp_path, aiohttp_client, aiohttp_server)


async def hostile(site: FraudSite) -> None:
    """Fill every field that is shown with what would run, were it no text."""
    basis = replace(
        BASIS,
        **dict.fromkeys(("decided_by", "model_version", "shadow_version"), HOSTILE),
        rules_version=HOSTILE,
        **dict.fromkeys(("rules", "unknown", "snoozed", "shadow_rules"), (HOSTILE,)),
        contributions=(Contribution(figure=HOSTILE, value=1.0, weight=1.0),),
        snapshot={HOSTILE: 1.0},
        aggregates={f"count|{HOSTILE}|300": 1.0},
    )
    hostile_verdict = verdict(HOSTILE, reasons=(HOSTILE,), rules_version=HOSTILE, basis=basis)
    label = PaymentLabelled(
        transaction_id=HOSTILE,
        fraud=True,
        source="analyst",
        known_at_ms=AT_MS,
        by=HOSTILE,
        note=HOSTILE,
    )
    payment = replace(paid(HOSTILE), country=HOSTILE)
    site.queries.keep(
        "verdict", HOSTILE, check(HOSTILE, verdict=hostile_verdict, label=label, paid=payment)
    )
    raw = rule(state="draft", approved_by=HOSTILE, proposed_by=HOSTILE, description=HOSTILE)
    raw |= {"when": {"eq": [{"field": "country"}, HOSTILE]}}
    action = RuleChanged(
        about="rule:much",
        who=HOSTILE,
        why=HOSTILE,
        event_id="e",
        version_before=0,
        state_before=HOSTILE,
        version=1,
        state=HOSTILE,
        rule=raw,
    )
    closed = CaseClosed(transaction_id="shut", case="review", fraud=False, by=HOSTILE, note=HOSTILE)
    asleep = RuleSnoozed(rule_id=HOSTILE, entity=f"card:{HOSTILE}", until_ms=99_999_999_999_999)
    messages = (registered(HOSTILE, reasons=(HOSTILE,)), closed, hostile_verdict, label, payment)
    for message in (*messages, RulePut(rule_id="much", rule=raw), asleep, action):
        site.publish(message)


@pytest.mark.parametrize("name", ["", "eve"])
async def test_hostile_text_stays_text(site: FraudSite, name: str) -> None:
    """On every page, for visitors and for who may act, in every field that is shown."""
    await hostile(site)
    headers = await site.page(name) if name else {}

    for path in PAGES:
        text = await site.text(path, headers)
        assert "<script>alert" not in text, path
        assert "<img" not in text, path
        assert "alert(1)" in unescape(text), path


async def test_the_queue_says_what_the_verdict_said(site: FraudSite) -> None:
    """Oldest first: score, outcome, rule, reasons, and what moved the score, in text."""
    site.publish(registered("older", 1))

    text = unescape(await site.text("/console/fraud"))

    assert text.index("/console/fraud/cases/older") < text.index(f"/console/fraud/cases/{ORDER}")
    for part in (
        "0.400",
        "? review",
        'href="/console/fraud/rules/amount.profile"',
        "amount.profile: far above what the customer usually pays",
        "amount, in times of what the customer usually pays",
        "+2.00",
        "610.00 GBP",
        "No worker holds this payment's verdict now",
    ):
        assert part in text, part
    assert 1 == text.count('<rect class="speaks-for" x="80" y="3" width="78.0"')
    assert 1 == text.count('<rect class="speaks-against" x="60.5" y="3" width="19.5"')


async def test_an_empty_queue_says_what_to_do(site: FraudSite) -> None:
    """It is not an error that nothing waits."""
    site.queries.emitted.clear()

    assert "Nothing waits for a decision" in await site.text("/console/fraud")
    assert "No case has been closed yet" in await site.text("/console/fraud?state=closed")


async def test_a_case_shows_its_entity_masked_and_what_became_of_it(site: FraudSite) -> None:
    """Its figures in text, a way to the order, its label."""
    before = unescape(await site.text(f"/console/fraud/cases/{ORDER}"))
    label = PaymentLabelled(
        transaction_id=ORDER,
        fraud=True,
        source="analyst",
        known_at_ms=AT_MS,
        by="ann",
        note="she called",
    )
    site.queries.keep("verdict", ORDER, check(case="", label=label))
    after = unescape(await site.text(f"/console/fraud/cases/{ORDER}"))

    assert "waits for a decision" in before
    assert f'href="/console/transactions/{ORDER}"' in before
    assert "payments of the card within 5 min" in before
    for kind, name in EXTERNAL_SYSTEMS.items():
        assert f"<dt>{kind}</dt><dd><code>~" in before
        assert f">{name}<" not in before
        assert f":{name}" not in before
    assert "known as fraud" in after
    assert "she called" in after


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/console/fraud/cases/none", 404, id="an unknown order"),
        pytest.param("/console/fraud/rules/none", 404, id="an unknown rule"),
        pytest.param("/console/fraud/propose?like=none", 404, id="like an unknown rule"),
        pytest.param("/console/fraud?state=odd", 400, id="an unknown state"),
        pytest.param("/console/fraud?skip=-1", 400, id="before the first"),
        pytest.param("/console/fraud/rules/velocity.card?from=noon", 400, id="no time"),
        pytest.param("/console/fraud/trial?from=2026-01-01T00:00:00", 400, id="no zone"),
    ],
)
async def test_what_is_not_there_is_a_page_that_says_so(
    site: FraudSite, path: str, status: int
) -> None:
    """Never 500."""
    answer = await site.client.get(path)

    assert (status, "text/html") == (answer.status, answer.content_type)


FORMS = [
    pytest.param("", f"cases/{ORDER}", 0, "sign-in", id="a case, for nobody"),
    pytest.param("vic", f"cases/{ORDER}", 0, "yours is viewer", id="a case, for a viewer"),
    pytest.param("oda", f"cases/{ORDER}", 3, "Decide", id="a case, for an operator"),
    pytest.param("", "rules/velocity.card", 0, "sign-in", id="a rule, for nobody"),
    pytest.param("oda", "rules/velocity.card", 2, "Pause it", id="a rule, for an operator"),
    pytest.param("oda", "rules/mine", 0, "takes the role approver", id="a draft, for an operator"),
    pytest.param("eve", "rules/mine", 0, "You proposed it", id="a draft, for its maker"),
    pytest.param("pat", "rules/mine", 1, "Make version 1 active", id="a draft, for another"),
    pytest.param("vic", "lists", 0, "yours is viewer", id="lists, for a viewer"),
    pytest.param("oda", "lists", 1, "Change it", id="lists, for an operator"),
]


@pytest.mark.parametrize(("name", "path", "forms", "sentence"), FORMS)
async def test_forms_are_for_those_who_may_act(
    site: FraudSite, name: str, path: str, forms: int, sentence: str
) -> None:
    """Others see what it takes."""
    mine = rule("mine", state="draft", approved_by="", proposed_by="eve")
    site.publish(RulePut(rule_id="mine", rule=mine))
    headers = await site.page(name) if name else {}

    text = await site.text(f"/console/fraud/{path}", headers)

    assert sentence in text
    assert forms == text.count('data-act="POST /operators/')


async def test_a_rule_is_tried_before_it_is_put(site: FraudSite) -> None:
    """What it would have done, what it changes, and that what is active ends by it."""
    site.publish(paid("dear", pounds=9_000))
    changed = {
        "rule_id": "velocity.card",
        "outcome": "review",
        "description": "dear",
        "when": {"gt": [{"field": "amount_minor"}, 500_000]},
    }
    path = f"/console/fraud/propose?from=&rule={quote(msgspec.json.encode(changed).decode())}"

    text = unescape(await site.text(path, await site.page("oda")))

    assert "/console/fraud/cases/dear" in text
    assert '-  "outcome": "block",' in text
    assert '+  "outcome": "review",' in text
    assert "the rule decides nothing" in text
    assert 'name="version_before" data-type="number" value="1"' in text


async def test_a_rule_stays_in_its_form_while_another_back_test_is_computed(
    site: FraudSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so beside the form: a page of the refusal would lose what was written."""

    async def busy(*_: Any) -> Any:
        raise Problem(429, "Too Many Requests", "another back-test is being computed")

    monkeypatch.setattr(fraud_page, "tried_rule", busy)
    answer = await site.client.get(
        "/console/fraud/propose",
        params={"rule": msgspec.json.encode(EXAMPLE).decode()},
        headers=await site.page("oda"),
    )

    text = await answer.text()
    assert (200, True) == (answer.status, "is being computed" in text)


async def test_a_rule_that_names_people_is_shown_without_them(site: FraudSite) -> None:
    """And is tried as it is."""
    condition = {"in": [{"field": "customer"}, ["c1"]]}
    site.publish(RulePut(rule_id="naming", rule=rule("naming", when=condition)))
    site.publish(paid("dear", pounds=9_000))

    texts = [
        unescape(await site.text(f"/console/fraud/{path}"))
        for path in ("rules/naming?from=", "propose?like=naming")
    ]

    assert not any('"c1"' in text for text in texts)
    assert all('{"field": "customer"}, ["~' in text for text in texts)
    assert "/console/fraud/cases/dear" in texts[0]


async def test_a_wrong_rule_is_refused_at_its_place(site: FraudSite) -> None:
    """Nothing is tried, and there is nothing to put."""
    wrong = EXAMPLE | {"when": {"gt": [{"field": "amont"}, 1]}}
    path = f"/console/fraud/propose?rule={quote(msgspec.json.encode(wrong).decode())}"

    text = unescape(await site.text(path, await site.page("oda")))

    assert "when.gt[0].field: no such field" in text
    assert 'data-act="POST /operators/fraud/rules"' not in text
    assert [] == site.asked


async def test_the_page_of_the_trial_shows_agreement_and_drift(site: FraudSite) -> None:
    """Models side by side, rules on trial, figures that moved."""
    fraud_psi.clear()
    fraud_psi.labels("night").set(0.3)
    fraud_alert_rate.labels("active").set(0.01)
    site.publish(verdict())

    text = unescape(await site.text("/console/fraud/trial"))

    assert "gbdt-on-trial" in text
    assert 'href="/console/fraud/rules/on.trial"' in text
    assert "✗ moved much" in text
    assert "1.0 % (active)" in text


async def test_what_cannot_be_reckoned_leaves_the_page_standing(site: FraudSite) -> None:
    """With the reason beside all else."""
    site.trouble = "no time for it"

    for path in ("trial", "rules/velocity.card?from=", f"propose?rule={quote(to_text(EXAMPLE))}"):
        assert "no time for it" in await site.text(f"/console/fraud/{path}"), path


@pytest.mark.parametrize("value", [EXAMPLE, [], {}, {"a": [1, {"b": "x" * 90}], "c": None}])
def test_json_is_written_so_that_people_read_it_and_machines_too(value: Any) -> None:
    """What fits into a line is on one line; it is read back as it was."""
    assert value == msgspec.json.decode(to_text(value))
    assert '{"ge": [{"count": {"of": "card", "window_seconds": 3600}}, 3]}' in to_text(EXAMPLE)
