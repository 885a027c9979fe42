"""Words for nothing, and numbers as people write them: exact, or nothing.

A number has one reading, or two where a mark may group thousands or begin decimals: `1,200`.
"""

import re
from decimal import Decimal
from functools import lru_cache

from app.local.importers.choice import Choice, Said

NOTHING = frozenset(
    {
        "", "nan", "-nan", "null", "(null)", "#null!", "none", "nil", r"\n", "-", "--", "\u2013",
        "\u2014", "n/a", "na", "n.a.", "n.a", "#n/a", "#n/a n/a", "#na", "#nv", "<na>", "nat",
        "(blank)", "[null]", "<null>", "undefined", "nonetype", "1.#ind", "-1.#ind", "1.#qnan",
        "-1.#qnan",
    }
)  # fmt: skip
"""What exports of databases, spreadsheets and data frames write for an empty cell."""
NOBODY = NOTHING | {"?", "guest", "anonymous", "unknown", "missing", "empty"}
"""What stands for no customer."""
MERGED = "=merged"
"""What stands in a cell of a workbook that is merged with one of a row above: it has no value."""
POINT, COMMA = "point", "comma"
DIGITS_MAX = 30
NUMBER_CHARS_MAX = 100
"""Of a number with its sign, its currency and blanks: a longer text is none."""
GROUPS = "'\u2019 \u00a0\u202f\u2009"
"""Apostrophes and blanks group thousands, and never begin decimals."""
CURRENCY = re.compile(r"^([+-]?)\s*(?:£|GBP)\s*|(?<!\s)\s*(?:£|GBP)$")
"""The shop's own currency; another is not part of a number. Blanks are searched once, from the
first: a cell may have millions."""
POUND_NAMES = frozenset({"gbp", "£", "pound", "pounds", "pound sterling", "sterling"})
"""How a column of currencies says the shop's own."""


def _form(mark: str, other: str) -> re.Pattern[str]:
    groups = "|".join(
        rf"[1-9][0-9]{{0,2}}(?:{re.escape(group)}[0-9]{{3}})+" for group in (other, *GROUPS)
    )
    return re.compile(rf"(?P<whole>[0-9]*|{groups})(?:{re.escape(mark)}(?P<part>[0-9]*))?")


FORMS = {POINT: _form(".", ","), COMMA: _form(",", ".")}
NO_DIGIT = re.compile(r"[^0-9]")


def is_nothing(text: str) -> bool:
    """Return whether `text`, stripped, is a word for nothing."""
    return text.casefold() in NOTHING


def is_nobody(text: str) -> bool:
    """Return whether `text`, stripped, names no customer."""
    return text.casefold() in NOBODY


@lru_cache(maxsize=8_192)
def readings(text: str) -> dict[str, Decimal]:
    """Return what `text` can mean, by the decimal mark that it is read with."""
    if len(text) > NUMBER_CHARS_MAX:
        return {}
    plain = CURRENCY.sub(r"\1", text.replace("\u2212", "-"))
    sign, body = (plain[:1], plain[1:]) if plain[:1] in {"+", "-"} else ("", plain)
    values: dict[str, Decimal] = {}
    for mark, form in FORMS.items():
        number = form.fullmatch(body) if len(body) <= DIGITS_MAX else None
        if number is None:
            continue
        whole = NO_DIGIT.sub("", number["whole"])
        if whole or number["part"]:
            values[mark] = Decimal(f"{sign}{whole or 0}.{number['part'] or 0}")
    return values


def mark_of(text: str) -> Said:
    """Return the decimal marks that `text` can have, or none where both mean the same."""
    values = readings(text)
    differs = len(values) == 1 or len(set(values.values())) > 1
    return frozenset(values) if differs else frozenset()


def number(text: str, marks: Choice) -> Decimal | None:
    """Return the number, or None: no number, or not read with the marks of its file."""
    values, text_marks = readings(text), mark_of(text)
    if not values or not marks.allows(text_marks):
        return None
    return values[marks.value] if text_marks else next(iter(values.values()))
