"""Actions of operators as records of the audit: before they are carried out, and if they were not.

Each action is produced to `audit` first, so none is without its record. The two are on different
topics. Where the second fails, another record says that nobody has confirmed it; the operator is
asked to repeat it, and a repeated action has its effect once.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import structlog
from aiohttp import web

from app.console.api.access import operator_of
from app.console.api.context import CONTEXT
from app.console.api.problems import Problem
from app.entrypoints.requests import Emission
from app.wire.envelope import derive_id
from workflows.audit.messages import ActionRefused, ActionUnconfirmed
from workflows.shared.limits import TEXT_CHARS_MAX
from workflows.shared.message import Message, type_name

log = structlog.get_logger(__name__)


async def audit(request: web.Request, action: Message, mark: str = "") -> str:
    """Produce `action` to `audit`, and return its id.

    Raises Problem 503 on failure: then nothing may be carried out.
    """
    context, operator = request.app[CONTEXT], operator_of(request)
    about = str(getattr(action, "about", ""))
    action_id = derive_id(type_name(type(action)), about, operator.name, mark, context.now_ms())
    # Constructing a message does not check its limits.
    message = msgspec.convert(msgspec.to_builtins(action), type(action))
    await context.publish(request, message, action_id, about)
    return action_id


@asynccontextmanager
async def audited(request: web.Request, action: Message, mark: str = "") -> AsyncIterator[str]:
    """Audit `action`, which is carried out within; where that fails, the audit says so.

    Yields the id of what was audited.

    Raises what carrying it out raises, and Problem 503.
    """
    action_id = await audit(request, action, mark)
    try:
        yield action_id
    except Exception as error:
        await unconfirmed(request, action, action_id, error)
        raise


async def unconfirmed(
    request: web.Request, action: Message, action_id: str, error: Exception
) -> None:
    """Say in the audit that `error` came between an action and what it asks for."""
    message = ActionUnconfirmed(
        about=str(getattr(action, "about", "")),
        who=operator_of(request).name,
        action_id=action_id,
        failure=type(error).__name__,
    )
    try:
        await audit(request, message, action_id)
    except Problem as problem:
        # Kafka is away altogether: the log is what is left.
        log.warning("action not confirmed", id=action_id, why=str(problem))


async def carry_out(
    request: web.Request, action: Message, emission: Emission, mark: str = ""
) -> str:
    """Produce `action` to `audit`, and then what it asks for; return the id of the action.

    Raises Problem 413 or 422, before anything is audited, for what no agent would take, and 503.
    """
    context = request.app[CONTEXT]
    context.check_readable(request, emission)
    async with audited(request, action, mark) as action_id:
        await context.publish_all(request, [emission])
    return action_id


async def refused(request: web.Request, action: Message, action_id: str, reason: str) -> None:
    """Say in the audit that an action had no effect, and why. Raises Problem 503."""
    message = ActionRefused(
        about=str(getattr(action, "about", "")),
        who=operator_of(request).name,
        action_id=action_id,
        reason=reason[:TEXT_CHARS_MAX],
    )
    await audit(request, message, action_id)
