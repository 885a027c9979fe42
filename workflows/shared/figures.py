"""Live figures as a value: what analytics emits of a workflow, and how it is summed and shown."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from workflows.shared.money import money
from workflows.shared.topic import Topic

UNKNOWN_COUNTRY = "unknown"
"""The country of what names none, or none of ISO 3166."""
Titled = tuple[tuple[str, str], ...]
"""Figures as they are shown: a title for people, and the name of the figure."""


def figure_of(name: str, currency: str) -> str:
    """Return the name of the figure that sums the amounts of `name` in `currency` alone."""
    return f"{name}/{currency}"


def amounts_of(figures: Mapping[str, int], name: str) -> dict[str, int]:
    """Return the amounts of `name` by currency.

    Rows from before there were figures by currency have one without: its currency is empty.
    """
    start = figure_of(name, "")
    amounts = {
        figure.removeprefix(start): figures[figure]
        for figure in sorted(figures)
        if figure.startswith(start)
    }
    return amounts or ({"": figures[name]} if name in figures else {})


def amounts_shown(figures: Mapping[str, int], name: str) -> str:
    """Return the amounts of `name` for people, each in its currency: 12.50 GBP, 1,250 JPY."""
    amounts = amounts_of(figures, name)
    return ", ".join(money(minor, currency) for currency, minor in amounts.items()) or "-"


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a chart."""

    title: str
    figure: str
    colour: Literal["neutral", "strong", "good", "bad"]


class FigureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Totals that belong together, under a heading of their own."""

    title: str
    totals: Titled


class LiveFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by minute, country and partition: messages with `counts` and `sums` by name.

    Only totals and the funnel of a workflow that is named are shown: the rest may stay empty.
    """

    topic: Topic
    """Its one message replaces what was known of its `minute_ms`, `country` and `partition`."""
    names_workflow: bool = True
    """Whether its messages name their workflow: those of the first workflow never did."""
    started: str
    """The figure that counts transactions that have begun."""
    ended: tuple[str, ...]
    """The figures that count those that have ended."""
    rates: tuple[str, ...] = ()
    """What is shown per second."""
    added_up: dict[str, tuple[str, ...]] = {}
    """What is shown per second too: sums of figures, by name."""
    left: dict[str, tuple[str, str]] = {}
    """What is shown in all: of what has begun what has not ended, by name, as those two figures.

    Of amounts, whose names end in `_minor`, for each currency.
    """
    bucket: str = ""
    """The prefix of the figures of one latency; the bound of the bucket in ms follows, or `inf`."""
    bounds_ms: tuple[int, ...] = ()
    latency: str = ""
    """The name of that latency."""
    latency_title: str = ""
    """What that latency is, as a heading."""
    plural: str = "transactions"
    """What transactions of the workflow are called."""
    funnel_title: str = "How far they came"
    totals: Titled
    """The totals on the page. Amounts end in `_minor`, and there is a figure for each currency."""
    groups: tuple[FigureGroup, ...] = ()
    """Further totals."""
    rates_shown: Titled = ()
    rate_charts: tuple[tuple[Series, ...], ...] = ()
    """What is drawn of `rates` and `added_up`, a chart each."""
    by_minute: tuple[Series, ...] = ()
    """What is drawn for each minute."""
    by_country: Titled = ()
    watched: Titled = ()
    """The totals in a terminal, those of money after them."""

    def is_one(self, message: Any) -> bool:
        """Return whether `message` carries figures."""
        return isinstance(message, self.topic.messages)
