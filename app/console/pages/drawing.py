"""The geometry of a transaction's drawings: plain numbers that templates draw. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from workflows.shared.timeline import Bar

DRAWN_MAX = 200
"""Bars of one drawing; the table has them all."""
ROW_HEIGHT, LABEL_WIDTH, CHART_WIDTH = 24, 300, 700
SWIMLANE_HEIGHT, STACK_HEIGHT, COLUMN_WIDTH, SWIMLANE_LABEL_WIDTH = 44, 34, 62, 110
STUB_WIDTH = 26
TICK_WIDTH, TICK_WIDTH_MIN = 140, 46
"""The distance of ticks, and the least distance of two."""
THIN = 2.0
"""The least width of a bar, so that one of no time is visible."""
PAUSE_WIDTH, PAUSE_MS_MIN = 40.0, 100
"""A pause is cut out if it is as long, and longer than a quarter of the busy time."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the waterfall: where its two parts begin, and how wide they are."""

    y: int
    waits_x: float
    waits_width: float
    works_x: float
    works_width: float


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nothing happened, drawn shorter than it was, in ms."""

    x: float
    width: float
    ms: int


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """Lines in the order of the bars, and moments along the top (x, ms since the beginning)."""

    width: int
    height: int
    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, float], ...]
    pauses: tuple[Pause, ...]


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """From a cause to its effect."""

    x1: int
    y1: int
    x2: int
    y2: int


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Lanes (name, y) of services, a node (x, y) for each bar, arrows.

    Stubs are arrows without a source: the cause is not in the journal.
    """

    width: int
    height: int
    swimlanes: tuple[tuple[str, int], ...]
    nodes: tuple[tuple[int, int], ...]
    arrows: tuple[Arrow, ...]
    stubs: tuple[Arrow, ...]


class _Axis:
    """Time from left to right, without pauses."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.busy = _busy(bars)
        self.first = self.busy[0][0]
        gaps = len(self.busy) - 1
        # However many pauses there are, half of the width is for busy time.
        self.pause_width = min(PAUSE_WIDTH, CHART_WIDTH / 2 / gaps) if gaps else 0.0
        length = max(sum(end - begin for begin, end in self.busy), 1)
        self.width_of_ms = (CHART_WIDTH - gaps * self.pause_width) / length

    def x(self, at_ms: float) -> float:
        """Return the x of a moment."""
        x = float(LABEL_WIDTH)
        for begin, end in self.busy:
            if at_ms <= end:
                return round(x + max(at_ms - begin, 0) * self.width_of_ms, 1)
            x += (end - begin) * self.width_of_ms + self.pause_width
        return round(x - self.pause_width, 1)

    def ticks(self) -> tuple[tuple[float, float], ...]:
        """Return the moments to label: the beginnings, the end, and some between."""
        candidates: list[tuple[float, float]] = []
        for begin, end in self.busy:
            parts = max(int((end - begin) * self.width_of_ms // TICK_WIDTH), 1)
            moments = [begin + (end - begin) * at / parts for at in range(parts)]
            candidates += [(self.x(at_ms), at_ms - self.first) for at_ms in moments]
        last_ms = self.busy[-1][1]
        candidates.append((self.x(last_ms), last_ms - self.first))
        ticks = [candidates[0]]
        for tick in candidates[1:-1]:
            if min(tick[0] - ticks[-1][0], candidates[-1][0] - tick[0]) >= TICK_WIDTH_MIN:
                ticks.append(tick)
        return (*ticks, candidates[-1])

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses that were cut out."""
        pairs = zip(self.busy, self.busy[1:], strict=False)
        return tuple(
            Pause(x=self.x(end), width=round(self.pause_width, 1), ms=begin - end)
            for (_, end), (begin, _) in pairs
        )


def _busy(bars: Sequence[Bar]) -> list[tuple[int, int]]:
    """Return the times in which something happened, with short pauses between them."""
    times = sorted((bar.began_ms, max(bar.entry.time_ms, bar.began_ms)) for bar in bars)
    merged: list[tuple[int, int]] = []
    for begin, end in times:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    least_ms = max(PAUSE_MS_MIN, sum(end - begin for begin, end in merged) / 4)
    busy = [merged[0]]
    for begin, end in merged[1:]:
        if begin - busy[-1][1] < least_ms:
            busy[-1] = (busy[-1][0], end)
        else:
            busy.append((begin, end))
    return busy


def waterfall(bars: Sequence[Bar]) -> Waterfall:
    """Return the drawing of `bars` along time."""
    width, height = LABEL_WIDTH + CHART_WIDTH + 60, ROW_HEIGHT * (len(bars) + 1) + 8
    if not bars:
        return Waterfall(width=width, height=height, lines=(), ticks=(), pauses=())
    axis = _Axis(bars)
    lines = tuple(
        Line(
            y=ROW_HEIGHT * (number + 1),
            waits_x=axis.x(bar.began_ms),
            waits_width=round(axis.x(bar.received_ms) - axis.x(bar.began_ms), 1),
            works_x=axis.x(bar.received_ms),
            works_width=max(round(axis.x(bar.entry.time_ms) - axis.x(bar.received_ms), 1), THIN),
        )
        for number, bar in enumerate(bars)
    )
    return Waterfall(
        width=width, height=height, lines=lines, ticks=axis.ticks(), pauses=axis.pauses()
    )


def graph(bars: Sequence[Bar]) -> Graph:
    """Return the drawing of `bars` by service and depth: each cause to the left of its effects."""
    columns = _columns(bars)
    cells = [(bar.service, column) for bar, column in zip(bars, columns, strict=True)]
    stacks: Counter[str] = Counter()
    for (service, _), count in Counter(cells).items():
        stacks[service] = max(stacks[service], count)
    swimlanes: dict[str, int] = {}
    height = 0
    for service in dict.fromkeys(bar.service for bar in bars):
        swimlanes[service] = height + SWIMLANE_HEIGHT // 2
        height += SWIMLANE_HEIGHT + STACK_HEIGHT * (stacks[service] - 1)
    nodes: list[tuple[int, int]] = []
    below: Counter[tuple[str, int]] = Counter()
    for cell in cells:
        x = SWIMLANE_LABEL_WIDTH + COLUMN_WIDTH * cell[1] + COLUMN_WIDTH // 2
        nodes.append((x, swimlanes[cell[0]] + STACK_HEIGHT * below[cell]))
        below[cell] += 1
    pairs = list(zip(bars, nodes, strict=True))
    causes = ((nodes[bar.cause], node) for bar, node in pairs if bar.cause is not None)
    return Graph(
        width=SWIMLANE_LABEL_WIDTH + COLUMN_WIDTH * (max(columns, default=0) + 1) + 20,
        height=max(height, SWIMLANE_HEIGHT),
        swimlanes=tuple(swimlanes.items()),
        nodes=tuple(nodes),
        arrows=tuple(Arrow(x1=x1, y1=y1, x2=x2, y2=y2) for (x1, y1), (x2, y2) in causes),
        stubs=tuple(
            Arrow(x1=x - STUB_WIDTH, y1=y, x2=x, y2=y) for bar, (x, y) in pairs if bar.orphan
        ),
    )


def _columns(bars: Sequence[Bar]) -> list[int]:
    """Return how deep each lies below the first.

    One without a cause follows what was emitted last.
    """
    columns: list[int] = []
    for number, bar in enumerate(bars):
        before = [at for at in range(number) if bars[at].entry.time_ms <= bar.entry.time_ms]
        latest = max(before, key=lambda at: (bars[at].entry.time_ms, columns[at]), default=None)
        cause = latest if bar.cause is None else bar.cause
        columns.append(0 if cause is None else columns[cause] + 1)
    return columns


def span_of(traceparent: str) -> dict[str, str]:
    """Return the trace and the span of a W3C traceparent; empty where there is none."""
    parts = traceparent.split("-")
    return {"trace": parts[1], "span": parts[2]} if len(parts) == 4 else {"trace": "", "span": ""}  # noqa: PLR2004
