"""What the commands share: finding the running instance, and showing errors in one line."""

import asyncio
import errno
import getpass
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import aiohttp
import msgspec
import typer
from msgspec.structs import replace
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from yarl import URL

from app.config import Config, ConfigError, current
from app.host.logs import CONTROL, escaped
from app.kafka.errors import KafkaError
from app.local.instance_folder import SupervisorError, running
from app.local.instance_secrets import with_secrets
from app.wire.json_output import json_page
from app.wire.signing import read_headers
from workflows.shared.errors import ErrorKind, PayflowError

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else.")]
"""The option of every command that reads; see `as_json`."""


class EscapingConsole(Console):
    r"""Prints control characters of what it is given as `\xNN`; its own styles stay.

    Keys, headers and reasons come from outside: an escape code in one must not reach a terminal.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield the segments of `renderable`, whose texts are written by others."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                lines = "\n".join(map(escaped, segment.text.split("\n")))
                yield segment._replace(text=lines)


out = EscapingConsole(highlight=False)
err = EscapingConsole(stderr=True, highlight=False)
COLUMNS_PIPED = 200
"""Columns where stdout is not a terminal: `grep` finds nothing in a table cut to 80."""
for _console in (out, err):
    if not _console.is_terminal:
        _console.width = max(_console.width, COLUMNS_PIPED)

FROM_LIBRARIES = (KafkaError, OSError, sqlite3.Error)
"""Errors of the clients of Kafka, of files and of SQLite."""
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CODES: dict[ErrorKind, int] = {"invalid": EXIT_USAGE}
"""The exit code of each kind of error that is not EXIT_FAILED."""


class ApiError(PayflowError):
    """The console refuses, or does not answer; the message is its answer."""


def fail(text: str, code: int = EXIT_FAILED) -> NoReturn:
    """End with one red line on stderr."""
    err.print(f"payflow: {text}", style="red", markup=False)
    raise typer.Exit(code)


Result = TypeVar("Result")
Params = ParamSpec("Params")


def end(error: PayflowError) -> NoReturn:
    """End with the text of `error`, and the exit code of its kind."""
    fail(str(error), EXIT_CODES.get(error.kind, EXIT_FAILED))


def run(work: Coroutine[object, None, Result]) -> Result:
    """Return the result of `work`; an operational error ends with one line, not a traceback."""
    try:
        return asyncio.run(work)
    except PayflowError as error:
        end(error)
    except FROM_LIBRARIES as error:
        fail(_advice(error))
    except KeyboardInterrupt:
        err.print("stopped")
        raise typer.Exit(0) from None


def on_signal() -> asyncio.Event:
    """Return an event that is set when this process is asked to end."""
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    return stopped


async def unless_stopped(work: Coroutine[object, None, Result]) -> tuple[bool, Result | None]:
    """Return whether `work` came to its end, and its result.

    A signal cancels it, so that it stops every process that it has started.
    """
    running = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(on_signal().wait())
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        stopped.cancel()
        return True, running.result()
    running.cancel()
    await asyncio.wait({running})
    return False, None


def _advice(error: Exception) -> str:
    """Return what is wrong, and what to do where a folder cannot be written."""
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.ENOSPC):
        where = error.filename or "the data folder"
        return f"{where}: {error.strerror}. Operator: choose another folder with PAYFLOW_DATA_DIR"
    return str(error)


def attempt(
    change: Callable[Params, Result], *arguments: Params.args, **options: Params.kwargs
) -> Result:
    """Return the result of `change`; ends with the text of an error of Payflow."""
    try:
        return change(*arguments, **options)
    except PayflowError as error:
        end(error)


def show_secret(text: str) -> None:
    """Print a secret that is stored nowhere: before anything else can fail."""
    out.print(text, markup=False, soft_wrap=True)


def configuration() -> Config:
    """Return the configuration of this command; ends with usage when it is invalid."""
    try:
        return current()
    except ConfigError as error:
        end(error)


def this_user() -> str:
    """Return the name of the user of this terminal; the number where the system knows no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid-{os.getuid()}"


def running_instance() -> Config:
    """Return the configuration of the running instance: that of `payflow up`, or of the demo."""
    config = configuration()
    if config.broker_url:
        return with_secrets(config)
    for data_dir in (config.data_path, config.data_path / "demo"):
        own = replace(config, data_dir=str(data_dir))
        try:
            instance = running(own)
        except SupervisorError:
            continue
        return with_secrets(
            replace(
                own,
                broker_url=instance.broker_url,
                console_url=instance.console_url,
                provider_url=instance.provider_url,
                carrier_url=instance.carrier_url,
            )
        )
    fail(f"nothing runs on {config.data_path}; start it with: payflow up")


async def ask(config: Config, path: str) -> Any:
    """Return the JSON of the console's answer at `path`; raises ApiError."""
    timeout = aiohttp.ClientTimeout(total=310)
    # The token is of the path as it is sent: a URL leaves some characters of ids unquoted.
    url = URL(config.console_url + path)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, headers=read_headers(config, url.raw_path_qs)) as answer,
        ):
            body = msgspec.json.decode(await answer.read())
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
        text = f"the console at {config.console_url} does not answer ({error}); is it up?"
        raise ApiError(text) from error
    if answer.status >= 400:  # noqa: PLR2004
        raise ApiError(str(body.get("detail", body)))
    return body


def as_json(value: object) -> None:
    """Write `value` as JSON on stdout, and nothing else."""
    # Beyond ASCII, JSON leaves control characters as they are; a terminal obeys some.
    text = CONTROL.sub(_as_json_escape, json_page(value).decode())
    sys.stdout.write(text + "\n")


def _as_json_escape(match: re.Match[str]) -> str:
    character = match.group()
    return character if character == "\n" else f"\\u{ord(character):04x}"
