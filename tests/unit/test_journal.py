"""The journal's order: causes first, otherwise by time, whatever is missing or goes round."""

import pytest

from workflows.shared.journal import JournalEntry, causal_order, row_of


def entry(name: str, time_ms: int, cause: str = "") -> JournalEntry:
    """Return an event named `name`."""
    return JournalEntry(id=name, time_ms=time_ms, causation_id=cause, correlation_id="o1")


@pytest.mark.parametrize(
    ("record", "ordered"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([entry("b", 2), entry("a", 1)], "ab", id="by time"),
        pytest.param([entry("b", 1, "a"), entry("a", 2)], "ab", id="a cause with a late clock"),
        pytest.param([entry("c", 1, "b"), entry("b", 2, "a"), entry("a", 3)], "abc", id="a chain"),
        pytest.param([entry("b", 1, "gone"), entry("a", 2)], "ba", id="a missing cause"),
        pytest.param([entry("a", 1, "b"), entry("b", 2, "a")], "ab", id="a ring is cut"),
        pytest.param([entry("a", 1, "a")], "a", id="its own cause"),
        pytest.param([entry("a", 1), entry("a", 1)], "a", id="each once"),
        pytest.param(
            [entry("a", 1), entry("b", 5, "a"), entry("c", 3, "a"), entry("d", 4)],
            "acdb",
            id="effects among others by time",
        ),
    ],
)
def test_causes_come_before_effects(record: list[JournalEntry], ordered: str) -> None:
    """Returns every event once."""
    assert ordered == "".join(each.id for each in causal_order(record))


def test_rows_of_a_transaction_lie_together_in_time() -> None:
    """A scan by prefix gives them in order."""
    rows = [row_of(entry("z", 9)), row_of(entry("a", 10))]

    assert sorted(rows) == rows
    assert all(row.startswith("o1|") for row in rows)
