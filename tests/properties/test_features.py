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
histories = st.lists(payments, max_size=40).map(
    lambda history: sorted(history, key=lambda each: each.t)
)


def by_definition(past: list[Made], payment: Made) -> dict[str, float]:
    """Return the fifteen figures of `payment`, from everything before it, by chapter 3."""
    moment = dt.datetime(2018, 4, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=payment.t)
    figures = {
        "amount": payment.amount / 100,
        "weekend": float(moment.weekday() in {5, 6}),
        "night": float(moment.hour <= 6),
    }
    for days in (1, 7, 30):
        # (t - n, t], this payment too.
        own = [
            each.amount
            for each in (*past, payment)
            if each.customer == payment.customer and payment.t - days * DAY < each.t <= payment.t
        ]
        figures[f"customer_count_{days}d"] = float(len(own))
        figures[f"customer_mean_{days}d"] = sum(own) / len(own) / 100
        # (t - 7 d - n, t - 7 d].
        end = payment.t - 7 * DAY
        there = [
            each.fraud
            for each in past
            if each.terminal == payment.terminal and end - days * DAY < each.t <= end
        ]
        figures[f"terminal_count_{days}d"] = float(len(there))
        figures[f"terminal_risk_{days}d"] = sum(there) / len(there) if there else 0.0
    return figures


def _counted(counter: Counter, at: int, payment: Made) -> dict[str, float]:
    """Count the payment of that number; return its figures."""
    return counter.figures(
        str(at),
        payment.t,
        payment.customer,
        payment.terminal,
        payment.amount,
        fraud=payment.fraud,
    )


@settings(max_examples=200)
@given(histories)
def test_one_pass_is_brute_force(history: list[Made]) -> None:
    """Bit by bit, at every edge of every window, among payments of one moment as they come."""
    counter = Counter(EPOCH_MS)
    for at, payment in enumerate(history):
        figures = _counted(counter, at, payment)

        assert by_definition(history[:at], payment) == {name: figures[name] for name in HANDBOOK}


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
    for at, payment in enumerate(history):
        figures = _counted(counter, at, payment)

        assert set(FEATURES) <= set(figures)
        assert all(abs(value) < 1e9 for value in vector(figures))


def _terminal(history: list[Made], known_late: set[int]) -> list[dict[str, float]]:
    """Return the figures of one terminal; `known_late` become known in a hundred days."""
    state = risk.INITIAL
    figures = []
    for at, payment in enumerate(history):
        at_ms = EPOCH_MS + payment.t * 1_000
        command = CheckEntity(
            transaction_id=str(at),
            entity="terminal:x",
            kind="terminal",
            amount_minor=payment.amount,
            at_ms=at_ms,
        )
        figures.append(risk.decide(state, command, 0)[0].figures)
        state = risk.evolve(state, command, 0)
        if payment.fraud or at in known_late:
            known_ms = at_ms + LABEL_MS if payment.fraud else EPOCH_MS + 200 * DAY_MS
            label = LabelEntity(
                transaction_id=str(at),
                entity="terminal:x",
                kind="terminal",
                fraud=True,
                at_ms=known_ms,
            )
            state = risk.evolve(state, label, 0)
    return figures


def _after(arrived_ms: list[int]) -> dict[str, float]:
    """Return a customer's figures after payments that arrived in this order."""
    state = risk.INITIAL
    for at_ms in arrived_ms:
        state = risk.evolve(state, _check_at(at_ms), 0)
    return risk.decide(state, _check_at(LATE_MS + HOUR_MS), 0)[0].figures


def _check_at(at_ms: int) -> CheckEntity:
    return CheckEntity(
        transaction_id=f"o{at_ms}",
        entity="customer:x",
        kind="customer",
        amount_minor=at_ms % 977 + 1,
        at_ms=EPOCH_MS + at_ms,
    )
