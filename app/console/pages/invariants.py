"""The page of invariants: balances that must be zero."""

from aiohttp import web

from app.console.api.invariants import INVARIANTS
from app.console.pages.render import page
from app.registry import load_workflows


async def show(request: web.Request) -> web.Response:
    """Return the balances and the checks behind them; raises Problem 503 while there are none."""
    return await page(
        request,
        "invariants.html",
        title="Invariants",
        found=await request.app[INVARIANTS].latest(),
        trial_balances=[
            each.invariants.trial_balance
            for each in load_workflows().values()
            if each.invariants.trial_balance
        ],
        made_of=[name for each in load_workflows().values() for name in each.invariants.made_of],
    )
