"""What calamine does not say of a workbook: its epoch, errors, missing results, foreign formats.

calamine gives the error `#REF!`, and a formula that no program has calculated, as blank cells, and
`€ 2.55` as 2.55. An order would be that of a guest, or in pounds. So the parts are read here as
well, as XML and within bounds.
"""

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category
from xml.parsers import expat

from app.local.importers.columns import PRICE_SIGN
from app.local.importers.file_content import LoadError
from workflows.shared.currencies import EXPONENTS

BOOK, LINKS, STYLES = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml"
CHUNK_BYTES = 1 << 20
REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
MERGED_CELLS = re.compile(rf"{REFERENCE.pattern}:{REFERENCE.pattern}")
UNCALCULATED = "=?"
"""What stands for a formula without a result; an error is `=#REF!`. Neither is a name or a number.
"""
ERROR_CHARS_MAX = 20
FORMAT_SIGN = re.compile(r"\[\$([^\[\]-]*)(?:-[0-9A-Fa-f]*)?\]")
"""A currency in a format of numbers, `[$€-407]`, or a language, `[$-409]`."""
FORMAT_CODE = re.compile(r"[A-Z]{3}")
PERCENT_FORMATS = frozenset({9, 10})
"""`0%` and `0.00%`, which no workbook has to spell out."""


class Place(NamedTuple):
    """A column from 0 and what its cells say there, beside or instead of their value."""

    column: int
    text: str


class SheetCells:
    """The bounds of one sheet, and the cells of which calamine does not say all."""

    def __init__(self, signs: Mapping[str, str]) -> None:
        self.height = self.width = 0
        self.instead: dict[Place, list[int]] = {}
        """Rows from 0 in which the text stands instead of a blank."""
        self.beside: dict[Place, list[int]] = {}
        """Rows from 0 in which the text stands beside a number."""
        self.merged: list[str] = []
        """What is merged, as `A2:A9`."""
        self._signs = signs
        self._row, self._column = -1, -1
        self._kind, self._has_formula, self._text = "", False, ""
        self._is_open = False
        self._parser = _parser(self._start)

    def read(self, chunk: bytes) -> None:
        """Read on, or to the end where `chunk` is empty; raises ExpatError."""
        self._parser.Parse(chunk, not chunk)
        if not chunk:
            self._end_cell()

    def covered(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        """Yield row and column of each cell within bounds that is merged with one of a row above.

        Only the first cell of those has a value. Titles are merged along a row, and are none of it.
        """
        for reference in self.merged:
            if corners := MERGED_CELLS.fullmatch(reference):
                left, right = _number(corners[1]), min(_number(corners[3]) + 1, width)
                top, bottom = int(corners[2]), min(int(corners[4]), height)
                for row in range(top, bottom):
                    yield from ((row, column) for column in range(left, right))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "c":
                self._end_cell()
                self._begin_cell(attributes)
            case "row":
                self._end_cell()
                row = attributes.get("r", "")
                self._row = int(row) - 1 if row.isdecimal() and int(row) else self._row + 1
                self._column = -1
            case "mergeCell":
                self.merged.append(attributes.get("ref", ""))
            case "f" if self._is_open:
                self._has_formula = True
                self._parser.CharacterDataHandler = None
            case "v" if self._has_formula or self._kind == "e":
                self._parser.CharacterDataHandler = self._add_text
            case "v":
                pass
            case _:
                # What follows the cells has formulas too, such as lists that a cell is chosen from.
                self._end_cell()

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        reference = REFERENCE.fullmatch(attributes.get("r", ""))
        if reference is None:
            self._column += 1
        else:
            self._column, self._row = _number(reference[1]), int(reference[2]) - 1
        self.width = max(self.width, self._column + 1)
        self.height = max(self.height, self._row + 1)
        self._kind, self._is_open = attributes.get("t", ""), True
        if self._kind in {"", "n"} and (sign := self._signs.get(attributes.get("s", ""))):
            self._note(self.beside, sign)

    def _add_text(self, text: str) -> None:
        if len(self._text) < ERROR_CHARS_MAX:
            self._text += text

    def _end_cell(self) -> None:
        """Note what the last cell says, once all of it was read."""
        if self._kind == "e":
            self._note(self.instead, f"={self._text.strip()}")
        elif self._has_formula and self._kind != "str" and not self._text.strip():
            self._note(self.instead, UNCALCULATED)
        if self._has_formula or self._kind == "e":
            self._parser.CharacterDataHandler = None
        self._kind, self._has_formula, self._text = "", False, ""
        self._is_open = False

    def _note(self, places: dict[Place, list[int]], text: str) -> None:
        place = Place(self._column, text[:ERROR_CHARS_MAX])
        places.setdefault(place, []).append(self._row)


class Book:
    """What the parts beside the sheets say: the epoch, the sheets by name, formats by style."""

    def __init__(self) -> None:
        self.is_1904 = False
        self.signs: dict[str, str] = {}
        """What the format of a style writes beside a number: another currency, or `%`."""
        self._names: dict[str, str] = {}
        self._targets: dict[str, str] = {}
        self._formats: dict[str, str] = {}
        self._parents: list[str] = []
        self._styles = 0

    @property
    def sheets(self) -> dict[str, str]:
        """Return the name of each sheet by its part, in lower case."""
        return {
            self._targets[link]: name for link, name in self._names.items() if link in self._targets
        }

    def read(self, packed: zipfile.ZipFile) -> None:
        """Read the three parts, of which a workbook may lack the last two; raises ExpatError."""
        for part in (BOOK, LINKS, STYLES):
            for name in packed.namelist():
                if name.casefold() == part.casefold():
                    self._read_part(packed, name)

    def _read_part(self, packed: zipfile.ZipFile, name: str) -> None:
        parser = _parser(self._start)
        parser.EndElementHandler = lambda _: self._parents.pop()
        with packed.open(name) as content:
            chunk = b"<"
            while chunk:
                chunk = content.read(CHUNK_BYTES)
                parser.Parse(chunk, not chunk)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        match local:
            case "workbookPr":
                self.is_1904 = attributes.get("date1904", "") in {"1", "true"}
            case "sheet":
                link = next((at for key, at in attributes.items() if key.endswith(":id")), "")
                self._names[link] = attributes.get("name", "")
            case "Relationship":
                target = posixpath.join("/xl", attributes.get("Target", ""))
                part = posixpath.normpath(target).lstrip("/").casefold()
                self._targets[attributes.get("Id", "")] = part
            case "numFmt":
                self._formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
            case "xf" if self._parents[-1:] == ["cellXfs"]:
                if sign := self._sign(attributes.get("numFmtId", "")):
                    self.signs[str(self._styles)] = sign
                self._styles += 1
        self._parents.append(local)

    def _sign(self, number: str) -> str:
        form = self._formats.get(number)
        if form is None:
            return "%" if number.isdecimal() and int(number) in PERCENT_FORMATS else ""
        return foreign_sign(form)


def foreign_sign(form: str) -> str:
    """Return the currency other than the pound in a format of numbers, `%`, or nothing."""
    plain = FORMAT_SIGN.sub(r"\1", form)
    signs = [sign for sign in plain if category(sign) == "Sc" and sign != PRICE_SIGN]
    signs += [code for code in FORMAT_CODE.findall(plain) if code in EXPONENTS and code != "GBP"]
    signs += ["%"] * ("%" in plain)
    return signs[0] if signs else ""


def _parser(start: Callable[[str, dict[str, str]], None]) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _refuse_declarations
    return parser


def _refuse_declarations(*_: object) -> None:
    raise LoadError("it declares entities, which no workbook needs; save it again")


@lru_cache(maxsize=1_024)
def _number(name: str) -> int:
    """Return the column from 0: `A` is 0, `AA` is 26."""
    number = 0
    for place in name:
        number = number * 26 + ord(place) - ord("A") + 1
    return number - 1
