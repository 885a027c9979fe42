"""Back-tests: what a rule would have done to past payments: hits, precision, recall, overlap."""

from collections import Counter
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from app.fraud.analysis.offline import Offline
from workflows.fraud.messages import FraudCleared, FraudDetected, VerdictBasis
from workflows.fraud.rulebook import Book, CompiledRule, with_rule
from workflows.fraud.state import label_in
from workflows.fraud.verdict import Judge
from workflows.shared.message import Message


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a back-test. A share is None where its denominator is zero."""

    payments: int
    hits: int
    unknown: int
    """Payments for which the rule was unknown."""
    labelled_frauds: int
    true_hits: int
    precision: float | None
    recall: float | None
    overlap: dict[str, int]
    """Hits that an active rule hit too, by that rule."""
    examples: tuple[str, ...]
    """The first orders hit."""


EXAMPLES = 10
TRIED = "tried"


def backtest(
    rule: CompiledRule, book: Book, story: Iterable[tuple[int, Message]], from_ms: int = 0
) -> Backtest:
    """Return what `rule` would have done beside `book`.

    `story` are payments, failures and labels with their times, in order; those before `from_ms` are
    applied and not counted.
    """
    instance = Offline(Judge(book=with_rule(book, _active(rule))))
    judged: dict[str, VerdictBasis] = {}
    frauds: dict[str, bool] = {}
    for at_ms, message in story:
        label = label_in(message, at_ms)
        if label is not None:
            frauds[label.transaction_id] = label.fraud
        for emitted in instance.receive(message, at_ms):
            is_verdict = isinstance(emitted, FraudDetected | FraudCleared)
            if is_verdict and emitted.basis is not None and at_ms >= from_ms:
                judged[emitted.transaction_id] = emitted.basis
    return _summed(judged, {order_id for order_id, fraud in frauds.items() if fraud})


def _active(rule: CompiledRule) -> CompiledRule:
    # As an active rule, so that an unknown result is reported; under a name of its own.
    tried = replace(rule.rule, rule_id=TRIED, state="active", priority=0)
    return replace(rule, rule=tried)


def _summed(judged: dict[str, VerdictBasis], frauds: set[str]) -> Backtest:
    hit = {order_id: each.rules for order_id, each in judged.items() if TRIED in each.rules}
    judged_frauds = frauds & judged.keys()
    true_hits = len(judged_frauds & hit.keys())
    overlap = Counter(rule_id for rules in hit.values() for rule_id in rules if rule_id != TRIED)
    return Backtest(
        payments=len(judged),
        hits=len(hit),
        unknown=sum(TRIED in each.unknown for each in judged.values()),
        labelled_frauds=len(judged_frauds),
        true_hits=true_hits,
        precision=true_hits / len(hit) if hit else None,
        recall=true_hits / len(judged_frauds) if judged_frauds else None,
        overlap=dict(overlap.most_common()),
        examples=tuple(sorted(hit)[:EXAMPLES]),
    )
