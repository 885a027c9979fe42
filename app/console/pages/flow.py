"""The flow map: which agent produces and consumes which topic, and what flows there now."""

from collections.abc import Iterable
from typing import TypedDict

import msgspec
from aiohttp import web

from app.console.api.flow_metrics import FLOW_METRICS, Edge, Flow
from app.console.pages.render import page

ROW, TOP = 34, 30
PRODUCER_X, TOPIC_X, AGENT_X, WIDTH = 130, 520, 920, 1060
WIDEST = 9.0


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One edge as it is drawn."""

    path: str
    width: float
    kind: str
    """`flows`, `idle` (nothing seen yet) or `drift` (seen, and not declared)."""
    said: str


class Drawing(TypedDict):
    """The map as it is drawn: names with their heights, and the curves between them."""

    curves: list[Curve]
    producers: list[tuple[str, int, bool]]
    topics: list[tuple[str, int]]
    agents: list[tuple[str, int]]
    columns: tuple[int, int, int]
    width: int
    height: int


async def show(request: web.Request) -> web.Response:
    """Return the map and, beside it, its numbers."""
    flow = await request.app[FLOW_METRICS].query()
    return await page(request, "flow.html", title="Flow", found=flow, **drawing_of(flow))


def drawing_of(flow: Flow) -> Drawing:
    """Return where producers, topics and agents lie, and the curves between them."""
    emitted, received = flow["produced"], flow["consumed"]
    producers = _spread(edge.who for edge in emitted)
    topics = _spread(edge.topic for edge in (*emitted, *received))
    agents = _spread(edge.who for edge in received)
    curves = [
        *(
            _curve(edge, PRODUCER_X, producers[edge.who], TOPIC_X - 110, topics[edge.topic])
            for edge in emitted
        ),
        *(
            _curve(edge, TOPIC_X + 110, topics[edge.topic], AGENT_X, agents[edge.who])
            for edge in received
        ),
    ]
    alive = {each.name for each in flow["services"] if each.workers}
    return {
        "curves": curves,
        "producers": [
            (name, y, name in alive or name not in _names(flow)) for name, y in producers.items()
        ],
        "topics": list(topics.items()),
        "agents": list(agents.items()),
        "columns": (PRODUCER_X, TOPIC_X, AGENT_X),
        "width": WIDTH,
        "height": TOP + ROW * max(len(producers), len(topics), len(agents), 1) + 10,
    }


def _names(flow: Flow) -> set[str]:
    return {each.name for each in flow["services"]}


def _spread(names: Iterable[str]) -> dict[str, int]:
    return {name: TOP + ROW * at + ROW // 2 for at, name in enumerate(dict.fromkeys(sorted(names)))}


def _curve(edge: Edge, x1: int, y1: int, x2: int, y2: int) -> Curve:
    middle = (x1 + x2) // 2
    kind = "drift" if not edge.declared else "flows" if edge.total else "idle"
    rate = (
        f"{edge.rate:.1f} per second" if edge.rate is not None else "measured at the next reading"
    )
    return Curve(
        path=f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}",
        width=round(min(1.5 + (edge.rate or 0.0) ** 0.5, WIDEST), 1),
        kind=kind,
        said=f"{edge.who} and {edge.topic}: {rate}",
    )
