"""`payflow trace`: what is next and what waited, in a terminal that no event can command."""

from typing import Any

import msgspec
import pytest

from app.cli.instance import out
from app.cli.trace import show
from workflows.shared.journal import JournalEntry

ESCAPE = "\x1b[2J"


def transaction(**changed: Any) -> dict[str, Any]:
    """Return a transaction of two events as the API produces it."""
    first = JournalEntry(id="a", type=f"payflow.order.placed{ESCAPE}", source="/payflow/console")
    events = [
        msgspec.structs.replace(first, time_ms=1_000),
        msgspec.structs.replace(first, id="b", causation_id="a", time_ms=1_150, received_ms=1_120),
    ]
    order = {
        "status": "retrying",
        "placed_at_ms": 1_000,
        "country": ESCAPE,
        "cause": None,
        "detail": "",
        "amounts": {"total_minor": 500, "currency": "GBP"},
        "pending_steps": [
            {"what": "the carrier", "since_ms": 1_000, "until_ms": 2_000, "then": "it goes back"}
        ],
    }
    call = {"who": "the provider", "what": "again", "tries": 2, "reason": ESCAPE, "next_ms": 5}
    return {
        "correlation_id": f"o1{ESCAPE}",
        "order": order,
        "retried_calls": [call],
        "events": [msgspec.to_builtins(event) for event in events],
        "rows": {},
        "partial": False,
        **changed,
    }


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no line is broken."""
    monkeypatch.setenv("COLUMNS", "200")


def test_the_answers_of_the_page_are_printed(capsys: pytest.CaptureFixture[str]):
    """What is awaited, who is asked again, what waited and what worked."""
    show(transaction())

    output = capsys.readouterr().out
    assert "waits for the carrier" in output
    assert "overdue by" in output
    assert "the provider is asked again, 2 times in vain" in output
    assert "120 ms" in output
    assert "30 ms" in output


def test_each_return_is_printed_with_its_computation(capsys: pytest.CaptureFixture[str]):
    """Or with why it is refused; no text of it commands the terminal."""
    back = {"return_id": f"r1{ESCAPE}", "state": "accepted", "amount_minor": 198, "reason": ""}
    accepted_return = {**back, "computation": "2.00 GBP items - 0.02 GBP discount"}
    refused = {
        **back,
        "return_id": "r2",
        "state": "refused",
        "reason": "more of mug",
        "computation": "",
    }

    show(transaction(order={**transaction()["order"], "returns": [accepted_return, refused]}))

    output = capsys.readouterr().out
    assert "is accepted: 1.98 GBP (2.00 GBP items - 0.02 GBP discount)" in output
    assert "return r2 is refused: 1.98 GBP (more of mug)" in output
    assert ESCAPE not in output


def test_a_narrow_terminal_shows_events_without_the_waterfall(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Names are whole: they are worth more than the picture."""
    monkeypatch.setattr(out, "width", 80)

    show(
        transaction(
            events=[msgspec.to_builtins(JournalEntry(id="a", type="payflow.order.placed.v1"))]
        )
    )

    output = capsys.readouterr().out
    assert "order.placed" in output
    assert "…" not in output
    assert "█" not in output


def test_nothing_of_an_event_commands_the_terminal(capsys: pytest.CaptureFixture[str]):
    """Escapes are spelled out wherever they stand."""
    show(transaction())

    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert r"\x1b[2J" in output


def test_an_accepted_order_and_an_empty_journal_are_said(capsys: pytest.CaptureFixture[str]):
    """Not an error: it was emitted this moment."""
    show(transaction(order=None, events=[], tried=[]))

    output = capsys.readouterr().out
    assert "accepted" in output
    assert "no events yet" in output
