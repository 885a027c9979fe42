"""The routes of operators' actions on orders and their money."""

from app.console.api import (
    capture_cases,
    dispute_cases,
    goodwill,
    operator_actions,
    refund_cases,
    settlement,
)
from app.console.api.route_kinds import action

MONEY_ROUTES = (
    action(
        "operator",
        "/operators/orders/{order_id}/cancel",
        operator_actions.cancel,
        "Cancel as an operator",
        operator_actions.CancelByOperator,
    ),
    action(
        "operator",
        "/operators/orders/{order_id}/refund",
        operator_actions.refund,
        "Refund money, or propose it",
        operator_actions.RefundAsked,
    ),
    action(
        "approver",
        "/operators/orders/{order_id}/refund/{refund_id}/approve",
        operator_actions.approve,
        "Approve what somebody else proposed",
        operator_actions.ApprovalAsked,
    ),
    action(
        "approver",
        "/operators/orders/{order_id}/goodwill",
        goodwill.give,
        "Refund more than returns are worth",
        goodwill.GoodwillAsked,
    ),
    action(
        "approver",
        "/operators/orders/{order_id}/refund-cases/{refund_key}",
        refund_cases.decide,
        "Decide what becomes of a refund that has failed",
        refund_cases.DecisionAsked,
    ),
    action(
        "approver",
        "/operators/orders/{order_id}/capture-case",
        capture_cases.decide,
        "Decide what becomes of a shipped order whose money cannot be taken",
        capture_cases.CaptureDecisionAsked,
    ),
    action(
        "approver",
        "/operators/orders/{order_id}/dispute",
        dispute_cases.answer,
        "Answer a dispute with evidence, or give it up",
        dispute_cases.DisputeAnswerAsked,
    ),
    action(
        "operator",
        "/operators/settle",
        settlement.settle,
        "Read balance transactions and payouts now",
        settlement.SettlementAsked,
        200,
    ),
)
