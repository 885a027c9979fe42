"""The lab as a page: what goes wrong on purpose, and workers to kill."""

from aiohttp import web

from app.console.api.fault_injection import MINUTES, NO_FAULT, SHAPES, standing
from app.console.pages.render import page

WORDS = {
    "decline": "cards are declined",
    "rate_limited": "asked too often (429), nothing happens",
    "error_before": "500, nothing happens",
    "error_after": "it happens, and 500 is the answer",
    "timeout": "no answer in time: half of them happened",
    "slow": "slow answers",
    "webhook_late": "call-backs late",
    "webhook_doubled": "call-backs twice",
    "webhook_lost": "call-backs lost",
    "refuse": "parcels are refused",
}
"""Each fault in words; its value is a share of 1."""
ORDER = tuple(WORDS)


async def show(request: web.Request) -> web.Response:
    """Return the faults in force, the switches, and the processes."""
    names = {
        party: [name for name in ORDER if name in shape.__struct_fields__ and name not in NO_FAULT]
        for party, shape in SHAPES.items()
    }
    return await page(
        request,
        "faults.html",
        title="Faults",
        standing=await standing(request),
        names=names,
        words=WORDS,
        minutes=MINUTES,
    )
