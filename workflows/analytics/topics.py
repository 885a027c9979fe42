"""Topics of the subject analytics."""

from workflows.analytics.messages import FiguresUpdated
from workflows.shared.topic import declare

figures = declare(
    "figures",
    FiguresUpdated,
    key=lambda emitted: f"{emitted.minute_ms}|{emitted.country}|{emitted.partition}",
    writer="analytics",
    cleanup="compact",
    retention_ms=-1,
)
