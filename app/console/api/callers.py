"""Who asks: a client by its key, an operator by session or token, or a reader without either."""

import msgspec
import structlog
from aiohttp import web

from app.auth.clients import KEY_PREFIX, Client, ClientsError, client_of, tag_of
from app.auth.sessions import Operator
from app.config import LOOPBACK, Config, is_local
from app.console.api.context import CONTEXT
from app.console.api.problems import RETRY_AFTER, Problem
from app.entrypoints.requests import operator_scopes
from app.host.parameters import has_header, header
from app.host.routes import Route
from app.wire.clock import now_ms
from app.wire.envelope import derive_id
from app.wire.known_secrets import known_secrets
from app.wire.signing import ROWS_PASS, is_of_payflow, keyed_digest

PROXY_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")
"""What proxies add: one of them is enough, whatever it says."""

log = structlog.get_logger(__name__)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever starts transactions: they own these, and their idempotency keys."""

    name: str
    scopes: frozenset[str]
    id_secret: str

    @property
    def tag(self) -> str:
        """Return how the ids of its transactions begin."""
        return tag_of(self.id_secret)

    def transaction_id(self, workflow: str, idempotency_key: str) -> str:
        """Return the id of what it starts under a key."""
        return self.own_id(workflow, idempotency_key)

    def own_id(self, kind: str, name: str) -> str:
        """Return the id of what it calls `name`: its tag, then what only we can compute."""
        derived = derive_id(kind, self.id_secret, name)
        return self.tag + derived[len(self.tag) :]

    def owns(self, transaction_id: str) -> bool:
        """Return whether it started the transaction."""
        return transaction_id.startswith(self.tag)

    def check(self, scope: str, field: str = "") -> None:
        """Raise Problem 403 unless it has the scope."""
        if scope not in self.scopes:
            detail = (
                f"this takes the scope {scope}; {self.name} has {', '.join(sorted(self.scopes))}"
            )
            raise Problem(403, "Forbidden", detail, field=field)


_CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)


def caller_of(request: web.Request) -> Caller:
    """Return the caller of a request on a route for clients."""
    return request[_CALLER]


def owner_of(request: web.Request) -> Caller | None:
    """Return the client who may read its own alone; None for those who may read everything."""
    return request.get(_CALLER)


def put_caller(request: web.Request, caller: Caller) -> None:
    """Store who asks."""
    request[_CALLER] = caller


def client_key(request: web.Request) -> str:
    """Return the key of a client that the request carries, or nothing."""
    scheme, _, key = header(request, "Authorization").partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and key.startswith(KEY_PREFIX) else ""


def client_caller(request: web.Request, route: Route, key: str) -> Caller:
    """Return the client whose `key` it is. Raises Problem 401, 403, 503."""
    client = _client(request.app[CONTEXT].config, key)
    if client is None:
        text = "this key is unknown, or has ended. Operator: payflow clients rotate NAME"
        raise Problem(401, "Unauthorized", text, headers={"WWW-Authenticate": "Bearer"})
    caller = Caller(name=client.name, scopes=frozenset(client.scopes), id_secret=client.id_secret)
    if not route.scope:
        raise Problem(403, "Forbidden", "this is not for clients, whatever their scopes")
    caller.check(route.scope)
    return caller


def _client(config: Config, key: str) -> Client | None:
    try:
        return client_of(config.data_path, key, now_ms())
    except ClientsError as error:
        log.error("unreadable clients.json", error=str(error))  # noqa: TRY400  no traceback is needed
        detail = "no client is known now: clients.json is of no use. Operator: see the log"
        raise Problem(503, "Service Unavailable", detail, headers=RETRY_AFTER) from error


def operator_caller(operator: Operator, config: Config) -> Caller:
    """Return an operator as the one who starts transactions: in a space of ids of their own.

    Names of operators are not secret; without the signing key nobody computes such an id.
    """
    name = f"operator:{operator.name}"
    secret = keyed_digest(config.signing_key, name.encode())
    return Caller(name=name, scopes=operator_scopes(), id_secret=secret)


def may_read(request: web.Request, config: Config) -> bool:
    """Return whether it may read without signing in.

    Everybody may while all is bound to loopback and called so, without a proxy that would bring
    callers from elsewhere; otherwise, processes of Payflow.
    """
    is_bound_here = config.host in LOOPBACK and is_local(config.console_url)
    if is_bound_here and not _is_proxied(request, config):
        return True
    token = header(request, ROWS_PASS)
    if "signing_key" in known_secrets(config):
        return False
    return is_of_payflow(token, request.raw_path, config)


def _is_proxied(request: web.Request, config: Config) -> bool:
    """Return whether others may come here through a proxy: then its address says nothing."""
    return bool(config.trusted_proxies) or any(has_header(request, name) for name in PROXY_HEADERS)
