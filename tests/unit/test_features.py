"""Figures by example: which payments a window holds, and when a label counts."""

import pytest

from workflows.fraud import risk
from workflows.fraud.entity import DAY_MS, HOUR_MS
from workflows.fraud.entity_messages import CheckEntity, LabelEntity
from workflows.fraud.features import FEATURES, HANDBOOK, of_payment

START_MS = 17_002 * DAY_MS
"""A Wednesday, midnight."""


def figures(kind: str, moments: list[tuple[int, int]], frauds: dict[int, int]) -> dict[str, float]:
    """Return the figures of the last payment.

    `moments` are (ms, amount in minor units); `frauds`: when the payment at a place became known.
    """
    state = risk.INITIAL
    figure_by_name: dict[str, float] = {}
    for at, (at_ms, amount_minor) in enumerate(moments):
        check = CheckEntity(
            transaction_id=f"o{at}",
            entity=f"{kind}:x",
            kind=kind,
            amount_minor=amount_minor,
            at_ms=START_MS + at_ms,
        )
        figure_by_name = risk.decide(state, check, 0)[0].figures
        state = risk.evolve(state, check, 0)
        if at in frauds:
            label = LabelEntity(
                transaction_id=f"o{at}",
                entity=f"{kind}:x",
                kind=kind,
                fraud=True,
                at_ms=START_MS + frauds[at],
            )
            state = risk.evolve(state, label, 0)
    return figure_by_name


@pytest.mark.parametrize(
    ("at_ms", "weekend", "night"),
    [
        (START_MS, 0.0, 1.0),
        (START_MS + 7 * HOUR_MS - 1, 0.0, 1.0),
        (START_MS + 7 * HOUR_MS, 0.0, 0.0),
        (START_MS + 3 * DAY_MS - 1, 0.0, 0.0),
        (START_MS + 3 * DAY_MS, 1.0, 1.0),
        (START_MS + 5 * DAY_MS, 0.0, 1.0),
    ],
)
def test_what_a_payment_alone_says(at_ms: int, weekend: float, night: float) -> None:
    """The weekend begins on Saturday; the night ends at seven."""
    expected = {"amount": 12.34, "weekend": weekend, "night": night}

    assert expected == of_payment(at_ms, 1_234)


def test_a_window_of_a_customer_holds_this_payment_and_not_one_a_day_old() -> None:
    """(t - 1 d, t]; means in major units."""
    figure_by_name = figures("customer", [(0, 100), (1, 200), (DAY_MS, 600)], {})

    assert (2.0, 4.0) == (figure_by_name["customer_count_1d"], figure_by_name["customer_mean_1d"])
    assert (3.0, 3.0) == (figure_by_name["customer_count_7d"], figure_by_name["customer_mean_7d"])


def test_payments_of_one_moment_count_as_they_come() -> None:
    """The second sees the first."""
    assert 2.0 == figures("customer", [(5, 1), (5, 1)], {})["customer_count_1d"]


def test_a_late_payment_does_not_see_what_was_made_after_it() -> None:
    """Though it was received before."""
    assert 1.0 == figures("customer", [(9, 1), (5, 1)], {})["customer_count_30d"]


@pytest.mark.parametrize(
    ("made_ms", "known_ms", "count", "share"),
    [
        pytest.param(0, 7 * DAY_MS, 1.0, 1.0, id="a week old, known this moment"),
        pytest.param(1, 0, 0.0, 0.0, id="younger than a week"),
        pytest.param(0, 7 * DAY_MS + 1, 1.0, 0.0, id="known a moment too late"),
        pytest.param(-DAY_MS, 0, 0.0, 0.0, id="older than a week and a day"),
        pytest.param(-DAY_MS + 1, 0, 1.0, 1.0, id="not quite so old"),
    ],
)
def test_a_terminal_counts_what_is_a_week_old(
    made_ms: int, known_ms: int, count: float, share: float
) -> None:
    """(t - 7 d - 1 d, t - 7 d], by labels that are known."""
    figure_by_name = figures("terminal", [(made_ms, 100), (7 * DAY_MS, 100)], {0: known_ms})

    assert (count, share) == (
        figure_by_name["terminal_count_1d"],
        figure_by_name["terminal_risk_1d"],
    )


def test_runs_of_frauds_at_a_terminal() -> None:
    """Honest, fraud, fraud; then honest again."""
    moments = [(0, 100), (HOUR_MS, 100), (2 * HOUR_MS, 100)]
    now = (10 * DAY_MS, 100)
    run = figures("terminal", [*moments, now], {1: 0, 2: 0})
    over = figures("terminal", [*moments, (3 * HOUR_MS, 100), now], {1: 0, 2: 0})

    assert (2.0, 0.0, 1.0) == (
        run["terminal_fraud_run"], run["terminal_legit_since_fraud"], run["terminal_last_fraud"],
    )  # fmt: skip
    assert (0.0, 1.0, 0.0, 1.0) == (
        over["terminal_fraud_run"], over["terminal_legit_since_fraud"],
        over["terminal_last_fraud"], over["terminal_last_but_one_fraud"],
    )  # fmt: skip
    assert 10 - 2 / 24 == pytest.approx(over["terminal_fraud_age_days"])


def test_an_amount_is_seen_against_what_is_usual() -> None:
    """Five times the usual is suspicious, and the next payment knows it."""
    moments = [(at * HOUR_MS, 1_000) for at in range(10)]
    figure_by_name = figures(
        "customer", [*moments, (11 * HOUR_MS, 5_000), (12 * HOUR_MS, 1_000)], {}
    )
    large = figures("customer", [*moments, (11 * HOUR_MS, 5_000)], {})

    assert 5.0 == large["amount_to_mean"]
    assert (1.0, 50.0, 1.0) == (
        figure_by_name["suspicious_count_14d"], figure_by_name["suspicious_max_14d"],
        figure_by_name["gap_hours"],
    )  # fmt: skip


def test_there_are_fifteen_of_the_handbook_and_fourteen_more() -> None:
    """Each by one name."""
    assert (15, 29, 29) == (len(HANDBOOK), len(FEATURES), len(set(FEATURES)))
