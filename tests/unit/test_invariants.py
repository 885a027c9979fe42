"""The process that verifies the books: balances that must be zero, and an end."""

import asyncio
import io
import threading
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from app.config import Config
from app.console.api.invariants import Invariants, balances
from app.console.api.problems import Problem
from app.kafka.errors import TopicError
from app.operations.verification import auditor

VERDICT: dict[str, Any] = {
    "ledger_imbalance_minor": 3,
    "double_charges": 1,
    "stock_drift_units": -2,
    "orders_overdue": 4,
    "checks": [{"ok": True}, {"ok": False}, {"ok": False}],
}


class Queries:
    """An auditor that sees something else each time; the second look fails."""

    def __init__(self, enough: threading.Event) -> None:
        self.count = 0
        self._enough = enough

    async def verdict(self) -> SimpleNamespace:
        self.count += 1
        if self.count == 3:
            self._enough.set()
        if self.count == 2:
            raise TopicError("no broker")
        answer = {"look": self.count}
        return SimpleNamespace(plain=lambda: answer)


class Stdin:
    """Ends when a test says so."""

    def __init__(self, ends: threading.Event) -> None:
        self._ends = ends

    def read(self) -> str:
        self._ends.wait(10)
        return ""


def test_balances_name_what_is_not_zero() -> None:
    """With the number of checks that do not hold."""
    assert {
        "ledger_imbalance_minor": 3,
        "double_charges": 1,
        "stock_drift_units": -2,
        "orders_overdue": 4,
        "checks_broken": 2,
    } == balances(VERDICT)


async def test_what_was_seen_stands_while_it_cannot_be_seen_again() -> None:
    """And it is said that it could not."""
    invariants = Invariants(Config())
    invariants.watch = lambda: None
    invariants.receive(msgspec.json.encode(VERDICT))
    good = await invariants.latest()
    invariants.receive(b'{"cannot_look": "the disk"}')
    stale = await invariants.latest()

    assert ("", "the disk") == (good["trouble"], stale["trouble"])
    assert good["balances"] == stale["balances"]


async def test_without_any_look_there_is_no_invariants() -> None:
    """The reason is said."""
    invariants = Invariants(Config())
    invariants.watch = lambda: None
    invariants.receive(b"")
    with pytest.raises(Problem, match="the verifying process has ended"):
        await invariants.latest()


def test_it_follows_until_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails is said, and the next one comes; the end of stdin is the end."""
    ends, emitted = threading.Event(), io.StringIO()
    monkeypatch.setattr(auditor, "REST_SECONDS", 0.01)
    monkeypatch.setattr(auditor.sys, "stdin", Stdin(ends))
    monkeypatch.setattr(auditor.sys, "stdout", emitted)
    asyncio.run(asyncio.wait_for(auditor.follow(Queries(ends)), 10))
    lines = [msgspec.json.decode(line) for line in emitted.getvalue().splitlines()]

    assert [{"look": 1}, {"cannot_look": "no broker"}, {"look": 3}] == lines[:3]
