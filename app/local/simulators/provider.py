"""The payment provider's simulator: as much of Stripe's API as the official SDK needs here.

Cards are test tokens. Faults apply where money moves: confirming and refunding. A request runs in
one transaction with the answer kept under its key, so a kill leaves both or neither.
"""

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec.structs import replace

from app.config import Config
from app.local.simulators import server
from app.local.simulators.authentication_page import AuthenticationPage
from app.local.simulators.clock import clock_routes
from app.local.simulators.faults import ProviderFaults, Switchboard, pick, strikes
from app.local.simulators.idempotency import Keys, fingerprint_of
from app.local.simulators.notices import Notices
from app.local.simulators.provider_cards import FAILS, PENDS
from app.local.simulators.provider_effects import Effects
from app.local.simulators.provider_params import Call
from app.local.simulators.provider_records import Course
from app.local.simulators.provider_shapes import (
    Answer,
    StripeError,
    intent_shape,
    invalid,
    missing,
    page,
    refund_shape,
)
from app.local.simulators.provider_store import ProviderStore
from app.local.simulators.refund_effects import RefundEffects
from app.local.simulators.webhooks import Address, Sender

PAGE_MAX = 100
Effect = Callable[[Call], Answer]


class Provider:
    """The provider's routes."""

    def __init__(self, config: Config, store: ProviderStore) -> None:
        self.switchboard = Switchboard(ProviderFaults())
        self.store = store
        self.keys = Keys(store)
        self.sender = Sender(
            store,
            Address(
                url=f"{config.console_url}/webhooks/provider",
                header="Stripe-Signature",
                secret=config.provider_webhook_secret,
            ),
            self.switchboard,
        )
        notices = Notices(store, self.sender)
        self.effects = Effects(store, notices, config.provider_key)
        self.refund_effects = RefundEffects(store, notices)
        self.authentication = AuthenticationPage(store, self.effects, self._nudge)
        self._bearer = f"Bearer {config.provider_key}".encode()
        self._unkeyed = 0
        self._news = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [
            web.post("/v1/payment_intents", self._create),
            web.get("/v1/payment_intents", self._list_intents),
            web.get("/v1/payment_intents/search", self._search),
            web.get("/v1/payment_intents/{intent}", self._retrieve),
            web.post("/v1/payment_intents/{intent}/confirm", self._confirm),
            web.post("/v1/payment_intents/{intent}/cancel", self._cancel),
            web.post("/v1/payment_intents/{intent}/capture", self._capture),
            web.post("/v1/refunds", self._refund),
            web.get("/v1/refunds", self._list_refunds),
            web.get("/v1/refunds/{refund}", self._retrieve_refund),
            web.get("/_state", self._state),
            web.get("/livez", server.livez),
            *self.authentication.routes(),
            *self.switchboard.routes(),
            *clock_routes(self.store, self._nudge),
        ]

    def _nudge(self) -> None:
        self._news.set()
        self.sender.nudge()

    async def turn(self) -> None:
        """Let intents and refunds change in a loop, when their time has come."""
        while True:
            self._news.clear()
            intents, refunds = self.store.due_intents(), self.store.due_refunds()
            if intents or refunds:
                with self.store.writing():
                    self.effects.turn(intents)
                    self.refund_effects.turn(refunds)
            await server.until_due(self._news, self.store.next_ms(), self.store.now_ms())

    # --- running a POST -------------------------------------------------------

    async def _run(self, request: web.Request, effect: Effect, *, moves: bool) -> web.Response:
        """Answer a POST: by replay, by a fault, or by running `effect`; `moves`: it moves money."""
        params = {name: str(value) for name, value in (await request.post()).items()}
        key = request.headers.get("Idempotency-Key", "") or self._make_key()
        fingerprint = fingerprint_of(request.path, params)
        stored = self.keys.replay(key, fingerprint)
        if stored is not None:
            return _response(stored)
        faults: ProviderFaults = self.switchboard.faults
        call = Call(
            params=params,
            key=key,
            origin=str(request.url.origin()),
            object_id=next(iter(request.match_info.values()), ""),
            processing_ms=round(faults.processing_seconds * 1_000),
        )
        trouble = ""
        if moves:
            attempt = self.keys.tried(key)
            declines = strikes(faults, "decline", key, attempt)
            short = strikes(faults, "short", key)
            call = replace(call, decline=declines, short=short, course=_course(faults, key, params))
            trouble = pick(faults, key, attempt)
        if trouble == "rate_limited":
            raise StripeError(429, "rate_limit", "too many requests")
        if trouble == "error_before":
            raise _server_error()
        if trouble == "timeout_before":
            return await server.hold(request, self.switchboard.faults.timeout_seconds)
        with self.keys.running(key):
            if trouble == "slow":
                await asyncio.sleep(self.switchboard.faults.slow_seconds)
            answer = self._execute(call, effect, fingerprint, fails=trouble == "error_after")
        if trouble == "timeout_after":
            return await server.hold(request, self.switchboard.faults.timeout_seconds)
        return _response(answer)

    def _execute(self, call: Call, effect: Effect, fingerprint: str, *, fails: bool) -> Answer:
        """Run `effect` and keep its answer, both or neither; `fails`: the answer is a 500."""
        with self.store.writing():
            answer = effect(call)
            if fails:
                answer = _server_error().answer
            self.keys.keep(call.key, fingerprint, answer)
        self._news.set()
        return answer

    def _make_key(self) -> str:
        self._unkeyed += 1
        return f"unkeyed/{self.store.now_ms()}/{self._unkeyed}"

    # --- payment intents ------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        confirms = (await request.post()).get("confirm") == "true"
        return await self._run(request, self.effects.created, moves=confirms)

    async def _confirm(self, request: web.Request) -> web.Response:
        return await self._run(request, self.effects.confirmed, moves=True)

    async def _cancel(self, request: web.Request) -> web.Response:
        return await self._run(request, self.effects.canceled, moves=False)

    async def _capture(self, request: web.Request) -> web.Response:
        return await self._run(request, self.effects.captured, moves=True)

    async def _retrieve(self, request: web.Request) -> web.Response:
        intent = self.effects.known(request.match_info["intent"])
        return _response(Answer(body=intent_shape(intent, request.query)))

    async def _list_intents(self, request: web.Request) -> web.Response:
        order_id = request.query.get("metadata[order_id]")
        limit, after = _window(request)
        found = self.store.intents(order_id, limit + 1, after)
        body = page("list", "/v1/payment_intents", [intent_shape(each) for each in found], limit)
        return _response(Answer(body=body))

    async def _search(self, request: web.Request) -> web.Response:
        wanted = _metadata_query(request.query.get("query", ""))
        limit, _ = _window(request)
        found = [
            intent
            for intent in self.store.intents(wanted.pop("order_id"), PAGE_MAX)
            if wanted.items() <= intent.metadata.items()
        ][: limit + 1]
        members = [intent_shape(each) for each in found]
        url = "/v1/payment_intents/search"
        body = {**page("search_result", url, members, limit), "next_page": None}
        return _response(Answer(body=body))

    # --- refunds --------------------------------------------------------------

    async def _refund(self, request: web.Request) -> web.Response:
        return await self._run(request, self.refund_effects.refunded, moves=True)

    async def _list_refunds(self, request: web.Request) -> web.Response:
        limit, after = _window(request)
        found = self.store.refunds(request.query.get("payment_intent"), limit + 1, after)
        body = page("list", "/v1/refunds", [refund_shape(each) for each in found], limit)
        return _response(Answer(body=body))

    async def _retrieve_refund(self, request: web.Request) -> web.Response:
        refund = self.store.refund_of(request.match_info["refund"])
        if refund is None:
            raise missing("refund", request.match_info["refund"], "id")
        return _response(Answer(body=refund_shape(refund)))

    # --- what all share -------------------------------------------------------

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(self.store.totals())

    @web.middleware
    async def authorized(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let only the holder of the key in, and answer errors in Stripe's shape."""
        record = request.headers.get("Authorization", "").encode()
        if request.path.startswith("/v1/") and not hmac.compare_digest(record, self._bearer):
            error = StripeError(401, "invalid_request_error", "Invalid API Key provided.")
            return _response(error.answer)
        try:
            return await handler(request)
        except StripeError as error:
            return _response(error.answer)


def make_app(config: Config) -> web.Application:
    """Return the provider's server over `<data_dir>/provider.sqlite`."""
    store = ProviderStore(config.data_path / "provider.sqlite")
    provider = Provider(config, store)
    app = web.Application(middlewares=[provider.authorized])
    app.add_routes(provider.routes())
    app.cleanup_ctx.append(server.beside(provider.sender.run, provider.turn))
    app.on_cleanup.append(_closing(store))
    return app


def _closing(store: ProviderStore) -> Callable[[web.Application], Awaitable[None]]:
    async def close(_app: web.Application) -> None:
        store.close()

    return close


def _response(answer: Answer) -> web.Response:
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    return web.Response(
        status=answer.status,
        body=answer.encoded(),
        headers=headers,
        content_type="application/json",
    )


def _metadata_query(query: str) -> dict[str, str]:
    """Return what a search wants of the metadata: a part of Stripe's search language."""
    wanted: dict[str, str] = {}
    for part in re.split(r" AND (?=metadata\[)", query):
        asked = re.fullmatch(r"metadata\[['\"](\w{1,40})['\"]\]:'((?:[^'\\]|\\.)*)'", part)
        if asked is None:
            raise invalid("Only metadata['...']:'...' AND ... can be searched here.", "query")
        wanted[asked.group(1)] = re.sub(r"\\(.)", r"\1", asked.group(2))
    if "order_id" not in wanted:
        raise invalid("Only intents of an order_id can be searched here.", "query")
    return wanted


def _course(faults: ProviderFaults, key: str, params: Mapping[str, str]) -> Course:
    after_ms = round(faults.refund_seconds * 1_000)
    if strikes(faults, "refund_pending", key):
        return replace(PENDS, after_ms=after_ms)
    if "metadata[round]" not in params and strikes(faults, "refund_fail", key):
        return replace(FAILS, after_ms=after_ms)
    return Course(after_ms=after_ms)


def _server_error() -> StripeError:
    return StripeError(500, "api_error", "An unknown error occurred.")


def _window(request: web.Request) -> tuple[int, str]:
    text = request.query.get("limit", "10")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= PAGE_MAX):
        raise invalid(f"Invalid limit: {text[:20]}", "limit")
    return int(text), request.query.get("starting_after", "")


if __name__ == "__main__":
    server.run("provider", make_app, "provider_port")
