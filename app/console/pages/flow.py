"""The flow map: who tells and who hears which topic, as declared, and what flows there now."""

from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from app.console.api.flow_metrics import PULSE, Edge
from app.console.pages.render import page

ROW, TOP = 34, 30
TELLER_X, TOPIC_X, ROOM_X, WIDTH = 130, 520, 920, 1060
WIDEST = 9.0


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One edge as it is drawn."""

    path: str
    width: float
    kind: str
    """`flows`, `idle` (nothing seen yet) or `drift` (seen, and not declared)."""
    said: str


async def show(request: web.Request) -> web.Response:
    """Return the map and, beside it, its numbers."""
    found = await request.app[PULSE].look()
    return await page(request, "flow.html", title="Flow", found=found, **drawn(found))


def drawn(found: dict[str, Any]) -> dict[str, Any]:
    """Return where tellers, topics and rooms lie, and the curves between them."""
    told, heard = found["told"], found["heard"]
    tellers = _spread(edge.who for edge in told)
    topics = _spread(edge.topic for edge in (*told, *heard))
    rooms = _spread(edge.who for edge in heard)
    curves = [
        *(
            _curve(edge, TELLER_X, tellers[edge.who], TOPIC_X - 110, topics[edge.topic])
            for edge in told
        ),
        *(
            _curve(edge, TOPIC_X + 110, topics[edge.topic], ROOM_X, rooms[edge.who])
            for edge in heard
        ),
    ]
    alive = {each.name for each in found["services"] if each.workers}
    return {
        "curves": curves,
        "tellers": [
            (name, y, name in alive or name not in _names(found)) for name, y in tellers.items()
        ],
        "topics": list(topics.items()),
        "rooms": list(rooms.items()),
        "columns": (TELLER_X, TOPIC_X, ROOM_X),
        "width": WIDTH,
        "height": TOP + ROW * max(len(tellers), len(topics), len(rooms), 1) + 10,
    }


def _names(found: dict[str, Any]) -> set[str]:
    return {each.name for each in found["services"]}


def _spread(names: Iterable[str]) -> dict[str, int]:
    return {name: TOP + ROW * at + ROW // 2 for at, name in enumerate(dict.fromkeys(sorted(names)))}


def _curve(edge: Edge, x1: int, y1: int, x2: int, y2: int) -> Curve:
    middle = (x1 + x2) // 2
    kind = "drift" if not edge.declared else "flows" if edge.total else "idle"
    rate = f"{edge.rate:.1f} a second" if edge.rate is not None else "measured at the next look"
    return Curve(
        path=f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}",
        width=round(min(1.5 + (edge.rate or 0.0) ** 0.5, WIDEST), 1),
        kind=kind,
        said=f"{edge.who} and {edge.topic}: {rate}",
    )
