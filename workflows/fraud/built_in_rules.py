"""The rules that Payflow begins with; any of them can be changed or paused at run time.

Amounts are minor units of the reference currency (`workflows/shared/reference_rates.py`), windows
exact. What a rule may ask for is in `FIELDS`.
"""

from typing import Any

from workflows.fraud.condition import Field
from workflows.fraud.entity import KINDS
from workflows.fraud.features import (
    CUSTOMER_MORE,
    OF_CUSTOMER,
    OF_PAYMENT,
    OF_TERMINAL,
    TERMINAL_MORE,
)
from workflows.fraud.rulebook import Book, read_rule, with_list, with_rule

FIELDS: dict[str, Field] = {
    **dict.fromkeys(("amount_minor", "hour", "weekday", *OF_PAYMENT), Field(type="number")),
    **dict.fromkeys(("guest", "currency_rated"), Field(type="flag")),
    **dict.fromkeys(("currency", "country"), Field(type="text")),
    **{kind: Field(type="text", needs=(kind,)) for kind in KINDS},
    **dict.fromkeys((*OF_CUSTOMER, *CUSTOMER_MORE), Field(type="number", needs=("customer",))),
    **dict.fromkeys((*OF_TERMINAL, *TERMINAL_MORE), Field(type="number", needs=("terminal",))),
    **{f"{kind}_known_days": Field(type="number", needs=(kind,)) for kind in KINDS},
    **{f"{kind}_confirmed_frauds": Field(type="number", needs=(kind,)) for kind in KINDS},
    "device_is_new": Field(type="number", needs=("customer", "device")),
    # A payment may have no place, nor one before it, nor a model that knows its like.
    **{name: Field(type="number", needs=(name,)) for name in ("travel_km", "travel_kmh", "score")},
}
"""The facts of a payment. Monday is weekday 0; `score` is the model's, where it knows one."""
MINUTES_5 = 300
MINUTES_10 = 600


def _count(of: str) -> dict[str, Any]:
    return {"count": {"of": of, "window_seconds": MINUTES_5}}


def _over(field: str, limit: float) -> dict[str, Any]:
    return {"gt": [{"field": field}, limit]}


def _rule(rule_id: str, outcome: str, description: str, when: Any, **more: Any) -> dict[str, Any]:
    return {
        "rule_id": rule_id,
        "state": "active",
        "outcome": outcome,
        "description": description,
        "when": when,
        "proposed_by": "payflow",
        "approved_by": "release",
        **more,
    }


def _in_list(kind: str, which: str) -> dict[str, Any]:
    return {"in": [{"field": kind}, {"list": f"{which}.{kind}"}]}


def _velocity(kind: str, limit: int) -> dict[str, Any]:
    return _rule(
        f"velocity.{kind}",
        "block",
        f"more than {limit} payments of one {kind} in 5 minutes",
        {"gt": [_count(kind), limit]},
        weight=0.6,
    )


RULES: tuple[dict[str, Any], ...] = (
    _rule(
        "list.block",
        "block",
        "on a block list",
        {"any": [_in_list(kind, "blocked") for kind in KINDS]},
        priority=100,
        weight=1.0,
    ),
    _rule(
        "list.allow",
        "allow",
        "on an allow list",
        {"any": [_in_list(kind, "allowed") for kind in KINDS]},
        priority=90,
        weight=0.0,
    ),
    _velocity("customer", 4),
    _velocity("card", 4),
    _velocity("device", 6),
    _velocity("address", 8),
    _rule(
        "velocity.amount",
        "block",
        "more than 5000.00 by one customer in 5 minutes, in several payments",
        {
            "all": [
                {"gt": [_count("customer"), 1]},
                {"gt": [{"sum": {"of": "customer", "window_seconds": MINUTES_5}}, 5_000_00]},
            ]
        },
    ),
    _rule("amount.large", "block", "above 8000.00", _over("amount_minor", 8_000_00), weight=0.6),
    _rule(
        "amount.new_customer",
        "block",
        "above 4000.00 by a new customer",
        {"all": [_over("amount_minor", 4_000_00), {"le": [{"field": "customer_known_days"}, 0]}]},
    ),
    _rule(
        "amount.guest",
        "block",
        "above 6000.00 by a guest",
        {"all": [_over("amount_minor", 6_000_00), {"eq": [{"field": "guest"}, True]}]},
    ),
    _rule(
        "amount.profile",
        "review",
        "above 500.00 and far above what the customer usually pays",
        {
            "all": [
                _over("amount_minor", 500_00),
                _over("amount_to_mean", 10),
                _over("customer_count_30d", 5),
            ]
        },
        weight=0.3,
    ),
    _rule(
        "terminal.frauds",
        "review",
        "at a terminal with confirmed frauds",
        {"ge": [{"field": "terminal_confirmed_frauds"}, 2]},
        weight=0.4,
    ),
    _rule(
        "travel.impossible",
        "block",
        "nobody travels so fast from the place of the payment before",
        {"all": [_over("travel_km", 200), _over("travel_kmh", 1_000)]},
        weight=0.7,
    ),
    _rule(
        "device.new",
        "review",
        "above 1000.00 from a device that the customer never used",
        {
            "all": [
                _over("amount_minor", 1_000_00),
                {"eq": [{"field": "device_is_new"}, 1]},
                _over("customer_known_days", 0),
            ]
        },
        weight=0.3,
    ),
    _rule(
        "card.testing",
        "block",
        "many small payments of one card, device or address were declined within 10 minutes",
        {
            "any": [
                {
                    "ge": [
                        {
                            "declines": {
                                "of": kind,
                                "window_seconds": MINUTES_10,
                                "below_minor": 10_00,
                            }
                        },
                        5,
                    ]
                }
                for kind in ("card", "device", "address")
            ]
        },
        weight=0.8,
    ),
)


def built_in() -> Book:
    """Return the initial rulebook of Payflow: its rules, and the empty lists that they read."""
    book = Book()
    for rule in RULES:
        book = with_rule(book, read_rule(rule, FIELDS))
    for which in ("blocked", "allowed"):
        for kind in KINDS:
            book = with_list(book, f"{which}.{kind}", frozenset())
    return book


BUILT_IN = built_in()
