"""Checkpoints of the audit chain, on `audit.chain`: a digest of a partition up to an offset."""

from typing import Annotated

from msgspec import Meta

from workflows.shared.limits import Name
from workflows.shared.message import Message


class AuditCheckpointed(Message, tag="payflow.audit.sealed.v1", frozen=True, kw_only=True):
    """The first `count` records of `partition` of `audit`, through `offset`, have this digest."""

    partition: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)]
    count: Annotated[int, Meta(ge=1)]
    digest: Name
    """In hexadecimal."""
