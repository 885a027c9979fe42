"""Rules of the fraud team, as they are proposed and as they are read."""

from typing import Any

from workflows.fraud.built_in_rules import FIELDS
from workflows.fraud.rulebook import (
    read_rule,
)

AMOUNT = {"field": "amount_minor"}
MUCH = {"gt": [AMOUNT, 100]}


def rule(rule_id: str = "much", **changes: Any) -> dict[str, Any]:
    """Return a rule that may be active."""
    return {
        "rule_id": rule_id,
        "state": "active",
        "outcome": "block",
        "description": "much",
        "when": MUCH,
        "proposed_by": "ann",
        "approved_by": "bob",
    } | changes


RULE = read_rule(
    {
        "rule_id": "above.50",
        "state": "draft",
        "outcome": "block",
        "description": "above 50.00",
        "when": {"gt": [{"field": "amount_minor"}, 50_00]},
        "proposed_by": "ann",
    },
    FIELDS,
)
