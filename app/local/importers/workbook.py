"""Excel workbooks (.xlsx) as records: cells in the text that the values are read from.

Every visible sheet with a header of orders is read; the rows of others are refused.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from app.local.importers.choice import EITHER
from app.local.importers.columns import Columns, columns_of
from app.local.importers.file_content import FILE_BYTES_MAX, LoadError
from app.local.importers.numbers import mark_of
from app.local.importers.records import HEADER_LINES_MAX, Record, lacking

WORKBOOK = "xl/workbook.xml"
OTHER_ZIPS = {
    "xl/workbook.bin": "a binary workbook (.xlsb); save it as .xlsx or .csv",
    "content.xml": "an OpenDocument sheet (.ods); save it as .xlsx or .csv",
    "Index/Document.iwa": "a Numbers document; export it as .xlsx or .csv",
}
"""What other zip files are, by a member that they have."""
SHEETS = "xl/worksheets/"
CELLS_MAX = 20_000_000
"""Cells of one sheet, blank ones included: the reader makes a rectangle of them."""
CHUNK_BYTES = 1 << 20
REFERENCE = re.compile(rb'<c [^>]{0,200}?r="([A-Z]{1,3})([0-9]{1,7})"')
REFERENCE_BYTES_MAX = 256
SIGNIFICANT_DIGITS = 15
"""What Excel keeps of a number; what a float has beyond is no part of it."""

Cell = str | float | bool | datetime | date | time | timedelta


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one sheet."""

    rows: list[list[Cell]]
    is_hidden: bool


Sheets = list[Sheet]


def read_sheets(path: Path, raw: bytes, bytes_max: int = FILE_BYTES_MAX) -> Sheets:
    """Return the sheets in order; raises LoadError."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            _check_kind(path, set(packed.namelist()))
            _check_size(path, packed, bytes_max)
        with CalamineWorkbook.from_filelike(io.BytesIO(raw)) as book:
            return [
                Sheet(
                    rows=book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False),
                    is_hidden=sheet.visible != SheetVisibleEnum.Visible,
                )
                for sheet in book.sheets_metadata
                if sheet.typ == SheetTypeEnum.WorkSheet
            ]
    except (zipfile.BadZipFile, zlib.error, RuntimeError, CalamineError) as error:
        raise LoadError(f"{path} cannot be read as a workbook: {error}") from error
    except (OSError, EOFError, ValueError) as error:
        raise LoadError(f"{path} cannot be read as a workbook: {error}") from error


def _check_kind(path: Path, members: set[str]) -> None:
    """Raise LoadError for a zip file that is no workbook."""
    for member, kind in OTHER_ZIPS.items():
        if member in members:
            raise LoadError(f"{path} is {kind}")
    if WORKBOOK not in members:
        raise LoadError(f"{path} is a zip file and no .xlsx workbook; unpack it first")


def _check_size(path: Path, packed: zipfile.ZipFile, bytes_max: int) -> None:
    """Raise LoadError for a workbook that unpacks to more than is read, whatever it declares."""
    left = bytes_max
    for member in packed.infolist():
        # The declared size would end the reading of a member that holds more.
        member.file_size = bytes_max + 1
        width, height, end = 0, 0, b""
        with packed.open(member) as content:
            while chunk := content.read(CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise LoadError(f"{path} unpacks to more than {bytes_max >> 20} MiB; split it")
                if member.filename.startswith(SHEETS):
                    for column, row in REFERENCE.findall(end + chunk):
                        width, height = max(width, _number(column)), max(height, int(row))
                    end = chunk[-REFERENCE_BYTES_MAX:]
        if width * height > CELLS_MAX:
            raise LoadError(
                f"{path}: a sheet of {height} rows by {width} columns has more than {CELLS_MAX} "
                "cells; delete what lies beside the orders, or save it as .csv"
            )


def _number(column: bytes) -> int:
    number = 0
    for place in column:
        number = number * 26 + place - 64
    return number


def layout_of(sheets: Sheets, renamed: Mapping[str, str]) -> Columns:
    """Return the columns of the first sheet with a header of orders; raises LoadError."""
    fewest: set[str] | None = None
    for sheet in sheets:
        for row in () if sheet.is_hidden else sheet.rows[:HEADER_LINES_MAX]:
            columns = columns_of([text_of(cell) for cell in row], renamed)
            if isinstance(columns, Columns):
                return columns
            fewest = columns if fewest is None else min(fewest, columns, key=len)
    raise LoadError(lacking(fewest or set()) if fewest else "the file holds no rows")


def sheet_records(sheets: Sheets, renamed: Mapping[str, str]) -> Iterator[Record]:
    """Yield every row of every sheet, the rows numbered through all of them from 1."""
    line = 0
    for sheet in sheets:
        begins, fault = (None, "the sheet is hidden")
        if not sheet.is_hidden:
            texts = [[text_of(cell) for cell in row] for row in sheet.rows[:HEADER_LINES_MAX]]
            begins, fault = _header_at(texts, renamed), "the sheet has no header of orders"
        for at, row in enumerate(sheet.rows):
            line += 1
            cells = [text_of(cell) for cell in row]
            if begins is None and any(cells):
                yield Record(line=line, fault=fault)
            elif begins is not None and at < begins and any(cells):
                yield Record(line=line, kind="preamble")
            else:
                yield Record(line=line, cells=cells)


def _header_at(rows: list[list[str]], renamed: Mapping[str, str]) -> int | None:
    for at, cells in enumerate(rows):
        if isinstance(columns_of(cells, renamed), Columns):
            return at
    return None


def text_of(cell: Cell) -> str:
    """Return the cell as a text with one reading: ISO dates, numbers with a point."""
    match cell:
        case datetime() | date() | time():
            return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()
        case bool() | timedelta():
            return str(cell)
        case float():
            if cell.is_integer():
                return str(int(cell))
            number = f"{Decimal(f'{cell:.{SIGNIFICANT_DIGITS}g}'):f}"
            # `1.2340` has one reading, and `1.234` two: a number is not written with groups.
            return f"{number}0" if mark_of(number) == EITHER else number
        case _:
            return str(cell)
