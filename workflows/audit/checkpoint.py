"""Checkpoints of the audit chain, on `audit.chain`: what lies on a partition up to an offset."""

from typing import Annotated

from msgspec import Meta

from workflows.shared.limits import Name
from workflows.shared.message import Message


class AuditCheckpointed(Message, tag="payflow.audit.sealed.v1", frozen=True, kw_only=True):
    """What lies on `partition` of `audit` through `offset`: so many records, of this digest."""

    partition: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)]
    count: Annotated[int, Meta(ge=1)]
    digest: Name
    """In hexadecimal."""
