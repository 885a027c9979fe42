"""Live figures: emitted on `figures` (compacted) by analytics."""

from workflows.shared.limits import Milliseconds, Name, NameIfAny
from workflows.shared.message import Message


class FiguresUpdated(
    Message, tag="payflow.analytics.figures_updated.v1", frozen=True, kw_only=True
):
    """All figures of one minute, one country and one partition so far; readers sum partitions.

    `workflow` is empty for orders, and for transactions older than the field.
    """

    minute_ms: Milliseconds
    country: Name
    partition: int
    counts: dict[str, int]
    sums: dict[str, int]
    workflow: NameIfAny = ""


AnalyticsMessage = FiguresUpdated
