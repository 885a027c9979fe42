"""What becomes of the decision about a case: the agent's row says whose counts.

Two operators who decide at the same time have both read a row in which the case waits. So a
decision is answered once the row has received it; the one that comes second is refused, here and in
the audit.
"""

import asyncio
from dataclasses import dataclass

from aiohttp import web
from msgspec.structs import replace

from app.console.api.audited_actions import carry_out, refused, unconfirmed
from app.console.api.context import CONTEXT
from app.console.api.operator_actions import Cases, Under, accepted_response, cases_and_state
from app.console.api.problems import JsonResponse, Problem
from app.entrypoints.emission import Emission
from app.wire.envelope import derive_id
from app.wire.signing import keyed_digest
from workflows.audit.case_decisions import CaseAction
from workflows.shared.errors import PayflowError

STEP_SECONDS = 0.1


class Undecided(PayflowError):
    """Nobody has said yet what becomes of a decision."""


@dataclass(kw_only=True)
class Patience:
    """How long an answer waits for the agent."""

    seconds: float = 5.0


PATIENCE: web.AppKey[Patience] = web.AppKey("patience")


async def answer(  # noqa: PLR0913  a request, whose case, and what is decided
    request: web.Request,
    order_id: str,
    cases: Cases,
    action: CaseAction,
    emission: Emission,
    mark: str,
    field: str,
) -> JsonResponse[Under]:
    """Audit and produce a decision, and answer what has become of it.

    `decided`: it counts. `asked`: the agent has not said so yet, and the audit that nobody knows.
    Raises Problem 409, which names `field`, for one that does not count, and 503.
    """
    emission = _with_keyed_id(emission, request.app[CONTEXT].config.signing_key)
    action = replace(action, event_id=emission.event_id)
    action_id = await carry_out(request, action, emission, mark)
    patience = request.app[PATIENCE]
    try:
        objection = await _outcome(request, order_id, cases, emission, patience.seconds)
    except Undecided as undecided:
        await unconfirmed(request, action, action_id, undecided)
        return accepted_response(order_id, "asked")
    if objection:
        await refused(request, action, action_id, objection)
        raise Problem(409, "Conflict", objection, field=field)
    return accepted_response(order_id, "decided")


def _with_keyed_id(emission: Emission, secret: str) -> Emission:
    """Return `emission` under an id that says nothing of what was decided.

    Its own id follows from the reference or the evidence. Those are masked, and ids are not:
    whoever guesses one of them would see that he is right.
    """
    digest = keyed_digest(secret, f"decision:{emission.event_id}".encode())
    return replace(emission, event_id=derive_id("decision", digest))


async def _outcome(
    request: web.Request, order_id: str, cases: Cases, emission: Emission, seconds: float
) -> str:
    """Return why a decision does not count; nothing where it does. Raises Undecided."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while True:
        try:
            _, state = await cases_and_state(request, order_id, cases, "")
        except Problem:
            # The worker is away, and receives it when it is back.
            state = None
        objection = cases.outcome(state, emission.message) if state is not None else None
        if objection is not None:
            return objection
        if clock() >= until:
            raise Undecided
        await asyncio.sleep(STEP_SECONDS)
