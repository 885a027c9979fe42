"""Order files as people export them: read right, or refused with their line and the reason."""

import gzip
import io
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from msgspec.structs import replace

from app.local.importers.file_content import LoadError, read_bytes
from app.local.importers.loaded import LoadedFile, outcome_of
from app.local.importers.order_file import FileOptions, read_plan
from app.local.importers.retail_file import PlaceOrder, Plan, ReturnItems
from app.local.importers.workbook import read_workbook
from tests.support.retail_forms import FORMS, REAL, Form, real_rows, write_forms
from tests.support.workbook import EPOCH, Value, Written, workbook
from workflows.order.return_amount import Sale, SaleLine, return_parts, summed

CASES = Path(__file__).parent / "order_files"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
ROW = "700001,PX1,LANTERN,6,2010-12-01 08:26,2.55,90001,France"
AT = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
MONTH_FIRST, DAY_FIRST = FileOptions(dates="mdy"), FileOptions(dates="dmy")
YEAR_FIRST = FileOptions(dates="ymd")
ANY_FIRST = "day first or month first or year first"
UNCLOSED = "a quote is not closed"
CONTROL = "holds a quote, a line break or another control character"
NO_NAME = f"StockCode {CONTROL}"
FORMULA = "is a formula or an error of a spreadsheet"
NUMBERED = "is a power of ten: a spreadsheet has made a number of it"
MADE_A_DATE = "is a date: a spreadsheet has made one of it"
MERGED = "is merged with the cell above; write it in each row"


class Sold(NamedTuple):
    """What a line of an order means."""

    invoice: str
    sku: str
    quantity: int
    amount_minor: int
    customer_id: str
    at: datetime


def sold(plan: Plan) -> list[Sold]:
    """Return every line that is ordered."""
    return [
        Sold(
            ask.reference,
            line.sku,
            line.quantity,
            line.amount_minor,
            ask.customer_id,
            datetime.fromtimestamp(ask.ordered_at_ms / 1_000, UTC),
        )
        for ask in plan.asks
        if isinstance(ask, PlaceOrder)
        for line in ask.lines
    ]


def one(invoice: str, quantity: int = 1, amount_minor: int = 255, **others: object) -> Sold:
    """Return the line that most cases have."""
    return Sold(invoice, "PX1", quantity, amount_minor, "90001", AT)._replace(**others)


def refused(plan: Plan) -> dict[tuple[int, ...], str]:
    """Return why lines are refused, by their numbers."""
    return {each.file_lines: each.reason for each in counted(plan).refusals}


def counted(plan: Plan) -> LoadedFile:
    """Return what the plan comes to, every row and line in one place."""
    loaded = outcome_of(plan)
    assert loaded.rows_read == sum(loaded.rows.values())
    return loaded


def write(folder: Path, content: str | bytes, name: str = "orders.csv") -> Path:
    """Return a file with `content`, in UTF-8 if it is text."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "lines", "options"),
    [
        (
            "c01_retail2_headers.csv",
            [Sold("489434", "85048", 12, 8_340, "13085", datetime(2009, 12, 1, 7, 45, tzinfo=UTC))],
            FileOptions(),
        ),
        (
            "c02_two_digit_year.csv",
            [one("700001", 6, 1_530), one("700001", 2, 678, sku="PX2")],
            MONTH_FIRST,
        ),
        (
            "c03_day_first.csv",
            [one("700002", 6, 1_530), one("700003", 6, 1_530, at=AT.replace(day=13))],
            FileOptions(),
        ),
        ("c04_semicolon_comma.csv", [one("700004", 6, 1_530)], DAY_FIRST),
        ("c05_latin1.csv", [one("700005", 6, 1_530), one("700005", sku="PX2")], MONTH_FIRST),
        ("c06_bom_crlf.csv", [one("700006", 6, 1_530)], MONTH_FIRST),
        ("c07_utf16.csv", [one("700007", 6, 1_530)], MONTH_FIRST),
        ("c17_tab.csv", [one("700042")], MONTH_FIRST),
        ("c23_lower_headers.csv", [one("700049")], MONTH_FIRST),
        ("c25_index_col.csv", [one("700051")], MONTH_FIRST),
        ("c31_gz.csv.gz", [one("700061")], MONTH_FIRST),
        ("c33_old_mac_cr.csv", [one("700064")], MONTH_FIRST),
        ("c36_first_file.csv", [Sold("720001", "PF1", 10, 2_550, "92001", AT)], MONTH_FIRST),
        (
            "c12_thousands.csv",
            [
                one("700024", 1_200, 306_000),
                one("700025", 1, 106_206),
                one("700026", 6, 1_530),
                one("700027"),
            ],
            MONTH_FIRST,
        ),
    ],
)
def test_a_case_is_read_whole(name: str, lines: list[Sold], options: FileOptions) -> None:
    """Every row is a line of an order, and means what its shop meant."""
    plan = read_plan(CASES / name, options)

    assert lines == sold(plan)
    assert {"header": 1, "orders": len(lines)} == dict(counted(plan).lines)


@pytest.mark.parametrize(
    ("name", "invoices", "refusals", "others"),
    [
        ("c08_open_quote.csv", ["700008", "700010", "700011"], {(3,): UNCLOSED}, {"header": 1}),
        ("c09_nan_customer.csv", [str(at) for at in range(700_100, 700_117)], {}, {"header": 1}),
        ("c10_nul.csv", ["700021"], {(2,): NO_NAME}, {"header": 1}),
        ("c11_header_again.csv", ["700022", "700023"], {}, {"header": 2, "blank": 2}),
        (
            "c13_bad_debt.csv",
            ["700028"],
            dict.fromkeys([(2,), (3,), (4,)], "unknown kind of invoice: A"),
            {"header": 1},
        ),
        (
            "c14_excel_dates.csv",
            [str(at) for at in range(700_029, 700_035)],
            {(8,): "InvoiceDate is not a date"},
            {"header": 1},
        ),
        ("c16_newline_in_code.csv", ["700039", "700041"], {(3, 4, 5): NO_NAME}, {"header": 1}),
        (
            "c27_unquoted_comma.csv",
            ["700055"],
            {(2,): "9 cells where the header has 8"},
            {"header": 1},
        ),
        ("c34_sep_line.csv", ["700065"], {}, {"separator": 1, "header": 1}),
        ("c37_second_file.csv", ["720002", "720003"], {}, {"header": 1}),
        ("c40_thirds.csv", ["740001"], {}, {"header": 1}),
    ],
)
def test_a_case_loses_only_the_lines_that_it_names(
    name: str,
    invoices: list[str],
    refusals: dict[tuple[int, ...], str],
    others: dict[str, int],
) -> None:
    """The others are ordered, and the lines that are not rows are counted as what they are."""
    plan = read_plan(CASES / name, MONTH_FIRST)

    assert invoices == [line.invoice for line in sold(plan)]
    assert refusals == refused(plan)
    assert others == plan.other_lines


def test_every_word_for_no_customer_is_a_guest() -> None:
    """So nobody is charged, judged or refunded under the name `nan`."""
    assert {""} == {
        line.customer_id for line in sold(read_plan(CASES / "c09_nan_customer.csv", MONTH_FIRST))
    }


def test_returns_in_thirds_add_up() -> None:
    """What comes back is what was paid, though the file's own amounts for it may be others."""
    [sale, *back] = read_plan(CASES / "c40_thirds.csv", MONTH_FIRST).asks
    assert isinstance(sale, PlaceOrder)
    [line] = sale.lines
    sold = Sale(
        lines=(SaleLine(sku=line.sku, units=line.quantity, amount_minor=line.amount_minor),)
    )

    amounts = [
        summed(return_parts(sold, sale.total_minor, before=[at], after=[at + 1])).total_minor
        for at, _ in enumerate(back)
    ]

    assert [1, 1, 1] == [ask.lines[0].quantity for ask in back if isinstance(ask, ReturnItems)]
    assert [34, 33, 33] == amounts


@pytest.mark.parametrize(
    "name",
    sorted({path.name for path in CASES.glob("c*")} - {"c20_empty.csv", "c21_header_only.csv"}),
)
def test_every_physical_line_of_a_case_is_counted_once(name: str) -> None:
    """None is lost, none counts twice."""
    path = CASES / name
    raw = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    text = raw.decode("utf-16") if raw.startswith(b"\xff\xfe") else raw.decode("latin-1")

    assert len(text.splitlines()) == sum(counted(read_plan(path, MONTH_FIRST)).lines.values())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("c20_empty.csv", "the file is empty"),
        ("c21_header_only.csv", "holds no rows"),
        (
            "c05_latin1.csv",
            r"line 2, column InvoiceDate: '12/1/2010 8:26' .* --dates dmy or --dates mdy",
        ),
        ("c04_semicolon_comma.csv", "--dates dmy or --dates mdy"),
    ],
)
def test_a_case_that_cannot_be_read_says_what_to_do(name: str, reason: str) -> None:
    """The error names the file."""
    with pytest.raises(LoadError, match=reason) as error:
        read_plan(CASES / name)

    assert name in str(error.value)


def text(*rows: str, header: str = HEADER, end: str = "\n") -> str:
    """Return a file of these lines."""
    return end.join((header, *rows)) + end


GERMAN = text(
    "700001;PX1;MÜTZE;1.200;13.12.2010 08:26;1.062,50;90001;France", header=HEADER.replace(",", ";")
)
SIBLINGS = [
    pytest.param(text(ROW).encode("utf-16-be"), {}, id="UTF-16 without a mark"),
    pytest.param(
        text(ROW, header=HEADER.replace("CustomerID", '"Customer\r\nID"')),
        {"header": 1},
        id="a header with a broken name",
    ),
    pytest.param('"Orders of 2010\n' + text(ROW), {"preamble": 1}, id="a title with an open quote"),
    pytest.param(
        text(ROW.replace("PX1", "PX1\0")).encode("utf-16-le"), {}, id="UTF-16 and a zero character"
    ),
    pytest.param(b"\xfe\xff" + text(ROW).encode("utf-16-be"), {}, id="UTF-16, the big end first"),
    pytest.param(text(ROW).encode("utf-32"), {}, id="UTF-32"),
    pytest.param(text(ROW).encode("utf-32-le"), {}, id="UTF-32 without a mark"),
    pytest.param(text(ROW).encode("utf-32-be"), {}, id="UTF-32 without a mark, the big end first"),
    pytest.param(
        text(ROW.replace("PX1", "\u200ePX1\u200f")), {}, id="marks of directions around a cell"
    ),
    pytest.param(gzip.compress(text(ROW).encode("utf-16")), {}, id="UTF-16 in gzip"),
    pytest.param(
        gzip.compress(HEADER.encode()) + gzip.compress(f"\n{ROW}".encode()),
        {},
        id="gzip in two parts",
    ),
    pytest.param(text(ROW, end="\r\n"), {}, id="CRLF"),
    pytest.param(text(ROW, end="\r"), {}, id="CR"),
    pytest.param(text(ROW, end="\r\r\n"), {"blank": 2}, id="CRLF made CRCRLF"),
    pytest.param(text(ROW).rstrip(), {}, id="no last line end"),
    pytest.param(text(ROW).replace(",", "|"), {}, id="pipes"),
    pytest.param("sep=;\n" + text(ROW).replace(",", ";"), {"separator": 1}, id="sep=;"),
    pytest.param(
        '"sep=\t"\r\n' + text(ROW).replace(",", "\t"), {"separator": 1}, id="a tab as separator"
    ),
    pytest.param(
        text(ROW, header=HEADER.upper().replace("CUSTOMERID", "customer_id")),
        {},
        id="a header in other case",
    ),
    pytest.param(
        text(ROW, header=HEADER.replace("UnitPrice", " Price ").replace("InvoiceNo", "Invoice")),
        {},
        id="a mixed header",
    ),
    pytest.param(text(ROW + ",,", header=HEADER + ",,"), {}, id="empty columns at the end"),
    pytest.param(
        text(ROW + ",", ",,,,,,,,"), {"blank": 1}, id="rows longer than the header by blanks"
    ),
    pytest.param(
        text("0," + ROW, header="Unnamed: 0," + HEADER), {}, id="an index column with a name"
    ),
    pytest.param(
        "Orders of 2010\n\n" + text(ROW), {"preamble": 1, "blank": 1}, id="titles above the header"
    ),
    pytest.param(
        text(ROW, "\ufeff" + HEADER), {"header": 1}, id="two files joined, with their marks"
    ),
    pytest.param(text(ROW, "\x1a"), {"blank": 1}, id="the end mark of DOS"),
    pytest.param(text(ROW.replace("90001", "90001.0")), {}, id="a customer as a decimal"),
    pytest.param(
        text(ROW.replace("LANTERN", '"A ""BIG"" LANTERN, BLUE"')),
        {},
        id="quotes and commas in quotes",
    ),
    pytest.param(text(ROW.replace("LANTERN", 'LANTERN 5" TALL')), {}, id="inches"),
    pytest.param(text(ROW.replace("PX1", "PX1\0\0")), {}, id="a code filled up with zero bytes"),
]


@pytest.mark.parametrize(("content", "others"), SIBLINGS)
def test_a_form_that_people_export_is_read(
    content: str | bytes, others: dict[str, int], tmp_path: Path
) -> None:
    """As the same order, with every other line counted as what it is."""
    plan = read_plan(write(tmp_path, content))

    assert [one("700001", 6, 1_530)] == sold(plan)
    assert Counter({"header": 1}) + Counter(others) == plan.other_lines


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_real_file_means_the_same_in_other_forms(form: Form, tmp_path: Path) -> None:
    """Order by order, return by return, line by line."""
    plan = read_plan(write(tmp_path, form.write(real_rows())), FileOptions(dates=form.dates))
    original = read_plan(REAL)

    assert original == replace(plan, form=original.form)


def test_what_is_written_in_six_forms_is_read_as_it_is_said(tmp_path: Path) -> None:
    """With the options that the command prints; as many rows are read from each file."""
    forms = list(write_forms(tmp_path / "forms", real_rows()[:30]))
    read = [
        read_plan(Path(path), FileOptions(dates="".join(options[1:]))) for path, *options in forms
    ]

    assert [30] * 6 == [plan.rows_read for plan in read]
    assert 6 == len({path for path, *_ in forms}) == len({plan.form for plan in read})


def test_a_file_of_another_country_is_read(tmp_path: Path) -> None:
    """Semicolons, dots between thousands, commas before decimals, the day first."""
    plan = read_plan(write(tmp_path, GERMAN.encode("latin-1")))

    assert [one("700001", 1_200, 127_500_000, at=AT.replace(day=13))] == sold(plan)
    assert "windows-1252, separator ';', dates dmy, decimal comma" == plan.form


def test_a_description_over_several_lines_is_one_row(tmp_path: Path) -> None:
    """And its lines count where the row does."""
    plan = read_plan(write(tmp_path, text(ROW.replace("LANTERN", '"LAN\n\nTERN"'), ROW)))

    assert {"header": 1, "orders": 4} == dict(counted(plan).lines)


@pytest.mark.parametrize(
    ("rows", "refusals"),
    [
        pytest.param(
            [ROW.replace("LANTERN", '"LAMP'), ROW, ROW.replace("LANTERN", '"MUG"')],
            {(2,): UNCLOSED},
            id="a quote that a later one seems to close",
        ),
        pytest.param(
            [ROW.replace("LANTERN", '"LAMP'), ROW.replace("LANTERN", 'LAMP 5"'), ROW],
            {(2,): UNCLOSED},
            id="a quote that inches seem to close",
        ),
        pytest.param(
            [ROW, ROW.replace("LANTERN", '"LAMP')], {(3,): UNCLOSED}, id="a quote open at the end"
        ),
        pytest.param(
            [ROW.replace("LANTERN", '"LAMP'), "of glass", ROW],
            {(2,): UNCLOSED, (3,): "1 cells where the header has 8"},
            id="an open quote and a line that is not a row",
        ),
        pytest.param(
            [ROW, ROW.replace("LANTERN", '"LAMP" BIG')],
            {(3,): "text around a quote"},
            id="text after a quote",
        ),
        pytest.param(
            [ROW, ROW.replace("LANTERN", ' "LAMP"')],
            {(3,): "text around a quote"},
            id="a blank before a quote",
        ),
        pytest.param(
            [ROW, ROW[:40]], {(3,): "6 cells where the header has 8"}, id="a line cut off"
        ),
        pytest.param(
            [ROW, ROW.replace("France", "Spain")],
            {(3,): "another country than in the first row of the invoice"},
            id="another country",
        ),
        pytest.param(
            [ROW, ROW.replace("90001", "9001")],
            {(3,): "another customer than in the first row of the invoice"},
            id="another customer",
        ),
        pytest.param(
            [ROW, ROW.replace("2010", "2011")],
            {(3,): "more than a day from the first row of the invoice"},
            id="another year",
        ),
        pytest.param(
            [ROW, ROW.replace("PX1", "nan")],
            {(3,): "StockCode is missing"},
            id="a code that means nothing",
        ),
        pytest.param(
            [ROW, ROW.replace("2.55", "2,55")],
            {(3,): "9 cells where the header has 8"},
            id="a decimal comma among commas",
        ),
        pytest.param(
            [ROW, ROW, ROW.replace("2.55", '"2,55"')],
            {(4,): "UnitPrice has another decimal mark than the file"},
            id="another decimal mark",
        ),
        pytest.param(
            [ROW, ROW.replace("2.55", "$2.55")],
            {(3,): "UnitPrice is not an amount"},
            id="another currency",
        ),
        pytest.param(
            [ROW, ROW.replace("2.55", "2e5")], {(3,): "UnitPrice is not an amount"}, id="powers"
        ),
    ],
)
def test_a_damaged_line_is_refused_alone(
    rows: list[str], refusals: dict[tuple[int, ...], str], tmp_path: Path
) -> None:
    """With its number and reason; the rows around it are ordered."""
    plan = read_plan(write(tmp_path, text(*rows)))

    assert refusals == refused(plan)
    assert len(rows) - len(refusals) == counted(plan).lines["orders"]


def test_a_line_in_another_encoding_is_refused_alone(tmp_path: Path) -> None:
    """Whichever of two encodings most of the file is in."""
    latin, utf8 = (ROW.replace("LANTERN", "CAFÉ").encode(name) for name in ("latin-1", "utf-8"))
    mostly_utf8 = b"\n".join((HEADER.encode(), utf8, latin, utf8))
    mostly_latin = b"\n".join((HEADER.encode(), latin, utf8, latin))

    plans = [read_plan(write(tmp_path, content)) for content in (mostly_utf8, mostly_latin)]

    assert [
        {(3,): "bytes that are not utf-8"},
        {(3,): "utf-8 among lines in windows-1252"},
    ] == [refused(plan) for plan in plans]


def test_an_encoding_can_be_named(tmp_path: Path) -> None:
    """Where the bytes alone do not say which it is."""
    path = write(tmp_path, text(ROW.replace("France", "Česko")).encode("windows-1250"))
    plan = read_plan(path, FileOptions(encoding="windows-1250"))

    assert ["Česko"] == [ask.country for ask in plan.asks if isinstance(ask, PlaceOrder)]
    for wrong in ("klingon", "hex", "punycode"):
        with pytest.raises(LoadError, match=f"--encoding {wrong}"):
            read_plan(path, FileOptions(encoding=wrong))


def described(raw: bytes) -> bytes:
    """Return a file of bytes that are a description in some encoding."""
    return text(ROW.replace("LANTERN", "{}")).encode().replace(b"{}", raw)


@pytest.mark.parametrize(
    ("description", "encoding"),
    [
        ("CAFÉ", "mac-roman"),
        ("Käse", "mac-roman"),
        ("ÜBER", "mac-roman"),
        ("MÜTZE", "cp850"),
        ("Köln", "cp850"),
        ("français", "cp437"),
        ("£ 5", "cp850"),
        ("Светильник", "windows-1251"),
        ("Светильник", "koi8-r"),
    ],
)
def test_a_file_in_another_encoding_than_windows_1252_is_asked_for(
    description: str, encoding: str, tmp_path: Path
) -> None:
    """Its words are none in Windows-1252; nothing is accepted before somebody says which it is."""
    path = write(tmp_path, described(description.encode(encoding)))

    with pytest.raises(LoadError, match=r"line 2: .* windows-1252.* say --encoding, such as mac"):
        read_plan(path)

    [order] = read_plan(path, FileOptions(encoding=encoding)).asks
    assert isinstance(order, PlaceOrder)
    assert description == order.lines[0].description
    assert read_plan(path, FileOptions(encoding="windows-1252")).form.startswith("windows-1252")


@pytest.mark.parametrize(
    "description",
    ["CAFÉ", "Köln", "ÜBER", "Œuvre", "SŒUR", "Škoda", "O\u2019NEIL \u2013 “X”…", "5° 10½” ™",
     "L\u00b4AMPE", "paral·lel", "40€", "€5", "£ SIGN", "naïve", "GARÇON", "Mª", "ÇÃO"],
)  # fmt: skip
def test_a_word_of_windows_1252_is_read_as_such(description: str, tmp_path: Path) -> None:
    """And the report says which encoding it was."""
    plan = read_plan(write(tmp_path, described(description.encode("windows-1252"))))

    assert [description] == [
        line.description for ask in plan.asks if isinstance(ask, PlaceOrder) for line in ask.lines
    ]
    assert plan.form.startswith("windows-1252,")


def test_a_file_of_pounds_is_not_asked_for_because_of_one_word(tmp_path: Path) -> None:
    """A pound says nothing about an encoding; but one word of many lines does neither."""
    texts = *(b"\xa3 SIGN" for _ in range(9)), b"LEGO\xaeSTAR"
    body = b"\n".join(ROW.encode().replace(b"LANTERN", each) for each in texts)

    plan = read_plan(write(tmp_path, HEADER.encode() + b"\n" + body))

    assert [11] == [line for lines in refused(plan) for line in lines]


def test_one_misread_line_among_others_is_refused_alone(tmp_path: Path) -> None:
    """Where more lines speak for Windows-1252."""
    texts = ("CAFÉ".encode("latin-1"), "CAFÉ".encode("mac-roman"), "MÜTZE".encode("latin-1"))
    body = b"\n".join(ROW.encode().replace(b"LANTERN", each) for each in texts)

    plan = read_plan(write(tmp_path, HEADER.encode() + b"\n" + body))

    assert {(3,): "'Fƒ' is not a word in windows-1252; say --encoding"} == refused(plan)


SLASHED = ROW.replace("2010-12-01", "{}")
CONTRADICTS = "InvoiceDate contradicts the other dates of the file"
AMBIGUOUS = "InvoiceDate can be day first or month first; say --dates"


@pytest.mark.parametrize(
    ("dates", "options", "refusals"),
    [
        pytest.param(["01/12/2010", "13/12/2010"], FileOptions(), {}, id="decided by one row"),
        pytest.param(["12/12/2010"], FileOptions(), {}, id="the same in both orders"),
        pytest.param(
            ["01/12/2010", "12/13/2010"],
            DAY_FIRST,
            {(3,): CONTRADICTS},
            id="a row against the option",
        ),
        pytest.param(
            ["13/12/2010", "13/12/2010", "12/13/2010"],
            FileOptions(),
            {(4,): CONTRADICTS},
            id="a row against most",
        ),
        pytest.param(
            ["13/12/2010", "12/13/2010"],
            FileOptions(),
            {(2,): CONTRADICTS, (3,): CONTRADICTS},
            id="one against one",
        ),
        pytest.param(
            ["13/12/2010", "14/12/2010", "12/13/2010", "1/2/2010"],
            FileOptions(),
            {(4,): CONTRADICTS, (5,): AMBIGUOUS},
            id="a row that may be either, where others contradict",
        ),
        pytest.param(["99-12-31", "10-12-01"], FileOptions(), {}, id="the year first, by one row"),
        pytest.param(["10/12/1"], FileOptions(), {}, id="no year has one digit"),
        pytest.param(["12/31/10", "10/12/01"], FileOptions(), {}, id="the month first, by one row"),
        pytest.param(
            ["13/12/10", "10/12/10"], FileOptions(), {}, id="no year is first but with hyphens"
        ),
        pytest.param(["13-12-10", "1-12-10"], FileOptions(), {}, id="no year has one digit here"),
        pytest.param(["05/05/10"], FileOptions(), {}, id="day and month are one"),
        pytest.param(["99-12-31", "05/05/10"], FileOptions(), {}, id="also beside years first"),
        pytest.param(["10/12/31", "99/12/31"], YEAR_FIRST, {}, id="the year first, as was said"),
        pytest.param(["10-12-31", "10.12.1"], YEAR_FIRST, {}, id="the year first, as said"),
        pytest.param(
            ["10-12-31", "13/12/2010"], YEAR_FIRST, {(3,): CONTRADICTS}, id="no year is first"
        ),
        pytest.param(
            ["99-12-31", "99-12-31", "12/31/10", "10-12-11"],
            FileOptions(),
            {(4,): CONTRADICTS, (5,): f"InvoiceDate can be {ANY_FIRST}; say --dates"},
            id="a row that may have any order, where others contradict",
        ),
    ],
)
def test_the_order_of_dates_is_never_guessed(
    dates: list[str], options: FileOptions, refusals: dict[tuple[int, ...], str], tmp_path: Path
) -> None:
    """It is decided by rows with one reading, or by the option; what contradicts is refused."""
    rows = [
        SLASHED.format(each).replace("700001", str(700_001 + at)) for at, each in enumerate(dates)
    ]

    assert refusals == refused(read_plan(write(tmp_path, text(*rows)), options))


@pytest.mark.parametrize(
    ("dates", "reason", "choices"),
    [
        (["10-12-01"], f"'10-12-01 08:26' can be {ANY_FIRST}", "dmy or --dates mdy or --dates ymd"),
        (["13-12-10"], "'13-12-10 08:26' can be day first or year first", "dmy or --dates ymd"),
        (
            ["12/12/10", "13-12-10", "01-12-10"],
            "'13-12-10 08:26' can be day first or year first",
            "dmy or --dates ymd",
        ),
        (["2/1/2010"], "'2/1/2010 08:26' can be day first or month first", "dmy or --dates mdy"),
        (
            ["13-12-10", "14-12-10", "12/31/10"],
            "'13-12-10 08:26' can be day first or year first",
            "dmy or --dates ymd",
        ),
    ],
)
def test_the_orders_that_dates_can_have_are_offered(
    dates: list[str], reason: str, choices: str, tmp_path: Path
) -> None:
    """All of them, and no other: a year of two digits may be first with hyphens."""
    path = write(tmp_path, text(*(SLASHED.format(each) for each in dates)))

    with pytest.raises(LoadError, match=f"{reason}, .*; say --dates {choices}$"):
        read_plan(path)


@pytest.mark.parametrize(
    ("options", "moment"),
    [
        (DAY_FIRST, AT.replace(year=2001, day=10)),
        (MONTH_FIRST, AT.replace(year=2001, month=10, day=12)),
        (YEAR_FIRST, AT),
    ],
)
def test_a_date_is_read_in_the_order_that_is_said(
    options: FileOptions, moment: datetime, tmp_path: Path
) -> None:
    """`10-12-01` is three days."""
    plan = read_plan(write(tmp_path, text(SLASHED.format("10-12-01"))), options)

    assert [one("700001", 6, 1_530, at=moment)] == sold(plan)


@pytest.mark.parametrize(
    ("options", "amount"),
    [(FileOptions(decimal="comma"), 720), (FileOptions(decimal="point"), 720_000)],
)
def test_a_number_with_two_readings_is_refused_or_asked_for(
    options: FileOptions, amount: int, tmp_path: Path
) -> None:
    """`1,200` is a thousand or a little more than one."""
    path = write(tmp_path, text(ROW.replace("2.55", '"1,200"')))

    assert {(2,): "UnitPrice can hold thousands or decimals; say --decimal"} == refused(
        read_plan(path)
    )
    assert [amount] == [line.amount_minor for line in sold(read_plan(path, options))]


def test_columns_can_be_mapped(tmp_path: Path) -> None:
    """By any name, also one that is ours already."""
    header = HEADER.replace("UnitPrice", "Net, each").replace("Net, each", '"Net, each"')
    path = write(tmp_path, text(ROW, header=header.replace("Country", "Land")))

    plan = read_plan(path, FileOptions(columns='"Net, each=Price", land=country'))

    assert [one("700001", 6, 1_530)] == sold(plan)


@pytest.mark.parametrize(
    ("header", "columns", "reason"),
    [
        pytest.param(
            HEADER, "Land", r"--map 'Land': say it as their column=ours", id="no equals sign"
        ),
        pytest.param(
            HEADER, "Land=Place", r"ours is one of InvoiceNo, StockCode", id="no column of ours"
        ),
        pytest.param(HEADER, "a=Country,b=Country", "a column is mapped once", id="twice"),
        pytest.param(HEADER, "Land=Country", "lacks the columns Country", id="no column of theirs"),
        pytest.param(
            HEADER + ",Price",
            "",
            "two columns are UnitPrice: 'UnitPrice' and 'Price'",
            id="two for one",
        ),
    ],
)
def test_columns_that_cannot_be_made_out_are_named(
    header: str, columns: str, reason: str, tmp_path: Path
) -> None:
    """With what to say instead."""
    with pytest.raises(LoadError, match=reason):
        read_plan(write(tmp_path, text(ROW, header=header)), FileOptions(columns=columns))


@pytest.mark.parametrize("name", ["Currency", "currency code", "CCY"])
def test_a_row_in_another_currency_is_refused(name: str, tmp_path: Path) -> None:
    """Its amounts would be taken in pounds."""
    currencies = ("GBP", "EUR", "£", "NULL", "usd")
    rows = [
        f"{ROW.replace('700001', str(700_001 + at))},{each}" for at, each in enumerate(currencies)
    ]

    plan = read_plan(write(tmp_path, text(*rows, header=f"{HEADER},{name}")))

    assert dict.fromkeys([(3,), (6,)], "the currency is not the pound") == refused(plan)
    assert ["700001", "700003", "700004"] == [line.invoice for line in sold(plan)]


@pytest.mark.parametrize("sign", ["€", "$", "¥"])
def test_a_header_in_another_currency_is_named(sign: str, tmp_path: Path) -> None:
    """Also further down, where a second export was joined; `--map` says that it is in pounds."""
    header = HEADER.replace("UnitPrice", f"Price ({sign})")
    for content in (text(ROW, header=header), text(ROW, header, ROW)):
        with pytest.raises(LoadError, match=rf"'Price \({re.escape(sign)}\)' is not in pounds"):
            read_plan(write(tmp_path, content))

    plans = [
        read_plan(write(tmp_path, text(ROW, header=header)), FileOptions(columns="price=Price")),
        read_plan(write(tmp_path, text(ROW, header=header.replace(sign, "£")))),
    ]

    assert [[one("700001", 6, 1_530)]] * 2 == [sold(plan) for plan in plans]


@pytest.mark.parametrize(("zone", "hour"), [("+00", 8), ("-05", 13), ("+0100", 7), ("+01:00", 7)])
def test_a_zone_of_whole_hours_is_read(zone: str, hour: int, tmp_path: Path) -> None:
    """As PostgreSQL writes it, behind seconds: `08:26-05` may be a time with a wrong mark."""
    path = write(tmp_path, text(ROW.replace("08:26", f"08:26:00{zone}")))
    without_seconds = write(tmp_path, text(ROW, ROW.replace("08:26", "08:26-05")), "other.csv")

    assert [one("700001", 6, 1_530, at=AT.replace(hour=hour))] == sold(read_plan(path))
    assert {(3,): "InvoiceDate is not a date"} == refused(read_plan(without_seconds))


@pytest.mark.parametrize(
    ("column", "cell", "damaged"),
    [("StockCode", "PX1", "8.51E+04"), ("StockCode", "PX1", "8e+12"),
     ("CustomerID", "90001", "9,0E+04")],
)  # fmt: skip
def test_a_code_that_a_spreadsheet_made_a_number_of_is_refused(
    column: str, cell: str, damaged: str, tmp_path: Path
) -> None:
    """All codes that begin alike would be one; what only looks like it is a code."""
    rows = [ROW, ROW.replace(cell, f'"{damaged}"'), ROW.replace("PX1", "84029E10")]

    assert {(3,): f"{column} is a power of ten: a spreadsheet has made a number of it"} == refused(
        read_plan(write(tmp_path, text(*rows)))
    )


@pytest.mark.parametrize("column", ["6", "2.55", "2010-12-01 08:26"])
def test_a_cell_of_a_million_blanks_is_read_once(column: str, tmp_path: Path) -> None:
    """Who takes the square of them, or of the separators in Excel's line, ends tomorrow."""
    blanks = " " * 1_000_000
    wide = ROW.replace(f",{column},", f",{column}{blanks}x,")

    plan = read_plan(write(tmp_path, text(wide, ROW, f"sep={blanks}x")))

    assert [(2,), (4,)] == list(refused(plan))


@pytest.mark.parametrize(
    ("column", "cell", "damaged", "reason"),
    [
        ("StockCode", "PX1", "=A1", FORMULA),
        ("StockCode", "PX1", "#REF!", FORMULA),
        ("CustomerID", "90001", "#VALUE!", FORMULA),
        ("CustomerID", "90001", "=VLOOKUP(A1)", FORMULA),
        ("CustomerID", "90001", "########", FORMULA),
        ("Country", "France", "#NAME?", FORMULA),
        ("StockCode", "PX1", "2010-12-01 00:00:00", MADE_A_DATE),
        ("StockCode", "PX1", "06:00:00", MADE_A_DATE),
        ("CustomerID", "90001", "2010-12-01", MADE_A_DATE),
        ("StockCode", "PX1", "'00123", CONTROL),
        ("StockCode", "PX1", "PX\u200b1", CONTROL),
        ("Country", "France", "Fra\u202ence", CONTROL),
    ],
)
def test_what_a_spreadsheet_left_of_a_name_is_no_name(
    column: str, cell: str, damaged: str, reason: str, tmp_path: Path
) -> None:
    """`#REF!` would be a customer with a memory of his own."""
    rows = [ROW, ROW.replace(cell, damaged), ROW.replace("PX1", "#12"), ROW.replace("PX1", "10-12")]

    plan = read_plan(write(tmp_path, text(*rows)))

    assert {(3,): f"{column} {reason}"} == refused(plan)


def test_a_column_of_time_zones_is_not_passed_over(tmp_path: Path) -> None:
    """A date is in UTC, or says its zone itself; one that a column beside it moves is refused."""
    zones = ("UTC", "Europe/Paris", "", "+00:00", "+01:00")
    rows = [f"{ROW.replace('700001', str(700_001 + at))},{zone}" for at, zone in enumerate(zones)]
    own = ROW.replace("700001", "700006").replace("08:26", "08:26+01:00")

    plan = read_plan(
        write(tmp_path, text(*rows, f"{own},Europe/Paris", header=f"{HEADER},Time Zone"))
    )

    moved = "the time zone is not UTC; say it behind the date: 08:26:00+01:00"
    assert dict.fromkeys([(3,), (6,)], moved) == refused(plan)
    assert [8, 8, 8, 7] == [line.at.hour for line in sold(plan)]


def test_a_second_header_changes_the_columns(tmp_path: Path) -> None:
    """Two exports joined: each is read by its own header."""
    again = "Invoice,Price,StockCode,Description,Quantity,InvoiceDate,Customer ID,Country"
    plan = read_plan(
        write(tmp_path, text(ROW, again, "700002,2.55,PX1,LANTERN,6,2010-12-01 08:26,90001,France"))
    )

    assert [one("700001", 6, 1_530), one("700002", 6, 1_530)] == sold(plan)
    assert {"header": 2} == plan.other_lines


def zipped(*members: str) -> bytes:
    """Return a zip file with these members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zip_file:
        for name in members:
            zip_file.writestr(name, ROW)
    return packed.getvalue()


def archive(name: str) -> bytes:
    """Return a tar archive of one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar_file:
        tar_file.addfile(tarfile.TarInfo(name), io.BytesIO())
    return packed.getvalue()


def sheet(invoice: float = 700_001.0, price: float = 2.55) -> list[list[Value]]:
    """Return a sheet with one order."""
    header: list[Value] = [*HEADER.split(",")]
    return [header, [invoice, "PX1", "LANTERN", 6.0, AT, price, 90_001.0, "France"]]


def test_a_workbook_is_read(tmp_path: Path) -> None:
    """All sheets of orders, whatever the name of the file; dates are dates, numbers numbers."""
    book = workbook(
        {"2009": sheet(), "notes": [["written by hand"]], "2010": sheet(700_002.0, 1.005)}
    )

    plan = read_plan(write(tmp_path, book, "orders.bin"))

    assert [one("700001", 6, 1_530), one("700002", 6, 603)] == sold(plan)
    assert {(3,): "the sheet has no header of orders"} == refused(plan)
    assert {"header": 2, "orders": 2, "refused": 1} == dict(counted(plan).lines)


def test_a_hidden_sheet_asks_nothing(tmp_path: Path) -> None:
    """Nobody has seen its orders; its rows are named."""
    book = workbook({"before": sheet(700_002.0), "2010": sheet()}, hidden=["before"])

    plan = read_plan(write(tmp_path, book))

    assert [one("700001", 6, 1_530)] == sold(plan)
    assert dict.fromkeys([(1,), (2,)], "the sheet is hidden") == refused(plan)


def days(*dates: Value, is_1904: bool = False) -> bytes:
    """Return a workbook of orders with these dates."""
    [header, row] = sheet()
    rows = [[700_001.0 + at, *row[1:4], each, *row[5:]] for at, each in enumerate(dates)]
    return workbook({"a": [header, *rows]}, is_1904=is_1904)


def test_dates_that_a_spreadsheet_has_swapped_are_named(tmp_path: Path) -> None:
    """It read the first twelve days of each month in the other order, and left the rest texts."""
    path = write(tmp_path, days(AT.replace(month=1, day=12), AT, "12/13/2010 8:26"))

    with pytest.raises(LoadError, match=r"line 4, .*'12/13/2010 8:26' .* say --dates mdy where"):
        read_plan(path)

    assert [12, 1, 13] == [line.at.day for line in sold(read_plan(path, MONTH_FIRST))]


@pytest.mark.parametrize(
    "dates",
    [
        pytest.param((AT, AT.replace(day=14), "12/13/2010 8:26"), id="a date above 12"),
        pytest.param((AT, "12/1/2010 8:26", "12/13/2010 8:26"), id="a text below 13"),
        pytest.param((AT.replace(day=12), "12/13/2010 8:26"), id="the same in both orders"),
        pytest.param((AT, AT.replace(day=12)), id="dates alone"),
    ],
)
def test_dates_that_nobody_has_swapped_are_read(dates: tuple[Value, ...], tmp_path: Path) -> None:
    """Texts among dates are not a reason, where dates or texts of the other kind are there."""
    assert len(dates) == len(sold(read_plan(write(tmp_path, days(*dates)))))


@pytest.mark.parametrize(
    ("decimal", "refusals"),
    [
        ("", {(3,): "UnitPrice can hold thousands or decimals; say --decimal"}),
        ("point", {}),
    ],
)
def test_a_number_of_a_workbook_has_one_reading_and_a_text_may_have_two(
    decimal: Literal["", "point"], refusals: dict[tuple[int, ...], str], tmp_path: Path
) -> None:
    """What its numbers are says nothing of how a text beside them is meant."""
    [header, row], [_, other] = sheet(price=1.234), sheet(700_002.0)
    typed = ["1,200" if cell == 2.55 else cell for cell in other]
    path = write(tmp_path, workbook({"2010": [header, row, typed]}))

    plan = read_plan(path, FileOptions(decimal=decimal))

    assert one("700001", 6, 740) == sold(plan)[0]
    assert refusals == refused(plan)
    assert refusals or one("700002", 6, 720_000) == sold(plan)[1]


@pytest.mark.parametrize("is_1904", [True, False])
@pytest.mark.parametrize("form", [float, str])
def test_a_number_of_days_counts_from_the_first_day_of_its_workbook(
    form: Callable[[float], Value], *, is_1904: bool, tmp_path: Path
) -> None:
    """As the dates beside it do. The report says which, as nothing in a text file would."""
    first = datetime(1904, 1, 1, tzinfo=UTC) if is_1904 else EPOCH
    path = write(tmp_path, days(AT, form((AT - first).total_seconds() / 86_400), is_1904=is_1904))

    plan = read_plan(path)

    assert [AT, AT] == [line.at for line in sold(plan)]
    assert plan.form.endswith(f"serial days from {1904 if is_1904 else 1900}")


def with_cell(reference: str, written: str, prefix: str = "") -> bytes:
    """Return a workbook of one order of which one cell is written in another way."""
    [header, row] = sheet()
    at = ord(reference[0]) - ord("A")
    cell = Written(f'<{prefix}c r="{reference}"{written}</{prefix}c>')
    return workbook({"a": [header, [*row[:at], cell, *row[at + 1 :]]]})


@pytest.mark.parametrize("prefix", ["", "x:"])
@pytest.mark.parametrize(
    ("reference", "written", "reason"),
    [
        ("G2", ' t="e"><v>#N/A</v>', f"CustomerID {FORMULA}"),
        ("G2", "><f>VLOOKUP(A1)</f>", f"CustomerID {FORMULA}"),
        ("G2", "><f>VLOOKUP(A1)</f><v></v>", f"CustomerID {FORMULA}"),
        ("G2", "><v>5012345678901234567</v>", f"CustomerID {NUMBERED}"),
        ("B2", ' t="b"><v>1</v>', f"StockCode {FORMULA}"),
        ("B2", ' s="1"><v>40513</v>', f"StockCode {MADE_A_DATE}"),
        ("D2", ' t="e"><v>#DIV/0!</v>', "Quantity is not a whole number"),
        ("F2", ' s="2"><v>2.55</v>', "UnitPrice is not an amount"),
        ("F2", ' s="4"><v>2.55</v>', "UnitPrice is not an amount"),
        ("F2", ' s="5"><v>2.55</v>', "UnitPrice is not an amount"),
        ("H2", ' t="e"><v>#REF!</v>', f"Country {FORMULA}"),
    ],
)
def test_a_cell_says_more_than_its_value(
    reference: str, written: str, reason: str, prefix: str, tmp_path: Path
) -> None:
    """Errors and formulas that nobody calculated are not blanks, euros and percent no pounds."""
    assert {(2,): reason} == refused(
        read_plan(write(tmp_path, with_cell(reference, written, prefix)))
    )


@pytest.mark.parametrize(
    ("reference", "written"),
    [
        ("D2", "><f>1+5</f><v>6</v>"),
        ("D2", ' t="str"><f>A1</f><v>6</v>'),
        ("F2", ' s="3"><v>2.55</v>'),
        ("C2", ' t="str"><f>A1</f><v></v>'),
    ],
)
def test_a_calculated_cell_and_one_in_pounds_are_read(
    reference: str, written: str, tmp_path: Path
) -> None:
    """Also a text that was calculated to be empty."""
    plan = read_plan(write(tmp_path, with_cell(reference, written)))

    assert [one("700001", 6, 1_530)] == sold(plan)


@pytest.mark.parametrize("merged", [(), ("A1:B1",)])
def test_what_stands_behind_the_cells_says_nothing_of_the_last_one(
    merged: Sequence[str], tmp_path: Path
) -> None:
    """Lists to choose from and little charts have formulas too."""
    behind = "<extLst><ext><x><f>Sheet2!$A$1</f><v>1</v></x></ext></extLst>"
    plan = read_plan(write(tmp_path, workbook({"a": sheet()}, merged=merged, behind_cells=behind)))

    assert {} == refused(plan)


def test_a_merged_cell_is_the_value_of_its_first_row_alone(tmp_path: Path) -> None:
    """The others look as if they had the same, and have none: a buyer would be a guest."""
    title: list[Value] = ["Orders of 2010"]
    rows = [title, *sheet(), *sheet(700_002.0)[1:], *sheet(700_003.0)[1:]]
    book = workbook({"a": rows}, merged=["A1:H1", "G3:G4"])

    plan = read_plan(write(tmp_path, book))

    assert {(4,): f"CustomerID {MERGED}"} == refused(plan)
    assert ["700001", "700003"] == [line.invoice for line in sold(plan)]


MIB = 1 << 20


def test_a_bomb_is_bounded(tmp_path: Path) -> None:
    """What unpacks to more than the limit is not unpacked further."""
    wide = [*sheet(), [" " * 3 * MIB]]
    packed = gzip.compress(b" " * 3 * MIB), workbook({"a": wide})

    assert max(len(each) for each in packed) < MIB / 10
    with pytest.raises(LoadError, match="holds more than 1 MiB unpacked"):
        read_bytes(write(tmp_path, packed[0]), MIB)
    with pytest.raises(LoadError, match="unpacks to more than 1 MiB"):
        read_workbook(tmp_path, packed[1], MIB)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(gzip.compress(b"a" * 1_000)[:-9], "cannot be read", id="gzip cut off"),
        pytest.param(b"\x1f\x8bnot gzip", "cannot be read", id="no gzip"),
        pytest.param(
            workbook({"a": []})[:-30], "cannot be read as a workbook", id="a workbook cut off"
        ),
        pytest.param(workbook({"a": []}), "holds no rows", id="a workbook without rows"),
        pytest.param(
            workbook({"a": [["x"]]}), "lacks the columns Country", id="a workbook of other things"
        ),
        pytest.param(b"\xd0\xcf\x11\xe0", "save it as .xlsx or .csv", id="an old workbook"),
        pytest.param(b"BZh91AY", "unpack it first", id="bzip2"),
        pytest.param(b"%PDF-1.7", "export the orders", id="a PDF"),
        pytest.param(
            gzip.compress(gzip.compress(ROW.encode())), "packed twice with gzip", id="gzip in gzip"
        ),
        pytest.param(gzip.compress(archive("a")), "a tar archive", id="a tar archive in gzip"),
        pytest.param(zipped("orders.csv"), "no .xlsx workbook; unpack it first", id="zip"),
        pytest.param(zipped(), "an empty zip file", id="a zip file without members"),
        pytest.param(zipped("content.xml"), "an OpenDocument sheet", id="OpenDocument"),
        pytest.param(zipped("xl/workbook.bin"), "a binary workbook", id="a binary workbook"),
        pytest.param(b"\xff\xfe", "lacks the columns", id="a mark alone"),
        pytest.param(b"\0" * 1_000, "lacks the columns", id="zero bytes"),
    ],
)
def test_what_is_no_file_of_orders_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    """By its bytes, with what to do."""
    with pytest.raises(LoadError, match=reason) as error:
        read_plan(write(tmp_path, content))

    assert "orders.csv" in str(error.value)


@pytest.mark.parametrize(
    "far",
    [
        pytest.param('<c r="XFD40"><v>1</v></c>', id="as Excel writes it"),
        pytest.param("<x:c r='XFD40'><v>1</v></x:c>", id="with a prefix"),
        pytest.param('<row r="40"><c><v>1</v></c></row><c r="XFD3"/>', id="without a reference"),
    ],
)
def test_a_sheet_with_a_cell_far_away_is_refused(
    far: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that makes a rectangle of it would take all memory."""
    monkeypatch.setattr("app.local.importers.workbook.CELLS_MAX", 16_384 * 40 - 1)
    book = workbook({"a": [*sheet(), [Written(far)]]})

    with pytest.raises(LoadError, match="a sheet of 40 rows by 16384 columns"):
        read_plan(write(tmp_path, book))


def test_a_workbook_that_declares_entities_is_refused(tmp_path: Path) -> None:
    """A few kilobytes of them unfold to gigabytes."""
    book = workbook({"a": sheet()}, before_sheet='<!DOCTYPE a [<!ENTITY b "c">]>')

    with pytest.raises(LoadError, match=r"orders\.csv: it declares entities"):
        read_plan(write(tmp_path, book))


def test_merged_cells_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook may say a million times that all of it is merged."""
    monkeypatch.setattr("app.local.importers.workbook.CELLS_MAX", 40)
    book = workbook({"a": sheet()}, merged=["A1:XFD1048576"] * 6)

    with pytest.raises(LoadError, match="more than 40 merged cells"):
        read_plan(write(tmp_path, book))
