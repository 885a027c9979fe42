"""The judge of this process: models from files, rules from `fraud.rules`.

The topic is read whole before the first payment and followed from there on. An invalid rule is
logged and counted, and changes nothing.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import structlog
from msgspec.structs import replace

from app.config import Config
from app.host.exit import hard_stop
from app.kafka.reader import declared_places, read_to_end, reader, span
from app.kafka.reader import follow as follow_topic
from app.wire import codecs
from app.wire.envelope import from_headers
from app.wire.records import Consumed, Record, as_read
from app.wire.signing import is_signed
from app.worker import metrics
from workflows.fraud import topics as fraud_topics
from workflows.fraud.built_in_rules import FIELDS
from workflows.fraud.condition import RuleError
from workflows.fraud.entity import KINDS
from workflows.fraud.model import Model, ModelError, read_model
from workflows.fraud.rule_messages import ListPut, RulePut, RuleSnoozed, Stamp
from workflows.fraud.rulebook import (
    Book,
    Snooze,
    read_rule,
    with_list,
    with_rule,
    with_snooze,
)
from workflows.fraud.verdict import Judge
from workflows.shared.message import Message
from workflows.shared.reference_rates import (
    BUILT_IN_RATES,
    RatesError,
    ReferenceRates,
    read_rates,
)

MODELS = Path(__file__).parent / "models"
TRIAL = "trial.json"
"""The file of a model that scores every payment and decides nothing."""
READ_SECONDS_MAX = 30.0
"""How long the rules may take to be read before the process gives up and is started again."""

log = structlog.get_logger(__name__)


def open_judge(config: Config) -> Judge:
    """Return the judge of `config`: the built-in rules, the models of its folder, and the rates.

    Raises ModelError or RatesError naming the file that cannot be used.
    """
    folder = Path(config.fraud_models) if config.fraud_models else MODELS
    model_by_name: dict[str, Model] = {}
    for file in sorted(folder.glob("*.json")):
        try:
            model_by_name[file.name] = read_model(file.read_bytes())
        except ModelError as error:
            raise ModelError(f"{file}: {error}") from error
    trial = model_by_name.pop(TRIAL, None)
    return Judge(models=tuple(model_by_name.values()), trial=trial, rates=open_rates(config))


def open_rates(config: Config) -> ReferenceRates:
    """Return the rates of `config`. Raises RatesError naming the file that holds none."""
    if not config.reference_rates:
        return BUILT_IN_RATES
    file = Path(config.reference_rates)
    try:
        body = file.read_bytes()
        rates = read_rates(body)
        # A decoder keeps the last of two fields of one name, and says nothing.
        json.loads(body, object_pairs_hook=_without_repetition)
    except (OSError, RatesError) as error:
        raise RatesError(f"{file}: {error}") from error
    return rates


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the fields of a JSON object. Raise RatesError where one is there twice."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise RatesError(f"{repeated} is there twice: nobody knows which of them holds")
    return fields


def at_hand(config: Config) -> dict[str, Model]:
    """Return the models of the package and those of the folder by version: verdicts name both.

    Raises ModelError naming the file that holds no model.
    """
    judges = (open_judge(replace(config, fraud_models="")), open_judge(config))
    every = (model for judge in judges for model in (*judge.models, judge.trial))
    return {model.version: model for model in every if model is not None}


class FollowedJudge:
    """The judge that follows the rules topic."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._judge = open_judge(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def task(self) -> asyncio.Task[None]:
        """Return the task that follows the topic. Raises AssertionError before it does."""
        assert self._task is not None
        return self._task

    def current(self) -> Judge:
        """Return the current judge."""
        return self._judge

    def follow(self, records: AsyncGenerator[tuple[Consumed, bool]]) -> None:
        """Apply the rules of `records` from now on."""
        self._task = asyncio.create_task(self._onward(records))
        self._task.add_done_callback(_stop_blind)

    def receive(self, record: Record) -> None:
        """Apply one record of the topic; an invalid one is logged and changes nothing."""
        if not is_signed(record, self._config):
            _refuse(record, "its signature is missing or wrong")
            return
        try:
            envelope = from_headers(record.headers)
            message = codecs.decode(record.value, envelope, record.key)
            book = changed(self._judge.book, message, envelope.time_ms)
            if book is self._judge.book:
                _refuse(record, "a later one is known: somebody has repeated it")
            self._judge = replace(self._judge, book=book)
        except Exception as error:  # noqa: BLE001  whatever a rule holds, the judging goes on
            _refuse(record, str(error))

    async def _onward(self, records: AsyncGenerator[tuple[Consumed, bool]]) -> None:
        async with aclosing(records) as opened:
            async for record, _ in opened:
                self.receive(as_read(record))


async def follow(config: Config) -> FollowedJudge:
    """Return the judge by all rules there are, which follows the topic from then on.

    Raises TimeoutError when they cannot be read.
    """
    followed = FollowedJudge(config)
    topic = fraud_topics.fraud_rules.name
    async with asyncio.timeout(READ_SECONDS_MAX), reader(config) as consumer:
        begins, ends = await span(consumer, declared_places(topic, config))
        async for record in read_to_end(consumer, begins, ends):
            followed.receive(as_read(record))
    followed.follow(follow_topic(config, topic, ends))
    return followed


def _stop_blind(task: asyncio.Task[None]) -> None:
    # A worker that no longer reads the rules would judge by old ones without noticing.
    if not task.cancelled() and (error := task.exception()) is not None:
        hard_stop(f"the rules cannot be followed: {error}")


def _refuse(record: Record, why: str) -> None:
    metrics.rules_refused.inc()
    log.error("fraud rule refused", why=why, offset=record.offset)


def changed(book: Book, message: Message, at_ms: int = 0) -> Book:
    """Return `book` after `message` of the rules topic, produced at `at_ms`. Raises RuleError.

    A message that was put before the latest one of its key changes nothing: anybody who may write
    to the topic can repeat an old record, whose signature is right.
    """
    if not isinstance(message, RulePut | ListPut | RuleSnoozed):
        return book
    after = _changed(book, message)
    version = message.rule.get("version", 1) if isinstance(message, RulePut) else message.version
    stamp = Stamp(version=version, at_ms=at_ms)
    return _with_stamp(after, fraud_topics.by_rule(message), stamp) or book


def _changed(book: Book, message: RulePut | ListPut | RuleSnoozed) -> Book:
    match message:
        case RulePut(rule_id=rule_id, rule=raw):
            compiled = read_rule(raw, FIELDS)
            if compiled.rule.rule_id != rule_id:
                raise RuleError("rule_id", f"is {compiled.rule.rule_id}, published as {rule_id}")
            return with_rule(book, compiled)
        case ListPut(name=name, values=values):
            return with_list(book, name, frozenset(values))
        case RuleSnoozed(rule_id=rule_id, entity=entity, until_ms=until_ms):
            if entity.partition(":")[0] not in KINDS:
                raise RuleError("entity", f"must begin with one of {', '.join(KINDS)} and a colon")
            return with_snooze(book, Snooze(rule_id=rule_id, entity=entity, until_ms=until_ms))


def _with_stamp(book: Book, key: str, stamp: Stamp) -> Book | None:
    """Return `book` with `stamp`; None where it knows a later one of `key`."""
    if book.stamps.get(key, stamp) > stamp:
        return None
    return replace(book, stamps={**book.stamps, key: stamp})


def next_version(book: Book, key: str) -> int:
    """Return the version of the next message of `key`."""
    return book.stamps.get(key, Stamp()).version + 1
