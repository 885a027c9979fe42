"""Ids of decisions are shown where what was decided is masked: nobody checks a guess by them."""

from typing import Any

import pytest
from msgspec.structs import replace

from app.console.api.context import CONTEXT
from app.entrypoints.capture_cases import CAPTURE_CASES
from app.entrypoints.case_requests import DisputeDecision, RefundDecision, WaitingDispute
from app.entrypoints.dispute_cases import DISPUTE_CASES
from app.entrypoints.emission import Emission
from app.entrypoints.refund_cases import REFUND_CASES
from app.wire.envelope import derive_id
from app.wire.signing import keyed_digest
from tests.support.examples.cases import CAPTURE_CASE, DISPUTE_CASE, REFUND_CASE
from tests.support.operators_site import WHY, Site
from tests.support.workflow_runner import after
from workflows.payment import process as payment

REFUND = RefundDecision(
    transaction_id="o1",
    refund_key="compensation",
    failed_round=0,
    decision="settled",
    reference="bank-7",
    decided_by="pat",
)
DISPUTE = DisputeDecision(
    transaction_id="o1",
    dispute_id="du",
    decided=WaitingDispute(round=2, stage="chargeback"),
    decision="submit",
    text="it was delivered",
    decided_by="pat",
)
CASES = [
    pytest.param(REFUND_CASE, "refund-cases/compensation",
                 {"decision": "settled", "reference": "bank-7"}, REFUND_CASES.decide(REFUND),
                 id="a refund made by hand"),
    pytest.param(CAPTURE_CASE, "capture-case", {"decision": "written_off", "reference": "case-7"},
                 CAPTURE_CASES.decide("o1", 0, "written_off", "case-7", "pat"), id="a capture"),
    pytest.param(DISPUTE_CASE, "dispute", {"decision": "submit", "text": "it was delivered"},
                 DISPUTE_CASES.decide(DISPUTE), id="a dispute"),
]  # fmt: skip


async def ids_of(site: Site, story: Any, path: str, body: dict[str, str]) -> list[str]:
    """Return the ids that one decision has: of the message, and as the audit names it."""
    site.queries.keep("payment", "o1", after(payment, *story)[0])
    site.queries.emitted.clear()
    path = f"/operators/orders/o1/{path}"
    answer = await site.client.post(path, json={**WHY, **body}, headers=site.machine("pat"))
    assert 202 == answer.status
    [(action, _), (_, envelope)] = site.queries.emitted
    return [envelope.id, getattr(action, "event_id", "")]


def keyed(guess: Emission, key: str) -> str:
    """Return the id that whoever has `key` computes for what was guessed."""
    return derive_id("decision", keyed_digest(key, f"decision:{guess.event_id}".encode()))


@pytest.mark.parametrize(("story", "path", "body", "guess"), CASES)
async def test_who_guesses_a_decision_cannot_check_it_by_its_id(
    site: Site, story: Any, path: str, body: dict[str, str], guess: Emission
) -> None:
    """It takes the signing key; with it, the same decision has the same id."""
    first, again = [await ids_of(site, story, path, body) for _ in range(2)]
    [(message, _)] = site.queries.emitted[1:]
    key = site.client.app[CONTEXT].config.signing_key

    assert guess.message == message, "what is guessed is right"
    assert first == again
    assert [keyed(guess, key)] * 2 == first
    assert {guess.event_id, keyed(guess, ""), keyed(guess, "a guess")}.isdisjoint(first)


def test_a_dispute_that_was_asked_about_meanwhile_has_the_same_decision() -> None:
    """Its stage is part of it; how often the provider was asked is not."""
    other = DISPUTE_CASES.decide(replace(DISPUTE, decided=WaitingDispute(round=4, stage="x")))
    later = DISPUTE_CASES.decide(
        replace(DISPUTE, decided=WaitingDispute(round=4, stage="chargeback"))
    )
    first = DISPUTE_CASES.decide(DISPUTE)

    assert first.event_id == later.event_id
    assert first.event_id != other.event_id


def test_a_keyed_digest_is_that_of_its_key_and_its_bytes() -> None:
    """HMAC-SHA-256, as test case 2 of RFC 4231 has it."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

    assert expected == keyed_digest("Jefe", b"what do ya want for nothing?")
