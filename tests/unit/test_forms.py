"""What a browser does with a form whose script is late: nothing stands in an address."""

import re

import pytest

from tests.support.source import ROOT

FORMS = [
    (path.name, form)
    for path in sorted((ROOT / "web" / "templates").glob("*.html"))
    for form in re.findall(r"<form\b[^>]*>", path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "form"), FORMS)
def test_a_form_that_a_script_sends_is_sent_by_nothing_else(page: str, form: str) -> None:
    """Its fields are a token, a customer, a reason; what a browser sends itself is a search."""
    sent_by_script = "data-act=" in form or 'id="place"' in form
    expected = 'method="dialog"' if sent_by_script else 'method="get"'

    assert 1 == form.count("method="), page
    assert expected in form, page


def test_the_forms_are_found() -> None:
    """The test above would pass where there are none."""
    assert {"sign_in.html", "transactions.html", "transaction.html"} <= {page for page, _ in FORMS}
