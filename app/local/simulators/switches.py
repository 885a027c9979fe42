"""Who may move the switches of a simulator: what the real provider and carrier do not have.

Faults, the clock and the sums are for processes of this instance, which sign what they ask. A page
of another site reaches a simulator on loopback as well as they do.
"""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from app.config import Config
from app.host.parameters import header
from app.host.routes import is_called
from app.local.simulators.server import json_answer
from app.wire.signing import ROWS_PASS, is_rows_token

SWITCHES = "/_"
"""How their paths begin."""


def for_this_instance(config: Config) -> Middleware:
    """Return a middleware that answers 403 to whoever has not the instance's signing key.

    And 421 to whoever calls this server by another name.
    """
    urls = (config.provider_url, config.carrier_url)
    names = {config.host, *(urlsplit(url).hostname or config.host for url in urls)}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        token = header(request, ROWS_PASS)
        is_switch = request.path.startswith(SWITCHES)
        if is_switch and not is_called(request, names):
            problem = {"message": "this host name is not served here"}
            return json_answer({"error": problem}, status=421)
        if is_switch and not is_rows_token(token, request.path, config):
            problem = {"message": "switches are for this instance alone: payflow faults has them"}
            return json_answer({"error": problem}, status=403)
        return await handler(request)

    return check
