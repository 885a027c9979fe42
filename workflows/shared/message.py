"""The one shape everything on the wire shares."""

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """An immutable fact (past tense) or request (imperative). Tags are wire names: never rename.

    New fields need defaults: changes within a version are additive.
    """


def type_name(message: type[Message]) -> str:
    """Return the wire name of `message`, such as `payflow.payment.completed.v1`."""
    return str(message.__struct_config__.tag)
