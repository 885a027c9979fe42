"""A console over an instance that knows of one case, without Kafka: its topics are lists."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.auth import operators
from app.console.api.fraud import FRAUD, FraudAdmin
from app.console.server import make_api
from app.fraud.analysis.queries import READS, Answer, Question, answered
from app.registry import load_agents
from app.wire.envelope import Envelope
from tests.support.console import CONFIG, FakeWorker, directory_of
from tests.support.examples.fraud import paid
from tests.support.operators_site import Site
from workflows.fraud.built_in_rules import BUILT_IN
from workflows.fraud.messages import CaseOpened, Contribution, FraudCleared, VerdictBasis
from workflows.fraud.state import PaymentCheck
from workflows.payment.origin import Origin
from workflows.shared.message import Message, type_name
from workflows.shared.topic import Topic, topic_of

AT_MS = 1_700_000_000_000
ORDER = "last"
EXTERNAL_SYSTEMS = {
    "customer": "c1",
    "card": "card-of-ann",
    "terminal": "terminal-of-ann",
    "device": "device-of-ann",
    "address": "address-of-ann",
}
ORIGIN = Origin(
    **{f"{kind}_id": name for kind, name in EXTERNAL_SYSTEMS.items() if kind != "customer"}
)
BASIS = VerdictBasis(
    outcome="review",
    decided_by="amount.profile",
    rules=("amount.profile",),
    model_score=0.25,
    model_version="gbdt-of-a-test",
    rules_version="book-1",
    contributions=(
        Contribution(figure="amount_to_mean", value=12.0, weight=2.0),
        Contribution(figure="terminal_risk_7d", value=0.0, weight=-0.5),
    ),
    snapshot={"amount": 610.0},
    aggregates={"count|card|300": 3.0},
    shadow_rules=("on.trial",),
    shadow_score=0.5,
    shadow_version="gbdt-on-trial",
)


def verdict(order_id: str = ORDER, **changes: Any) -> FraudCleared:
    """Return the verdict of a payment that passes while a review is open."""
    facts = {
        "score": 0.4,
        "reasons": ("amount.profile: far above what the customer usually pays",),
        "rules_version": "book-1",
        "basis": BASIS,
    }
    return FraudCleared(transaction_id=order_id, **(facts | changes))


def registered(order_id: str = ORDER, at_ms: int = AT_MS, **changes: Any) -> CaseOpened:
    """Return what opens a case."""
    facts = {"case": "review", "score": 0.4, "reasons": verdict().reasons, "opened_at_ms": at_ms}
    return CaseOpened(transaction_id=order_id, **(facts | changes))


def check(order_id: str = ORDER, **changes: Any) -> PaymentCheck:
    """Return what the fraud agent remembers of the payment."""
    payment = paid(order_id, pounds=610, origin=ORIGIN)
    facts = {"paid": payment, "verdict": verdict(order_id), "case": "review", "case_at_ms": AT_MS}
    return PaymentCheck(**(facts | changes))


class FraudSite(Site):
    """A site whose topics hold the messages produced so far."""

    def __init__(self, queries: FakeWorker, client: TestClient, tokens: dict[str, str]) -> None:
        super().__init__(queries, client, tokens)
        self.count = 0
        self.trouble = ""
        self.asked: list[Question] = []

    def publish(self, message: Message, at_ms: int = AT_MS, event_id: str = "") -> None:
        """Produce `message` as a service of Payflow."""
        self.count += 1
        envelope = Envelope(
            id=event_id or f"e{self.count}",
            type=type_name(type(message)),
            source="/payflow/test",
            time_ms=at_ms,
            subject="s",
            correlation_id="s",
        )
        self.queries.emitted.append((message, envelope))

    async def messages(self, topics: Sequence[Topic]) -> list[tuple[Envelope, Any]]:
        names = {topic.name for topic in topics}
        return [
            (envelope, message)
            for message, envelope in self.queries.emitted
            if topic_of(message).name in names
        ]

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        if self.trouble:
            return Answer(trouble=self.trouble)
        return answered(question, await self.messages(READS[question.what]), BUILT_IN, {})

    async def text(self, path: str, headers: dict[str, str] | None = None) -> str:
        """Return the page at `path`, which has to be there."""
        answer = await self.client.get(path, headers=headers or {})
        assert 200 == answer.status, await answer.text()
        return await answer.text()

    async def action(self, name: str, path: str, body: Any) -> tuple[int, Any]:
        """Ask for an act as `name`; return the status, and what was said."""
        headers = self.machine(name) if name else {}
        answer = await self.client.post(f"/operators/fraud{path}", json=body, headers=headers)
        return answer.status, await answer.json()


async def fraud_site(folder: Path, aiohttp_client: Any, aiohttp_server: Any) -> FraudSite:
    """Return a site with a person of each role, one case, and one payment not judged yet."""
    load_agents()
    queries = FakeWorker()
    directory = await directory_of(queries, aiohttp_server, "fraud")
    roles = (("vic", "viewer"), ("oda", "operator"), ("pat", "approver"), ("eve", "approver"))
    operators.first_start(folder)
    tokens = {name: operators.add(folder, name, role) for name, role in roles}
    config = replace(CONFIG, data_dir=str(folder))
    app = make_api(queries, queries, directory, config)
    site = FraudSite(queries, None, tokens)
    app[FRAUD] = FraudAdmin(site.messages, site.ask, config)
    site.client = await aiohttp_client(app)
    queries.keep("verdict", ORDER, check())
    queries.keep("verdict", "young", PaymentCheck(paid=paid("young")))
    site.publish(registered())
    return site
