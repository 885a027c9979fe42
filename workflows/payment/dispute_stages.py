"""The stages of a dispute: what an operator has seen, and decides about.

Part of `workflows/payment/dispute_decisions.py`. A bank first asks, or takes the money at once. An
inquiry becomes a chargeback under the same id, so the id alone does not say what was decided.
"""

from typing import Literal

from workflows.payment.provider_dispute_messages import Status

INQUIRY = ("warning_needs_response", "warning_under_review", "warning_closed")
Kind = Literal["inquiry", "chargeback"]
BY_NOW: dict[Kind, str] = {"inquiry": "an inquiry", "chargeback": "a chargeback"}


def kind_of(status: Status | Literal[""]) -> Kind:
    """Return what a dispute of this status is."""
    return "inquiry" if status in INQUIRY else "chargeback"


def stage_of(status: Status | Literal[""], answers: int) -> str:
    """Return the stage after so many `answers` to it: `inquiry`, and `inquiry-2` after one.

    It waits again after an answer when the provider has not taken it.
    """
    kind = kind_of(status)
    return f"{kind}-{answers + 1}" if answers else kind


def kind_in(stage: str) -> str:
    """Return the kind of a stage."""
    return stage.partition("-")[0]


def title_of(stage: str) -> str:
    """Return a stage in text for people."""
    kind, _, number = stage.partition("-")
    return f"{kind}, answer {number}" if number else kind
