"""Topics of the subject analytics."""

from workflows.analytics.messages import FiguresUpdated
from workflows.shared.topic import declare


def _key(emitted: FiguresUpdated) -> str:
    key = f"{emitted.minute_ms}|{emitted.country}|{emitted.partition}"
    return f"{emitted.workflow}|{key}" if emitted.workflow else key


figures = declare(
    "figures",
    FiguresUpdated,
    key=_key,
    writer="analytics",
    cleanup="compact",
    retention_ms=-1,
)
