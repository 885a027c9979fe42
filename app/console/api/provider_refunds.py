"""A refund that an operator has found at the provider: he is asked before it is believed."""

from typing import TYPE_CHECKING

from aiohttp import web

from app.console.api.context import CONTEXT
from app.console.api.problems import Problem
from app.entrypoints.case_requests import DueRefund
from workflows.shared.money import money
from workflows.shared.provider_metadata import REFUND_IDS

if TYPE_CHECKING:
    from app.gateways.found_refund import FoundRefund

OTHER_OBJECTS = ("pi_", "ch_", "py_", "txn_", "po_", "tr_", "du_", "dp_", "cus_", "evt_")
"""How ids at the provider begin that are not refunds: docs.stripe.com/api."""


def is_providers(reference: str) -> bool:
    """Return whether `reference` is an id of the provider, and not of a bank transfer."""
    return reference.startswith((*REFUND_IDS, *OTHER_OBJECTS))


async def confirmed_minor(request: web.Request, refund_id: str, due: DueRefund) -> int:
    """Return what the provider has refunded by `refund_id`, where it is what is due.

    Raises Problem 409, which says the difference, and PayflowError while he does not answer.
    """
    if objection := await _objection(request, refund_id, due):
        raise Problem(409, "Conflict", objection, field="reference")
    return due.amount_minor


async def _objection(request: web.Request, refund_id: str, due: DueRefund) -> str:
    if not refund_id.startswith(REFUND_IDS):
        return f"{refund_id} is not a refund at the provider: the id of one begins with re_"
    # It loads the provider's SDK, which takes half a second.
    from app.gateways.found_refund import found_refund  # noqa: PLC0415  when needed

    refund = await found_refund(request.app[CONTEXT].config, refund_id)
    if refund is None:
        return f"the provider has no refund {refund_id}"
    return _difference(refund, refund_id, due)


def _difference(refund: "FoundRefund", refund_id: str, due: DueRefund) -> str:
    """Return why what was found is not what is due, or nothing."""
    if refund.payment_id != due.payment_id:
        return f"{refund_id} is a refund of another payment than this order's"
    if refund.refund_key not in ("", due.refund_key):
        return f"{refund_id} is the refund of {refund.refund_key}, and not of {due.refund_key}"
    if refund.status != "succeeded":
        return f"{refund_id} is {refund.status}: it settles nothing until it has succeeded"
    if (refund.amount_minor, refund.currency) == (due.amount_minor, due.currency):
        return ""
    refunded, due_money = (
        money(refund.amount_minor, refund.currency),
        money(due.amount_minor, due.currency),
    )
    return f"{refund_id} refunded {refunded}, and {due_money} are due"
