"""`payflow clients`: which back ends may use the API, and for what. Keys are shown once, here."""

from typing import Annotated, Literal

import typer

from app.auth import clients
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
from app.entrypoints.requests import client_scopes
from app.kafka.messages import publish
from app.wire.clock import now_ms
from workflows.audit.access import ClientChanged

OVERLAP_HOURS = 24.0
Why = Annotated[str, typer.Option("--reason", help="Why; it is written down.")]
Overlap = Annotated[
    float, typer.Option(min=0, max=720, help="How long the key before is still taken.")
]


def ls(*, as_json_too: AsJson = False) -> None:
    """List every client with its scopes and its keys."""
    all_clients = attempt(clients.clients, running_instance().data_path)
    if as_json_too:
        as_json(
            [
                {"name": each.name, "scopes": each.scopes, "keys": len(each.keys), "tag": each.tag}
                for each in all_clients
            ]
        )
        return
    for each in all_clients:
        what = " ".join(each.scopes) if each.keys else "revoked"
        out.print(f"{each.name:<24}{len(each.keys)} keys  {what}", markup=False)


def add(name: str, scopes: list[str], why: Why) -> None:
    """Add client NAME with SCOPES, such as orders:write orders:read, and show its key."""
    unknown = sorted(set(scopes) - set(client_scopes()))
    if unknown:
        fail(f"no such scope: {unknown[0]}; there are {', '.join(client_scopes())}", 2)
    config = running_instance()
    show_secret(attempt(clients.add, config.data_path, name, scopes))
    _publish(config, name, "added", why, tuple(sorted(set(scopes))))


def rotate(name: str, why: Why, overlap_hours: Overlap = OVERLAP_HOURS) -> None:
    """Give client NAME another key, and show it; the one before ends after a while."""
    config = running_instance()
    overlap_seconds = round(overlap_hours * 3_600)
    show_secret(attempt(clients.rotate, config.data_path, name, now_ms(), overlap_seconds))
    _publish(config, name, "rotated", why)


def revoke(name: str, why: Why) -> None:
    """End every key of client NAME at once; nobody else can have its name."""
    config = running_instance()
    attempt(clients.revoke, config.data_path, name)
    _publish(config, name, "revoked", why)


def _publish(
    config: Config,
    name: str,
    change: Literal["added", "rotated", "revoked"],
    why: str,
    scopes: tuple[str, ...] = (),
) -> None:
    message = ClientChanged(
        about=f"client:{name}", who=this_user(), why=why[:500], change=change, scopes=scopes
    )
    run(publish(config, [message], now_ms()))
