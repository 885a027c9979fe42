"""Topics of the subject audit."""

from operator import attrgetter

from workflows.audit.checkpoint import AuditCheckpointed
from workflows.audit.messages import AuditMessage
from workflows.shared.topic import declare

audit = declare(
    "audit",
    AuditMessage,
    key=attrgetter("about"),
    writer="console",
    retention_ms=-1,
)
audit_chain = declare(
    "audit.chain",
    AuditCheckpointed,
    key=lambda emitted: str(emitted.partition),
    writer="console",
    retention_ms=-1,
)
