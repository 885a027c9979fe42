"""The routes of operators' actions on rules, lists and cases of fraud."""

from app.console.api import fraud_actions
from app.console.api.route_kinds import action

FRAUD_ROUTES = (
    action(
        "operator",
        "/operators/fraud/cases/{order_id}/decide",
        fraud_actions.decide,
        "Say whether a payment was fraud",
        fraud_actions.Decided,
    ),
    action(
        "operator",
        "/operators/fraud/rules",
        fraud_actions.put,
        "Propose a rule",
        fraud_actions.RuleAsked,
    ),
    action(
        "approver",
        "/operators/fraud/rules/{rule_id}/approve",
        fraud_actions.approve,
        "Make a rule active that somebody else proposed",
        fraud_actions.VersionAsked,
    ),
    action(
        "operator",
        "/operators/fraud/rules/{rule_id}/pause",
        fraud_actions.pause,
        "Let a rule say nothing",
        fraud_actions.VersionAsked,
    ),
    action(
        "operator",
        "/operators/fraud/rules/{rule_id}/snooze",
        fraud_actions.snooze,
        "Let a rule say nothing about one entity",
        fraud_actions.SnoozeAsked,
    ),
    action(
        "operator",
        "/operators/fraud/lists",
        fraud_actions.change_list,
        "Change a list",
        fraud_actions.ListAsked,
    ),
)
