"""A shop's back end at the API: it asks with its key, and again until it is answered."""

from collections.abc import Callable
from typing import Any, ClassVar

import aiohttp
import msgspec
import stamina
from yarl import URL

from app.config import Config
from app.local.importers.file_content import LoadError
from app.wire.signing import read_headers
from workflows.shared.errors import ErrorKind, PayflowError

ROW_STATUSES = frozenset({400, 409, 413, 422})
"""HTTP statuses by which the API refuses what one request says."""
AGAIN_STATUSES = frozenset({408, 425, 429})
SHOWN_WIDTH_MAX = 200
"""Characters of the API's reason."""
RETRY_SECONDS_MAX = 120.0
SAID_AT_ATTEMPT = 3
"""A console that is started again is away for one or two."""


class Refused(PayflowError):
    """The API refuses one request for what it says; the next may be accepted."""


class Conflict(Refused):
    """The state of the order forbids it, now or for good."""


class TryAgain(PayflowError):
    """The API does not answer now, and may later."""

    kind: ClassVar[ErrorKind] = "unavailable"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What the API answers when it refuses."""

    detail: str


class ShopClient:
    """A client with a key at the console of an instance."""

    def __init__(
        self,
        config: Config,
        key: str,
        session: aiohttp.ClientSession,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        # One line of our own says it, not a line for each retry.
        stamina.instrumentation.set_on_retry_hooks(())
        self._config = config
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._session = session
        self._say = say
        self._away = False

    async def get(self, path: str) -> Any:
        """Return the JSON at `path`; waits while the console is away.

        It reads as a process of Payflow: what a client reads is its own alone.
        """
        # The token is of the path as it is sent: a URL leaves some characters of ids unquoted.
        sent = URL(self._config.console_url + path).raw_path_qs
        return await self._request("GET", path, None, read_headers(self._config, sent))

    async def post(
        self, path: str, body: object, headers: dict[str, str] | None = None
    ) -> dict[str, object]:
        """Return the answer to `body`. Raises Refused, and LoadError when nothing can be sent."""
        sent = {**self._headers, **(headers or {})}
        return dict(await self._request("POST", path, msgspec.json.encode(body), sent))

    async def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Any:
        async for attempt in stamina.retry_context(
            on=TryAgain, attempts=None, timeout=RETRY_SECONDS_MAX, wait_max=2.0
        ):
            if attempt.num == SAID_AT_ATTEMPT and not self._away:
                self._away = True
                url = self._config.console_url
                self._say(f"the console at {url} does not answer; it is asked again")
            with attempt:
                answer = await self._once(method, path, body, headers)
                self._away = False
                return answer
        raise LoadError(f"{method} {path} was never answered")

    async def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Any:
        url = self._config.console_url + path
        try:
            async with self._session.request(method, url, data=body, headers=headers) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryAgain(f"{method} {path}: {error}") from error
        if answer.status >= 500 or answer.status in AGAIN_STATUSES:  # noqa: PLR2004
            raise TryAgain(f"{method} {path}: {text[:300]!r}")
        if answer.status in ROW_STATUSES:
            conflicts = answer.status == 409  # noqa: PLR2004
            raise (Conflict if conflicts else Refused)(_detail(text))
        if answer.status >= 400:  # noqa: PLR2004
            raise LoadError(f"{method} {path} was refused: {text[:500].decode(errors='replace')}")
        return msgspec.json.decode(text)


def _detail(text: bytes) -> str:
    """Return what a problem document says, on one line."""
    try:
        detail = msgspec.json.decode(text, type=Problem).detail
    except msgspec.MsgspecError:
        detail = text.decode(errors="replace")
    return " ".join(detail.split())[:SHOWN_WIDTH_MAX]
