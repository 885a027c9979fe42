"""The figures that the model uses: one computation for the stream, training and back-tests.

The first fifteen are those of the Fraud Detection Handbook, chapter 3; the others are profile,
velocity and terminal runs. Moments are UTC. Money is of the reference currency: it enters as minor
units and leaves as major ones.
"""

from collections.abc import Iterable, Mapping, Sequence

from workflows.fraud.entity import DAY_MS, HOUR_MS, Attempt, Entity, before, is_suspicious
from workflows.shared.money import exponent_of
from workflows.shared.reference_rates import REFERENCE

DELAY_MS = 7 * DAY_MS
"""Terminal figures count payments this old or older: what chargebacks need to come in."""
WINDOWS_DAYS = (1, 7, 30)
WEEKEND = 5
NIGHT_HOUR_MAX = 6
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""
LOW_MINOR = 100_00
MAJOR_MINOR = 10 ** (exponent_of(REFERENCE) or 0)
RUN_DAYS = 28
LOW_DAYS = 21
SUSPICIOUS_DAYS = 14
NEVER = -1.0

OF_PAYMENT = ("amount", "weekend", "night")
OF_CUSTOMER = tuple(
    f"customer_{what}_{days}d" for days in WINDOWS_DAYS for what in ("count", "mean")
)
OF_TERMINAL = tuple(
    f"terminal_{what}_{days}d" for days in WINDOWS_DAYS for what in ("count", "risk")
)
HANDBOOK = (*OF_PAYMENT, *OF_CUSTOMER, *OF_TERMINAL)
"""The fifteen, by our names."""
CUSTOMER_MORE = (
    "amount_to_mean",
    "amount_z",
    "suspicious_count_14d",
    "suspicious_max_14d",
    "gap_hours",
    "customer_count_1h",
)
TERMINAL_MORE = (
    "terminal_count_28d",
    "terminal_frauds_28d",
    "terminal_fraud_run",
    "terminal_low_frauds_21d",
    "terminal_legit_since_fraud",
    "terminal_fraud_age_days",
    "terminal_last_fraud",
    "terminal_last_but_one_fraud",
)
FEATURES = (*HANDBOOK, *CUSTOMER_MORE, *TERMINAL_MORE)
"""What a model may use, in this order."""


def of_payment(at_ms: int, amount_minor: int) -> dict[str, float]:
    """Return what the payment alone says."""
    weekday = (at_ms // DAY_MS + EPOCH_WEEKDAY) % 7
    hour = at_ms % DAY_MS // HOUR_MS
    return {
        "amount": amount_minor / MAJOR_MINOR,
        "weekend": float(weekday >= WEEKEND),
        "night": float(hour <= NIGHT_HOUR_MAX),
    }


def of_customer(state: Entity, attempt: Attempt) -> dict[str, float]:
    """Return the customer's figures at `attempt`, itself included in counts and means."""
    past = before(state, attempt)
    figures: dict[str, float] = {}
    for days in WINDOWS_DAYS:
        amounts = [each.amount_minor for each in past if each.at_ms > attempt.at_ms - days * DAY_MS]
        count = len(amounts) + 1
        figures[f"customer_count_{days}d"] = float(count)
        figures[f"customer_mean_{days}d"] = (
            (sum(amounts) + attempt.amount_minor) / count / MAJOR_MINOR
        )
    figures.update(_against_profile(state, attempt))
    odd = [
        each.amount_minor
        for each in past
        if each.suspicious and each.at_ms > attempt.at_ms - SUSPICIOUS_DAYS * DAY_MS
    ]
    figures["suspicious_count_14d"] = float(len(odd))
    figures["suspicious_max_14d"] = max(odd, default=0) / MAJOR_MINOR
    figures["gap_hours"] = (attempt.at_ms - past[-1].at_ms) / HOUR_MS if past else NEVER
    hour = [each for each in past if each.at_ms > attempt.at_ms - HOUR_MS]
    figures["customer_count_1h"] = float(len(hour) + 1)
    return figures


def of_terminal(state: Entity, attempt: Attempt) -> dict[str, float]:
    """Return the terminal's figures at `attempt`: of payments a week old, by known labels."""
    mature = [each for each in before(state, attempt) if each.at_ms <= attempt.at_ms - DELAY_MS]
    frauds = [_is_known_fraud(each, attempt.at_ms) for each in mature]
    figures: dict[str, float] = {}
    for days in WINDOWS_DAYS:
        low_ms = attempt.at_ms - DELAY_MS - days * DAY_MS
        labels = [fraud for each, fraud in zip(mature, frauds, strict=True) if each.at_ms > low_ms]
        figures[f"terminal_count_{days}d"] = float(len(labels))
        figures[f"terminal_risk_{days}d"] = sum(labels) / len(labels) if labels else 0.0
    figures.update(_run_of(mature, frauds, attempt.at_ms))
    return figures


def vector(figures: Mapping[str, float], names: Sequence[str] = FEATURES) -> list[float]:
    """Return the figures in the order of `names`; an unknown one is 0."""
    return [figures.get(name, 0.0) for name in names]


def _against_profile(state: Entity, attempt: Attempt) -> dict[str, float]:
    profile = state.profile
    if not profile.count or not profile.mean_minor:
        return {"amount_to_mean": 1.0, "amount_z": 0.0}
    deviation = profile.variance**0.5
    over = attempt.amount_minor - profile.mean_minor
    return {
        "amount_to_mean": attempt.amount_minor / profile.mean_minor,
        # A third of the mean stands in while there are too few payments to know the deviation.
        "amount_z": over / max(deviation, profile.mean_minor / 3),
    }


def _is_known_fraud(each: Attempt, at_ms: int) -> bool:
    return 0 < each.fraud_at_ms <= at_ms


def _run_of(mature: list[Attempt], frauds: list[bool], at_ms: int) -> dict[str, float]:
    month_ms = at_ms - DELAY_MS - RUN_DAYS * DAY_MS
    month = [fraud for each, fraud in zip(mature, frauds, strict=True) if each.at_ms > month_ms]
    low_ms = at_ms - DELAY_MS - LOW_DAYS * DAY_MS
    low = [
        each
        for each, fraud in zip(mature, frauds, strict=True)
        if fraud and each.at_ms > low_ms and each.amount_minor < LOW_MINOR
    ]
    newest_first = frauds[::-1]
    legit = _leading(newest_first, value=False)
    is_any = legit < len(newest_first)
    age_ms = at_ms - mature[-1 - legit].at_ms if is_any else 0
    return {
        "terminal_count_28d": float(len(month)),
        "terminal_frauds_28d": float(sum(month)),
        "terminal_fraud_run": float(_leading(newest_first, value=True)),
        "terminal_low_frauds_21d": float(len(low)),
        "terminal_legit_since_fraud": float(legit) if is_any else NEVER,
        "terminal_fraud_age_days": age_ms / DAY_MS if is_any else NEVER,
        "terminal_last_fraud": float(newest_first[0]) if newest_first else NEVER,
        "terminal_last_but_one_fraud": float(newest_first[1]) if len(newest_first) > 1 else NEVER,
    }


def _leading(labels: Iterable[bool], *, value: bool) -> int:
    count = 0
    for each in labels:
        if each is not value:
            break
        count += 1
    return count


def with_suspicion(state: Entity, attempt: Attempt) -> Attempt:
    """Return `attempt` with what its customer's profile says of its amount."""
    suspicious = is_suspicious(state.profile, attempt.amount_minor)
    return Attempt(
        at_ms=attempt.at_ms,
        amount_minor=attempt.amount_minor,
        tag=attempt.tag,
        fraud_at_ms=attempt.fraud_at_ms,
        declined=attempt.declined,
        suspicious=suspicious and not attempt.declined,
        met=attempt.met,
    )
