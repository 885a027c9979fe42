"""Rows of the retail file as tests write them: cells by column, read as that file is."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from app.local.importers import retail_file
from app.local.importers.choice import Choice
from app.local.importers.retail_file import Ask, Plan
from app.local.importers.retail_requests import Refuse
from app.local.importers.retail_rows import Row, Style, parse

Raw = Mapping[str, str | None]

STYLE = Style(dates=Choice(value="mdy", decides=True), marks=Choice(value="point", decides=True))
"""How the published file writes dates and decimals."""


def parsed(rows: Iterable[Raw]) -> Iterator[Row | Refuse]:
    """Yield each row as it is read from a file, without the number of its line."""
    return (parse(row, STYLE) for row in rows)


def planned(rows: Iterable[Raw]) -> Plan:
    """Return what the rows ask."""
    return retail_file.plan(parsed(rows))


def comparable_asks(plan: Plan) -> list[Ask]:
    """Return what is asked, refusals by their reason alone."""
    return [
        replace(ask, column="", value="") if isinstance(ask, Refuse) else ask for ask in plan.asks
    ]
