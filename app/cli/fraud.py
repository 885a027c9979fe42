"""`payflow fraud`: cases, labels, rules and their back-tests."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from msgspec import to_builtins
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from app.cli.fraud_rescore import moment
from app.cli.instance import AsJson, as_json, fail, out, run, running_instance
from app.fraud.analysis.backtest import Backtest, backtest
from app.fraud.analysis.fraud_admin import Action, as_action, book_now, open_cases, with_version
from app.fraud.analysis.masking import without_people
from app.kafka.messages import messages_of, publish
from app.wire.clock import now_ms
from app.wire.personal import MASK, masked, masked_text
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import FIELDS
from workflows.fraud.condition import RuleError
from workflows.fraud.entity import KINDS
from workflows.fraud.messages import PaymentLabelled
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed
from workflows.fraud.rulebook import Book, CompiledRule, Rule, Snooze, read_rule
from workflows.payment import topics as payment_topics
from workflows.shared.message import Message

By = Annotated[str, typer.Option("--by", help="Who says so.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]


def cases(*, as_json_too: AsJson = False) -> None:
    """List the open cases, the highest score first."""
    rows = run(open_cases(running_instance()))
    if as_json_too:
        as_json([masked(to_builtins(each), type(each)) for each in rows])
        return
    table = Table("transaction", "case", "score", "reasons")
    for case in rows:
        # Reasons come from outside: as Text, so that markup in them is not rendered.
        reasons = Text("\n".join(map(masked_text, case.reasons)))
        table.add_row(Text(case.transaction_id), case.case, f"{case.score:.3f}", reasons)
    out.print(table)


def decide(order_id: str, verdict: str, by: By, note: Note = "") -> None:
    """Label the payment of ORDER_ID as `fraud` or `legit`; closes its case."""
    _label(order_id, verdict, "analyst", by, note)


def chargeback(order_id: str, by: By, note: Note = "") -> None:
    """Note that the bank has charged back the payment of ORDER_ID as fraud."""
    _label(order_id, "fraud", "chargeback", by, note)


def _label(
    order_id: str, verdict: str, source: Literal["chargeback", "analyst"], by: str, note: str
) -> None:
    if verdict not in ("fraud", "legit"):
        fail(f"{verdict!r} is neither fraud nor legit", 2)
    at_ms = now_ms()
    message = PaymentLabelled(
        transaction_id=order_id,
        fraud=verdict == "fraud",
        source=source,
        known_at_ms=at_ms,
        by=by,
        note=note,
    )
    _publish(message, Action(who=by, why=note, at_ms=at_ms))
    out.print(f"{order_id}: {verdict}, recorded", markup=False)


def list_rules(*, as_json_too: AsJson = False) -> None:
    """List the current rules, lists and snoozes."""
    book: Book = run(book_now(running_instance()))
    if as_json_too:
        as_json(
            {
                "revision": book.revision,
                "rules": [_masked_rule(each.rule) for each in book.rules.values()],
                "lists": {name: len(values) for name, values in book.lists.items()},
                "snoozes": [masked(to_builtins(each), Snooze) for each in book.snoozes.values()],
            }
        )
        return
    table = Table("rule", "version", "state", "outcome", "priority", "", title=book.revision)
    for each in sorted(book.rules.values(), key=lambda one: (-one.rule.priority, one.rule.rule_id)):
        rule = each.rule
        cells = (str(rule.version), rule.state, rule.outcome, str(rule.priority))
        table.add_row(rule.rule_id, *cells, Text(rule.description))
    out.print(table)


def _masked_rule(rule: Rule) -> dict[str, object]:
    return to_builtins(rule) | {"when": without_people(rule.when, lambda _: MASK)}


def put_rule(file: Path, by: By, note: Note = "") -> None:
    """Propose the rule in FILE: as a draft or on trial at once, else by `rules approve`."""
    compiled = _read(file)
    rule = replace(compiled.rule, proposed_by=by, approved_by="")
    if rule.state == "active":
        rule = replace(rule, state="draft")
        out.print("proposed as a draft: somebody else makes it active with `rules approve`")
    _put(rule, by, note)


def approve_rule(rule_id: str, by: By, note: Note = "") -> None:
    """Make a proposed rule active; another person must have proposed it."""
    _put(replace(_current_rule(rule_id), state="active", approved_by=by), by, note)


def pause_rule(rule_id: str, by: By, note: Note = "") -> None:
    """Pause a rule until it is approved again."""
    paused = replace(_current_rule(rule_id), state="paused", proposed_by=by, approved_by="")
    _put(paused, by, note)


def snooze_rule(
    rule_id: str,
    entity: str,
    by: By,
    note: Note = "",
    hours: Annotated[float, typer.Option(min=0)] = 24.0,
) -> None:
    """Snooze a rule for ENTITY (such as customer:c1) for some hours."""
    if entity.partition(":")[0] not in KINDS:
        fail(f"{entity!r} must begin with one of {', '.join(KINDS)} and a colon", 2)
    at_ms = now_ms()
    until_ms = at_ms + round(hours * 3_600_000)
    _current_rule(rule_id)
    message = RuleSnoozed(rule_id=rule_id, entity=entity, until_ms=until_ms, by=by)
    book: Book = run(book_now(running_instance()))
    _publish(with_version(message, book), Action(who=by, why=note, at_ms=at_ms, before=book))
    out.print(f"{rule_id} sleeps for {entity}", markup=False)


def put_list(name: str, values: list[str], by: By, note: Note = "") -> None:
    """Set the whole list NAME; `blocked.card` and `allowed.customer` exist already."""
    message = ListPut(name=name, values=tuple(sorted(set(values))), by=by)
    book: Book = run(book_now(running_instance()))
    _publish(with_version(message, book), Action(who=by, why=note, at_ms=now_ms(), before=book))
    out.print(f"{name}: {len(message.values)} names", markup=False)


def try_rule(
    file: Path,
    *,
    since: Annotated[str, typer.Option("--from", help="An RFC 3339 time; empty: all.")] = "",
    as_json_too: AsJson = False,
) -> None:
    """Show what the rule in FILE would have done to all payments so far."""
    compiled, from_ms = _read(file), moment(since)
    report: Backtest = run(_tried(compiled, from_ms))
    if as_json_too:
        as_json(report)
        return
    shares = [
        "-" if share is None else f"{share:.1%}" for share in (report.precision, report.recall)
    ]
    out.print(
        f"{report.hits} of {report.payments} payments hit, {report.unknown} not known; "
        f"precision {shares[0]}, recall {shares[1]} of {report.labelled_frauds} known frauds"
    )
    for rule_id, count in report.overlap.items():
        out.print(f"  {count} also by {rule_id}", markup=False)


async def _tried(compiled: CompiledRule, from_ms: int) -> Backtest:
    config = running_instance()
    book = await book_now(config)
    emitted = await messages_of(config, [payment_topics.payments, fraud_topics.fraud_labels])
    story = sorted(
        (
            (getattr(message, "ordered_at_ms", 0) or envelope.time_ms, message)
            for envelope, message in emitted
        ),
        key=lambda each: each[0],
    )
    return backtest(compiled, book, story, from_ms)


def _current_rule(rule_id: str) -> Rule:
    book: Book = run(book_now(running_instance()))
    if rule_id not in book.rules:
        fail(f"there is no rule {rule_id!r}; there are {', '.join(sorted(book.rules))}")
    return book.rules[rule_id].rule


def _read(file: Path) -> CompiledRule:
    try:
        return read_rule(file.read_bytes(), FIELDS)
    except (OSError, RuleError) as error:
        fail(f"{file}: {error}")


def _put(rule: Rule, by: str, note: str) -> None:
    """Produce `rule` as its next version."""
    book: Book = run(book_now(running_instance()))
    entry = book.rules.get(rule.rule_id)
    version = entry.rule.version + 1 if entry else rule.version
    raw: dict[str, object] = msgspec.to_builtins(replace(rule, version=version))
    try:
        read_rule(raw, FIELDS)
    except RuleError as error:
        fail(f"refused: {error}")
    message = RulePut(rule_id=rule.rule_id, rule=raw)
    _publish(message, Action(who=by, why=note, at_ms=now_ms(), before=book))
    out.print(f"{rule.rule_id} version {version}: {rule.state}", markup=False)


def _publish(message: Message, action: Action) -> None:
    """Produce `message` and its audit record, at once.

    Ends with the reason when it may not be said.
    """
    try:
        messages = as_action(message, action)
    except msgspec.ValidationError as error:
        fail(f"refused: {error}", 2)
    run(publish(running_instance(), messages, action.at_ms))
