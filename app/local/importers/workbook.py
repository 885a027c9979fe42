"""Excel workbooks (.xlsx) as records: cells in the text that the values are read from.

Every visible sheet with a header of orders is read; the rows of others are refused.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from xml.parsers.expat import ExpatError

import msgspec
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from app.local.importers.columns import Columns, columns_of
from app.local.importers.dates import EPOCH_1900, EPOCH_1904
from app.local.importers.file_content import FILE_BYTES_MAX, LoadError
from app.local.importers.numbers import MERGED, mark_of
from app.local.importers.records import HEADER_LINES_MAX, Record, lacking
from app.local.importers.workbook_cells import CHUNK_BYTES, Book, SheetCells

WORKBOOK = "xl/workbook.xml"
OTHER_ZIPS = {
    "xl/workbook.bin": "a binary workbook (.xlsb); save it as .xlsx or .csv",
    "content.xml": "an OpenDocument sheet (.ods); save it as .xlsx or .csv",
    "Index/Document.iwa": "a Numbers document; export it as .xlsx or .csv",
}
"""What other zip files are, by a member that they have."""
CELLS_MAX = 20_000_000
"""Cells of one sheet, blank ones included: the reader makes a rectangle of them."""
SIGNIFICANT_DIGITS = 15
"""What Excel keeps of a number; what a float has beyond is not a part of it."""

Cell = str | float | bool | datetime | date | time | timedelta
Rows = list[list[Cell]]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one sheet."""

    rows: Rows
    is_hidden: bool


Sheets = list[Sheet]


class Workbook(msgspec.Struct, frozen=True, kw_only=True):
    """The sheets in order, and 1970-01-01 in the serial days of their dates."""

    sheets: Sheets
    epoch_days: int


def read_workbook(path: Path, raw: bytes, bytes_max: int = FILE_BYTES_MAX) -> Workbook:
    """Return what the workbook holds; raises LoadError."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            _check_kind(path, set(packed.namelist()))
            _check_size(path, packed, bytes_max)
            parts = Book()
            parts.read(packed)
            cells = _cells_by_sheet(path, packed, parts)
        with CalamineWorkbook.from_filelike(io.BytesIO(raw)) as book:
            sheets = [
                Sheet(
                    rows=_completed(
                        book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False),
                        cells.get(sheet.name, SheetCells({})),
                    ),
                    is_hidden=sheet.visible != SheetVisibleEnum.Visible,
                )
                for sheet in book.sheets_metadata
                if sheet.typ == SheetTypeEnum.WorkSheet
            ]
    except (zipfile.BadZipFile, zlib.error, RuntimeError, CalamineError, ExpatError) as error:
        raise LoadError(f"{path} cannot be read as a workbook: {error}") from error
    except (OSError, EOFError, ValueError, LookupError) as error:
        raise LoadError(f"{path} cannot be read as a workbook: {error}") from error
    return Workbook(sheets=sheets, epoch_days=EPOCH_1904 if parts.is_1904 else EPOCH_1900)


def _check_kind(path: Path, members: set[str]) -> None:
    """Raise LoadError for a zip file that is not a workbook."""
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
        with packed.open(member) as content:
            while chunk := content.read(CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise LoadError(f"{path} unpacks to more than {bytes_max >> 20} MiB; split it")


def _cells_by_sheet(path: Path, packed: zipfile.ZipFile, book: Book) -> dict[str, SheetCells]:
    """Return what is to be known of the cells by the name of the sheet; raises LoadError."""
    sheets: dict[str, SheetCells] = {}
    for member in packed.infolist():
        name = book.sheets.get(member.filename.casefold())
        if name is None:
            continue
        sheets[name] = cells = SheetCells(book.signs)
        with packed.open(member) as content:
            chunk = b"<"
            while chunk:
                chunk = content.read(CHUNK_BYTES)
                cells.read(chunk)
        if cells.width * cells.height > CELLS_MAX:
            raise LoadError(
                f"{path}: a sheet of {cells.height} rows by {cells.width} columns has more than "
                f"{CELLS_MAX} cells; delete what lies beside the orders, or save it as .csv"
            )
    return sheets


def _completed(rows: Rows, cells: SheetCells) -> Rows:
    """Return the rows with what calamine does not say of their cells."""
    for place, numbers in cells.instead.items():
        for number in numbers:
            rows += ([] for _ in range(number + 1 - len(rows)))
            row = rows[number]
            row += [""] * (place.column + 1 - len(row))
            row[place.column] = place.text
    for place, numbers in cells.beside.items():
        for number in numbers:
            row = rows[number] if number < len(rows) else []
            if place.column < len(row) and isinstance(row[place.column], float):
                row[place.column] = f"{text_of(row[place.column])} {place.text}"
    width = max(map(len, rows), default=0)
    for count, (number, column) in enumerate(cells.covered(len(rows), width)):
        if count == CELLS_MAX:
            raise LoadError(f"a sheet has more than {CELLS_MAX} merged cells; save it as .csv")
        rows[number] += [""] * (column + 1 - len(rows[number]))
        rows[number][column] = MERGED
    return rows


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
        case bool():
            # No name and no number: as the formula that it is.
            return f"={str(cell).upper()}()"
        case timedelta():
            return str(cell)
        case float():
            return _number_text(cell)
        case _:
            return str(cell)


def _number_text(number: float) -> str:
    if abs(number) >= 10**SIGNIFICANT_DIGITS:
        return f"{number:.{SIGNIFICANT_DIGITS - 1}E}"
    if number.is_integer():
        return str(int(number))
    text = f"{Decimal(f'{number:.{SIGNIFICANT_DIGITS}g}'):f}"
    # `1.2340` has one reading, and `1.234` two: a number is not written with groups.
    return f"{text}0" if len(mark_of(text)) > 1 else text
