"""What is true of a file of orders however it is written and however it is damaged.

The oracle beside the reader shares no line with it: it reads one record by the `csv` module,
by `strptime` and by locale rules, in the one form that the file was written in.
"""

import csv
import io
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from app.local.importers.file_content import LoadError
from app.local.importers.loaded import outcome_of
from app.local.importers.order_file import FileOptions, read_plan, read_rows
from app.local.importers.retail_rows import Row

FILES = int(os.environ.get("MUTATED_FILES", "150"))
"""Files of each property. A damaged one has some ten lines, three of them mutated."""
HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice",
          "CustomerID", "Country")  # fmt: skip
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252")
Order = Literal["iso", "dmy", "mdy", "ymd"]
FORMATS: dict[Order, tuple[str, ...]] = {
    "iso": ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d %H:%M", "%Y-%m-%d"),
    "dmy": ("%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d-%m-%y %H:%M", "%d/%m/%Y %I:%M %p"),
    "mdy": ("%m/%d/%Y %H:%M", "%m-%d-%Y %H:%M:%S", "%m/%d/%y %H:%M", "%m/%d/%Y %I:%M %p"),
    "ymd": ("%y-%m-%d %H:%M", "%y-%m-%d %H:%M:%S", "%y-%m-%d", "%y-%m-%dT%H:%M:%S"),
}
SHORT = {"dmy": "%d{0}%m{0}%y", "iso": "%d{0}%m{0}%y", "mdy": "%m{0}%d{0}%y", "ymd": "%y{0}%m{0}%d"}
ALL_FORMATS = tuple(
    f"{date} {time}".strip()
    for date in ("%Y%m%d", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "{0}/{1}/%Y", "{0}.{1}.%Y",
                 "{0}-{1}-%Y", "{2}", "{3}", "{4}")
    for time in ("", "%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p",
                 "%H.%M", "%H.%M.%S", "%I.%M %p", "%I.%M%p")
)  # fmt: skip
NOTHING = {"", "nan", "-nan", "null", "none", r"\n", "-", "--", "n/a", "na", "n.a", "n.a."}
SPICE = "0123456789,;.|\t\"'-/ :CcAé£ß\0\r\n\x1a\ufeffxX"
"""What mutations write."""


class Dialect(NamedTuple):
    """How a shop writes its file."""

    encoding: str
    separator: str
    end: str
    order: Order
    date: str
    comma: bool


class Meaning(NamedTuple):
    """What a row says."""

    invoice: str
    code: str
    quantity: int
    at_ms: int
    price: Decimal
    customer: str
    country: str


dialects = st.builds(
    lambda encoding, separator, end, order, choice, comma: Dialect(
        encoding, separator, end, order, FORMATS[order][choice], comma and separator != ","
    ),
    st.sampled_from(ENCODINGS),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(list(FORMATS)),
    st.integers(0, 3),
    st.booleans(),
)


def random_cells(random: Random, dialect: Dialect) -> list[str]:
    """Return the cells of one row as a shop writes them."""
    at = datetime(2010, random.randint(1, 12), random.randint(1, 28), random.randint(0, 23),
                  random.randint(0, 59), tzinfo=UTC)  # fmt: skip
    price = f"{random.randint(1, 9_999) / 100:.2f}"
    return [
        f"{random.choice('   C').strip()}{random.randint(100_000, 999_999)}",
        f"{random.randint(10_000, 99_999)}{random.choice('  AB').strip()}",
        random.choice(("LANTERN", "CAFÉ", "SET OF 3", 'TRAY 5" WIDE', "£ SIGN", "A,B;C|D", "")),
        str(random.choice((1, 2, 6, 12, 144, -1, -3))),
        at.strftime(dialect.date),
        price.replace(".", ",") if dialect.comma else price,
        random.choice((str(random.randint(10_000, 19_999)), "17850.0", "nan", "", "NULL")),
        random.choice(("France", "United Kingdom", "EIRE")),
    ]


def written(cells: list[str], separator: str) -> str:
    """Return one line, quoted where it has to be."""
    quoted = [
        f'"{cell.replace(chr(34), chr(34) * 2)}"' if {separator, '"'} & set(cell) else cell
        for cell in cells
    ]
    return separator.join(quoted)


def mutated(random: Random, line: str) -> str:
    """Return the line with one to three changes of a character, or with a piece doubled or lost."""
    for _ in range(random.randint(1, 3)):
        at, to = random.randint(0, len(line)), random.randint(0, len(line))
        piece = random.choice(SPICE)
        line = random.choice(
            (
                line[:at] + piece + line[at:],
                line[:at] + line[at + 1 :],
                line[:at] + piece + line[at + 1 :],
                line[: max(at, to)] + line[min(at, to) :],
                line[:at],
            )
        )
    return line


def damaged(random: Random, dialect: Dialect, rows: int) -> tuple[list[str], int]:
    """Return the lines of a file, some mutated, some no rows, and how many were mutated."""
    lines, changed = [written(list(HEADER), dialect.separator)], 0
    for _ in range(rows):
        line = written(random_cells(random, dialect), dialect.separator)
        match random.randint(0, 9):
            case 0 | 1 | 2:
                line, whole = mutated(random, line), line
                changed += line != whole
            case 3:
                line = random.choice((lines[0], "", dialect.separator * 7, lines[-1]))
        lines.append(line)
    return lines, changed


# --- the oracle -----------------------------------------------------------------


def meaning_of(record: str, dialect: Dialect) -> Meaning | None:
    """Return what a record says in its dialect, or nothing where it says nothing clear."""
    try:
        (cells,) = csv.reader(
            io.StringIO(record, newline=""), delimiter=dialect.separator, strict=True
        )
    except (csv.Error, ValueError):
        return None
    cells = [cell.strip().strip("\0\ufeff\x1a").strip() for cell in cells]
    while len(cells) > len(HEADER) and not cells[-1]:
        cells.pop()
    if len(cells) != len(HEADER):
        return None
    invoice, code, _, units, date, price, customer, country = (
        "" if cell.lower() in NOTHING else cell for cell in cells
    )
    quantity, amount = amount_of(units, dialect), amount_of(price.replace("£", ""), dialect)
    at = moment_of(date, dialect)
    if quantity is None or amount is None or at is None or quantity != int(quantity):
        return None
    at_ms = int(at.timestamp()) * 1_000
    invoice, customer = whole_number(invoice.upper()), whole_number(customer)
    return Meaning(invoice, code, int(quantity), at_ms, amount, customer, country)


def whole_number(text: str) -> str:
    """Return an id without the decimals that a data frame appends."""
    for end in (".0", ".00", ",0", ",00"):
        if text.endswith(end) and text.removesuffix(end)[-1:].isdigit():
            return text.removesuffix(end)
    return text


def amount_of(text: str, dialect: Dialect) -> Decimal | None:
    """Return the number, its thousands in groups of three."""
    mark, groups = (",", ".") if dialect.comma else (".", ",")
    whole, _, part = text.strip().partition(mark)
    sign, whole = (whole[:1], whole[1:]) if whole[:1] in {"-", "+"} else ("", whole)
    for group in (groups, "'", " "):
        pieces = whole.split(group)
        if 0 < len(pieces[0]) <= 3 and {len(each) for each in pieces[1:]} == {3}:
            whole = "".join(pieces)
            break
    digits = whole + part
    if not digits or not digits.isascii() or not digits.isdigit():
        return None
    return Decimal(f"{sign}{whole or 0}.{part or 0}")


def moment_of(text: str, dialect: Dialect) -> datetime | None:
    """Return the moment, by the first of many formats that fits."""
    order = ("%m", "%d") if dialect.order == "mdy" else ("%d", "%m")
    short = (SHORT[dialect.order].format(mark) for mark in "/.-")
    order = (*order, *short)
    plain = " ".join(text.upper().removesuffix("Z").replace("T", " ").replace(", ", " ").split())
    for form in ALL_FORMATS:
        try:
            return datetime.strptime(plain, form.format(*order)).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def meaning(row: Row) -> Meaning:
    """Return what the reader says that a row says."""
    return Meaning(
        row.invoice, row.code, row.quantity, row.at_ms, row.price, row.customer_id, row.country
    )


# --- properties -------------------------------------------------------------------


def encoded(lines: list[str], dialect: Dialect) -> bytes:
    """Return the bytes of a file; what its encoding has no character for is a question mark."""
    return (dialect.end.join(lines) + dialect.end).encode(dialect.encoding, "replace")


def physical(raw: bytes, dialect: Dialect) -> list[str]:
    """Return the physical lines: a mutation may have written a line end."""
    text = raw.decode(dialect.encoding).replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n")


@contextmanager
def stored(raw: bytes) -> Iterator[Path]:
    """Give a file with these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        path.write_bytes(raw)
        yield path


def options(dialect: Dialect) -> FileOptions:
    """Return what a person says of the file: damaged lines can hide how it is written."""
    return FileOptions(
        dates=dialect.order if dialect.order != "iso" else "dmy",
        decimal="comma" if dialect.comma else "point",
    )


def test_a_damaged_file_is_read_as_the_oracle_reads_it() -> None:
    """No crash; each physical line in one place; no accepted line with another meaning."""
    mutated_lines: list[int] = []

    @settings(max_examples=FILES)
    @given(st.integers(0, 2**32), dialects, st.integers(1, 40))
    def is_read(seed: int, dialect: Dialect, rows: int) -> None:
        lines, changed = damaged(Random(seed), dialect, rows)
        mutated_lines.append(changed)
        check_as_the_oracle(encoded(lines, dialect), dialect)

    is_read()

    print(f"{sum(mutated_lines):,} mutated lines in {len(mutated_lines):,} files")  # noqa: T201
    assert sum(mutated_lines) > FILES


def check_as_the_oracle(raw: bytes, dialect: Dialect) -> None:
    """Fail where a line is not counted once, or a row is accepted with another meaning."""
    single = physical(raw, dialect)
    with stored(raw) as path:
        content = read_rows(path, options(dialect))
        read = list(content.rows)
        loaded = outcome_of(read_plan(path, options(dialect))) if read else None

    places = Counter(line for row in read for line in row.file_lines)
    assert len(single) == places.total() + content.others.total()
    assert {1} >= set(places.values())
    assert [] == [
        (record, meaning(row))
        for row in read
        if isinstance(row, Row)
        for record in ["\n".join(single[at - 1] for at in row.file_lines)]
        if meaning_of(record, dialect) != meaning(row)
    ]
    if loaded is not None:
        assert len(single) == loaded.lines.total()
        assert len(read) == loaded.rows_read == loaded.rows.total()


@settings(max_examples=FILES)
@given(st.integers(0, 2**32), dialects, st.integers(1, 20))
def test_a_file_that_is_whole_is_read_whole(seed: int, dialect: Dialect, rows: int) -> None:
    """Every row is accepted, and means what its shop meant."""
    random = Random(seed)
    lines = [written(random_cells(random, dialect), dialect.separator) for _ in range(rows)]
    with stored(encoded([written(list(HEADER), dialect.separator), *lines], dialect)) as path:
        read = list(read_rows(path, options(dialect)).rows)

    assert [meaning_of(line, dialect) for line in lines] == [
        meaning(row) if isinstance(row, Row) else row for row in read
    ]


@settings(max_examples=FILES)
@given(st.integers(0, 2**32), dialects, st.integers(1, 20))
def test_without_options_a_row_means_the_same_or_is_refused(
    seed: int, dialect: Dialect, rows: int
) -> None:
    """What nobody says is decided by the file, or asked for: never read in another way."""
    random = Random(seed)
    lines = [written(random_cells(random, dialect), dialect.separator) for _ in range(rows)]
    with stored(encoded([written(list(HEADER), dialect.separator), *lines], dialect)) as path:
        try:
            read, error = list(read_rows(path, FileOptions()).rows), "--dates"
        except LoadError as refusal:
            read, error = [], str(refusal)

    assert "--dates" in error
    assert [] == [
        row
        for row, line in zip(read, lines, strict=False)
        if isinstance(row, Row) and meaning_of(line, dialect) != meaning(row)
    ]


@settings(max_examples=FILES)
@given(st.binary(max_size=2_000), st.sampled_from(["", "utf-16", "windows-1252"]))
def test_bytes_of_any_kind_end_in_an_error_or_in_counted_lines(raw: bytes, encoding: str) -> None:
    """Behind a header or alone, nothing else is raised."""
    for content in (raw, ",".join(HEADER).encode() + b"\n" + raw):
        with stored(content) as path, suppress(LoadError):
            plan = read_plan(path, FileOptions(encoding=encoding, dates="dmy"))

            assert plan.rows_read == outcome_of(plan).rows.total()
