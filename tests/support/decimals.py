"""Code that assumes two decimals of money, as some currencies have none and others three."""

import re

HUNDREDTHS = re.compile(
    r"""
    (?<!percent)(?<!percent\s)(?<!/)(?://?|%)\s*100(?:\.0)?\b  # a division, no percentage
    | :[+,]*\.2f\}                        # two decimals of a float
    | ["']%\.2f                           # the same, as Jinja and % write it
    | divmod\([^)]*,\s*100\)
    | FractionDigits:\s*2\b               # of Intl.NumberFormat
    | toFixed\(2\)
    """,
    re.VERBOSE,
)


def assumed_decimals(text: str) -> list[str]:
    """Return the lines of `text` that divide by a hundred or show two decimals."""
    return [line.strip() for line in text.splitlines() if HUNDREDTHS.search(line)]
