"""The page of fault injection: faults of external systems, and workers to kill."""

from aiohttp import web

from app.console.api.fault_injection import MINUTES, NO_FAULT, SHAPES, faults_in_force
from app.console.pages.render import page

MESSAGES = {
    "decline": "cards are declined",
    "short": "a penny less is charged than asked",
    "capture_declined": "captures of held money are declined",
    "hold_expired": "held money is free again before it is taken",
    "refund_pending": "refunds are pending first",
    "refund_fail": "refunds fail after they had succeeded",
    "refund_short": "a penny less is refunded than asked",
    "payout_fail": "payouts do not arrive at the bank",
    "payout_return": "payouts come back from the bank",
    "rate_limited": "asked too often (429), nothing happens",
    "error_before": "500, nothing happens",
    "error_after": "it happens, and 500 is the answer",
    "timeout": "no answer in time: half of them happened",
    "slow": "slow answers",
    "webhook_late": "call-backs late",
    "webhook_doubled": "call-backs twice",
    "webhook_lost": "call-backs lost",
    "webhook_shuffled": "call-backs in another order",
    "refuse": "shipments are refused",
}
"""Each fault in text; its value is a share of 1."""
ORDER = tuple(MESSAGES)


async def show(request: web.Request) -> web.Response:
    """Return the faults in force, the switches, and the processes."""
    names = {
        system: [name for name in ORDER if name in shape.__struct_fields__ and name not in NO_FAULT]
        for system, shape in SHAPES.items()
    }
    return await page(
        request,
        "faults.html",
        title="Faults",
        faults_in_force=await faults_in_force(request),
        names=names,
        messages=MESSAGES,
        minutes=MINUTES,
    )
