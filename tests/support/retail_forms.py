"""The published file in six forms, as people and programs write it.

`python -m tests.support.retail_forms FOLDER` writes them, and prints for each what to give to
`payflow demo --file`: its path, and the option that it cannot be read without.
"""

import csv
import gzip
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from tests.support.source import ROOT
from tests.support.workbook import Value, workbook

REAL = ROOT / "data" / "online_retail_2010-12.csv"
SERIAL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  as Excel counts

RealRow = dict[str, str]


class Form(NamedTuple):
    """How a file is written, and the order of its dates where the file does not decide it."""

    file: str
    write: Callable[[Sequence[RealRow]], bytes]
    dates: Literal["", "dmy", "mdy"] = ""


def real_rows() -> list[RealRow]:
    """Return the rows of the published file, cells by column."""
    with REAL.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_forms(folder: Path, rows: Sequence[RealRow]) -> Iterator[list[str]]:
    """Write `rows` in every form; yield for each file what names it on a command line."""
    folder.mkdir(parents=True, exist_ok=True)
    for form in FORMS.values():
        path = folder / form.file
        path.write_bytes(form.write(rows))
        yield [str(path), *(["--dates", form.dates] if form.dates else [])]


def _text(rows: Sequence[RealRow], separator: str = ",", **changes: Callable[[str], str]) -> str:
    """Return the rows as text, cells changed by column."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator)
    writer.writerow(rows[0])
    writer.writerows([changes.get(name, str)(cell) for name, cell in row.items()] for row in rows)
    return file.getvalue()


def _dated(form: str) -> Callable[[str], str]:
    return lambda cell: datetime.fromisoformat(cell).strftime(form)


def _plain(rows: Sequence[RealRow]) -> bytes:
    return _text(rows).encode()


def _published(rows: Sequence[RealRow]) -> bytes:
    header, body = _text(rows, InvoiceDate=_dated("%m/%d/%Y %H:%M")).split("\r\n", 1)
    header = header.replace("InvoiceNo", "Invoice").replace("UnitPrice", "Price")
    return f"{header}\r\n{body}".encode("windows-1252")


def _german(rows: Sequence[RealRow]) -> bytes:
    text = _text(
        rows,
        ";",
        InvoiceDate=_dated("%d.%m.%Y %H:%M"),
        UnitPrice=lambda cell: cell.replace(".", ","),
    )
    return text.encode("windows-1252")


def _unicode_text(rows: Sequence[RealRow]) -> bytes:
    return gzip.compress(_text(rows, "\t").encode("utf-16"))


def _serials(rows: Sequence[RealRow]) -> bytes:
    return _text(
        rows,
        "|",
        InvoiceDate=lambda cell: str(
            (datetime.fromisoformat(cell) - SERIAL_EPOCH).total_seconds() / 86_400
        ),
    ).encode("utf-8-sig")


def _book(rows: Sequence[RealRow]) -> bytes:
    cells: list[list[Value]] = [list(rows[0])]
    for row in rows:
        at = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=UTC)
        invoice, customer = row["InvoiceNo"], row["CustomerID"]
        cells.append(
            [
                float(invoice) if invoice.isdigit() else invoice,
                row["StockCode"],
                row["Description"],
                float(row["Quantity"]),
                at,
                float(row["UnitPrice"]),
                float(customer) if customer else None,
                row["Country"],
            ]
        )
    return workbook({"Online Retail": cells})


FORMS = {
    "as in data/": Form("plain.csv", _plain),
    "as published": Form("published.csv", _published, "mdy"),
    "German Excel": Form("german.csv", _german, "dmy"),
    "Unicode text in gzip": Form("unicode.txt.gz", _unicode_text),
    "serial days": Form("serials.csv", _serials),
    "a workbook": Form("workbook.xlsx", _book),
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m tests.support.retail_forms FOLDER")
    for arguments in write_forms(Path(sys.argv[1]), real_rows()):
        sys.stdout.write(f"{' '.join(arguments)}\n")
