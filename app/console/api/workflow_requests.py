"""Transactions of any workflow over HTTP: start, follow up, read.

Requests and their messages are declared in `app/entrypoints/`.
"""

import hashlib

import msgspec
from aiohttp import web
from cachetools import FIFOCache

from app.console.api.callers import caller_of, owner_of
from app.console.api.context import CONTEXT, ApiContext
from app.console.api.problems import JsonResponse, Problem, json_response, read_body
from app.console.api.quotas import HOLDINGS
from app.console.api.table_rows import TableRow
from app.entrypoints.requests import Entrypoint, FollowingRequest
from app.host.parameters import idempotency_key, path_name, text_of, whole
from app.registry import load_workflows
from app.wire.envelope import derive_id
from app.wire.personal import masked, masked_entry
from app.wire.signing import keyed_digest
from tables import declared
from workflows.shared.journal import causal_order
from workflows.shared.reaction import WORKFLOW

FINGERPRINT_DIGITS = 16
REMEMBERED_MAX = 10_000
"""Transactions started by this process: a repetition is answered from memory."""


class Repeats:
    """The latest transactions and the fingerprints of their bodies, to recognise a repetition."""

    def __init__(self) -> None:
        self._known: FIFOCache[str, tuple[str, str]] = FIFOCache(REMEMBERED_MAX)

    def get(self, transaction_id: str) -> str:
        """Return the fingerprint of the body that started it, or nothing."""
        return self._known.get(transaction_id, ("", ""))[0]

    def workflow(self, transaction_id: str) -> str:
        """Return the name of the workflow that was started, or nothing."""
        return self._known.get(transaction_id, ("", ""))[1]

    def put(self, transaction_id: str, fingerprint: str, workflow: str) -> None:
        """Add a transaction; the oldest is dropped."""
        self._known[transaction_id] = (fingerprint, workflow)


REPEATS: web.AppKey[Repeats] = web.AppKey("repeats")


class WorkflowRequests:
    """The handlers of one workflow's requests."""

    def __init__(self, entrypoint: Entrypoint) -> None:
        self._entrypoint = entrypoint
        self._workflow = load_workflows()[entrypoint.workflow]

    async def start(self, request: web.Request) -> JsonResponse[object]:
        """Start a transaction. Repeated with the same key and body, it is started once."""
        context, start = request.app[CONTEXT], self._entrypoint.start
        caller = caller_of(request)
        transaction_id = caller.transaction_id(self._workflow.name, idempotency_key(request))
        body = await read_body(request, start.body)
        for scope, field in start.takes(body).items():
            caller.check(scope, field)
        content = msgspec.json.encode(body)
        fingerprint = _fingerprint(content, caller.id_secret)
        used_fingerprint = request.app[REPEATS].get(transaction_id)
        used_fingerprint = used_fingerprint or await self._row_fingerprint(context, transaction_id)
        if used_fingerprint and used_fingerprint not in (fingerprint, _fingerprint_before(content)):
            name = self._workflow.name
            detail = f"this Idempotency-Key was used for another {name}; choose a new key"
            raise Problem(422, "Unprocessable Content", detail, field="Idempotency-Key")
        if not used_fingerprint:
            at_ms = context.now_ms()
            # The signature marks the times of the API, and without one nobody is believed.
            backdates = (
                self._entrypoint.backdate_scope in caller.scopes and context.config.signing_key
            )
            said_ms = start.said_ms(body, at_ms) if backdates else None
            message = start.message(transaction_id, body, at_ms if said_ms is None else said_ms)
            baggage = {
                WORKFLOW: self._workflow.name,
                "client": caller.name,
                **start.baggage(message),
                "began_ms": str(at_ms),
                "fingerprint": fingerprint,
            }
            event_id = derive_id(transaction_id, start.event)
            with request.app[HOLDINGS].held(caller.name, transaction_id, start.holding(body)):
                await context.publish(request, message, event_id, transaction_id, baggage)
        request.app[REPEATS].put(transaction_id, fingerprint, self._workflow.name)
        return self._accepted(
            transaction_id, {"Idempotent-Replayed": "true"} if used_fingerprint else {}
        )

    async def _row_fingerprint(self, context: ApiContext, transaction_id: str) -> str:
        try:
            row = await context.row(self._workflow.table, transaction_id)
        except Problem:
            # No worker holds the row now. Producing it again is harmless: its id is the same.
            return ""
        return str(row["context"]["baggage"].get("fingerprint", "")) if row else ""

    async def follow(
        self, following: FollowingRequest, request: web.Request
    ) -> JsonResponse[object]:
        """Produce the message of a following request."""
        transaction_id = self._owned(request)
        if following.optional and not request.can_read_body:
            body = following.body()
        else:
            body = await read_body(request, following.body)
        message = following.message(transaction_id, body)
        row = await self._existing(request, transaction_id)
        reason = following.objection(self._state(row), body)
        if reason:
            raise Problem(409, "Conflict", reason)
        event_id = following.event_id(transaction_id, body)
        await request.app[CONTEXT].publish(request, message, event_id, transaction_id)
        return self._accepted(transaction_id, {})

    async def show(self, request: web.Request) -> JsonResponse[object]:
        """Return the status of a transaction: its state, each step, what is due when."""
        transaction_id = self._owned(request)
        row = await self._existing(request, transaction_id)
        links = self._links(transaction_id)
        if row is None:
            accepted = {self._workflow.key: transaction_id, "state": "accepted", "links": links}
            return json_response(accepted)
        facts = {**self._facts(row), **masked(self._workflow.view.details(self._state(row)))}
        return json_response({**facts, "correlation_id": transaction_id, "links": links})

    async def listed(self, request: web.Request) -> JsonResponse[object]:
        """Return transactions in the order of their ids, a page at a time."""
        limit = whole(request, "limit", 100, 1, 1_000)
        state = text_of(request, "state")
        after = text_of(request, "after")
        owner = owner_of(request)
        rows, partial = await request.app[CONTEXT].rows(
            self._workflow.table, prefix=owner.tag if owner else "", limit=limit, after=after
        )
        transactions = [self._facts(row) for row in rows]
        following = rows[-1]["key"] if len(rows) == limit else None
        matches = [facts for facts in transactions if not state or facts["state"] == state]
        name = self._entrypoint.listed_as
        return json_response({name: matches, "next": following, "partial": partial})

    async def events(self, request: web.Request) -> JsonResponse[object]:
        """Return every event of it, causes before effects, personal fields masked."""
        transaction_id = self._owned(request)
        entries, partial = await request.app[CONTEXT].journal(transaction_id)
        if not entries:
            await self._existing(request, transaction_id)
        masked_events = [msgspec.to_builtins(masked_entry(each)) for each in causal_order(entries)]
        ids = {self._workflow.key: transaction_id, "correlation_id": transaction_id}
        return json_response({**ids, "events": masked_events, "partial": partial})

    def _owned(self, request: web.Request) -> str:
        """Return the id in the path; raises Problem 404 for that of another client."""
        transaction_id = path_name(request, self._workflow.key)
        owner = owner_of(request)
        if owner is not None and not owner.owns(transaction_id):
            raise self._unknown(transaction_id)
        return transaction_id

    def _unknown(self, transaction_id: str) -> Problem:
        detail = f"there is no {self._workflow.name} {transaction_id!r}"
        return Problem(404, "Not Found", detail, field=self._workflow.key)

    async def _existing(self, request: web.Request, transaction_id: str) -> TableRow | None:
        """Return its row, None while there is none yet; raises Problem 404 when it is unknown."""
        row = await request.app[CONTEXT].row(self._workflow.table, transaction_id)
        if row is None and not request.app[REPEATS].get(transaction_id):
            raise self._unknown(transaction_id)
        return row

    def _facts(self, row: TableRow) -> dict[str, object]:
        return masked(self._workflow.view.facts(self._state(row)))

    def _state(self, row: TableRow | None) -> object:
        table = declared[self._workflow.table]
        return table.initial if row is None else msgspec.convert(row["state"], table.shape)

    def _links(self, transaction_id: str) -> dict[str, str]:
        path = f"{self._entrypoint.path}/{transaction_id}"
        more = {each.link: path + each.path for each in self._entrypoint.follow if each.link}
        return {"self": path, "events": f"{path}/events", **more}

    def _accepted(self, transaction_id: str, headers: dict[str, str]) -> JsonResponse[object]:
        links = self._links(transaction_id)
        ids = {self._workflow.key: transaction_id, "correlation_id": transaction_id}
        location = {"Location": links["self"], **headers}
        return json_response({**ids, "links": links}, 202, location)


def _fingerprint(body: bytes, secret: str) -> str:
    """Return what stands for `body` in the baggage, which every reader sees.

    The caller's secret is needed: else whoever guesses who the customer is could check it.
    """
    return keyed_digest(secret, body)[:FINGERPRINT_DIGITS]


def _fingerprint_before(body: bytes) -> str:
    """Return what rows have for `body` that were started before a secret was part of it."""
    return hashlib.sha256(body).hexdigest()[:FINGERPRINT_DIGITS]
