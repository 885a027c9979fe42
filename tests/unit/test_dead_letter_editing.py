"""A dead letter's body is edited without being seen: what was masked stays what it was."""

import msgspec
import pytest

from app.operations.dead_letters.editing import diff, editable, restored
from app.operations.dead_letters.redrive import DeadLetterError

BODY = msgspec.json.encode(
    {
        "reason": 7,
        "customer_id": "ann",
        "note": "of customer:ann",
        "lines": [{"payment_method": "pm_1", "sku": "tea"}],
    }
)


def test_what_stays_masked_stays_what_it_was():
    """Fields, texts that name somebody, and what lies deep; the rest is as it was written."""
    seen = editable(BODY, "")
    edited = seen.replace("7", '"late"')
    back = msgspec.json.decode(restored(BODY, edited, ""))

    assert "ann" not in seen
    assert "pm_1" not in seen
    assert {**msgspec.json.decode(BODY), "reason": "late"} == back


def test_what_is_written_anew_is_taken():
    """A person may be put in the place of another."""
    edited = editable(BODY, "").replace('"customer_id": "***"', '"customer_id": "bob"')

    assert "bob" == msgspec.json.decode(restored(BODY, edited, ""))["customer_id"]


@pytest.mark.parametrize(
    "edited",
    [
        '{"reason": "***"}',
        '{"lines": [{"sku": "***"}]}',
        '{"lines": [{}, {"payment_method": "***"}]}',
        '{"other": {"customer_id": "***"}}',
        '{"reason": "***"',
    ],
)
def test_a_mask_that_hides_nothing_is_refused(edited: str):
    """Or stars would be produced as a value."""
    with pytest.raises(DeadLetterError, match=r"\*\*\*"):
        restored(BODY, edited, "")


def test_what_is_no_json_is_edited_as_it_is():
    """Its mask cannot be put back."""
    assert "" == editable(b"{", "")
    assert b"{}" == restored(b"{", "{}", "")
    with pytest.raises(DeadLetterError, match="JSON"):
        restored(b"{customer_id ann", '{"customer_id": "***"}', "")


def test_the_difference_shows_nobody():
    """Also where a person was changed."""
    lines = diff(BODY, BODY.replace(b"ann", b"bob").replace(b":7", b":8"), "")

    assert ['-  "reason": 7,', '+  "reason": 8,'] == [
        line for line in lines if line.startswith(("-", "+"))
    ]
    assert "bob" not in "".join(lines)
