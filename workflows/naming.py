"""Ids made of other ids: the same wherever they are made, and never longer than a name may be."""

NAME_LENGTH_MAX = 128
PRIME = 2**127 - 1
"""Long ids keep their beginning and end in what is left of them divided by this: 32 hex digits."""


def joined(*parts: str) -> str:
    """Return `parts` as one id; of what would be too long, the rest stands for the end."""
    name = "/".join(parts)
    if len(name) <= NAME_LENGTH_MAX:
        return name
    rest = f"~{int.from_bytes(name.encode(), 'big') % PRIME:032x}"
    return name[: NAME_LENGTH_MAX - len(rest)] + rest
