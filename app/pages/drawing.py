"""Where things lie in the drawings of a transaction: plain numbers that templates draw. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from workflows.timeline import Bar

ROW_HEIGHT, LABEL_WIDTH, CHART_WIDTH = 24, 300, 700
LANE_HEIGHT, COLUMN_WIDTH, LANE_LABEL_WIDTH = 44, 34, 110
TICKS = 5
THIN = 2.0
"""A bar of no time is seen all the same."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the waterfall: where its two parts begin, and how wide they are."""

    y: int
    waits_x: float
    waits_width: float
    works_x: float
    works_width: float


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """Lines in the order of the bars, and moments along the top (x, ms since the beginning)."""

    width: int
    height: int
    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, float], ...]


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """From a cause to its effect."""

    x1: int
    y1: int
    x2: int
    y2: int


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Lanes (name, y) of services, a node (x, y) for each bar, arrows."""

    width: int
    height: int
    lanes: tuple[tuple[str, int], ...]
    nodes: tuple[tuple[int, int], ...]
    arrows: tuple[Arrow, ...]


def waterfall(bars: Sequence[Bar]) -> Waterfall:
    """Return the drawing of `bars` along time."""
    first = min((bar.began_ms for bar in bars), default=0)
    length = max(max((bar.entry.time_ms for bar in bars), default=0) - first, 1)

    def x(at_ms: float) -> float:
        return round(LABEL_WIDTH + (at_ms - first) / length * CHART_WIDTH, 1)

    lines = tuple(
        Line(
            y=ROW_HEIGHT * (number + 1),
            waits_x=x(bar.began_ms),
            waits_width=round(x(bar.heard_ms) - x(bar.began_ms), 1),
            works_x=x(bar.heard_ms),
            works_width=max(round(x(bar.entry.time_ms) - x(bar.heard_ms), 1), THIN),
        )
        for number, bar in enumerate(bars)
    )
    ticks = tuple((x(first + length * at / TICKS), length * at / TICKS) for at in range(TICKS + 1))
    return Waterfall(
        width=LABEL_WIDTH + CHART_WIDTH + 60,
        height=ROW_HEIGHT * (len(bars) + 1) + 8,
        lines=lines,
        ticks=ticks,
    )


def graph(bars: Sequence[Bar]) -> Graph:
    """Return the drawing of `bars` by service, each cause to the left of its effects."""
    names = list(dict.fromkeys(bar.service for bar in bars))
    lanes = {name: LANE_HEIGHT // 2 + LANE_HEIGHT * at for at, name in enumerate(names)}
    nodes = tuple(
        (LANE_LABEL_WIDTH + COLUMN_WIDTH * at + COLUMN_WIDTH // 2, lanes[bar.service])
        for at, bar in enumerate(bars)
    )
    arrows = tuple(
        Arrow(x1=nodes[bar.cause][0], y1=nodes[bar.cause][1], x2=node[0], y2=node[1])
        for bar, node in zip(bars, nodes, strict=True)
        if bar.cause is not None
    )
    return Graph(
        width=LANE_LABEL_WIDTH + COLUMN_WIDTH * max(len(bars), 1) + 20,
        height=LANE_HEIGHT * max(len(names), 1),
        lanes=tuple(lanes.items()),
        nodes=nodes,
        arrows=arrows,
    )


def span_of(traceparent: str) -> dict[str, Any]:
    """Return the trace and the span of a W3C traceparent; empty where there is none."""
    parts = traceparent.split("-")
    return {"trace": parts[1], "span": parts[2]} if len(parts) == 4 else {"trace": "", "span": ""}  # noqa: PLR2004
