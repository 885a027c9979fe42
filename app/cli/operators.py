"""`payflow operators`: who may act through the console. Tokens are shown once, here."""

from typing import Annotated, Literal

import typer

from app.auth import operators
from app.cli.instance import (
    AsJson,
    as_json,
    attempt,
    fail,
    out,
    run,
    running_instance,
    show_secret,
    this_user,
)
from app.config import Config
from app.kafka.messages import publish
from app.wire.clock import now_ms
from workflows.audit.access import OperatorChanged

Why = Annotated[str, typer.Option("--reason", help="Why; it is written down.")]


def ls(*, as_json_too: AsJson = False) -> None:
    """List everybody and their role."""
    persons = attempt(operators.people, running_instance().data_path)
    if as_json_too:
        as_json([{"name": person.name, "role": person.role} for person in persons])
        return
    for person in persons:
        out.print(f"{person.name:<24}{person.role}", markup=False)


def add(name: str, role: str, why: Why) -> None:
    """Add NAME as viewer, operator or approver, and show their token."""
    if role not in operators.ROLES:
        fail(f"no such role: {role}; there are {', '.join(operators.ROLES)}", 2)
    config = running_instance()
    token = attempt(operators.add, config.data_path, name, role)
    show_secret(f"{name}:{token}")
    _publish(config, name, "added", why, role)


def remove(name: str, why: Why) -> None:
    """Remove NAME; their sessions end."""
    config = running_instance()
    attempt(operators.remove, config.data_path, name)
    _publish(config, name, "removed", why)


def token_of(name: str, why: Why) -> None:
    """Give NAME another token, and show it; their sessions end."""
    config = running_instance()
    token = attempt(operators.renew, config.data_path, name)
    show_secret(f"{name}:{token}")
    _publish(config, name, "token_renewed", why)


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
    run(publish(config, [message], now_ms()))
