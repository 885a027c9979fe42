"""A console over a house that knows of one case, without Kafka: topics are what was told."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiohttp.test_utils import TestClient
from msgspec.structs import replace

from app.auth import operators as people
from app.composition import open_rooms
from app.config import Config
from app.console.api.fraud import FRAUD, FraudDesk
from app.console.server import make_api
from app.fraud.analysis.queries import READS, Answer, Question, answered
from app.wire.envelope import Envelope
from app.wire.topics import Topic, topic_of
from app.worker.discovery import Directory, Worker
from app.worker.http import make_site
from tests.unit.test_api import CONFIG, FakeHouse
from tests.unit.test_api_acting import Site
from tests.unit.test_fraud import paid
from workflows.fraud.built_in_rules import BUILT_IN
from workflows.fraud.messages import CaseOpened, Contribution, FraudCleared, Judgment
from workflows.fraud.state import Checked
from workflows.payment.origin import Origin
from workflows.shared.message import Message, type_name

AT_MS = 1_700_000_000_000
ORDER = "last"
PARTIES = {
    "customer": "c1",
    "card": "card-of-ann",
    "terminal": "terminal-of-ann",
    "device": "device-of-ann",
    "address": "address-of-ann",
}
ORIGIN = Origin(**{f"{kind}_id": name for kind, name in PARTIES.items() if kind != "customer"})
JUDGMENT = Judgment(
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
    """Return what let the payment through while somebody looks."""
    facts = {
        "score": 0.4,
        "reasons": ("amount.profile: far above what the customer usually pays",),
        "rules_version": "book-1",
        "judgment": JUDGMENT,
    }
    return FraudCleared(order_id=order_id, **(facts | changes))


def opened(order_id: str = ORDER, at_ms: int = AT_MS, **changes: Any) -> CaseOpened:
    """Return what opens a case."""
    facts = {"case": "review", "score": 0.4, "reasons": verdict().reasons, "opened_at_ms": at_ms}
    return CaseOpened(order_id=order_id, **(facts | changes))


def checked(order_id: str = ORDER, **changes: Any) -> Checked:
    """Return what the fraud room remembers of the payment."""
    payment = paid(order_id, pounds=610, origin=ORIGIN)
    facts = {"paid": payment, "verdict": verdict(order_id), "case": "review", "case_at_ms": AT_MS}
    return Checked(**(facts | changes))


class FraudSite(Site):
    """A site whose topics are what the house was told, and what it is told by and by."""

    def __init__(self, house: FakeHouse, client: TestClient, tokens: dict[str, str]) -> None:
        super().__init__(house, client, tokens)
        self.count = 0
        self.trouble = ""
        self.asked: list[Question] = []

    def tell(self, word: Message, at_ms: int = AT_MS, event_id: str = "") -> None:
        """Let a service of the house say `word`."""
        self.count += 1
        head = Envelope(
            id=event_id or f"e{self.count}",
            type=type_name(type(word)),
            source="/payflow/test",
            time_ms=at_ms,
            subject="s",
            correlation_id="s",
        )
        self.house.told.append((word, head))

    async def words(self, wanted: Sequence[Topic]) -> list[tuple[Envelope, Any]]:
        names = {topic.name for topic in wanted}
        return [(head, word) for word, head in self.house.told if topic_of(word).name in names]

    async def ask(self, asked: Question) -> Answer:
        self.asked.append(asked)
        if self.trouble:
            return Answer(trouble=self.trouble)
        return answered(asked, await self.words(READS[asked.what]), BUILT_IN, {})

    async def text(self, path: str, headers: dict[str, str] | None = None) -> str:
        """Return the page at `path`, which has to be there."""
        answer = await self.client.get(path, headers=headers or {})
        assert 200 == answer.status, await answer.text()
        return await answer.text()

    async def act(self, name: str, path: str, body: Any) -> tuple[int, Any]:
        """Ask for an act as `name`; return the status, and what was said."""
        headers = self.machine(name) if name else {}
        answer = await self.client.post(f"/operators/fraud{path}", json=body, headers=headers)
        return answer.status, await answer.json()


async def fraud_site(folder: Path, aiohttp_client: Any, aiohttp_server: Any) -> FraudSite:
    """Return a site with a person of each role, one case, and one payment not judged yet."""
    open_rooms()
    house = FakeHouse()
    server = await aiohttp_server(make_site(house, Config()))
    worker = Worker(
        service="fraud",
        url=str(server.make_url("")).rstrip("/"),
        pid=1,
        at_ms=time.time_ns() // 1_000_000 + 60_000,
        ready=True,
        partitions=house.partitions(),
    )
    directory = Directory()
    directory.hear(msgspec.json.encode(worker))
    roles = (("vic", "viewer"), ("oda", "operator"), ("pat", "approver"), ("eve", "approver"))
    people.first_start(folder)
    tokens = {name: people.add(folder, name, role) for name, role in roles}
    config = replace(CONFIG, data_dir=str(folder))
    app = make_api(house, directory, config)
    site = FraudSite(house, None, tokens)
    app[FRAUD] = FraudDesk(site.words, site.ask, config)
    site.client = await aiohttp_client(app)
    house.keep("verdict", ORDER, checked())
    house.keep("verdict", "young", Checked(paid=paid("young")))
    site.tell(opened())
    return site
