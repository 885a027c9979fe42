"""Names of topics: the role of each, and the topic, service or agent it belongs to.

Only this module builds and parses names; nothing else tests a suffix. Topics that carry messages
are declared in `workflows/*/topics.py`; those of a small workflow beside its messages.
"""

import importlib.util
import pkgutil
from functools import cache, lru_cache
from typing import Literal

import msgspec

import tables
import workflows
from app.config import Config
from tables import Table
from workflows.shared.reaction import Reactions
from workflows.shared.reaction import declared as declared_reactions
from workflows.shared.topic import Topic, declared

Kind = Literal[
    "event", "retry", "dead", "redrive", "timer", "changelog", "workers", "internal", "other"
]
"""`event`: declared, carries messages. `internal`: Kafka's own. `other`: nobody's."""

RETRY_LEVELS_SECONDS = (1, 10, 60)
"""How long an event waits before its first, second and third new try."""
WORKERS = "workers"
"""The topic on which every worker announces itself: one partition, no messages of workflows."""
NAMES_MAX = 1 << 14
"""Size of the cache of parsed names: every record needs one."""


class TopicName(msgspec.Struct, frozen=True, kw_only=True):
    """A topic's name, read."""

    text: str
    kind: Kind
    source: str = ""
    """Of `retry` and `dead`: the topic whose records come here."""
    service: str = ""
    """Of `retry`, `dead` and `changelog`: whose they are."""
    agent: str = ""
    """Of `redrive` and `timer`: who reads them."""


def load_declarations(*modules: str) -> None:
    """Import the first of `modules` that a subject has in `workflows/<subject>/`, of each."""
    _load(modules, tuple(workflows.__path__))


@cache
def _load(modules: tuple[str, ...], _folders: tuple[str, ...]) -> None:
    by_subject = {subject: each for each in reversed(modules) for subject in subjects_with(each)}
    for subject, module in sorted(by_subject.items()):
        importlib.import_module(f"workflows.{subject}.{module}")


def subjects_with(module: str) -> list[str]:
    """Return the subjects that have a `workflows/<subject>/<module>.py`, the platform's own not."""
    names = [subject.name for subject in pkgutil.iter_modules(workflows.__path__)]
    return [
        name
        for name in names
        if name != "shared" and importlib.util.find_spec(f"workflows.{name}.{module}") is not None
    ]


def load_topics() -> None:
    """Declare every topic: a new `workflows/<subject>/topics.py` is found by its name.

    A workflow without one declares its topics in what its `workflow.py` imports.
    """
    load_declarations("topics", "workflow")


def load_tables() -> None:
    """Declare every table: a new file under tables/ is found by its name."""
    load_modules("tables", tuple(tables.__path__))


@cache
def load_modules(package: str, folders: tuple[str, ...]) -> None:
    """Import every module of `package` once."""
    for module in pkgutil.iter_modules(folders, f"{package}."):
        importlib.import_module(module.name)


def traced_topics() -> tuple[Topic, ...]:
    """Return the topics whose events form the timeline of a transaction, by name."""
    load_topics()
    return tuple(topic for _, topic in sorted(declared.items()) if topic.traced)


def reactions_of(participant: str) -> Reactions:
    """Return the reactions of all workflows for `participant`.

    They are found as topics are: in `reactions.py`, or by what `workflow.py` imports.
    """
    load_topics()
    load_declarations("reactions", "workflow")
    return declared_reactions.get(participant, {})


def retry_topics(topic: str, service: str) -> tuple[str, ...]:
    """Return the retry topics of `service` for `topic`, soonest first."""
    return tuple(f"{topic}.{service}.retry-{seconds}s" for seconds in RETRY_LEVELS_SECONDS)


def dead_topic(topic: str, service: str) -> str:
    """Return the dead topic of `service` for `topic`."""
    return f"{topic}.{service}.dead"


def redrive_topic(agent: str) -> str:
    """Return the topic on which `agent` reads its redriven dead letters."""
    return f"{agent}.redrive"


def timers_topic(agent: str) -> str:
    """Return the topic on which `agent` reads its own deadlines."""
    return f"{agent}.timers"


def changelog_topic(table: Table[object]) -> str:
    """Return the changelog topic of `table`, as Faust names it."""
    return changelog_of(table.service, table.name)


def changelog_of(service: str, table: str) -> str:
    """Return the name of the changelog of `service`'s table called `table`."""
    return f"payflow-{service}-{table}-changelog"


def table_of(topic: str) -> Table[object] | None:
    """Return the table whose changelog `topic` is; None for any other topic."""
    if topic_name(topic).kind != "changelog":
        return None
    load_tables()
    every = tables.declared.values()
    return next((table for table in every if changelog_topic(table) == topic), None)


def topic_name(text: str) -> TopicName:
    """Return the parsed name `text`."""
    return TopicName(text=text, kind="event") if text in declared else _read(text)


@lru_cache(maxsize=NAMES_MAX)
def _read(text: str) -> TopicName:
    if text == WORKERS:
        return TopicName(text=text, kind="workers")
    if text.startswith("__"):
        return TopicName(text=text, kind="internal")
    if text.startswith("payflow-") and text.endswith("-changelog"):
        return TopicName(text=text, kind="changelog", service=text.split("-")[1])
    before, _, last = text.rpartition(".")
    source, _, service = before.rpartition(".")
    kind = "retry" if last.startswith("retry-") else _KINDS.get(last, "other")
    if kind in ("redrive", "timer") and before:
        return TopicName(text=text, kind=kind, agent=before)
    if kind in ("dead", "retry") and source:
        return TopicName(text=text, kind=kind, source=source, service=service)
    return TopicName(text=text, kind="other")


def kind_of_form(text: str) -> Kind:
    """Return the kind of topic that has names like `text`, whether it is declared or not."""
    return _read(text).kind


_KINDS: dict[str, Kind] = {"dead": "dead", "redrive": "redrive", "timers": "timer"}


def first_topic_of(topic: str, service: str) -> str:
    """Return the topic a record was first received on, given the one `service` read it from."""
    name = topic_name(topic)
    return name.source if name.kind == "retry" and name.service == service else topic


def partitions_of(name: str, config: Config) -> int:
    """Return how many partitions the topic `name` has, whatever its kind.

    Retry and redrive topics, timers and changelogs have as many as the rows they meet.
    """
    if name in declared:
        return declared[name].partitions or config.partitions
    return 1 if _read(name).kind in ("workers", "dead") else config.partitions
