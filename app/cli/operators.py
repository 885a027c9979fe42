"""`payflow operators`: who may act through the console. Tokens are shown once, here."""

import time
from collections.abc import Callable
from typing import Annotated, Literal, ParamSpec

import typer

from app.auth import operators
from app.cli.instance import (
    AsJson,
    Result,
    as_json,
    end,
    fail,
    out,
    run,
    running_instance,
    this_user,
)
from app.config import Config
from app.kafka.messages import publish
from workflows.audit.access import OperatorChanged

Why = Annotated[str, typer.Option("--reason", help="Why; it is written down.")]

Params = ParamSpec("Params")


def ls(*, as_json_too: AsJson = False) -> None:
    """List everybody and their role."""
    try:
        known = operators.people(running_instance().data_path)
    except operators.PeopleError as error:
        end(error)
    if as_json_too:
        as_json([{"name": person.name, "role": person.role} for person in known])
        return
    for person in known:
        out.print(f"{person.name:<24}{person.role}", markup=False)


def add(name: str, role: str, why: Why) -> None:
    """Add NAME as viewer, operator or approver, and show their token."""
    if role not in operators.ROLES:
        fail(f"no such role: {role}; there are {', '.join(operators.ROLES)}", 2)
    config = running_instance()
    token = _changed(operators.add, config.data_path, name, role)
    _show(name, token)
    _publish(config, name, "added", why, role)


def remove(name: str, why: Why) -> None:
    """Remove NAME; their sessions end."""
    config = running_instance()
    _changed(operators.remove, config.data_path, name)
    _publish(config, name, "removed", why)


def token_of(name: str, why: Why) -> None:
    """Give NAME another token, and show it; their sessions end."""
    config = running_instance()
    token = _changed(operators.renew, config.data_path, name)
    _show(name, token)
    _publish(config, name, "token_renewed", why)


def _changed(
    change: Callable[Params, Result], *arguments: Params.args, **options: Params.kwargs
) -> Result:
    try:
        return change(*arguments, **options)
    except operators.PeopleError as error:
        end(error)


def _publish(
    config: Config,
    name: str,
    change: Literal["added", "removed", "token_renewed"],
    why: str,
    role: str = "",
) -> None:
    message = OperatorChanged(
        about=f"operator:{name}", who=this_user(), why=why[:500], change=change, role=role
    )
    run(publish(config, [message], time.time_ns() // 1_000_000))


def _show(name: str, token: str) -> None:
    # Printed before anything else can fail, since the token is stored nowhere.
    out.print(f"{name}:{token}", markup=False, soft_wrap=True)
