"""Where a type holds personal data, by its marks, at any depth. Pure."""

from collections.abc import Iterable
from functools import cache
from typing import cast

import msgspec
from msgspec import inspect


class Layout(msgspec.Struct):
    """Where values of one type hold personal data. None in place of one: nothing is known.

    Types that refer to themselves do so here too, so a layout is filled after it was made.
    """

    personal: bool = False
    opaque: bool = False
    """Whether any JSON may lie there: its fields are declared nowhere."""
    names: set[str] = set()
    """The fields that are marked, here and below: those whose name says that they are personal."""
    fields: dict[str, "Layout | None"] | None = None
    """Of a Struct, by their names on the wire."""
    attributes: dict[str, "Layout | None"] = {}
    """Of a Struct, by their names in Python."""
    places: tuple["Layout | None", ...] = ()
    """Of a Struct that is written as an array, or a tuple of fixed length."""
    members: "Layout | None" = None
    """Of a list or a dict, each of them."""
    tag_field: str = ""
    tagged: dict[object, "Layout"] = {}
    """Of a union, the Struct by its tag."""

    @property
    def is_free(self) -> bool:
        """Return whether it is a dict of anything: a message, where it has the tag of one."""
        return self.fields is None and self.members is not None and self.members.opaque


@cache
def layout_of(kind: object) -> Layout:
    """Return the layout of the type `kind`."""
    return _layout(inspect.type_info(kind), {}) or Layout()


def _layout(kind: inspect.Type, layout_by_type: dict[type, Layout]) -> Layout | None:
    match kind:
        case inspect.Metadata():
            mark = cast("dict[str, str]", getattr(kind, "extra", None) or {}).get("personal")
            if mark is None:
                return _layout(kind.type, layout_by_type)
            return Layout(personal=True, names={""} if mark == "named" else set())
        case inspect.StructType():
            return _of_struct(kind, layout_by_type)
        case inspect.UnionType(types=types):
            return _of_union(types, layout_by_type)
        case inspect.AnyType() | inspect.RawType():
            return Layout(opaque=True)
        case _:
            return _of_collection(kind, layout_by_type)


def _of_collection(kind: inspect.Type, layout_by_type: dict[type, Layout]) -> Layout | None:
    """Return the layout of a tuple, a list, a set or a dict; None for any other type."""
    match kind:
        case inspect.TupleType(item_types=types):
            return _holding(Layout(places=tuple(_layout(each, layout_by_type) for each in types)))
        case inspect.CollectionType(item_type=item):
            return _holding(Layout(members=_layout(item, layout_by_type)))
        case inspect.DictType(key_type=key, value_type=item):
            # Masked keys would all be equal, so the whole is masked.
            names = _layout(key, layout_by_type)
            is_personal = names is not None and names.personal
            return names if is_personal else _holding(Layout(members=_layout(item, layout_by_type)))
        case _:
            return None


def _of_struct(kind: inspect.StructType, layout_by_type: dict[type, Layout]) -> Layout:
    if kind.cls in layout_by_type:
        return layout_by_type[kind.cls]
    layout = layout_by_type[kind.cls] = Layout(tag_field=kind.tag_field or "")
    attributes: dict[str, Layout | None] = {}
    fields: dict[str, Layout | None] = {}
    for field in kind.fields:
        part = _layout(field.type, layout_by_type)
        attributes[field.name] = fields[field.encode_name] = part
        below: set[str] = set() if part is None else part.names
        layout.names |= below - {""}
        if "" in below:
            layout.names |= {field.name, field.encode_name}
    layout.attributes, layout.fields = attributes, fields
    if kind.array_like:
        tag = () if kind.tag is None else (None,)
        layout.places = (*tag, *attributes.values())
    return layout


def _of_union(types: Iterable[inspect.Type], layout_by_type: dict[type, Layout]) -> Layout | None:
    kinds = [each for each in types if not isinstance(each, inspect.NoneType)]
    known_parts = [
        (each, part) for each in kinds if (part := _layout(each, layout_by_type)) is not None
    ]
    parts = [part for _, part in known_parts]
    personal = [part for part in parts if part.personal]
    if personal or len(parts) < 2:  # noqa: PLR2004  a union of one
        return (personal or parts or [None])[0]
    layout = Layout(tag_field=next((part.tag_field for part in parts if part.tag_field), ""))
    for each, part in known_parts:
        layout.names |= part.names
        layout.places, layout.members = layout.places or part.places, layout.members or part.members
        if isinstance(each, inspect.StructType) and each.tag is not None:
            layout.tagged[each.tag] = part
        else:
            layout.fields = layout.fields or part.fields
    return layout


def _holding(layout: Layout) -> Layout | None:
    """Return `layout` with the names of its parts; None where no part has a layout."""
    parts = [part for part in (*layout.places, layout.members) if part is not None]
    for part in parts:
        layout.names |= part.names
    return layout if parts else None
