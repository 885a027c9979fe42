"""The simulated instance with the real gateway, which asks the real simulator of the provider.

Both run on the loop of the world; the simulator's clock follows the clock of the world, and its
webhooks come in as messages. The customer acts as a scenario says.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from app.console.api.webhook_owners import emission_of
from app.entrypoints.webhooks import WEBHOOKS
from app.gateways.provider import open_provider
from app.gateways.provider_events import ProviderEvents
from app.gateways.provider_settlement import ProviderSettlement
from app.local.simulators import provider
from app.operations.verification.external_systems import opened, provider_file
from tests.support.external_systems import Console, System, listening, running, until
from tests.support.shop import Shop
from tests.support.simulation.world import Troubles, World
from workflows.order.messages import ReturnLine, ReturnRequested
from workflows.order.saga_messages import OrderCancelled, OrderCompleted
from workflows.payment.action_messages import PaymentActionRequired
from workflows.payment.dispute_messages import DisputeDecided, DisputeEscalated, DisputeOpened
from workflows.payment.settlement_messages import SettlementMessage
from workflows.shared.errors import PayflowError

HOUR_MS = 3_600_000
WEBHOOK_SECONDS = 0.002
WEBHOOKS_MAX = 500
_DUE = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE status = 'waiting' AND due_ms <= ?)"
_NEXT = "SELECT min(due_ms) FROM (SELECT due_ms FROM refunds UNION SELECT due_ms FROM intents)"
_STATUSES = "SELECT status FROM disputes WHERE status != 'expected' ORDER BY created_ms"
WEBHOOK_HOURS = 72
"""How long the provider tries to send a webhook: docs.stripe.com/webhooks#automatic-retries."""
LIST_SECONDS = 30 * 86_400
"""How far back its list of events goes."""
UNAVAILABLE = 503
PART_MINOR = 300
"""What goes back of the price, where not all does."""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How one payment goes, and what is true of it in the end."""

    name: str
    card: str
    end: Literal["completed", "cancelled"]
    phrase: str = ""
    """What one of the messages to the customer says."""
    customer: Literal["", "confirm", "fail"] = ""
    """What the customer does on the page of the bank; empty: nothing."""
    after_minutes: int = 20
    capture: Literal["automatic", "at_shipment"] = "automatic"
    is_cancelled: bool = False
    """The customer asks to cancel at once."""
    is_returned: bool = False
    """The customer sends back what was bought."""
    faults: dict[str, float] = {}
    """Of the simulator."""
    total_minor: int = 1_000
    currency: str = "GBP"
    stock: int = 5
    """Units on hand; one is ordered."""
    decision: Literal["", "retry", "settled", "written_off"] = ""
    """Of the operator about every case; empty: there is none."""
    by_hand_minor: int = 0
    """What somebody refunds at the provider's dashboard once the money is taken."""
    refers: bool = True
    """Whether the operator names that refund."""
    cancels_refunds: bool = False
    """Somebody calls off there each refund that waits for the customer."""
    kept_minor: int | None = None
    """What is left of the money in the end; None: all of it or nothing, as the order ends."""
    evidence: str = ""
    """What an operator answers a dispute with; `accept`: that it is given up; empty: nothing."""
    then: str = "winning_evidence"
    """What an operator answers when an inquiry has become a chargeback."""
    returns: Literal["", "before", "all before", "during"] = ""
    """Whether items come back, before or while the payment is disputed."""
    ends: tuple[str, ...] = ()
    """How its disputes are closed."""
    breaks: tuple[str, ...] = ()
    """Checks of `verify` that name the order, rightly."""


class RealProvider:
    """What the world knows of the provider: its webhooks, and the people at its pages."""

    def __init__(self, world: World, system: System, console: Console, course: Course) -> None:
        self.notices: list[Any] = []
        self.gap_hours = 0
        """How long the instance is away after it was killed."""
        self.once_ended: Callable[[], None] | None = None
        """What is done at the moment at which the order has ended."""
        self.refused: list[str] = []
        """What was deleted before it was read, while the instance was away."""
        self.config = system.config
        self._world = world
        self._system = system
        self._console = console
        self._shop: Shop | None = None
        self._books = opened(provider_file(system.config), system.config)
        self._course = course
        self._began_ms = world.now
        self._ahead_seconds = 0
        self._asked_ms = 0
        self._acted = False
        self._refunded = False
        self._answered: set[str] = set()

    def act(self) -> None:
        """Let the outside go on for a moment."""
        self._world.loop.run_until_complete(self._act())

    def state(self) -> dict[str, int]:
        """Return the counts and sums of the provider's own books."""
        return self._world.loop.run_until_complete(self._system.state())

    def disputes(self) -> tuple[str, ...]:
        """Return the status of each dispute, the first one first."""
        return tuple(status for (status,) in self._books.execute(_STATUSES))

    async def close(self) -> None:
        """Close what was opened."""
        self._books.close()
        if self._shop is not None:
            await self._shop.http.close_async()

    def _client(self) -> Shop:
        """Return the client of the provider: one, since a TLS context takes longer than a tick."""
        if self._shop is None:
            self._shop = Shop(self._system)
        return self._shop

    async def _act(self) -> None:
        if self.once_ended is not None and self._has_ended():
            self.once_ended()
            self.once_ended = None
        if self.gap_hours and any("killed" in step for step in self._world.trace):
            await self._pass_gap()
        await self._follow_clock()
        await self._confirm()
        await self._refund_by_hand()
        self._answer_dispute()
        self._give_back()
        await self._let_webhooks_come()
        while self._console.notices:
            event = self._console.notices.pop(0)
            try:
                await self._take(event)
            except PayflowError:
                # The provider sends it again.
                self._console.notices.append(event)
                break

    def _has_ended(self) -> bool:
        sagas = self._world.messages("sagas")
        return any(isinstance(each, OrderCompleted | OrderCancelled) for each in sagas)

    async def _let_webhooks_come(self) -> None:
        for _ in range(WEBHOOKS_MAX):
            now_ms = time.time_ns() // 1_000_000 + self._ahead_seconds * 1_000
            if not self._books.execute(_DUE, (now_ms,)).fetchone()[0]:
                return
            await asyncio.sleep(WEBHOOK_SECONDS)

    async def _pass_gap(self) -> None:
        """Let the clock run while nobody is there; then do as a console and workers that start."""
        hours, self.gap_hours = self.gap_hours, 0
        # Webhooks of a short gap come later; those of a long one never do.
        is_long = hours > WEBHOOK_HOURS
        self._console.status = UNAVAILABLE if is_long else self._console.status
        since_seconds = self._world.now // 1_000
        self._world.now += hours * HOUR_MS
        await self._follow_clock()
        if is_long:
            while (await self._system.state())["webhooks_waiting"]:
                await self._system.ask("PUT", "/_clock", json={"by_seconds": 30})
                await asyncio.sleep(WEBHOOK_SECONDS)
            self._console.notices.clear()
            self._console.status = 200
            await self._read_list(max(since_seconds, self._world.now // 1_000 - LIST_SECONDS))
        self.refused = self._world.expire()

    async def _read_list(self, since_seconds: int) -> None:
        events, after = ProviderEvents(self._system.config), ""
        while True:
            page = await events.page(since_seconds, after)
            for event in page.events:
                await self._take(event)
            after = page.after
            if not after:
                return await events.close()

    async def _take(self, event: dict[str, Any]) -> None:
        emission = await emission_of(WEBHOOKS[0], event, self._system.config)
        self.notices += [emission.message] if emission is not None else []

    async def _follow_clock(self) -> None:
        ahead_seconds = (self._world.now - self._began_ms) // 1_000
        if ahead_seconds > self._ahead_seconds:
            changed = {"by_seconds": ahead_seconds - self._ahead_seconds}
            await self._system.ask("PUT", "/_clock", json=changed)
            self._ahead_seconds = ahead_seconds
            # What is due by now changes, and its webhooks are written.
            await asyncio.sleep(WEBHOOK_SECONDS)

    async def _confirm(self) -> None:
        payments = self._world.messages("payments")
        required = [each for each in payments if isinstance(each, PaymentActionRequired)]
        if self._acted or not self._course.customer or not required:
            return
        self._asked_ms = self._asked_ms or self._world.now
        if self._world.now - self._asked_ms >= self._course.after_minutes * 60_000:
            self._acted = True
            await self._client().answer(required[0].url, self._course.customer)

    async def _refund_by_hand(self) -> None:
        course = self._course
        if course.by_hand_minor and not self._refunded:
            shop = self._client()
            charges = await shop.v1.charges.list_async()
            if charges.data:
                self._refunded = True
                intent_id = str(charges.data[0].payment_intent)
                refund = await shop.refund(intent_id, "by hand", amount=course.by_hand_minor)
                self._world.reference = refund.id if course.refers else ""
        if not course.cancels_refunds:
            return
        refunds = self._client().v1.refunds
        for each in (await refunds.list_async()).data:
            if each.status == "requires_action":
                await refunds.cancel_async(each.id)

    def settlement(self, *, is_over: bool = True) -> list[SettlementMessage]:
        """Return what the provider has settled by now; `is_over`: once all is at the bank."""
        return self._world.loop.run_until_complete(self._settlement(is_over=is_over))

    async def _settlement(self, *, is_over: bool) -> list[SettlementMessage]:
        await self._follow_clock()
        reading = ProviderSettlement(self.config)
        try:
            if is_over:
                await until(self._is_paid_out)
            reported, _ = await reading.transactions(0, None)
            payouts = [await reading.lines(each) for each in await reading.payouts(0)]
            return [*reported, *(line for each in payouts for line in each.lines)]
        finally:
            await reading.close()

    async def _is_paid_out(self) -> bool:
        shop = self._client()
        balance = await shop.v1.balance.retrieve_async()
        payouts = await shop.v1.payouts.list_async()
        # What is below zero stays in the balance.
        waits = any(each.amount > 0 for each in (*balance.available, *balance.pending))
        return not waits and all(each.status in ("paid", "failed") for each in payouts.data)

    def _answer_dispute(self) -> None:
        """Let an operator answer each dispute once, and again when it has become a chargeback."""
        for message in self._world.messages("payments"):
            if not isinstance(message, DisputeOpened | DisputeEscalated):
                continue
            name = f"answer {type(message).__name__}"
            evidence = self._course.evidence
            if isinstance(message, DisputeEscalated):
                evidence = self._course.then
            if not evidence or name in self._answered:
                continue
            self._answered.add(name)
            decided = DisputeDecided(
                transaction_id=message.transaction_id,
                dispute_id=message.dispute_id,
                decision="accept" if evidence == "accept" else "submit",
                evidence_text="" if evidence == "accept" else evidence,
                round=0,
                stage="inquiry" if getattr(message, "is_inquiry", False) else "chargeback",
            )
            self._world.say(decided, name, message.transaction_id, {})

    def _give_back(self) -> None:
        """Let the customer send the items back, once, when the course says so."""
        world, when = self._world, self._course.returns
        if "during" in when:
            is_time = any(isinstance(m, DisputeOpened) for m in world.messages("payments"))
        else:
            is_time = any(isinstance(m, OrderCompleted) for m in world.messages("sagas"))
        if not when or not is_time or "return" in self._answered:
            return
        self._answered.add("return")
        back = ReturnRequested(
            order_id="o1",
            return_id="r1",
            lines=(ReturnLine(sku="tea", quantity=1),),
            amount_minor=0 if "all" in when else PART_MINOR,
        )
        world.say(back, "return", "o1", {})

    def is_quiet(self) -> bool:
        """Return whether no webhook is on its way, after waiting for those that are."""
        for _ in range(WEBHOOKS_MAX):
            self.act()
            if self.notices or self._console.notices:
                return False
            if not self.state()["webhooks_waiting"]:
                break
            self._world.loop.run_until_complete(asyncio.sleep(WEBHOOK_SECONDS))
        return not self._go_to_next()

    def _go_to_next(self) -> bool:
        """Go to when the next refund or payment ends at the provider; return whether there is one.

        Nobody of ours waits for a refund that has succeeded, and it may still fail.
        """
        due_ms = self._books.execute(_NEXT).fetchone()[0]
        if due_ms is not None:
            self._world.now = max(self._world.now, due_ms) + 1_000
        return due_ms is not None


def play_on(world: World) -> None:
    """Go on until nothing happens any more, at us or at the provider."""
    world.run()
    while not world.provider.is_quiet():
        world.run()


@contextmanager
def provider_world(
    course: Course, folder: Path, loop: asyncio.AbstractEventLoop
) -> Iterator[World]:
    """Open a world of one course, without any faults but those that it names."""
    world = World(1, Troubles(1, frozenset()), loop)
    world.now = time.time_ns() // 1_000_000
    world.decision = course.decision
    stack = AsyncExitStack()
    loop.run_until_complete(_open(stack, world, course, folder))
    try:
        yield world
    finally:
        loop.run_until_complete(stack.aclose())


async def _open(stack: AsyncExitStack, world: World, course: Course, folder: Path) -> None:
    console = await stack.enter_async_context(listening())
    system = await stack.enter_async_context(running(provider.make_app, folder, console.url))
    await system.set(**course.faults)
    ask = open_provider(system.config, lambda: world.now)
    stack.push_async_callback(ask.close)
    worker = world.worker("provider")
    worker.agent = msgspec.structs.replace(worker.agent, call=ask)
    world.provider = RealProvider(world, system, console, course)
    stack.push_async_callback(world.provider.close)
