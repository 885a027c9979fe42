"""The clients of the API, in `clients.json`: back ends of shops, with digests of their keys.

A key is 32 random bytes, so a digest that is quick to compute says nothing about it.
"""

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
from msgspec.structs import replace

from app.auth import private_file
from app.auth.digests import digest_of
from workflows.shared.errors import ErrorKind, PayflowError

FILE = "clients.json"
KEY_PREFIX = "pfk_"
"""What a key begins with: a scanner for secrets finds it, and nobody takes it for a token."""
KEY_BYTES = 32
KEY_CHARS_MAX = 100
KEYS_MAX = 5
"""Keys of one client at a time: the latest, and those that a rotation leaves for a while."""
CLIENTS_MAX = 1_000
TAG_CHARS = 8

ClientName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$(?!\n)")]
Scope = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]+(:[a-z]+)?$(?!\n)")]


class ClientsError(PayflowError, ValueError):
    """The file cannot be read, or a change is not allowed; the message says why."""

    kind: ClassVar[ErrorKind] = "unavailable"


class ClientKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key, as its digest in hexadecimal."""

    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    until_ms: int | None = None
    """When it ends; None: when it is rotated or revoked."""


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client; without keys it has been revoked, and its name is taken for ever.

    Whoever had the name later would own the transactions of the one before.
    """

    name: ClientName
    scopes: tuple[Scope, ...]
    id_secret: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]
    """Part of every id that is derived for it, so that nobody else can guess one."""
    keys: Annotated[tuple[ClientKey, ...], msgspec.Meta(max_length=KEYS_MAX)]

    @property
    def tag(self) -> str:
        """Return how the ids of its transactions begin."""
        return tag_of(self.id_secret)


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    clients: Annotated[tuple[Client, ...], msgspec.Meta(max_length=CLIENTS_MAX)]


def tag_of(id_secret: str) -> str:
    """Return how the ids begin that are derived with `id_secret`."""
    return hashlib.sha256(id_secret.encode()).hexdigest()[:TAG_CHARS]


def clients(folder: Path) -> tuple[Client, ...]:
    """Return all clients, revoked ones too. Raises ClientsError when the file is of no use."""
    try:
        return private_file.read(folder / FILE, _File).clients
    except FileNotFoundError:
        return ()
    except private_file.PrivateFileError as error:
        raise ClientsError(str(error)) from error


def client_of(folder: Path, key: str, now_ms: int) -> Client | None:
    """Return the client whose key it is at `now_ms`; raises ClientsError."""
    if len(key) > KEY_CHARS_MAX:
        return None
    digest = digest_of(key)
    for client in clients(folder):
        for each in client.keys:
            # Of digests, how many digits agree says nothing about a key.
            if each.digest == digest and (each.until_ms is None or now_ms < each.until_ms):
                return client
    return None


def add(folder: Path, name: str, scopes: Sequence[str]) -> str:
    """Add a client; return its key. Raises ClientsError for a name that is taken or invalid."""
    with private_file.changing(folder, ClientsError):
        return _add(folder, name, scopes)


def _add(folder: Path, name: str, scopes: Sequence[str]) -> str:
    all_clients = clients(folder)
    if name in {client.name for client in all_clients}:
        raise ClientsError(f"there is or was a client {name}: choose another name")
    if len(all_clients) >= CLIENTS_MAX:
        raise ClientsError(f"there are {CLIENTS_MAX} clients already")
    key, digest = _new_key()
    fields = {
        "name": name,
        "scopes": sorted(set(scopes)),
        "id_secret": secrets.token_hex(16),
        "keys": [{"digest": digest}],
    }
    try:
        client = msgspec.convert(fields, Client)
    except msgspec.ValidationError as error:
        raise ClientsError(f"{name[:80]!r}: {error}") from error
    if client.tag in {each.tag for each in all_clients}:
        return _add(folder, name, scopes)
    _save(folder, [*all_clients, client])
    return key


def rotate(folder: Path, name: str, now_ms: int, overlap_seconds: int) -> str:
    """Give a client another key; those before end after `overlap_seconds`. Raises ClientsError."""
    ends_ms = now_ms + overlap_seconds * 1_000
    with private_file.changing(folder, ClientsError):
        client = _living(folder, name)
        key, keys = _rotated(client, now_ms, ends_ms)
        latest = keys[-KEYS_MAX:] if overlap_seconds else keys[-1:]
        _put(folder, replace(client, keys=tuple(latest)))
    return key


def _rotated(client: Client, now_ms: int, ends_ms: int) -> tuple[str, list[ClientKey]]:
    earlier_keys = [
        replace(each, until_ms=ends_ms if each.until_ms is None else min(each.until_ms, ends_ms))
        for each in client.keys
        if each.until_ms is None or each.until_ms > now_ms
    ]
    key, digest = _new_key()
    return key, [*earlier_keys, ClientKey(digest=digest)]


def revoke(folder: Path, name: str) -> None:
    """End every key of a client; its name stays taken. Raises ClientsError."""
    with private_file.changing(folder, ClientsError):
        _put(folder, replace(_living(folder, name), keys=()))


def _living(folder: Path, name: str) -> Client:
    for client in clients(folder):
        if client.name == name:
            if not client.keys:
                raise ClientsError(f"the client {name} was revoked")
            return client
    raise ClientsError(f"there is no client {name}")


def _new_key() -> tuple[str, str]:
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    return key, digest_of(key)


def _put(folder: Path, changed: Client) -> None:
    _save(folder, [changed if each.name == changed.name else each for each in clients(folder)])


def _save(folder: Path, everybody: Sequence[Client]) -> None:
    file = _File(clients=tuple(everybody))
    private_file.beside(folder / FILE, file).replace(folder / FILE)
