"""Values of order files: numbers, dates and words for nothing, one by one."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.local.importers.choice import Choice, Evidence
from app.local.importers.dates import evidence_of, moment_ms
from app.local.importers.numbers import is_nobody, is_nothing, mark_of, number

POINT, COMMA = (Choice(value=mark, decides=True) for mark in ("point", "comma"))
DAY_FIRST, MONTH_FIRST = (Choice(value=order, decides=True) for order in ("dmy", "mdy"))
MARKS = {"": set(), "either": {"point", "comma"}, "point": {"point"}, "comma": {"comma"}}
ORDERS = {"": set(), "either": {"dmy", "mdy"}, "dmy": {"dmy"}, "mdy": {"mdy"}}
AT = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "mark", "point", "comma"),
    [
        ("6", "", "6", "6"),
        ("007", "", "7", "7"),
        ("+6", "", "6", "6"),
        ("\u22126", "", "-6", "-6"),
        ("2.55", "point", "2.55", None),
        ("2,55", "comma", None, "2.55"),
        (".5", "point", "0.5", None),
        ("2.", "point", "2", None),
        ("0.333", "point", "0.333", None),
        ("0.3333", "point", "0.3333", None),
        ("1,200", "either", "1200", "1.2"),
        ("1.200", "either", "1.2", "1200"),
        ("1,062.06", "point", "1062.06", None),
        ("1.062,06", "comma", None, "1062.06"),
        ("1,234,567", "point", "1234567", None),
        ("1 234 567", "", "1234567", "1234567"),
        ("1\u00a0234,5", "comma", None, "1234.5"),
        ("1'234.50", "point", "1234.50", None),
        ("1\u2019234", "", "1234", "1234"),
        ("£2.55", "point", "2.55", None),
        ("-£2.55", "point", "-2.55", None),
        ("2,55 GBP", "comma", None, "2.55"),
        *((wrong, "", None, None) for wrong in (
            "", "-", ".", "x", "1e3", "1_0", "NaN", "Infinity", "$2", "12,34,567", "1,2,3", "1.2.3",
            "1 2", "1,234 567", "01,234,567", "²", "\uff11", "--1", "1-", "(6)", "0x1F", "2.55\0",
            "9" * 31,
        )),
    ],
)  # fmt: skip
def test_a_number_is_read_by_its_decimal_mark(
    text: str, mark: str, point: str | None, comma: str | None
) -> None:
    """Exactly, or not at all; what can be read in two ways says so."""
    assert MARKS[mark] == mark_of(text)
    assert [None if each is None else Decimal(each) for each in (point, comma)] == [
        number(text, POINT),
        number(text, COMMA),
    ]


@pytest.mark.parametrize(
    ("text", "order", "day_first", "month_first"),
    [
        ("2010-12-01 08:26:00", "", AT, AT),
        ("2010-12-01T08:26:00.5Z", "", AT, AT),
        ("2010-12-01T09:26:00+01:00", "", AT, AT),
        ("2010/12/1 8:26", "", AT, AT),
        ("2010.12.01 8.26", "", AT, AT),
        ("2010-12-01", "", AT.replace(hour=0, minute=0), AT.replace(hour=0, minute=0)),
        ("20101201 08:26", "", AT, AT),
        ("40513.3513888889", "", AT, AT),
        ("40513,3513888889", "", AT, AT),
        ("1-Dec-10 8:26", "", AT, AT),
        ("01 December 2010 08:26 am", "", AT, AT),
        ("Dec 1, 2010 8:26 AM", "", AT, AT),
        ("12/12/2010 8:26", "", AT.replace(day=12), AT.replace(day=12)),
        ("1/12/2010 8:26", "either", AT, AT.replace(month=1, day=12)),
        ("01.12.10, 08:26 AM", "either", AT, AT.replace(month=1, day=12)),
        ("13/12/2010 8:26", "dmy", AT.replace(day=13), None),
        ("12-13-2010 8:26", "mdy", None, AT.replace(day=13)),
        ("1/12/69 8:26 PM", "", None, None),
        ("30/12/99 12:00 AM", "dmy", datetime(1999, 12, 30, tzinfo=UTC), None),
        ("30/12/10 12:26 PM", "dmy", AT.replace(day=30, hour=12), None),
        *((wrong, "", None, None) for wrong in (
            "", "then", "31/04/2010", "13/13/2010", "2010-13-01", "2010-02-30", "0/1/2010",
            "1969-12-31", "9999-12-31", "1900-01-01 00:00:00", "12345", "99999", "1/1/2010 25:00",
            "1/1/2010 13:00 PM", "1/1/2010 0:10 AM", "1/1/2010 8", "1/1/2010 8:26.30",
            "1/1/2010,8:26", "1/1-2010", "1/1/210",
            "1 Foo 2010", "2010-1-1 8:26 +99:00", "2010-12-01 08:26:00\0", "\uff11/1/2010",
            "201012",
        )),
    ],
)  # fmt: skip
def test_a_date_is_read_by_its_order(
    text: str, order: str, day_first: datetime | None, month_first: datetime | None
) -> None:
    """Or it is not a date; what can be read in two ways says so."""
    assert [
        None if each is None else int(each.timestamp()) * 1_000 for each in (day_first, month_first)
    ] == [moment_ms(text, DAY_FIRST), moment_ms(text, MONTH_FIRST)]
    assert ORDERS[order] == evidence_of(text)


@pytest.mark.parametrize(
    ("is_asked", "moment"),
    [(False, datetime(2010, 5, 5, tzinfo=UTC)), (True, datetime(2005, 5, 10, tzinfo=UTC))],
)
def test_no_year_is_first_behind_a_slash_unless_somebody_says_so(
    *, is_asked: bool, moment: datetime
) -> None:
    """Also where the file has years that are first, behind hyphens."""
    order = Choice(value="ymd", decides=True, is_asked=is_asked)

    assert int(moment.timestamp()) * 1_000 == moment_ms("05/05/10", order)


@pytest.mark.parametrize(
    "text",
    [
        "", "nan", "NaN", "NULL", "null", "None", r"\N", "-", "N/A", "n/a", "NA", "#N/A", "<NA>",
    ],
)  # fmt: skip
def test_a_word_for_nothing_is_nothing(text: str) -> None:
    """In any case, and nobody as well."""
    assert (True, True) == (is_nothing(text), is_nobody(text))


@pytest.mark.parametrize(
    ("text", "nothing", "nobody"),
    [("0", False, False), ("guest", False, True), ("Nana", False, False), ("?", False, True)],
)
def test_a_word_for_nobody_may_be_something_elsewhere(
    text: str, *, nothing: bool, nobody: bool
) -> None:
    """A description may be a question mark; a customer may be a zero."""
    assert (nothing, nobody) == (is_nothing(text), is_nobody(text))


@pytest.mark.parametrize(
    ("texts", "choice"),
    [
        ([], Choice()),
        (["either"], Choice()),
        (["either", "dmy"], Choice(value="dmy", decides=True)),
        (["dmy", "mdy", "dmy", ""], Choice(value="dmy")),
        (["dmy", "mdy"], Choice()),
    ],
)
def test_a_file_decides_by_what_has_one_reading(texts: list[str], choice: Choice) -> None:
    """Most decide what is read at all; contradicted, they decide nothing that has two readings."""
    evidence = Evidence()
    for line, each in enumerate(texts):
        evidence.add(frozenset(ORDERS[each]), line, "text")

    assert choice == evidence.choose()
    assert Choice(value="mdy", decides=True, is_asked=True) == evidence.choose("mdy")
