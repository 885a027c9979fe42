"""Whatever is declared: what a type marks as personal is in no masked rendering of it."""

import ast
import types
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.host.logs import mask_personal
from app.registry import load_workflows
from app.wire.personal import (
    MASK,
    is_keyed_by_person,
    masked,
    masked_body,
    personal_names,
    personal_parts,
)
from tables import declared as declared_tables
from tests.support.samples import every_message
from tests.support.source import modules
from workflows.shared.limits import NameIfAny
from workflows.shared.message import type_name
from workflows.shared.personal import NamesPeople, Personal

load_workflows()
MESSAGES = every_message()
SHAPES = {name: table.shape for name, table in declared_tables.items()}
PERSON = "grace-hopper-1906"
OPEN = "shown"


def is_marked(kind: Any) -> bool:
    marks = (mark for mark in get_args(kind)[1:] if isinstance(mark, msgspec.Meta))
    return get_origin(kind) is Annotated and any("personal" in (m.extra or {}) for m in marks)


def filled(kind: Any, *, personal: bool = False) -> Any:
    """Return a plain value of `kind`: texts are PERSON where they are personal, OPEN elsewhere.

    What is declared nowhere may be personal.
    """
    if is_marked(kind) or kind is Any:
        personal = True
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Annotated, Union, types.UnionType):
        return filled(arguments[0], personal=personal)
    if origin is tuple:
        return [filled(arguments[0], personal=personal)]
    if origin is dict:
        return {"one": filled(arguments[1], personal=personal)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind, include_extras=True)
        config = kind.__struct_config__
        fields = [
            (each.encode_name, filled(hints[each.name], personal=personal))
            for each in msgspec.structs.fields(kind)
        ]
        if config.array_like:
            return [value for _, value in fields]
        return dict([("type", config.tag), *fields] if config.tag else fields)
    return PERSON if personal else OPEN


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES)
def test_no_personal_value_of_a_message_is_in_its_masked_rendering(kind: Any) -> None:
    """By its own tag, by its envelope; what is not marked stays; who reveals it finds all of it."""
    body = filled(kind)
    untagged = {name: value for name, value in body.items() if name != "type"}

    renderings = [masked_body(body), masked_body(untagged, type_name(kind)), masked([{"x": body}])]

    assert PERSON not in str(renderings)
    assert str(body).count(OPEN) == str(renderings[0]).count(OPEN)
    assert (PERSON in str(body)) == (MASK in str(renderings[0]))
    assert (PERSON in str(body)) == (PERSON in str(personal_parts(body, type_name(kind))))


@pytest.mark.parametrize("kind", SHAPES.values(), ids=SHAPES)
def test_no_personal_value_of_a_row_is_in_its_masked_rendering(kind: Any) -> None:
    """A state is masked by the type of its table."""
    state = filled(kind)

    rendering = masked(state, kind)

    assert PERSON not in str(rendering)
    assert str(state).count(OPEN) == str(rendering).count(OPEN)


def test_a_field_of_a_personal_name_is_marked_wherever_it_is_declared() -> None:
    """A type that forgets the mark would show what another type masks, in a log line too."""
    fields = [
        (module.name, each.target.id, ast.unparse(each.annotation))
        for module in modules()
        for owner in ast.walk(module.tree)
        if isinstance(owner, ast.ClassDef)
        for each in owner.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    ]
    personal = [each for each in fields if each[1] in personal_names()]

    assert [] == [each for each in personal if "Personal[" not in each[2]]
    assert 15 <= len(personal)


def test_a_key_that_is_a_person_is_known_by_the_field_that_it_is() -> None:
    """What is asked of an entity lies under it, and so does what is said of one."""
    assert {
        "payflow.fraud.check_payment.v1",
        "payflow.fraud.check_entity.v1",
        "payflow.fraud.note_decline.v1",
        "payflow.fraud.label_entity.v1",
        "payflow.fraud.rule_snoozed.v1",
    } == {name for name in MESSAGES if is_keyed_by_person(name)}


def test_a_key_of_no_type_is_one_of_its_topic() -> None:
    """A record without an envelope, or one that lies about it, also where it is dead-lettered."""
    topics = ("fraud.checks", "fraud.checks.fraud.dead", "fraud.rules", "orders", "nosuch", "")
    assert [True, True, True, False, False, False] == [
        is_keyed_by_person("payflow.order.placed.v1", each) for each in topics
    ]
    assert not is_keyed_by_person("payflow.fraud.rule_put.v1", "fraud.rules")


class Buyer(msgspec.Struct, frozen=True, kw_only=True, rename={"nick": "n"}):
    """Somebody, who recommends somebody."""

    nick: Personal[NameIfAny] = ""
    shoe_size: str = OPEN
    recommends: "Buyer | None" = None


class Gift(msgspec.Struct, frozen=True, kw_only=True, tag="gift"):
    """One of a union."""

    giver: Personal[str] = PERSON


class Voucher(msgspec.Struct, frozen=True, kw_only=True, tag="voucher"):
    """The other one: its field is not personal, whatever that of a gift is."""

    giver: str = OPEN


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Written as an array."""

    number: int = 1
    street: Personal[str] = PERSON


class Basket(msgspec.Struct, frozen=True, kw_only=True):
    """Personal data in every kind of place."""

    who: Buyer
    guests: tuple[Buyer, ...]
    cheers: tuple[Personal[str], ...]
    by_table: dict[str, Buyer]
    by_nick: dict[Personal[str], int]
    of_kind: Gift | Voucher
    of_other_kind: Gift | Voucher
    maybe: Personal[str] | None
    pair: tuple[int, Personal[str]]
    place: Place
    listed: NamesPeople[tuple[str, ...]]
    free: dict[str, Any]


BUYER = Buyer(nick=PERSON, recommends=Buyer(nick=PERSON))
BASKET = Basket(
    who=BUYER,
    guests=(BUYER,),
    cheers=(PERSON,),
    by_table={OPEN: BUYER},
    by_nick={PERSON: 1},
    of_kind=Gift(),
    of_other_kind=Voucher(),
    maybe=PERSON,
    pair=(1, PERSON),
    place=Place(),
    listed=(PERSON,),
    free={"size": PERSON},
)


def test_a_mark_holds_in_structs_lists_dicts_unions_and_arrays() -> None:
    """And under the name that a field has on the wire."""
    plain = msgspec.to_builtins(BASKET)
    [logged] = mask_personal(None, "", {"basket": BASKET}).values()

    rendering = masked(plain, Basket)

    assert PERSON in str(plain)
    assert PERSON not in str(rendering)
    assert PERSON not in str(logged)
    assert OPEN == rendering["of_other_kind"]["giver"]
    assert str(plain).count(OPEN) == str(rendering).count(OPEN) == str(logged).count(OPEN)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.sampled_from(sorted(MESSAGES)), st.sampled_from(sorted(personal_names())), PLAIN)
def test_a_body_of_another_shape_is_masked_by_name(kind: str, name: str, value: Any) -> None:
    """What a type does not declare, it does not make public either."""
    strange = {"unknown": [{name: PERSON}, value], "value": value}
    body = dict.fromkeys(MESSAGES[kind].__struct_encode_fields__, strange) | {"type": kind}

    assert PERSON not in str(masked_body(body))
    assert PERSON not in str(masked(strange))
