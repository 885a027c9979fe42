"""Only one function divides minor units: no other place may assume that a currency has two."""

import pytest

from tests.support.decimals import assumed_decimals
from tests.support.source import ROOT, modules

NO_MONEY = {
    "workflows/fraud/verdict.py": "the weight of a figure in the model",
}
"""Files that show two decimals of what is not money, and what it is."""
CODE = ("app", "workflows", "agents", "tables")
PAGES = sorted([*(ROOT / "web").glob("*.js"), *(ROOT / "web/templates").glob("*.html")])


def test_no_code_assumes_two_decimals() -> None:
    """`workflows.shared.money` has the decimals of each currency, for amounts and for features."""
    lines_by_path = {str(module.path): assumed_decimals(module.text) for module in modules(*CODE)}

    assert {} == {
        path: lines for path, lines in lines_by_path.items() if lines and path not in NO_MONEY
    }
    assert all(lines_by_path[path] for path in NO_MONEY)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_page_assumes_two_decimals(page) -> None:
    """Pages use the filter `amount`, scripts `web/money.js`."""
    assert [] == assumed_decimals(page.read_text())


@pytest.mark.parametrize(
    "line",
    [
        'f"{minor / 100:,.2f}"',
        "minor // 100",
        "f'{minor % 100:02d}'",
        "divmod(total_minor, 100)",
        "value / 100",
        '{{ "%.2f" | format(x) }}',
        "minimumFractionDigits: 2,",
        "(x).toFixed(2)",
    ],
)
def test_the_ways_to_assume_two_decimals_are_found(line: str) -> None:
    """What each of them was before there was one function."""
    assert [line] == assumed_decimals(line)
