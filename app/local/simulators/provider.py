"""The payment provider's simulator: as much of Stripe's API as the official SDK needs here.

Cards are test tokens. Faults apply where money moves: confirming and refunding. A request runs in
one transaction with the answer kept under its key, so a kill leaves both or neither.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec.structs import replace

from app.config import Config
from app.host.incoming import readable
from app.host.parameters import BadParameter, form_of, header, origin_of, path_text
from app.local.simulators import server
from app.local.simulators.authentication_page import AuthenticationPage
from app.local.simulators.balance import Course as PayoutCourse
from app.local.simulators.balance import Tariff
from app.local.simulators.balance_store import Balance
from app.local.simulators.clock import clock_routes
from app.local.simulators.dispute_effects import DisputeEffects
from app.local.simulators.faults import ProviderFaults, Switchboard, pick, strikes
from app.local.simulators.idempotency import Keys, fingerprint_of
from app.local.simulators.notices import Notices
from app.local.simulators.provider_cards import FAILS, PENDS, card_of
from app.local.simulators.provider_effects import Effects
from app.local.simulators.provider_params import Call
from app.local.simulators.provider_reads import Reads
from app.local.simulators.provider_records import PLAIN, CaptureTrouble, Course, Intent
from app.local.simulators.provider_shapes import Answer, StripeError, invalid, response
from app.local.simulators.provider_store import ProviderStore
from app.local.simulators.refund_effects import RefundEffects
from app.local.simulators.request_checks import known_parameters, refusals
from app.local.simulators.switches import for_this_instance
from app.local.simulators.turns import Turns
from app.local.simulators.webhooks import Address, Sender

Effect = Callable[[Call], Answer]
Run = Callable[[web.Request], Awaitable[web.Response]]


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
        self.balance = Balance(store, notices, Tariff(), self._payout_course)
        self.disputes = DisputeEffects(store, self.balance, notices)
        self.effects = Effects(store, notices, self._charged, config.provider_key)
        self.refunds = RefundEffects(store, self.balance, self.disputes, notices)
        self.turns = Turns(store, self.effects, self.refunds, self.disputes, self.balance)
        self.authentication = AuthenticationPage(store, self.effects, self._nudge)
        self.reads = Reads(store, self.effects, self.disputes, self.balance, notices)
        self._bearer = f"Bearer {config.provider_key}".encode()
        self._unkeyed = 0

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        intent, refund, dispute = "/v1/payment_intents", "/v1/refunds", "/v1/disputes/{name}"
        return [
            web.post(intent, self._create),
            web.post(f"{intent}/{{name}}/confirm", self._runs(self.effects.confirmed, moves=True)),
            web.post(f"{intent}/{{name}}/capture", self._runs(self.effects.captured, moves=True)),
            web.post(f"{intent}/{{name}}/cancel", self._runs(self.effects.canceled)),
            web.post(refund, self._runs(self.refunds.refunded, moves=True)),
            web.post(f"{refund}/{{name}}/cancel", self._runs(self.refunds.canceled)),
            web.post(dispute, self._runs(self.disputes.responded)),
            web.post(f"{dispute}/close", self._runs(self.disputes.closed)),
            web.get("/_state", self._state),
            web.get("/livez", server.livez),
            *self.reads.routes(),
            *self.authentication.routes(),
            *self.switchboard.routes(),
            *clock_routes(self.store, self._nudge),
        ]

    def _nudge(self) -> None:
        self.turns.news.set()
        self.sender.nudge()

    def _charged(self, intent: Intent) -> None:
        """Enter what was taken, and let the customer complain later where the card is for that."""
        at_once = card_of(intent.payment_method).is_available
        self.balance.charged(intent, at_once=at_once)
        faults: ProviderFaults = self.switchboard.faults
        self.disputes.expect(intent, round(faults.dispute_seconds * 1_000))

    def _payout_course(self, payout_id: str) -> PayoutCourse:
        faults: ProviderFaults = self.switchboard.faults
        if strikes(faults, "payout_fail", payout_id):
            return "fails"
        return "returns" if strikes(faults, "payout_return", payout_id) else ""

    # --- running a POST -------------------------------------------------------

    async def _run(self, request: web.Request, effect: Effect, *, moves: bool) -> web.Response:
        """Answer a POST: by replay, by a fault, or by running `effect`; `moves`: it moves money."""
        params = await form_of(request)
        key = header(request, "Idempotency-Key") or self._make_key()
        fingerprint = fingerprint_of(request.path, params)
        stored = self.keys.replay(key, fingerprint)
        if stored is not None:
            return response(stored)
        faults: ProviderFaults = self.switchboard.faults
        call = Call(
            params=params,
            key=key,
            origin=origin_of(request),
            object_id=path_text(request, "name"),
            processing_ms=round(faults.processing_seconds * 1_000),
            dispute_ms=round(faults.dispute_seconds * 1_000),
        )
        trouble = ""
        if moves:
            attempt = self.keys.tried(key)
            declines = strikes(faults, "decline", key, attempt)
            short = strikes(faults, "short", key)
            call = replace(call, decline=declines, short=short, course=_course(faults, key, params))
            call = replace(call, capture=_capture(faults, key, attempt))
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
        return response(answer)

    def _execute(self, call: Call, effect: Effect, fingerprint: str, *, fails: bool) -> Answer:
        """Run `effect` and keep its answer, both or neither; `fails`: the answer is a 500."""
        with self.store.writing():
            answer = effect(call)
            if fails:
                answer = _server_error().answer
            self.keys.keep(call.key, fingerprint, answer)
        self.turns.news.set()
        return answer

    def _make_key(self) -> str:
        self._unkeyed += 1
        return f"unkeyed/{self.store.now_ms()}/{self._unkeyed}"

    def _runs(self, effect: Effect, *, moves: bool = False) -> Run:
        async def run(request: web.Request) -> web.Response:
            return await self._run(request, effect, moves=moves)

        return run

    async def _create(self, request: web.Request) -> web.Response:
        confirms = (await form_of(request)).get("confirm") == "true"
        return await self._run(request, self.effects.created, moves=confirms)

    async def _state(self, _request: web.Request) -> web.Response:
        return server.json_answer(self.store.totals())

    @web.middleware
    async def authorized(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let only the holder of the key in, and answer errors in Stripe's shape."""
        authorization = header(request, "Authorization").encode()
        if request.path.startswith("/v1/") and not hmac.compare_digest(authorization, self._bearer):
            error = StripeError(401, "invalid_request_error", "Invalid API Key provided.")
            return response(error.answer)
        try:
            return await handler(request)
        except StripeError as error:
            return response(error.answer)
        except BadParameter as error:
            return response(invalid(str(error), error.field).answer)


def make_app(config: Config) -> web.Application:
    """Return the provider's server over `<data_dir>/provider.sqlite`."""
    store = ProviderStore(config.data_path / "provider.sqlite")
    provider = Provider(config, store)
    checks = [readable, for_this_instance(config), provider.authorized, known_parameters]
    app = web.Application(middlewares=[refusals, *checks])
    app.add_routes(provider.routes())
    app.cleanup_ctx.append(server.beside(provider.sender.run, provider.turns.run))
    app.on_cleanup.append(server.closing(store.close))
    return app


def _capture(faults: ProviderFaults, key: str, attempt: int) -> CaptureTrouble:
    if strikes(faults, "capture_declined", key, attempt):
        return "declined"
    return "expired" if strikes(faults, "hold_expired", key, attempt) else ""


def _course(faults: ProviderFaults, key: str, params: Mapping[str, str]) -> Course:
    after_ms = round(faults.refund_seconds * 1_000)
    if strikes(faults, "refund_pending", key):
        return replace(PENDS, after_ms=after_ms)
    if "metadata[round]" in params:
        # What is asked for again is paid, so that a case has an end.
        return Course(after_ms=after_ms)
    course = FAILS if strikes(faults, "refund_fail", key) else PLAIN
    short_minor = int(strikes(faults, "refund_short", key))
    return replace(course, after_ms=after_ms, short_minor=short_minor)


def _server_error() -> StripeError:
    return StripeError(500, "api_error", "An unknown error occurred.")


if __name__ == "__main__":
    server.run("provider", make_app, "provider_port")
