"""Who looks at the books again and again: balances that must be zero, and an end."""

import asyncio
import io
import threading
from typing import Any

import msgspec
import pytest

from app.config import Config
from app.console.api.invariants import Proof, balances
from app.console.api.problems import Problem
from app.kafka.admin import TopicError
from app.operations.verification import auditor as verify

VERDICT: dict[str, Any] = {
    "ledger_imbalance_minor": 3,
    "double_charges": 1,
    "stock_drift_units": -2,
    "orders_overdue": 4,
    "checks": [{"ok": True}, {"ok": False}, {"ok": False}],
}


class Looks:
    """An auditor that sees something else each time; the second look fails."""

    def __init__(self, enough: threading.Event) -> None:
        self.count = 0
        self._enough = enough

    async def verdict(self) -> dict[str, int]:
        self.count += 1
        if self.count == 3:
            self._enough.set()
        if self.count == 2:
            raise TopicError("no broker")
        return {"look": self.count}


class Stdin:
    """Ends when it is told to."""

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
    proof = Proof(Config())
    proof.watch = lambda: None
    proof.hear(msgspec.json.encode(VERDICT))
    good = await proof.latest()
    proof.hear(b'{"cannot_look": "the disk"}')
    stale = await proof.latest()

    assert ("", "the disk") == (good["trouble"], stale["trouble"])
    assert good["balances"] == stale["balances"]


async def test_without_any_look_there_is_no_proof() -> None:
    """The reason is said."""
    proof = Proof(Config())
    proof.watch = lambda: None
    proof.hear(b"")
    with pytest.raises(Problem, match="who looks has ended"):
        await proof.latest()


def test_it_follows_until_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails is said, and the next one comes; the end of stdin is the end."""
    ends, told = threading.Event(), io.StringIO()
    monkeypatch.setattr(verify, "REST_SECONDS", 0.01)
    monkeypatch.setattr(verify.sys, "stdin", Stdin(ends))
    monkeypatch.setattr(verify.sys, "stdout", told)
    asyncio.run(asyncio.wait_for(verify.follow(Looks(ends)), 10))
    lines = [msgspec.json.decode(line) for line in told.getvalue().splitlines()]

    assert [{"look": 1}, {"cannot_look": "no broker"}, {"look": 3}] == lines[:3]
