"""The names of a verdict's figures in text for people. Pure."""

from workflows.fraud.entity import KINDS
from workflows.fraud.features import WINDOWS_DAYS

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60, 3_600, 86_400


def _span(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


FIGURES: dict[str, str] = {
    "amount": "amount paid",
    "weekend": "at a weekend (1: yes)",
    "night": "at night (1: yes)",
    **{f"customer_count_{n}d": f"payments of the customer in {_span(n)}" for n in WINDOWS_DAYS},
    **{f"customer_mean_{n}d": f"mean paid by the customer in {_span(n)}" for n in WINDOWS_DAYS},
    **{f"terminal_count_{n}d": f"payments at the terminal in {_span(n)}" for n in WINDOWS_DAYS},
    **{
        f"terminal_risk_{n}d": f"share of fraud at the terminal in {_span(n)}" for n in WINDOWS_DAYS
    },
    "amount_to_mean": "amount, in times of what the customer usually pays",
    "amount_z": "amount above the usual, in deviations",
    "suspicious_count_14d": "unusually large payments of the customer in 14 days",
    "suspicious_max_14d": "largest unusual payment of the customer in 14 days",
    "gap_hours": "hours since the customer's payment before (-1: none)",
    "customer_count_1h": "payments of the customer in 1 hour",
    "terminal_count_28d": "payments at the terminal in 28 days",
    "terminal_frauds_28d": "frauds at the terminal in 28 days",
    "terminal_fraud_run": "frauds at the terminal without a good payment between",
    "terminal_low_frauds_21d": "frauds below 100.00 at the terminal in 21 days",
    "terminal_legit_since_fraud": "good payments at the terminal since its last fraud (-1: none)",
    "terminal_fraud_age_days": "days since the last fraud at the terminal (-1: none)",
    "terminal_last_fraud": "last payment at the terminal was fraud (1: yes)",
    "terminal_last_but_one_fraud": "last but one payment at the terminal was fraud (1: yes)",
    **{f"{kind}_known_days": f"days since the {kind} was first seen" for kind in KINDS},
    **{f"{kind}_confirmed_frauds": f"confirmed frauds of the {kind}" for kind in KINDS},
    "device_is_new": "device never used by the customer before (1: yes)",
    "travel_km": "kilometres from the place of the payment before",
    "travel_kmh": "kilometres an hour from the place of the payment before",
    "score": "score of the model",
}
FUNCTIONS = {
    "count": "payments of the {of}",
    "sum": "minor units paid by the {of}",
    "max": "largest payment of the {of}, in minor units",
    "declines": "declined payments of the {of}",
    "distinct": "different {what}s of the {of}",
}


def label_of(figure: str) -> str:
    """Return the text for `figure`; its name where there is none."""
    return FIGURES.get(figure) or _aggregate(figure) or figure


def _aggregate(name: str) -> str:
    """Return the window of a rule in text; nothing when `name` is not an aggregate."""
    function, *parts = name.split("|")
    if function not in FUNCTIONS or len(parts) not in (2, 3, 4) or not parts[1].isdecimal():
        return ""
    below = parts[-1][1:] if parts[-1].startswith("<") else ""
    what = parts[2] if len(parts) > 2 and not parts[2].startswith("<") else ""  # noqa: PLR2004
    text = FUNCTIONS[function].format(of=parts[0], what=what or "partie")
    return f"{text} within {_seconds(int(parts[1]))}" + (f", below {below}" if below else "")


def _seconds(count: int) -> str:
    for size, name in ((DAY_SECONDS, "days"), (HOUR_SECONDS, "h"), (MINUTE_SECONDS, "min")):
        if count >= size and count % size == 0:
            return f"{count // size} {name}"
    return f"{count} s"
