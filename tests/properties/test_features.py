"""One payment at a time comes to what the whole history says by the handbook's own definitions."""

import datetime as dt
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from app.fraud.training.features import LABEL_MS, Counter
from workflows.fraud import risk
from workflows.fraud.entity import DAY_MS, HOUR_MS, LATE_MS
from workflows.fraud.entity_messages import CheckEntity, LabelEntity
from workflows.fraud.features import FEATURES, HANDBOOK, vector

EPOCH_MS = 1_522_540_800_000
DAY = 86_400


class Made(NamedTuple):
    """A payment on file; `t` is seconds since the epoch, `amount` minor units."""

    t: int
    customer: int
    terminal: int
    amount: int
    fraud: bool


edges = st.sampled_from([0, 1, -1])
moments = st.builds(lambda days, second: max(days * DAY + second, 0), st.integers(0, 60), edges)
"""Whole days apart, give or take a second: every window begins and ends there."""
payments = st.builds(
    Made,
    st.one_of(moments, st.integers(0, 60 * DAY)),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(1, 50_000),
    st.booleans(),
)
histories = st.lists(payments, max_size=40).map(lambda made: sorted(made, key=lambda each: each.t))


def by_definition(past: list[Made], made: Made) -> dict[str, float]:
    """Return the fifteen figures of `made`, from everything before it, by chapter 3."""
    moment = dt.datetime(2018, 4, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=made.t)
    found = {
        "amount": made.amount / 100,
        "weekend": float(moment.weekday() in {5, 6}),
        "night": float(moment.hour <= 6),
    }
    for days in (1, 7, 30):
        # (t - n, t], this payment too.
        own = [
            each.amount
            for each in (*past, made)
            if each.customer == made.customer and made.t - days * DAY < each.t <= made.t
        ]
        found[f"customer_count_{days}d"] = float(len(own))
        found[f"customer_mean_{days}d"] = sum(own) / len(own) / 100
        # (t - 7 d - n, t - 7 d].
        end = made.t - 7 * DAY
        there = [
            each.fraud
            for each in past
            if each.terminal == made.terminal and end - days * DAY < each.t <= end
        ]
        found[f"terminal_count_{days}d"] = float(len(there))
        found[f"terminal_risk_{days}d"] = sum(there) / len(there) if there else 0.0
    return found


@settings(max_examples=200)
@given(histories)
def test_one_pass_is_brute_force(history: list[Made]) -> None:
    """Bit by bit, at every edge of every window, among payments of one moment as they come."""
    counter = Counter(EPOCH_MS)
    for at, made in enumerate(history):
        found = counter.figures(
            str(at), made.t, made.customer, made.terminal, made.amount, fraud=made.fraud
        )

        assert by_definition(history[:at], made) == {name: found[name] for name in HANDBOOK}


@settings(max_examples=100)
@given(histories, st.lists(st.integers(0, 20), max_size=10))
def test_labels_that_are_not_known_yet_say_nothing(history: list[Made], later: list[int]) -> None:
    """Known in a hundred days, or never: the figures of today are the same."""
    label_in_vain = {at for at in later if at < len(history)}
    plain, hasty = _terminal(history, set()), _terminal(history, label_in_vain)

    assert plain == hasty


@settings(max_examples=100)
@given(st.lists(st.integers(0, LATE_MS), min_size=1, max_size=12, unique=True), st.randoms())
def test_an_hour_late_loses_nothing(moments_ms: list[int], dice: object) -> None:
    """Whatever the order of arrival, the payment after them all has the same windows."""
    shuffled = list(moments_ms)
    dice.shuffle(shuffled)
    names = [name for name in HANDBOOK if name.startswith("customer")]

    assert [_after(moments_ms)[name] for name in names] == [
        _after(shuffled)[name] for name in names
    ]


@given(histories)
def test_every_figure_is_a_finite_number(history: list[Made]) -> None:
    """In the order of the model, with no gap."""
    counter = Counter(EPOCH_MS)
    for at, made in enumerate(history):
        found = counter.figures(
            str(at), made.t, made.customer, made.terminal, made.amount, fraud=made.fraud
        )

        assert set(FEATURES) <= set(found)
        assert all(abs(value) < 1e9 for value in vector(found))


def _terminal(history: list[Made], known_late: set[int]) -> list[dict[str, float]]:
    """Return the figures of one terminal; `known_late` become known in a hundred days."""
    state = risk.INITIAL
    found = []
    for at, made in enumerate(history):
        at_ms = EPOCH_MS + made.t * 1_000
        asked = CheckEntity(
            transaction_id=str(at),
            entity="terminal:x",
            kind="terminal",
            amount_minor=made.amount,
            at_ms=at_ms,
        )
        found.append(risk.decide(state, asked, 0)[0].figures)
        state = risk.evolve(state, asked, 0)
        if made.fraud or at in known_late:
            known_ms = at_ms + LABEL_MS if made.fraud else EPOCH_MS + 200 * DAY_MS
            label = LabelEntity(
                transaction_id=str(at),
                entity="terminal:x",
                kind="terminal",
                fraud=True,
                at_ms=known_ms,
            )
            state = risk.evolve(state, label, 0)
    return found


def _after(arrived_ms: list[int]) -> dict[str, float]:
    """Return a customer's figures after payments that arrived in this order."""
    state = risk.INITIAL
    for at_ms in arrived_ms:
        state = risk.evolve(state, _asked(at_ms), 0)
    return risk.decide(state, _asked(LATE_MS + HOUR_MS), 0)[0].figures


def _asked(at_ms: int) -> CheckEntity:
    return CheckEntity(
        transaction_id=f"o{at_ms}",
        entity="customer:x",
        kind="customer",
        amount_minor=at_ms % 977 + 1,
        at_ms=EPOCH_MS + at_ms,
    )
