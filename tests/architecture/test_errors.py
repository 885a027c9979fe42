"""What Payflow raises derives from one error, whose kind says its HTTP status and exit code."""

import ast
from typing import get_args

from app.cli.instance import EXIT_CODES, EXIT_FAILED, EXIT_USAGE
from app.config import ConfigError
from app.console.api.problems import OUR_FAULT, STATUSES, problem_of
from app.kafka.errors import NoSuchTopic, TopicError
from app.operations.replay.run import ReplayError
from app.operations.search.query import BadTerm
from tests.support.source import modules, nodes
from workflows.shared.errors import ErrorKind, PayflowError

BUILT_IN = frozenset({"Exception", "ValueError", "RuntimeError", "KeyError", "OSError"})
NOT_OURS = frozenset({"StripeError"})
"""What the simulated provider answers has the shape of Stripe's errors."""


def test_what_payflow_raises_derives_from_its_error() -> None:
    """A class of an exception has another of ours, or PayflowError, as its first base."""
    others = {
        f"{module.name}.{node.name}"
        for module in modules()
        for node in nodes(module)
        if isinstance(node, ast.ClassDef) and node.bases and node.name != PayflowError.__name__
        if getattr(node.bases[0], "id", "") in BUILT_IN and node.name not in NOT_OURS
    }

    assert set() == others


def test_every_kind_has_a_status() -> None:
    """And an exit code: usage for what was asked wrongly."""
    assert set(get_args(ErrorKind)) == set(STATUSES)
    assert EXIT_USAGE == EXIT_CODES[ConfigError.kind] == EXIT_CODES[ReplayError.kind]
    assert EXIT_FAILED == EXIT_CODES.get(TopicError.kind, EXIT_FAILED)


def test_an_error_becomes_a_problem_by_its_kind() -> None:
    """With its text and field, except where the fault is ours."""
    problems = [
        problem_of(error)
        for error in (BadTerm("no", "cel"), NoSuchTopic("none"), TopicError("not now"))
    ]

    assert [(400, "no", "cel"), (404, "none", ""), (503, "not now", "")] == [
        (problem.status, str(problem), problem.field) for problem in problems
    ]
    assert {"Retry-After": "1"} == problems[-1].headers
    assert OUR_FAULT == str(problem_of(PayflowError("a path of this machine")))
