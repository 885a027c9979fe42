"""Rules as people write them: JSON in short lines, and the differences of two. Pure."""

from difflib import unified_diff

import msgspec

LINE_CHARS = 80
EXAMPLE: dict[str, object] = {
    "rule_id": "my.rule",
    "state": "draft",
    "outcome": "review",
    "priority": 50,
    "description": "above 300.00, and the third payment of a card within an hour",
    "when": {
        "all": [
            {"gt": [{"field": "amount_minor"}, 30_000]},
            {"ge": [{"count": {"of": "card", "window_seconds": 3_600}}, 3]},
        ]
    },
    "weight": 0.5,
}
BUILT_IN_NOTE = ("version", "proposed_by", "approved_by")
"""Fields of a rule that people do not write."""


def as_people_write(raw: dict[str, object]) -> str:
    """Return a rule as JSON that people write."""
    return to_text({name: raw[name] for name in raw if name not in BUILT_IN_NOTE})


def to_text(value: object, margin: str = "") -> str:
    """Return `value` as JSON, with what fits into a line on one line."""
    line = msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    inner = margin + "  "
    if len(line) + len(margin) <= LINE_CHARS or not isinstance(value, dict | list | tuple):
        return line
    if isinstance(value, dict):
        parts = [f"{to_text(name)}: {to_text(each, inner)}" for name, each in value.items()]
        begin, end = "{", "}"
    else:
        parts = [to_text(each, inner) for each in value]
        begin, end = "[", "]"
    content = f",\n{inner}".join(parts)
    return f"{begin}\n{inner}{content}\n{margin}{end}"


def changes(before: str, body: str) -> list[str]:
    """Return the changes from the rule text `before` to `body`, as lines of a diff."""
    lines = unified_diff(before.splitlines(), body.splitlines(), lineterm="", n=2)
    return list(lines)[2:]
