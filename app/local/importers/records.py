"""Physical lines as records of cells: separators, quotes, headers, and other lines.

A quote that is never closed costs its own line alone: a line with the cells of a whole row, or a
record that does not end in the width of the header, ends the search for the closing quote.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from app.local.importers.columns import (
    COLUMNS,
    Columns,
    ForeignPrice,
    clean,
    columns_of,
    filled_width,
)
from app.local.importers.file_content import LoadError
from app.local.importers.text_lines import TextLines

SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.)"?\1*+\s*+', re.IGNORECASE)
HEADER_LINES_MAX = 20
"""How far down a header is searched for: exports begin with titles."""
HEADER_HEIGHT_MAX = 10
"""Physical lines of one header: spreadsheets break the names of columns."""
JOINED_LINES_MAX = 50
"""Physical lines of one quoted record."""
INVOICE = re.compile(r"\s*C?[0-9]+(\.0)?\s*", re.IGNORECASE)
"""What no header has where the invoice is."""
OPEN, MISPLACED = "a quote is not closed", "text around a quote"

Kind = Literal["row", "header", "blank", "separator", "preamble"]


class Record(msgspec.Struct, kw_only=True, gc=False):
    """Cells of one record, its first physical line from 1, and how many lines it covers."""

    line: int
    lines: int = 1
    kind: Kind = "row"
    cells: Sequence[str] = ()
    fault: str = ""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The separator, the columns, the position of the header from 0, and how many lines it has."""

    separator: str
    columns: Columns
    header: int
    height: int


def layout_of(lines: TextLines, renamed: Mapping[str, str]) -> Layout:
    """Return how the lines are laid out; raises LoadError with the columns that are missing."""
    separator_line = SEPARATOR_LINE.fullmatch(lines.texts[0]) if lines.texts else None
    candidates = (separator_line[1],) if separator_line else SEPARATORS
    fewest = set(COLUMNS)
    for at in range(min(HEADER_LINES_MAX, len(lines.texts))):
        for separator in candidates:
            cells, height = _header_cells(lines.texts[at : at + HEADER_HEIGHT_MAX], separator)
            columns = columns_of(cells, renamed)
            if isinstance(columns, Columns):
                return Layout(separator=separator, columns=columns, header=at, height=height)
            fewest = min(fewest, columns, key=len)
    raise LoadError(lacking(fewest))


def _header_cells(texts: Sequence[str], separator: str) -> tuple[list[str], int]:
    """Return the cells of the record that begins with the first of `texts`, and its lines."""
    alone, fault = split(texts[0], separator)
    cells, height = alone, 1
    while fault == OPEN and height < len(texts):
        height += 1
        cells, fault = split("\n".join(texts[:height]), separator)
    return (alone, 1) if fault == OPEN else (cells, height)


def lacking(missing: set[str]) -> str:
    """Return what is wrong with a file without these columns, and what to do."""
    return (
        f"the file lacks the columns {', '.join(sorted(missing))}: no header with them in its "
        f"first {HEADER_LINES_MAX} lines; "
        'name them with --map "their column=ours,..."'
    )


def split(text: str, separator: str) -> tuple[list[str], str]:
    """Return the cells of one record, and what is wrong with its quotes."""
    if '"' not in text:
        return text.split(separator), ""
    cells: list[str] = []
    at, end = 0, len(text)
    while True:
        if text.startswith('"', at):
            close = _closing(text, at + 1)
            if close < 0:
                return cells, OPEN
            cells.append(text[at + 1 : close].replace('""', '"'))
            at = close + 1
            if at < end and not text.startswith(separator, at):
                return cells, MISPLACED
        else:
            stop = text.find(separator, at)
            cell = text[at : stop if stop >= 0 else end]
            if cell.lstrip().startswith('"'):
                return cells, MISPLACED
            cells.append(cell)
            at += len(cell)
        if at >= end:
            return cells, ""
        at += len(separator)


def _closing(text: str, at: int) -> int:
    """Return where the quote that was opened before `at` closes, or -1; two are a quote mark."""
    while (close := text.find('"', at)) >= 0 and text.startswith('""', close):
        at = close + 2
    return close


def text_records(lines: TextLines, layout: Layout) -> Iterator[Record]:
    """Yield every physical line from the first on, each in one record."""
    at = 0
    while at < len(lines.texts):
        record = _record(lines, layout, at)
        yield record
        at += record.lines


def _record(lines: TextLines, layout: Layout, at: int) -> Record:
    text, line = lines.texts[at], at + 1
    if at == layout.header:
        return Record(line=line, lines=layout.height, kind="header")
    if SEPARATOR_LINE.fullmatch(text):
        return Record(line=line, kind="separator")
    if at < layout.header:
        return Record(line=line, kind="preamble" if clean(text) else "blank")
    if at in lines.faults:
        return Record(line=line, fault=lines.faults[at])
    cells, fault = split(text, layout.separator)
    if fault == OPEN:
        return _joined(lines, layout, at)
    return Record(line=line, cells=cells, fault=fault)


def _joined(lines: TextLines, layout: Layout, at: int) -> Record:
    """Return the record whose quote is closed further down, or the line alone, at fault."""
    text = lines.texts[at]
    alone = Record(line=at + 1, fault=OPEN)
    for further in range(at + 1, min(at + JOINED_LINES_MAX, len(lines.texts))):
        if further in lines.faults or _is_wide(lines.texts[further], layout):
            return alone
        text = f"{text}\n{lines.texts[further]}"
        cells, fault = split(text, layout.separator)
        if fault == OPEN:
            continue
        whole = not fault and filled_width(cells) <= layout.columns.width <= len(cells)
        return Record(line=at + 1, lines=further - at + 1, cells=cells) if whole else alone
    return alone


def _is_wide(text: str, layout: Layout) -> bool:
    """Return whether the line has the cells of a whole row: the rest of a quoted cell has fewer."""
    return text.count(layout.separator) >= layout.columns.width - 1


def with_kinds(
    records: Iterable[Record], columns: Columns, renamed: Mapping[str, str]
) -> Iterator[tuple[Record, Columns]]:
    """Yield each record with its kind, and the columns it is read by: a new header changes them."""
    for record in records:
        if record.kind == "row" and not record.fault:
            changed = _classify(record, columns, renamed)
            columns = changed or columns
        yield record, columns


def _classify(record: Record, columns: Columns, renamed: Mapping[str, str]) -> Columns | None:
    """Set the kind, or the fault, of what may be a row; return the columns of a header."""
    cells, count = record.cells, filled_width(record.cells)
    if not count:
        record.kind = "blank"
        return None
    at = columns.at["InvoiceNo"]
    if at >= len(cells) or not INVOICE.fullmatch(cells[at]):
        header = _header(cells, renamed)
        if header is not None:
            record.kind = "header"
            return header
    if not count <= columns.width <= len(cells):
        width = max(count, columns.width) if count > columns.width else len(cells)
        record.fault = f"{width} cells where the header has {columns.width}"
    return None


def _header(cells: Sequence[str], renamed: Mapping[str, str]) -> Columns | None:
    try:
        columns = columns_of(cells, renamed)
    except ForeignPrice:
        raise
    except LoadError:
        return None
    return columns if isinstance(columns, Columns) else None
