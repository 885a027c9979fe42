"""The carrier's simulator: books one shipment an order, delivers it, and calls a webhook.

Booking and withdrawing can be repeated: an order has one shipment. Whether an order is refused
follows from its id alone, so the same order always gets the same answer.
"""

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web

from app.config import Config
from app.host.incoming import readable
from app.host.parameters import BadParameter, body_of, decoded, path_name
from app.local.simulators import server
from app.local.simulators.carrier_store import Booking, CarrierStore, Shipment
from app.local.simulators.clock import clock_routes
from app.local.simulators.faults import CarrierFaults, Switchboard, pick, strikes
from app.local.simulators.request_checks import known_parameters, refusals
from app.local.simulators.switches import for_this_instance
from app.local.simulators.webhooks import Address, Sender

DELIVERIES_MAX = 500
"""Shipments delivered in one transaction."""
REFUSAL = "no service to this address"

Effect = Callable[[], web.Response]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a webhook."""

    notice_id: str
    order_id: str
    shipment_id: str
    status: str


class Carrier:
    """The carrier's routes, and the deliveries of its shipments."""

    def __init__(self, config: Config, store: CarrierStore) -> None:
        self.switchboard = Switchboard(CarrierFaults())
        self.store = store
        self.sender = Sender(
            store,
            Address(
                url=f"{config.console_url}/webhooks/carrier",
                header="X-Carrier-Signature",
                secret=config.carrier_webhook_secret,
            ),
            self.switchboard,
        )
        self._news = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [
            web.put("/shipments/{order_id}", self._book),
            web.get("/shipments/{order_id}", self._show),
            web.post("/shipments/{order_id}/withdraw", self._withdraw),
            web.get("/_state", self._state),
            web.get("/livez", server.livez),
            *self.switchboard.routes(),
            *clock_routes(self.store, self._nudge),
        ]

    def _nudge(self) -> None:
        self._news.set()
        self.sender.nudge()

    async def deliver(self) -> None:
        """Deliver shipments in a loop when their delivery time has come."""
        while True:
            self._news.clear()
            due = self.store.due(DELIVERIES_MAX)
            if due:
                with self.store.writing():
                    for shipment in due:
                        self.store.deliver(shipment)
                        self._notify(shipment)
            await server.until_due(self._news, self.store.next_due_ms(), self.store.now_ms())

    async def _run(self, request: web.Request, verb: str, effect: Effect) -> web.Response:
        """Run `effect` in one transaction, unless a fault prevents it."""
        faults: CarrierFaults = self.switchboard.faults
        key = f"{verb} {path_name(request, 'order_id')}"
        trouble = pick(faults, key, self.store.tried(key))
        if trouble == "rate_limited":
            return _problem(429, "too many requests")
        if trouble == "error_before":
            return _problem(500, "internal error")
        if trouble == "timeout_before":
            return await server.hold(request, faults.timeout_seconds)
        if trouble == "slow":
            await asyncio.sleep(faults.slow_seconds)
        with self.store.writing():
            answer = effect()
        self._news.set()
        if trouble == "error_after":
            return _problem(500, "internal error")
        if trouble == "timeout_after":
            return await server.hold(request, faults.timeout_seconds)
        return answer

    async def _book(self, request: web.Request) -> web.Response:
        order_id = path_name(request, "order_id")
        try:
            booking = decoded(await body_of(request), Booking)
        except BadParameter as error:
            raise BadParameter(f"not a booking: {error}", error.field) from error
        return await self._run(request, "book", lambda: self._booked(order_id, booking))

    def _booked(self, order_id: str, booking: Booking) -> web.Response:
        shipment = self.store.shipment(order_id)
        created = shipment is None
        if shipment is None:
            shipment = self._enter(order_id, booking)
        if shipment.status == "refused":
            return _problem(422, REFUSAL)
        if shipment.status == "withdrawn":
            return _problem(409, "withdrawn")
        return _shipment_answer(shipment, status=201 if created else 200)

    def _enter(self, order_id: str, booking: Booking) -> Shipment:
        faults: CarrierFaults = self.switchboard.faults
        refused = strikes(faults, "refuse", order_id)
        return self.store.enter(
            order_id,
            booking,
            status="refused" if refused else "in_transit",
            due_ms=self.store.now_ms() + round(faults.deliver_seconds * 1_000),
        )

    async def _withdraw(self, request: web.Request) -> web.Response:
        order_id = path_name(request, "order_id")
        return await self._run(request, "withdraw", lambda: self._withdrawn(order_id))

    def _withdrawn(self, order_id: str) -> web.Response:
        shipment = self.store.shipment(order_id)
        if shipment is None:
            nothing = Booking(country="", units=0)
            barred = self.store.enter(
                order_id, nothing, status="withdrawn", due_ms=self.store.now_ms()
            )
            return _shipment_answer(barred)
        if shipment.status == "delivered":
            return _shipment_answer(shipment, status=409)
        return _shipment_answer(self.store.withdraw(order_id))

    async def _show(self, request: web.Request) -> web.Response:
        shipment = self.store.shipment(path_name(request, "order_id"))
        if shipment is None:
            return _problem(404, "not booked")
        return _shipment_answer(shipment)

    async def _state(self, _request: web.Request) -> web.Response:
        return server.json_answer(self.store.totals())

    def _notify(self, shipment: Shipment) -> None:
        notice = Notice(
            notice_id=f"{shipment.shipment_id}/delivered",
            order_id=shipment.order_id,
            shipment_id=shipment.shipment_id,
            status="delivered",
        )
        self.sender.post(notice.notice_id, notice)


def make_app(config: Config) -> web.Application:
    """Return the carrier's server over `<data_dir>/carrier.sqlite`."""
    store = CarrierStore(config.data_path / "carrier.sqlite")
    carrier = Carrier(config, store)
    app = web.Application(
        middlewares=[refusals, readable, for_this_instance(config), known_parameters]
    )
    app.add_routes(carrier.routes())
    app.cleanup_ctx.append(server.beside(carrier.sender.run, carrier.deliver))
    app.on_cleanup.append(server.closing(store.close))
    return app


def _shipment_answer(shipment: Shipment, status: int = 200) -> web.Response:
    return server.json_answer(shipment, status)


def _problem(status: int, reason: str) -> web.Response:
    return server.json_answer({"reason": reason}, status=status)


if __name__ == "__main__":
    server.run("carrier", make_app, "carrier_port")
