"""Deadlines: the heap wakes each row once, when it is due, and only as the row last said."""

from app.delivery.timers import Deadlines


def test_rows_are_woken_in_the_order_they_are_due() -> None:
    """The earliest first; what is not due yet stays."""
    deadlines = Deadlines()
    deadlines.put(0, b"late", 30)
    deadlines.put(1, b"early", 10)
    deadlines.put(0, b"later", 50)

    assert [(10, 1, b"early"), (30, 0, b"late")] == deadlines.reached(40, 10)
    assert 1 == len(deadlines)


def test_a_row_that_moved_on_is_not_woken_at_its_old_time() -> None:
    """Only the last message of a row counts."""
    deadlines = Deadlines()
    deadlines.put(0, b"o1", 10)
    deadlines.put(0, b"o1", 90)
    deadlines.put(0, b"o2", 10)
    deadlines.put(0, b"o2", None)

    assert [] == deadlines.reached(50, 10)
    assert [(90, 0, b"o1")] == deadlines.reached(90, 10)


def test_a_tick_wakes_no_more_than_its_limit() -> None:
    """A thousand rows due at once are woken over several ticks."""
    deadlines = Deadlines()
    for at in range(5):
        deadlines.put(0, b"%d" % at, at)

    assert 3 == len(deadlines.reached(100, 3))
    assert 2 == len(deadlines.reached(100, 3))


def test_what_is_taken_away_is_forgotten() -> None:
    """After a revocation nothing is woken."""
    deadlines = Deadlines()
    deadlines.put(0, b"o1", 10)

    deadlines.clear()

    assert [] == deadlines.reached(100, 10)
