"""A shop with a key: whatever a test posts to paths for clients is asked by it."""

from pathlib import Path
from typing import Any

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from app.auth import clients
from app.console.api.routes import ROUTES
from app.entrypoints.requests import client_scopes

SHOP = "shop"
_ROOTS = {route.path.split("/")[1] for route in ROUTES if route.audience == "client"}


def client_key(folder: Path, name: str = SHOP, scopes: Any = None) -> str:
    """Return the key of a new client of `folder`, with `scopes` or all that do not backdate."""
    usual = [scope for scope in client_scopes() if not scope.endswith(":backdate")]
    return clients.add(folder, name, usual if scopes is None else scopes)


def bearer(key: str) -> dict[str, str]:
    """Return the headers with which a client asks."""
    return {"Authorization": f"Bearer {key}"}


def as_client(key: str) -> Any:
    """Return a middleware of an HTTP client: posts to paths for clients carry `key`."""

    async def ask(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        root = request.url.path.split("/")[1]
        if request.method == "POST" and root in _ROOTS and "Authorization" not in request.headers:
            request.headers.update(bearer(key))
        return await handler(request)

    return ask
