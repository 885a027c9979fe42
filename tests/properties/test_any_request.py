"""Requests made from the document of the API: whatever they hold, the answers are as it says.

Schemathesis makes them, right ones and wrong ones, and holds all of its checks against the answers.
They are sent by an operator, by a client and by nobody. `make security` sends more than 5,000.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from aiohttp import web
from hypothesis import settings

from app.console.api import access, dead_letter_actions, dead_letters
from app.console.api.openapi import describe
from app.console.api.operator_actions import PROPOSALS
from app.console.api.routes import ROUTES
from app.console.api.settlement import SETTLEMENT
from app.gateways.settlement_position import SettlementFigures
from app.operations.dead_letters.redrive import DeadLetterError
from tests.support.clients import bearer
from tests.support.document_requests import Finding, Sent, all_checks, send
from tests.support.loopback import served
from tests.support.samples import filled
from tests.support.seeded_console import Seeded, replace_by_lists, seeded_console

FEW, FEW_PHASES = 1, ("fuzzing",)
MANY_PHASES = ("examples", "coverage", "fuzzing", "stateful")
DEFAULT_EXAMPLES = 100
STREAMS = {route.path for route in ROUTES if route.stream}
"""They have no end: a client would wait for it."""
DOCUMENT = describe(tuple(route for route in ROUTES if not route.stream))
OPERATIONS = {
    f"{method.upper()} {path}"
    for path, methods in DOCUMENT["paths"].items()  # type: ignore[attr-defined]
    for method in methods
}


class Explained(NamedTuple):
    """Why an answer may be another than a check expects: by check, operation and detail."""

    check: str
    operation: str
    detail: str
    why: str


ACCEPTED, TOPIC = "positive_data_acceptance", r"GET /topics/\{name\}/(records|export)"
EXPLAINED: tuple[Explained, ...] = (
    Explained(
        *(ACCEPTED, ".*", r"^[^:]+: Expected `int[^`]*`, got `float`$"),
        "JSON Schema takes 5.0 for a whole number; money is never read from a float",
    ),
    Explained(
        *(ACCEPTED, "POST /operators/dead-letters/discard", "^place: say which dead letters$"),
        "one of eight fields has to choose: nobody discards all of them by an empty body",
    ),
    Explained(
        *(ACCEPTED, "POST /operators/dead-letters/edit", "^headers: header "),
        "an edit sets no header of ours but the type; the document names no headers",
    ),
    Explained(
        *(ACCEPTED, "POST /orders", "^ordered_at_ms: it is later than now"),
        "JSON Schema knows no time of today",
    ),
    Explained(
        *(ACCEPTED, "POST /operators/fraud/lists", "^add: say what to add or to remove$"),
        "one of two fields has to name something",
    ),
    Explained(
        *(ACCEPTED, "(POST /operators/fraud/rules|GET /fraud/backtest)", r"^rule[.\w\[\]]*: "),
        "a rule has a language of its own: docs/fraud.md",
    ),
    Explained(
        *(ACCEPTED, "GET /fraud/.*", "^from: .*: the year is not from"),
        "JSON Schema knows no range of times",
    ),
    Explained(
        ACCEPTED,
        r"POST /operators/orders/\{order_id\}/(capture-case|refund-cases/.*|dispute)",
        "^(reference|text): say ",
        "some decisions need a text, others do not",
    ),
    Explained(
        *(ACCEPTED, "GET /(tables|history|topics)/.*", "^partition: "),
        "how many there are depends on the topic",
    ),
    Explained(
        *(ACCEPTED, TOPIC, "^(cursor|from|cel|q): "),
        "each has a grammar, and the refusal says which",
    ),
    Explained(
        *(ACCEPTED, r"GET /transactions/\{order_id\}", "^at: at must be a whole number from 0 to"),
        "how many moments there are depends on the transaction",
    ),
    Explained(
        *(ACCEPTED, "POST /orders", "^country: .*ISO 3166-1"),
        "a country is taken by its English name too, however it is written",
    ),
    Explained(
        *(ACCEPTED, "POST /orders", r"^lines(\[\d+\])?: (the (order's )?total|give either)"),
        "a sum, and either of two fields",
    ),
    Explained(
        *(ACCEPTED, "POST /orders", "^Idempotency-Key: this Idempotency-Key was used for another"),
        "the same key with another order is a mistake of the client",
    ),
    Explained(
        *(ACCEPTED, "POST /webhooks/.*", "^[A-Za-z-]+-Signature: the (time of the )?signature"),
        "without the secret nobody can sign",
    ),
)


def is_explained(finding: Finding) -> bool:
    """Return whether one of EXPLAINED says why."""
    return any(
        each.check == finding.check
        and re.fullmatch(each.operation, finding.operation)
        and re.search(each.detail, details_of(finding))
        for each in EXPLAINED
    )


def details_of(finding: Finding) -> str:
    """Return what a problem says of its fields; whatever else is answered explains nothing."""
    try:
        problem = msgspec.json.decode(finding.answer)
    except msgspec.DecodeError:
        return ""
    errors = problem.get("errors", ()) if isinstance(problem, dict) else ()
    return "; ".join(f"{each['field']}: {each['detail']}" for each in errors)


class Console:
    """A console on loopback, and the headers of each caller."""

    def __init__(self, url: str, seeded: Seeded) -> None:
        self.url = url
        self.callers: Mapping[str, Mapping[str, str]] = {
            "operator": seeded.approver,
            "client": bearer(seeded.client_key),
            "nobody": {},
        }

    def sent(self, caller: str, phases: Sequence[str], most: int) -> Sent:
        """Return what was asked by `caller`."""
        return send(DOCUMENT, self.url, self.callers[caller], phases, most)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """A seeded console of which everything works; rates are not what is tested."""

    def busy_redriver(_config: Any) -> Any:
        raise DeadLetterError("dead letters are being sent back already")

    async def figures() -> SettlementFigures:
        return filled(SettlementFigures, "")

    async def no_proposal(_order_id: str, _refund_id: str) -> None:
        return None

    replace_by_lists(monkeypatch)
    monkeypatch.setattr(access, "ACTS_BURST", 1_000_000)
    monkeypatch.setattr(access, "SIGN_IN_BURST", 1_000_000)
    monkeypatch.setattr(dead_letter_actions, "redriver", busy_redriver)
    monkeypatch.setattr(dead_letters, "redriver", busy_redriver)
    seeded_consoles: list[Seeded] = []

    async def make() -> web.Application:
        seeded, worker = await seeded_console(tmp_path)
        seeded.app[PROPOSALS] = no_proposal
        monkeypatch.setattr(seeded.app[SETTLEMENT], "settle", figures)

        async def close(_app: web.Application) -> None:
            await worker.close()

        seeded.app.on_cleanup.append(close)
        seeded_consoles.append(seeded)
        return seeded.app

    with served(make) as url:
        yield Console(url, seeded_consoles[0])


@pytest.mark.parametrize("caller", ["operator", "client", "nobody"])
def test_every_answer_is_as_the_document_says(console: Console, caller: str) -> None:
    """No 5xx, no status, type, header or shape that is not described, nothing without a right."""
    examples = settings().max_examples
    is_short = examples <= DEFAULT_EXAMPLES
    phases = FEW_PHASES if is_short else MANY_PHASES
    most = FEW if is_short else -(-examples // (len(OPERATIONS) * len(console.callers)))
    sent = console.sent(caller, phases, most)

    wrong = [each for each in sent.findings if not is_explained(each)]
    assert [] == list({each[:2]: each for each in wrong}.values())
    assert OPERATIONS == set(sent.cases)
    assert all_checks() == sent.checks
