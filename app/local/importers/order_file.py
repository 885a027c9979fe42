"""Reads a file of orders: bytes, lines, cells, typed rows, and the plan of what they ask.

The file is read twice: first for what its own values decide (day first or month first, decimal
point or comma), then for its rows. Memory: some six times the unpacked file
(530 MiB for 100 MB with 1.1 million rows).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from app.local.importers import records, retail_file, workbook
from app.local.importers.choice import Choice, Evidence
from app.local.importers.columns import Columns, clean, parse_map
from app.local.importers.dates import (
    EPOCH_1900,
    EPOCH_1904,
    ORDER_NAMES,
    evidence_of,
    is_serial,
    month_and_day,
)
from app.local.importers.file_content import ZIP, LoadError, read_bytes
from app.local.importers.numbers import POINT, mark_of
from app.local.importers.records import Record
from app.local.importers.retail_file import Plan
from app.local.importers.retail_requests import Refuse
from app.local.importers.retail_rows import Row, Style, order_names, parse
from app.local.importers.text_lines import decode

NUMBER_COLUMNS = ("Quantity", "UnitPrice")
MONTH_MAX = 12

Read = Callable[[], Iterator[tuple[Record, Columns]]]


class FileOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of the file; what is empty is read off the file itself."""

    dates: Literal["", "dmy", "mdy", "ymd"] = ""
    decimal: Literal["", "point", "comma"] = ""
    encoding: str = ""
    columns: str = ""
    """`their column=ours,...`"""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The records of a file, to be read as often as needed, and how they were made out."""

    read: Read
    form: str
    marks: str = ""
    """The decimal mark, where the form of the file says it."""
    epoch_days: int = EPOCH_1900
    """1970-01-01 in the serial days of the file."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a file, once; `others` counts its other lines while they are read."""

    rows: Iterator[Row | Refuse]
    others: Counter[str]
    form: str


def read_plan(path: Path, options: FileOptions | None = None) -> Plan:
    """Return the requests of the file; raises LoadError naming the file and its error."""
    content = read_rows(path, options or FileOptions())
    plan = retail_file.plan(content.rows)
    if not plan.rows_read:
        raise LoadError(f"{path} holds no rows")
    return replace(plan, other_lines=dict(content.others), form=content.form)


def read_rows(path: Path, options: FileOptions) -> Rows:
    """Return each row of the file, or its refusal; raises LoadError naming the file."""
    raw = read_bytes(path)
    try:
        content = _content(path, raw, options)
        del raw
        style = _style(content, options)
    except LoadError as error:
        text = str(error)
        raise LoadError(text if str(path) in text else f"{path}: {text}") from error
    others: Counter[str] = Counter()
    return Rows(rows=_rows(content, style, others), others=others, form=_form(content, style))


def _content(path: Path, raw: bytes, options: FileOptions) -> Content:
    renamed = parse_map(options.columns)
    if raw.startswith(ZIP):
        book = workbook.read_workbook(path, raw)
        columns = workbook.layout_of(book.sheets, renamed)
        return Content(
            read=lambda: records.with_kinds(
                workbook.sheet_records(book.sheets, renamed), columns, renamed
            ),
            form=f"workbook of {len(book.sheets)} sheets",
            marks=POINT,
            epoch_days=book.epoch_days,
        )
    if not raw:
        raise LoadError("the file is empty: it lacks the columns of a header")
    lines = decode(raw, options.encoding)
    layout = records.layout_of(lines, renamed)
    return Content(
        read=lambda: records.with_kinds(
            records.text_records(lines, layout), layout.columns, renamed
        ),
        form=f"{lines.encoding}, separator {layout.separator!r}",
    )


def _style(content: Content, options: FileOptions) -> Style:
    """Return how the file writes dates and decimals; raises LoadError where nothing decides."""
    dates, marks, month_days, has_serials = Evidence(), Evidence(), set[tuple[int, int]](), False
    for record, columns in content.read():
        if record.kind != "row" or record.fault:
            continue
        text = clean(record.cells[columns.at["InvoiceDate"]])
        dates.add(evidence_of(text), record.line, text)
        has_serials = has_serials or is_serial(text)
        if content.marks and (parts := month_and_day(text)):
            month_days.add(parts)
        for column in NUMBER_COLUMNS:
            text = clean(record.cells[columns.at[column]])
            marks.add(mark_of(text), record.line, text)
    if not options.dates:
        _refuse_undecided(dates)
        _refuse_swapped(dates, month_days)
    mark_choice = marks.choose(options.decimal)
    if content.marks and not options.decimal:
        # What numbers of a workbook say, they say not of the texts beside them: `1,200`.
        mark_choice = Choice(value=content.marks)
    return Style(
        dates=dates.choose(options.dates),
        marks=mark_choice,
        epoch_days=content.epoch_days,
        has_serials=has_serials,
    )


def _refuse_undecided(dates: Evidence) -> None:
    """Raise LoadError where the dates of the file can be read in several orders."""
    orders = dates.undecided
    if orders:
        line, text = next(at for readings, at in dates.first.items() if orders <= readings)
        choices = " or ".join(f"--dates {order}" for order in ORDER_NAMES if order in orders)
        raise LoadError(
            f"line {line}, column InvoiceDate: {text!r} can be {order_names(orders)}, and no "
            f"row of the file decides; say {choices}"
        )


def _refuse_swapped(dates: Evidence, month_days: set[tuple[int, int]]) -> None:
    """Raise LoadError where a spreadsheet has swapped day and month of the dates in a workbook.

    One that expects the other order makes dates of `1/12/2010` and leaves `12/13/2010` a text: then
    no date has a day above 12, and every text has. `month_days` has month and day of the dates.
    """
    is_swapped = any(month != day for month, day in month_days) and all(
        day <= MONTH_MAX for _, day in month_days
    )
    if is_swapped and len(dates.counts) == 1:
        # All texts have one order, and only one: of more, the file would not have decided.
        [((order,), (line, text))] = dates.first.items()
        raise LoadError(
            f"line {line}, column InvoiceDate: {text!r} is a text among dates of which none has a "
            "day above 12: a spreadsheet has swapped day and month in those; export the orders "
            f"again with dates as 2010-12-31, or say --dates {order} where they are right"
        )


def _rows(content: Content, style: Style, others: Counter[str]) -> Iterator[Row | Refuse]:
    """Yield each row or its refusal; count all other lines in `others`."""
    same: dict[str, str] = {}
    for record, columns in content.read():
        if record.kind != "row":
            others[record.kind] += record.lines
        elif record.fault:
            lines = tuple(range(record.line, record.line + record.lines))
            yield Refuse(rows=1, file_lines=lines, reason=record.fault)
        else:
            # One string for each text: files repeat their codes, names and moments.
            texts = (clean(record.cells[at]) for at in columns.at.values())
            texts_by_column = {
                name: same.setdefault(text, text)
                for name, text in zip(columns.at, texts, strict=True)
            }
            yield parse(texts_by_column, style, line=record.line, height=record.lines)


def _form(content: Content, style: Style) -> str:
    parts = [content.form]
    parts += [f"dates {style.dates.value}"] * bool(style.dates.value)
    parts += [f"decimal {style.marks.value}"] * bool(style.marks.value)
    first_year = 1904 if style.epoch_days == EPOCH_1904 else 1900
    parts += [f"serial days from {first_year}"] * style.has_serials
    return ", ".join(parts)
