"""What can be read at the provider: GET of one object, and of lists."""

import re
from collections.abc import Mapping

from aiohttp import web

from app.host.parameters import path_name, query_of, text_of
from app.local.simulators.balance import TYPES, Transaction
from app.local.simulators.balance_store import Balance
from app.local.simulators.dispute_effects import DisputeEffects
from app.local.simulators.lists import PAGE_MAX, Condition, matches, select, window_of
from app.local.simulators.notices import Notices
from app.local.simulators.provider_effects import Effects
from app.local.simulators.provider_shapes import (
    Answer,
    charge_shape,
    intent_shape,
    invalid,
    missing,
    page,
    refund_shape,
    response,
)
from app.local.simulators.provider_store import ProviderStore
from app.local.simulators.refund_store import refund_from
from app.local.simulators.settlement_shapes import (
    balance_shape,
    payout_shape,
    transaction_shape,
)


class Reads:
    """The routes that change nothing."""

    def __init__(
        self,
        store: ProviderStore,
        effects: Effects,
        disputes: DisputeEffects,
        balance: Balance,
        notices: Notices,
    ) -> None:
        self._store = store
        self._effects = effects
        self._disputes = disputes
        self._balance = balance
        self._notices = notices

    def routes(self) -> list[web.RouteDef]:
        """Return every GET below /v1."""
        return [
            web.get("/v1/payment_intents", self._intents),
            web.get("/v1/payment_intents/search", self._search),
            web.get("/v1/payment_intents/{name}", self._intent),
            web.get("/v1/charges", self._charges),
            web.get("/v1/charges/{name}", self._charge),
            web.get("/v1/refunds", self._refunds),
            web.get("/v1/refunds/{name}", self._refund),
            web.get("/v1/disputes", self._list_disputes),
            web.get("/v1/disputes/{name}", self._dispute),
            web.get("/v1/balance", self._sums),
            web.get("/v1/balance_transactions", self._transactions),
            web.get("/v1/balance_transactions/{name}", self._transaction),
            web.get("/v1/payouts", self._payouts),
            web.get("/v1/payouts/{name}", self._payout),
            web.get("/v1/events", self._events),
            web.get("/v1/events/{name}", self._event),
        ]

    async def _intent(self, request: web.Request) -> web.Response:
        intent = self._effects.intent(path_name(request, "name"))
        return _answer(intent_shape(intent, query_of(request)))

    async def _intents(self, request: web.Request) -> web.Response:
        query = query_of(request)
        conditions = _conditions(query, {"metadata[order_id]": "order_id"})
        rows, more = select(self._store, "intents", conditions, window_of(query))
        shapes = [intent_shape(self._effects.intent(row["id"]), query) for row in rows]
        return _answer(page(request.path, shapes, has_more=more))

    async def _search(self, request: web.Request) -> web.Response:
        metadata = _metadata_query(text_of(request, "query"))
        limit = window_of(query_of(request)).limit
        shapes = [
            intent_shape(intent)
            for intent in self._store.intents(metadata.pop("order_id"), PAGE_MAX)
            if metadata.items() <= intent.metadata.items()
        ]
        body = page(request.path, shapes, limit=limit, kind="search_result")
        return _answer({**body, "next_page": None})

    async def _charge(self, request: web.Request) -> web.Response:
        name = path_name(request, "name")
        intent = self._store.intent_of_charge(name)
        if intent is None:
            raise missing("charge", name, "id")
        return _answer(charge_shape(intent))

    async def _charges(self, request: web.Request) -> web.Response:
        query = query_of(request)
        conditions = _conditions(query, {"payment_intent": "intent_id"})
        rows, more = select(self._store, "charges", conditions, window_of(query))
        shapes = [charge_shape(self._effects.intent(row["intent_id"])) for row in rows]
        return _answer(page(request.path, shapes, has_more=more))

    async def _refunds(self, request: web.Request) -> web.Response:
        query = query_of(request)
        names = {"payment_intent": "intent_id", "charge": "charge_id"}
        conditions = _conditions(query, names)
        rows, more = select(self._store, "refunds", conditions, window_of(query))
        shapes = [refund_shape(refund_from(row)) for row in rows]
        return _answer(page(request.path, shapes, has_more=more))

    async def _refund(self, request: web.Request) -> web.Response:
        refund = self._store.refund_of(path_name(request, "name"))
        if refund is None:
            raise missing("refund", path_name(request, "name"), "id")
        return _answer(refund_shape(refund))

    async def _list_disputes(self, request: web.Request) -> web.Response:
        query = query_of(request)
        names = {"charge": "charge_id", "payment_intent": "intent_id"}
        conditions = _conditions(query, names)
        shapes, more = self._disputes.listed(conditions, window_of(query))
        return _answer(page(request.path, shapes, has_more=more))

    async def _dispute(self, request: web.Request) -> web.Response:
        return _answer(self._disputes.shape(self._disputes.dispute(path_name(request, "name"))))

    async def _sums(self, _request: web.Request) -> web.Response:
        return _answer(balance_shape(self._balance.sums()))

    async def _transactions(self, request: web.Request) -> web.Response:
        query = query_of(request)
        conditions = _conditions(
            query, {"source": "source", "payout": "payout_id", "currency": "currency"}
        )
        kind = query.get("type")
        if kind is not None:
            categories = [category for category, each in TYPES.items() if each == kind]
            if kind not in TYPES:
                categories.append(kind)
            conditions.append(matches("category", categories))
        transactions, more = self._balance.transactions(conditions, window_of(query))
        is_expanded = "data.source" in _expansions(query)
        shapes = [self._entry(each, is_expanded=is_expanded) for each in transactions]
        return _answer(page(request.path, shapes, has_more=more))

    async def _transaction(self, request: web.Request) -> web.Response:
        transaction = self._balance.transaction(path_name(request, "name"))
        is_expanded = "source" in _expansions(query_of(request))
        return _answer(self._entry(transaction, is_expanded=is_expanded))

    def _entry(self, transaction: Transaction, *, is_expanded: bool) -> dict[str, object]:
        """Return a balance transaction, with all of its source when that is expanded."""
        shape = transaction_shape(transaction, self._store.now_ms())
        if not is_expanded:
            return shape
        name = transaction.source
        match transaction.category:
            case "charge" if (intent := self._store.intent_of_charge(name)) is not None:
                source: object = charge_shape(intent)
            case "refund" | "refund_failure" if (refund := self._store.refund_of(name)) is not None:
                source = refund_shape(refund)
            case "dispute" | "dispute_reversal":
                source = self._disputes.shape(self._disputes.dispute(name))
            case "payout" | "payout_reversal":
                source = payout_shape(self._balance.payout(name))
            case _:
                source = name
        return {**shape, "source": source}

    async def _payouts(self, request: web.Request) -> web.Response:
        query = query_of(request)
        conditions = _conditions(query, {"status": "status"})
        window = window_of(query, ("created", "arrival_date"))
        payouts, more = self._balance.payouts(conditions, window)
        return _answer(page(request.path, [payout_shape(each) for each in payouts], has_more=more))

    async def _payout(self, request: web.Request) -> web.Response:
        return _answer(payout_shape(self._balance.payout(path_name(request, "name"))))

    async def _events(self, request: web.Request) -> web.Response:
        query = query_of(request)
        events, more = self._notices.listed(query, window_of(query))
        return _answer(page(request.path, events, has_more=more))

    async def _event(self, request: web.Request) -> web.Response:
        return _answer(self._notices.event(path_name(request, "name")))


def _answer(body: object) -> web.Response:
    return response(Answer(body=body))


def _expansions(query: Mapping[str, str]) -> set[str]:
    """Return what is expanded: docs.stripe.com/api/expanding_objects."""
    return {text for name, text in query.items() if name.startswith("expand[")}


def _conditions(query: Mapping[str, str], columns: Mapping[str, str]) -> list[Condition]:
    return [(f"{column} = ?", query[name]) for name, column in columns.items() if name in query]


def _metadata_query(query: str) -> dict[str, str]:
    """Return what a search wants of the metadata: a part of Stripe's search language."""
    metadata: dict[str, str] = {}
    for part in re.split(r" AND (?=metadata\[)", query):
        term = re.fullmatch(r"metadata\[['\"](\w{1,40})['\"]\]:'((?:[^'\\]|\\.)*)'", part)
        if term is None:
            raise invalid("Only metadata['...']:'...' AND ... can be searched here.", "query")
        metadata[term.group(1)] = re.sub(r"\\(.)", r"\1", term.group(2))
    if "order_id" not in metadata:
        raise invalid("Only intents of an order_id can be searched here.", "query")
    return metadata
