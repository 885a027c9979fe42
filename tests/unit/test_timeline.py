"""A transaction in time: what waited apart from what worked, causes first, compensation marked."""

from app.pages.drawing import CHART_WIDTH, LABEL_WIDTH, graph, span_of, waterfall
from workflows.journal import JournalEntry
from workflows.message import type_name
from workflows.timeline import timeline
from workflows.words.order import OrderPlaced
from workflows.words.payment import PaymentCompleted, PaymentPending, PaymentRefunded
from workflows.words.saga import OrderCancelled

TRACE = "00-4989d417455fd31acf136719a553443a-98315f17cdb7cb38-01"


def entry(event_id: str, cause: str, heard_ms: int, at_ms: int, word: type = OrderPlaced):
    return JournalEntry(
        id=event_id,
        type=type_name(word),
        source="/payflow/payment",
        time_ms=at_ms,
        causation_id=cause,
        heard_ms=heard_ms,
    )


def test_waiting_is_told_apart_from_working():
    """From the telling of the cause until it is taken up; from then until the effect is told."""
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
    """By what they say, whoever tells them."""
    words = (PaymentCompleted, PaymentRefunded, PaymentPending, OrderCancelled)
    bars = timeline([entry(str(at), "", 0, 100 + at, word) for at, word in enumerate(words)])

    assert ["step", "compensation", "retry", "failure"] == [bar.kind for bar in bars]


def test_the_waterfall_spans_the_whole_transaction():
    """From its first moment at the left to its last at the right; nothing has no width."""
    bars = timeline([entry("a", "", 0, 100), entry("b", "a", 150, 200)])
    drawn = waterfall(bars)

    assert LABEL_WIDTH == drawn.lines[0].works_x
    assert LABEL_WIDTH + CHART_WIDTH == drawn.lines[1].works_x + drawn.lines[1].works_width
    assert CHART_WIDTH / 2 == drawn.lines[1].waits_width
    assert all(line.works_width > 0 for line in drawn.lines)
    assert (0, 100) == (drawn.ticks[0][1], drawn.ticks[-1][1])
    assert () == waterfall([]).lines


def test_arrows_lead_from_causes_to_effects():
    """Each to the right of what caused it."""
    drawn = graph(timeline([entry("a", "", 0, 100), entry("b", "a", 0, 120)]))

    assert [("payment", 22)] == list(drawn.lanes)
    assert [(drawn.nodes[0], drawn.nodes[1])] == [
        ((arrow.x1, arrow.y1), (arrow.x2, arrow.y2)) for arrow in drawn.arrows
    ]
    assert drawn.nodes[0][0] < drawn.nodes[1][0]


def test_a_span_is_read_from_its_traceparent():
    """And nothing from what is none."""
    assert "98315f17cdb7cb38" == span_of(TRACE)["span"]
    assert {"trace": "", "span": ""} == span_of("junk")
