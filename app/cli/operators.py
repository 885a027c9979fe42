"""`payflow operators`: who may act through the console. Tokens are shown once, here."""

import getpass
import time
from typing import Annotated, Any

import typer

from app.auth import operators as people
from app.cli.instance import as_json, fail, house, out, run
from app.config import Config
from app.fraud.analysis.fraud_admin import tell
from workflows.audit.messages import OperatorChanged

group = typer.Typer(no_args_is_help=True, help="Who may act through the console.")

Why = Annotated[str, typer.Option("--reason", help="Why; it is written down.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else.")]


@group.command("ls")
def ls(*, as_json_too: AsJson = False) -> None:
    """List everybody and their role."""
    try:
        known = people.people(house().data_path)
    except people.PeopleError as error:
        fail(str(error))
    if as_json_too:
        as_json([{"name": person.name, "role": person.role} for person in known])
        return
    for person in known:
        out.print(f"{person.name:<24}{person.role}", markup=False)


@group.command("add")
def add(name: str, role: str, why: Why) -> None:
    """Add NAME as viewer, operator or approver, and show their token."""
    if role not in people.ROLES:
        fail(f"no such role: {role}; there are {', '.join(people.ROLES)}", 2)
    config = house()
    token = _changed(people.add, config.data_path, name, role)
    _show(name, token)
    _tell(config, name, "added", why, role)


@group.command("remove")
def remove(name: str, why: Why) -> None:
    """Remove NAME; their sessions end."""
    config = house()
    _changed(people.remove, config.data_path, name)
    _tell(config, name, "removed", why)


@group.command("token")
def token_of(name: str, why: Why) -> None:
    """Give NAME another token, and show it; their sessions end."""
    config = house()
    token = _changed(people.renew, config.data_path, name)
    _show(name, token)
    _tell(config, name, "token_renewed", why)


def _changed(change: Any, *said: Any) -> Any:
    try:
        return change(*said)
    except people.PeopleError as error:
        fail(str(error))


def _tell(config: Config, name: str, change: Any, why: str, role: str = "") -> None:
    word = OperatorChanged(
        about=f"operator:{name}", who=getpass.getuser(), why=why[:500], change=change, role=role
    )
    run(tell(config, [word], time.time_ns() // 1_000_000))


def _show(name: str, token: str) -> None:
    # Before anything else can fail: it is nowhere else.
    out.print(f"{name}:{token}", markup=False, soft_wrap=True)
