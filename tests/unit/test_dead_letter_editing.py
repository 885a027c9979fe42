"""A dead letter's body is edited without being seen: what was masked stays what it was."""

import msgspec
import pytest

from app.operations.dead_letters.editing import diff, editable, restored
from app.operations.dead_letters.redrive import DeadLetterError

PLACED = "payflow.order.placed.v1"
BODY = msgspec.json.encode(
    {
        "currency": 7,
        "customer_id": "ann",
        "country": "of customer:ann",
        "surname": "ann",
        "lines": [{"payment_method": "pm_1", "sku": "tea"}],
    }
)


def test_what_stays_masked_stays_what_it_was():
    """Fields, texts that name somebody, and what lies deep; the rest is as it was written."""
    masked_text = editable(BODY, PLACED)
    edited = masked_text.replace("7", '"late"')
    back = msgspec.json.decode(restored(BODY, edited, PLACED))

    assert "ann" not in masked_text
    assert "pm_1" not in masked_text
    assert {**msgspec.json.decode(BODY), "currency": "late"} == back


def test_what_is_written_anew_is_taken():
    """A person may be put in the place of another."""
    edited = editable(BODY, PLACED).replace('"customer_id": "***"', '"customer_id": "bob"')

    assert "bob" == msgspec.json.decode(restored(BODY, edited, PLACED))["customer_id"]


@pytest.mark.parametrize(
    "edited",
    [
        '{"currency": "***"}',
        '{"lines": [{"sku": "***"}]}',
        '{"lines": [{}, {"payment_method": "***"}]}',
        '{"other": {"customer_id": "***"}}',
        '{"currency": "***"',
    ],
)
def test_a_mask_that_hides_nothing_is_refused(edited: str):
    """Or stars would be produced as a value."""
    with pytest.raises(DeadLetterError, match=r"\*\*\*"):
        restored(BODY, edited, PLACED)


def test_what_is_of_no_type_is_written_anew():
    """Nothing of it is shown, and its mask cannot be put back."""
    assert "" == editable(b"{", PLACED) == editable(BODY, "") == editable(BODY, "nosuch")
    assert b"{}" == restored(b"{", "{}", "")
    with pytest.raises(DeadLetterError, match="JSON"):
        restored(b"{customer_id ann", '{"customer_id": "***"}', "")


def test_the_difference_shows_nobody():
    """Also where a person was changed."""
    lines = diff(BODY, BODY.replace(b"ann", b"bob").replace(b":7", b":8"), PLACED)

    assert ['-  "currency": 7,', '+  "currency": 8,'] == [
        line for line in lines if line.startswith(("-", "+"))
    ]
    assert "bob" not in "".join(lines)


LIST = {"type": "payflow.fraud.list_put.v1", "name": "watched", "values": ["customer-ann"]}


def test_names_are_masked_where_the_type_says_that_they_are_some():
    """And are sent as they were."""
    value = msgspec.json.encode(LIST)
    edited = editable(value, "").replace("watched", "blocked")

    assert "ann" not in edited
    assert {**LIST, "name": "blocked"} == msgspec.json.decode(restored(value, edited, ""))


def test_another_type_does_not_bring_to_light_what_was_masked():
    """There the field would be shown; what is personal everywhere may go with it."""
    value = msgspec.json.encode(LIST | {"customer_id": "ann"})
    edited = editable(value, "").replace("payflow.fraud.list_put.v1", "somebody.else.v1")
    without = edited.replace('"values": "***"', '"values": []')

    assert "ann" not in "".join(diff(value, edited.encode(), ""))
    assert "ann" == msgspec.json.decode(restored(value, without, ""))["customer_id"]
    with pytest.raises(DeadLetterError, match="values"):
        restored(value, edited, "")


def test_the_difference_of_what_is_no_json_ends_before_a_person():
    """The dead letter and the edit alike."""
    lines = diff(b'{"x": 1, "customer_id": "ann', b'{"x": 2, "customer_id": "bob', "")

    assert 2 == len([line for line in lines if line.startswith(("-", "+"))])
    assert not [line for line in lines if "ann" in line or "bob" in line]
