"""What happens now."""

from aiohttp import web

from app.console.pages.render import page

MILESTONES = (
    ("placed", "orders", "payment", "the payment to be made"),
    ("paid", "payments", "inventory", "goods to be reserved"),
    ("reserved", "reserved", "fraud", "a verdict on the payment"),
    ("confirmed", "confirmed", "shipping", "the carrier to take the shipment"),
    ("shipped", "shipments", "delivery", "the carrier to deliver"),
    ("delivered", "delivered", "order", "its own next message"),
    ("cancelled", "cancelled", "taking back", "the refund, and the goods to be restocked"),
)
"""What an order can have come to, its figure, and the step for which open orders wait."""
STATUSES = ("waiting", "retrying", "compensating", "stuck")


async def show(request: web.Request) -> web.Response:
    """Return the page; a script of it fills it from `/live`."""
    return await page(request, "live.html", title="Live", milestones=MILESTONES, statuses=STATUSES)
