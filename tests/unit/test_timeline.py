"""A transaction in time: what waited apart from what worked, causes first, compensation marked."""

from app.console.pages.drawing import (
    CHART_WIDTH,
    LABEL_WIDTH,
    PAUSE_WIDTH,
    graph,
    span_of,
    waterfall,
)
from app.wire.topics import load_topics
from workflows.order.messages import OrderPlaced
from workflows.order.saga_messages import OrderCancelled
from workflows.payment.messages import PaymentCompleted, PaymentPending, PaymentRefunded
from workflows.shared.journal import JournalEntry
from workflows.shared.message import type_name
from workflows.shared.timeline import timeline

load_topics()

TRACE = "00-4989d417455fd31acf136719a553443a-98315f17cdb7cb38-01"


def entry(event_id: str, cause: str, received_ms: int, at_ms: int, message: type = OrderPlaced):
    return JournalEntry(
        id=event_id,
        type=type_name(message),
        source="/payflow/payment",
        time_ms=at_ms,
        causation_id=cause,
        received_ms=received_ms,
    )


def test_waiting_is_emitted_apart_from_working():
    """From the emitting of the cause until it is taken up.

    From then until the effect is emitted.
    """
    bars = timeline([entry("b", "a", 130, 150), entry("a", "", 0, 100)])

    assert [("a", 0, 0, 0), ("b", 30, 20, 1)] == [
        (bar.entry.id, bar.waited_ms, bar.worked_ms, bar.depth) for bar in bars
    ]
    assert [None, 0] == [bar.cause for bar in bars]


def test_what_is_not_known_is_no_waiting():
    """A cause that is missing, an event of an older worker, clocks that disagree."""
    orphan, older, early = (
        timeline([entry("a", "", 0, 100), each])[1]
        for each in (
            entry("b", "gone", 130, 150),
            entry("b", "a", 0, 150),
            entry("b", "a", 90, 95),
        )
    )

    assert (0, 0) == (orphan.waited_ms, orphan.worked_ms)
    assert (0, 50) == (older.waited_ms, older.worked_ms)
    assert (0, 0) == (early.waited_ms, early.worked_ms)


def test_compensation_retries_and_failures_are_marked():
    """By what they say, whoever produces them."""
    messages = (PaymentCompleted, PaymentRefunded, PaymentPending, OrderCancelled)
    bars = timeline(
        [entry(str(at), "", 0, 100 + at, message) for at, message in enumerate(messages)]
    )

    assert ["step", "compensation", "retry", "failure"] == [bar.kind for bar in bars]


def test_the_waterfall_spans_the_whole_transaction():
    """From its first moment at the left to its last at the right; nothing has no width."""
    bars = timeline([entry("a", "", 0, 100), entry("b", "a", 150, 200)])
    chart = waterfall(bars)

    assert LABEL_WIDTH == chart.lines[0].works_x
    assert LABEL_WIDTH + CHART_WIDTH == chart.lines[1].works_x + chart.lines[1].works_width
    assert CHART_WIDTH / 2 == chart.lines[1].waits_width
    assert all(line.works_width > 0 for line in chart.lines)
    assert (0, 100) == (chart.ticks[0][1], chart.ticks[-1][1])
    assert () == waterfall([]).lines


def test_time_in_which_nothing_happens_is_cut_out():
    """A day between two hops is as wide as a cut; the hops are as wide as each other."""
    day_ms = 86_400_000
    bars = timeline(
        [
            entry("a", "", 0, 100),
            entry("b", "a", 150, 200),
            entry("c", "", 0, day_ms),
            entry("d", "c", day_ms + 50, day_ms + 100),
        ]
    )
    chart = waterfall(bars)

    (pause,) = chart.pauses
    assert (day_ms - 200, PAUSE_WIDTH) == (pause.ms, pause.width)
    first, second = chart.lines[1], chart.lines[3]
    assert abs(first.waits_width - second.waits_width) < 0.2
    assert first.works_x + first.works_width <= pause.x + 0.2
    assert pause.x + pause.width <= chart.lines[2].works_x + 0.2
    assert abs(LABEL_WIDTH + CHART_WIDTH - second.works_x - second.works_width) < 0.2
    assert (0, day_ms) == (chart.ticks[0][1], chart.ticks[-1][1])


def test_however_many_cuts_there_are_half_the_width_is_for_what_happened():
    """And each line begins where the one before it began, or later."""
    bars = timeline([entry(str(at), "", 0, 1_000 * (at + 1)) for at in range(100)])
    chart = waterfall(bars)

    assert 99 == len(chart.pauses)
    assert sum(pause.width for pause in chart.pauses) <= CHART_WIDTH / 2 + 10
    assert sorted(line.works_x for line in chart.lines) == [line.works_x for line in chart.lines]


def test_what_is_not_emitted_apart_is_known_as_such():
    """By an older worker; an effect of something that the journal does not keep is an orphan."""
    older, emitted = (
        timeline([entry("a", "", 0, 100), entry("b", "a", received_ms, 150)])[1]
        for received_ms in (0, 130)
    )
    orphan = timeline([entry("b", "gone", 130, 150)])[0]

    assert (False, True) == (older.split, emitted.split)
    assert (True, False) == (orphan.orphan, emitted.orphan)


def test_depth_is_a_column_and_effects_of_one_cause_lie_below_each_other():
    """What has no cause in the journal follows the event before it, with a stub."""
    chart = graph(
        timeline(
            [
                entry("a", "", 0, 100),
                entry("b", "a", 0, 110),
                entry("c", "a", 0, 120),
                entry("d", "gone", 0, 130),
            ]
        )
    )

    (ax, ay), (bx, by), (cx, cy), (dx, _) = chart.nodes
    assert ax < bx == cx < dx
    assert ay == by < cy
    assert [dx] == [stub.x2 for stub in chart.stubs]
    assert 2 == len(chart.arrows)


def test_arrows_lead_from_causes_to_effects():
    """Each to the right of what caused it."""
    chart = graph(timeline([entry("a", "", 0, 100), entry("b", "a", 0, 120)]))

    assert [("payment", 22)] == list(chart.swimlanes)
    assert [(chart.nodes[0], chart.nodes[1])] == [
        ((arrow.x1, arrow.y1), (arrow.x2, arrow.y2)) for arrow in chart.arrows
    ]
    assert chart.nodes[0][0] < chart.nodes[1][0]


def test_a_span_is_read_from_its_traceparent():
    """And nothing from what is none."""
    assert "98315f17cdb7cb38" == span_of(TRACE)["span"]
    assert {"trace": "", "span": ""} == span_of("junk")
