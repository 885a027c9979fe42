"""The account's list of events, for webhooks that never arrived: `GET /v1/events`, of 30 days."""

import msgspec
import stripe

from app.config import Config
from app.gateways.provider_account import Account, read
from app.wire.clock import now_ms

PAGE = 100


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events as their webhooks would be, the newest first; `after`: what the next page follows."""

    events: list[dict[str, object]]
    after: str = ""
    """Empty: this is the last page."""


class ProviderEvents:
    """Reads the list."""

    def __init__(self, config: Config) -> None:
        self._account = Account(config, now_ms)

    async def page(self, since_seconds: int, after: str) -> EventPage:
        """Return a page of what was not delivered since then. Raises Unclear."""
        params = stripe.params.EventListParams(
            created={"gte": since_seconds}, delivery_success=False, limit=PAGE
        )
        if after:
            params["starting_after"] = after
        page = await read(self._account.events.list_async(params))
        events: list[dict[str, object]] = [each.to_dict() for each in page.data]
        last = page.data[-1].id if page.has_more and page.data else ""
        return EventPage(events=events, after=last)

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._account.close()
