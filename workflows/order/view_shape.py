"""The shape of an order as people and the API read it. Amounts are minor units, times are ms."""

from typing import NotRequired, TypedDict

from workflows.order.disputes import ShownDispute


class ShownStep(TypedDict):
    """One step: waiting or done, since when, and until when it may wait."""

    status: str
    at_ms: int | None
    due_at_ms: int | None


class ShownSteps(TypedDict):
    """Every step of an order."""

    placed: ShownStep
    payment: ShownStep
    inventory: ShownStep
    fraud: ShownStep
    shipping: ShownStep
    delivery: ShownStep


class ShownAction(TypedDict):
    """What the customer has to do."""

    kind: str
    url: str
    until_ms: int


class Amounts(TypedDict):
    """What was to be paid, held, charged and refunded."""

    currency: str
    total_minor: int
    authorized_minor: int
    charged_minor: int
    refunded_minor: int


class ShownUnavailable(TypedDict):
    """A line that does not ship, and what is not charged for it."""

    line: int
    sku: str
    quantity: int
    amount_minor: int


class ShownPartial(TypedDict):
    """What does not ship although the order does."""

    unavailable: list[ShownUnavailable]
    charged_minor: int
    not_charged_minor: int
    text: str


class ShownReturn(TypedDict):
    """One return, and how its amount comes about."""

    return_id: str
    state: str
    amount_minor: int
    refunded: bool
    held: bool
    by_bank: bool
    restocked: bool
    reason: str
    goodwill: bool
    computed: dict[str, int] | None
    computation: str


class ShownLine(TypedDict):
    """One line: the units shipped and accepted back, and the price."""

    line: int
    sku: str
    quantity: int
    amount_minor: int
    shipped: int
    unavailable: int
    returned: int


class ShownOrder(TypedDict):
    """One order; `lines` where it is shown by itself."""

    order_id: str
    state: str
    country: str
    steps: ShownSteps
    action: ShownAction | None
    overdue: list[str]
    cause: str | None
    detail: str
    amounts: Amounts
    partial: ShownPartial | None
    confirmed_at_ms: int | None
    ended_at_ms: int | None
    stuck_at_ms: int | None
    returns: list[ShownReturn]
    disputes: list[ShownDispute]
    lines: NotRequired[list[ShownLine]]
