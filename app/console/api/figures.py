"""Live figures: the sums of what analytics has emitted, and the changes per second."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict, cast

import structlog
from aiohttp import web

from app.config import Config
from app.console.api.context import now_ms
from app.console.api.open_orders import OpenBySteps, open_by_workflow
from app.console.api.problems import JsonResponse, json_response
from app.kafka.reader import follow
from app.wire import codecs
from app.wire.envelope import Undecodable, from_headers
from app.wire.records import Record, as_read
from app.wire.signing import is_signed
from workflows.shared.countries import country_code
from workflows.shared.figures import UNKNOWN_COUNTRY, LiveFigures, figure_of

MINUTES_SHOWN = 30
SECONDS_SHOWN = 300
OTHER_COUNTRIES = "other countries"
"""Names that ISO 3166 does not have: older figures may hold any; they are counted together."""

log = structlog.get_logger(__name__)


class ShownFigures(TypedDict):
    """Sums by name; `_minor` are amounts, a currency after a slash. Latencies besides, by name."""

    version: int
    totals: dict[str, int]
    workflows: dict[str, dict[str, int]]
    minutes: list[dict[str, int]]
    countries: list[dict[str, int | str]]
    open_orders: OpenBySteps
    open_by_workflow: NotRequired[dict[str, OpenBySteps]]


class Figures:
    """The latest message of every minute, country and partition, and their running sums."""

    def __init__(
        self,
        shape: LiveFigures,
        clock: Callable[[], float] = time.time,
        *,
        further: Mapping[str, LiveFigures] | None = None,
    ) -> None:
        """`further` are the figures of the other workflows, by name."""
        self._shape = shape
        self._further = further or {}
        self._shapes = (shape, *self._further.values())
        self._clock = clock
        self._seconds: dict[int, Counter[str]] = {}
        self._latest: dict[tuple[str, int, str, int], Any] = {}
        self._total: Counter[str] = Counter()
        self._by_minute: dict[int, Counter[str]] = {}
        self._by_country: dict[str, Counter[str]] = {}
        self._of_others: dict[str, Counter[str]] = {}
        """Totals of the workflows that are named."""
        self.version = 0

    @property
    def latency(self) -> str:
        """Return the name of the latency whose percentiles are shown."""
        return self._shape.latency

    @property
    def topics(self) -> list[str]:
        """Return the topics that carry figures, each once."""
        return list(dict.fromkeys(each.topic.name for each in self._shapes))

    async def run(self, topic: str, config: Config) -> None:
        """Follow the figures on `topic`, for ever."""
        async for record, new in follow(config, topic):
            read = as_read(record)
            if is_signed(read, config):
                self._read(read, int(self._clock()) if new else None)
            else:
                log.warning("no figures of ours", offset=record.offset)

    def _read(self, record: Record, second: int | None) -> None:
        try:
            envelope = from_headers(record.headers)
            message = codecs.decode(record.value, envelope, record.key)
        except Undecodable as error:
            log.warning("no figures", error=str(error), offset=record.offset)
            return
        if any(shape.is_one(message) for shape in self._shapes):
            self.receive(message, second)

    def receive(self, message: Any, second: int | None = None) -> None:
        """Replace what was known of the message's minute, country and partition.

        `second` is when it was received (s), None for messages from before the start.
        """
        at = (message.workflow, message.minute_ms, message.country, message.partition)
        change = _flat(message)
        before = self._latest.get(at)
        if before is not None and sum(message.counts.values()) < sum(before.counts.values()):
            # Figures only grow: smaller ones are old messages, repeated.
            return
        if before is not None:
            change.subtract(_flat(before))
        self._latest[at] = message
        if message.workflow:
            self._of_others.setdefault(message.workflow, Counter()).update(change)
            return
        minute = self._by_minute.setdefault(message.minute_ms, Counter())
        country = self._by_country.setdefault(_country(message.country), Counter())
        for sums in (self._total, minute, country):
            sums.update(change)
        self.version += 1
        if second is not None:
            self._seconds.setdefault(second, Counter()).update(self._rates(change))
            while len(self._seconds) > SECONDS_SHOWN:
                del self._seconds[min(self._seconds)]

    def seconds(self) -> dict[str, dict[str, int]]:
        """Return the changes of each of the latest seconds in which any message came."""
        after = int(self._clock()) - SECONDS_SHOWN
        return {str(at): dict(counts) for at, counts in self._seconds.items() if at > after}

    def facts(self) -> dict[str, Any]:
        """Return totals, the latest minutes, countries and percentiles of the time to ship."""
        return {
            "version": self.version,
            "totals": _with_open(self._total, self._shape),
            self._shape.latency: {f"p{at}": self._percentile(at) for at in (50, 95, 99)},
            "workflows": {
                name: _with_open(sums, self._further[name])
                if name in self._further
                else _with_one_currency(sums)
                for name, sums in sorted(self._of_others.items())
            },
            "minutes": [
                {"minute_ms": minute, **_with_one_currency(self._by_minute[minute])}
                for minute in sorted(self._by_minute)[-MINUTES_SHOWN:]
            ],
            "countries": [
                {"country": name, **_with_one_currency(sums)}
                for name, sums in sorted(
                    self._by_country.items(), key=lambda at: -at[1][self._shape.started]
                )
            ],
        }

    def _rates(self, change: Counter[str]) -> Counter[str]:
        names = {figure: figure.partition("/")[0] for figure in change}
        rates = Counter({name: change[name] for name in names if names[name] in self._shape.rates})
        for name, parts in self._shape.added_up.items():
            rates[name] = sum(change[part] for part in parts)
        return +rates  # missing figures are left out

    def _percentile(self, percent: int) -> int | None:
        """Return the bound of the bucket that holds the percentile; None above the last."""
        bounds = (*self._shape.bounds_ms, None)
        names = (f"{self._shape.bucket}{'inf' if each is None else each}" for each in bounds)
        counts = [self._total[name] for name in names]
        rank = sum(counts) * percent / 100
        count_so_far = 0
        for bound, count in zip(bounds, counts, strict=True):
            count_so_far += count
            if count and count_so_far >= rank:
                return bound
        return None


def _with_open(total: Counter[str], shape: LiveFigures) -> dict[str, int]:
    ended = sum(total[name] for name in shape.ended)
    # Some may have begun before there was a figure for that.
    left: dict[str, int] = {}
    for name, (start, over) in shape.left.items():
        for figure in (each for each in total if each.partition("/")[0] == start and total[each]):
            of_currency = figure.removeprefix(start)
            left[name + of_currency] = max(total[figure] - total[over + of_currency], 0)
    return {**_with_one_currency({**total, **left}), "open": max(total[shape.started] - ended, 0)}


def _with_one_currency(sums: Mapping[str, int]) -> dict[str, int]:
    """Return `sums`, and an amount under its name alone where all of it is in one currency."""
    of_name = Counter(figure.partition("/")[0] for figure in sums if "/" in figure)
    alone = {
        figure.partition("/")[0]: size
        for figure, size in sums.items()
        if of_name[figure.partition("/")[0]] == 1
    }
    return {**sums, **alone}


def _country(name: str) -> str:
    """Return the code of a country by its code or, of older figures, by its name."""
    return country_code(name) or (name if name == UNKNOWN_COUNTRY else OTHER_COUNTRIES)


def _flat(message: Any) -> Counter[str]:
    """Return the figures of `message`; a sum of money without a currency is one of its own."""
    sums = {
        figure_of(name, "") if name.endswith("_minor") else name: size
        for name, size in message.sums.items()
    }
    return Counter({**message.counts, **sums})


FIGURES: web.AppKey[Figures] = web.AppKey("figures")


async def show(request: web.Request) -> JsonResponse[ShownFigures]:
    """Return the live figures, and the status of open transactions."""
    first, further = open_by_workflow(request.app, now_ms())
    figures = {**request.app[FIGURES].facts(), "open_orders": first}
    more = {"open_by_workflow": further} if further else {}
    return json_response(cast("ShownFigures", {**figures, **more}))
