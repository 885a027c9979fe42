"""Workbooks as Excel writes them, made of sheets of plain values."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from xml.sax.saxutils import escape


class Written(NamedTuple):
    """A cell as it is written; `x:` is a prefix of the same names."""

    xml: str


Value = str | float | datetime | Written | None

EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
DATE_STYLE = 1


FORMATS = ("[$€-407] #,##0.00", "&quot;£&quot;#,##0.00", "#,##0.00\\ &quot;EUR&quot;", "0.0%")
"""Of the styles 2 to 5."""


def workbook(  # noqa: PLR0913  what a workbook has
    sheets: Mapping[str, Sequence[Sequence[Value]]],
    hidden: Sequence[str] = (),
    *,
    is_1904: bool = False,
    merged: Sequence[str] = (),
    before_sheet: str = "",
    behind_cells: str = "",
) -> bytes:
    """Return an .xlsx file; a datetime becomes a serial number in a cell of the style of dates.

    `hidden` names sheets that are not shown, `merged` what is merged in each sheet, as `A2:A9`.
    """
    epoch = datetime(1904, 1, 1, tzinfo=UTC) if is_1904 else EPOCH
    parts = {
        "[Content_Types].xml": _content_types(len(sheets)),
        "_rels/.rels": _links([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": _book(list(sheets), hidden, is_1904=is_1904),
        "xl/_rels/workbook.xml.rels": _links(
            [("worksheet", f"worksheets/sheet{at}.xml") for at in range(1, len(sheets) + 1)]
            + [("styles", "styles.xml")]
        ),
        "xl/styles.xml": _styles(),
    } | {
        f"xl/worksheets/sheet{at}.xml": before_sheet + _sheet(rows, epoch, merged, behind_cells)
        for at, rows in enumerate(sheets.values(), 1)
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return packed.getvalue()


def _content_types(sheets: int) -> str:
    kinds = {"/xl/workbook.xml": "sheet.main", "/xl/styles.xml": "styles"} | {
        f"/xl/worksheets/sheet{at}.xml": "worksheet" for at in range(1, sheets + 1)
    }
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{KINDS}.{kind}+xml"/>'
        for name, kind in kinds.items()
    )
    rels = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="{rels}"/>'
        f"{overrides}</Types>"
    )


def _links(targets: Sequence[tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="rId{at}" Type="{LINKS}/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'


def _styles() -> str:
    formats = "".join(
        f'<numFmt numFmtId="{number}" formatCode="{form}"/>'
        for number, form in enumerate(FORMATS, 164)
    )
    own = "".join(f'<xf numFmtId="{number}"/>' for number, _ in enumerate(FORMATS, 164))
    return (
        f'<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts>'
        f'<cellStyleXfs><xf numFmtId="164"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>'
        f'<xf numFmtId="22" applyNumberFormat="1"/>{own}</cellXfs></styleSheet>'
    )


def _book(names: Sequence[str], hidden: Sequence[str], *, is_1904: bool) -> str:
    sheets = "".join(
        f'<sheet name="{escape(name)}" sheetId="{at}" r:id="rId{at}" '
        f'state="{"hidden" if name in hidden else "visible"}"/>'
        for at, name in enumerate(names, 1)
    )
    epoch = '<workbookPr date1904="1"/>' * is_1904
    return f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}">{epoch}<sheets>{sheets}</sheets></workbook>'


def _sheet(
    rows: Sequence[Sequence[Value]], epoch: datetime, merged: Sequence[str], behind_cells: str
) -> str:
    lines = [
        "".join(_cell(number, at, value, epoch) for at, value in enumerate(row))
        for number, row in enumerate(rows, 1)
    ]
    body = "".join(f'<row r="{number}">{cells}</row>' for number, cells in enumerate(lines, 1))
    cells = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    return (
        f'<worksheet xmlns="{MAIN}" xmlns:x="{MAIN}"><sheetData>{body}</sheetData>'
        f"<mergeCells>{cells}</mergeCells>{behind_cells}</worksheet>"
    )


def _cell(row: int, column: int, value: Value, epoch: datetime) -> str:
    reference = f"{chr(ord('A') + column)}{row}"
    match value:
        case None:
            return ""
        case Written(xml):
            return xml
        case str():
            text = escape(value)
            return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'
        case datetime():
            days = (value - epoch).total_seconds() / 86_400
            return f'<c r="{reference}" s="{DATE_STYLE}"><v>{days!r}</v></c>'
        case _:
            return f'<c r="{reference}"><v>{value!r}</v></c>'
