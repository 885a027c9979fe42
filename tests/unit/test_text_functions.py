"""Every function of one text, or of one body of bytes, answers a hostile megabyte in short.

It has half a second of CPU, and either answers or raises an error of Payflow's own. Whatever else
it raises stands in EXPLAINED, with its reason. What is made of texts by more than one argument is
tested by `test_hostile_texts.py`.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import msgspec
import pytest
import typer

from tests.support.cpu_limit import TooLongError, cpu_limit
from tests.support.text_functions import every_text_function, text_function
from workflows.shared.errors import PayflowError

CHARS = 1_000_000
SHAPES = {
    "backslashes": ("", "\\"),
    "no text": ("", "\udcff"),
    "lists in lists": ("", "["),
    "digits": ("", "9"),
    "blanks": ("", " "),
    "addresses": ("", "a@a."),
    "lists in an object": ('{"a":', "["),
    "no text in an object": ('{"a":"', "\udcff"),
}
"""What a text begins with, and what comes over and over behind it."""
OWN_ERRORS = (PayflowError, typer.Exit)
"""A command ends with usage: that is its answer."""

COMMAND = "a command: it asks the instance that runs, or starts a process"
OUTPUT = "it writes to the terminal, or into the log of a process"
IMPORT = "it imports modules by names in the code"
EXCLUDED = {
    "app.cli.dead_letters.discard": COMMAND,
    "app.cli.faults.clock": COMMAND,
    "app.cli.instance.fail": OUTPUT,
    "app.cli.instance.show_secret": OUTPUT,
    "app.cli.main.function_at": IMPORT,
    "app.cli.start.worker": COMMAND,
    "app.cli.tables.show": COMMAND,
    "app.cli.topics.find": COMMAND,
    "app.cli.topics.show": COMMAND,
    "app.cli.topics.tail": COMMAND,
    "app.cli.trace.trace": COMMAND,
    "app.host.exit.hard_stop": "it ends the process",
    "app.host.exit.say": OUTPUT,
    "app.wire.topics.subjects_with": IMPORT,
}
"""What is not called, and why: it does more than to answer."""


class Explained(NamedTuple):
    """What a function may raise besides, and why that is right."""

    errors: tuple[type[Exception], ...]
    reason: str


NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
ROW = Explained(
    (msgspec.DecodeError,), "a stored row: its key is dead-lettered, or it is passed over"
)
OWN_ENTRY = Explained(
    NO_JSON, "Payflow has encoded it: whoever writes changelogs is believed (SECURITY.md)"
)
IS_TEXT = Explained(
    (UnicodeEncodeError,),
    "a name in a message, a header or a file: the readers of all three refuse what is not Unicode",
)
EXPLAINED = {
    "app.auth.clients.tag_of": IS_TEXT,
    "app.console.api.fraud_rules.drift_in": Explained(
        (ValueError,), "who reads the metrics of a worker takes such an answer for none"
    ),
    "app.delivery.row.digest_of": IS_TEXT,
    "app.delivery.row.offsets_of": ROW,
    "app.delivery.row.outbox_of": ROW,
    "app.kafka.applied_logs.decode_logs": OWN_ENTRY,
    "app.local.simulators.provider_store.charge_id": IS_TEXT,
    "app.wire.codecs.decode_emitted": OWN_ENTRY,
    "app.wire.records.read_source": Explained((ValueError,), OWN_ENTRY.reason),
    "app.worker.crash_points.CrashPoint.of": Explained(
        (ValueError,), "the configuration takes no other form, and a drill says the checkpoint"
    ),
    "workflows.fraud.entity.tag_of": IS_TEXT,
}

FUNCTIONS = every_text_function()


def troubles(
    function: Callable[[str | bytes], None], kind: type, explained: tuple[type[Exception], ...] = ()
) -> tuple[dict[str, str], bool]:
    """Return what `function` raises by shape, and whether it raises what is `explained`."""
    trouble_by_shape: dict[str, str] = {}
    has_explained = False
    with suppress(Exception):
        # Modules that it imports, and tables that it makes once, are not of the text.
        function("x" if kind is str else b"x")
    for name, (before, part) in SHAPES.items():
        text = before + part * (CHARS // len(part))
        subject = text if kind is str else text.encode("utf-8", "surrogateescape")
        try:
            with cpu_limit():
                function(subject)
        except OWN_ERRORS:
            continue
        except explained:
            has_explained = True
        except Exception as error:  # noqa: BLE001  whatever it is, it is a trouble
            trouble_by_shape[name] = type(error).__name__
    return trouble_by_shape, has_explained


def test_every_function_answers_in_short_or_says_what_is_wrong() -> None:
    """Nothing that is explained is out of date either."""
    trouble_by_function: dict[str, dict[str, str]] = {}
    out_of_date: list[str] = []
    for name, function in FUNCTIONS.items():
        if name in EXCLUDED:
            continue
        errors = EXPLAINED[name].errors if name in EXPLAINED else ()
        trouble_by_shape, has_explained = troubles(function, function.kind, errors)
        if trouble_by_shape:
            trouble_by_function[name] = trouble_by_shape
        if errors and not has_explained:
            out_of_date.append(name)

    assert {} == trouble_by_function
    assert [] == out_of_date


def test_functions_are_found() -> None:
    """Those behind a cache, of a class, and of `bytes`, too; what is excluded is there."""
    names = {
        "app.local.importers.numbers.readings",
        "app.operations.search.expression.Expression",
        "app.wire.personal.masked_bytes",
        "app.worker.crash_points.CrashPoint.of",
        "workflows.fraud.model.read_model",
    }

    assert len(FUNCTIONS) > 90
    assert names | EXCLUDED.keys() | EXPLAINED.keys() <= FUNCTIONS.keys()


def squares(text: str) -> int:
    return sum(len(text[at:]) for at in range(0, len(text), 10))


def lists_in(text: str) -> object:
    return msgspec.json.decode(text)


@pytest.mark.parametrize(
    ("function", "shape", "trouble"),
    [
        (squares, "digits", TooLongError.__name__),
        (int, "digits", "ValueError"),
        (lists_in, "lists in lists", "RecursionError"),
        (str.encode, "no text", "UnicodeEncodeError"),
    ],
)
def test_a_function_that_cannot_take_it_is_seen(
    function: Callable[[str | bytes], None], shape: str, trouble: str
) -> None:
    """By the time that it takes, or by what it raises."""
    assert trouble == troubles(function, str)[0].get(shape)


def test_what_takes_more_than_a_text_is_left_out() -> None:
    """A parameter that has a default is not asked for."""

    def plain(_text: str, _most: int = 1) -> None: ...

    def many(_text: str, _most: int) -> None: ...

    def number(_most: int) -> None: ...

    def perhaps(*, _body: bytes | None) -> None: ...

    kinds = [text_function(each) for each in (plain, many, number, perhaps)]
    assert [str, None, None, bytes] == [each and each.kind for each in kinds]
