"""The hash chain: one digest over all records of a partition of `audit`, in order.

The broker decides the order, so the chain is computed over what it holds: offset, time, key, body
and all headers of every record, repeated and forged ones too. Pure; `reader` reads.
"""

import hashlib
from collections.abc import Callable, Iterable

import msgspec

from app.wire.records import Record
from workflows.audit.checkpoint import AuditCheckpointed

GAP = "somebody has removed what lay here, or has written a transaction, as Payflow never does"
"""What a gap between two offsets means; the marker of a transaction takes an offset too."""
BREACHES_MAX = 20
"""Breaches listed of one partition; the first is what matters."""


class ChainHead(msgspec.Struct, frozen=True, kw_only=True):
    """The chain through `offset`."""

    offset: int = -1
    count: int = 0
    digest: str


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """An offset at which the chain does not hold, and what is wrong there."""

    place: str
    what: str


class PartitionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one partition: how many records it has, and the breaches."""

    partition: int
    actions: int
    checkpoints: int
    unsealed: int
    """Records at the end that no checkpoint covers yet."""
    chain_head: ChainHead
    breaches: tuple[Breach, ...] = ()


def beginning(partition: int) -> ChainHead:
    """Return the chain of an empty partition."""
    return ChainHead(digest=hashlib.sha256(b"payflow audit chain 1|%d" % partition).hexdigest())


def after(chain_head: ChainHead, record: Record) -> ChainHead:
    """Return the chain with `record` behind `envelope`."""
    parts: list[bytes | None] = [
        bytes.fromhex(chain_head.digest),
        b"%d" % record.offset,
        b"%d" % record.at_ms,
        record.key,
        record.value,
    ]
    for name, value in record.headers:
        parts += [name.encode("utf-8", "surrogatepass"), value]
    # The lengths come first, so no byte can move from one part to the next; None has no length.
    lengths = repr([None if part is None else len(part) for part in parts]).encode()
    digest = hashlib.sha256(b"".join([lengths, *(part or b"" for part in parts)])).hexdigest()
    return ChainHead(offset=record.offset, count=chain_head.count + 1, digest=digest)


def chain_head_of(checkpointed: AuditCheckpointed) -> ChainHead:
    """Return the chain head that `checkpointed` records."""
    return ChainHead(
        offset=checkpointed.offset, count=checkpointed.count, digest=checkpointed.digest
    )


class Prover:
    """Compares one partition with its checkpoints, from its first record on."""

    def __init__(
        self,
        partition: int,
        chain_heads: Iterable[ChainHead],
        is_authentic: Callable[[Record], bool],
    ) -> None:
        self._partition = partition
        self._said: dict[int, set[ChainHead]] = {}
        for chain_head in chain_heads:
            self._said.setdefault(chain_head.offset, set()).add(chain_head)
        self._last = max(self._said, default=-1)
        self._is_authentic = is_authentic
        self._chain_head = beginning(partition)
        self._held = -1
        """The offset of the last checkpoint that held."""
        self._is_broken = False
        self._breaches: list[Breach] = []

    def receive(self, record: Record) -> None:
        """Take the next record of the partition."""
        due = self._chain_head.offset + 1
        if record.offset != due:
            self._name(due, record.offset - 1, f"missing: {GAP}")
        if not self._is_authentic(record):
            what = "its signature is missing or wrong: it was changed, or it is not Payflow's"
            self._name(record.offset, record.offset, what)
        self._chain_head = after(self._chain_head, record)
        chain_heads = self._said.get(record.offset, set())
        if chain_heads - {self._chain_head}:
            # After the first difference every later checkpoint differs too.
            if not self._is_broken:
                self._name(self._held + 1, record.offset, "not what the checkpoint at its end says")
            self._is_broken = True
        elif chain_heads:
            self._held = record.offset

    def done(self) -> PartitionResult:
        """Return the result, once all records were received."""
        if self._last > self._chain_head.offset:
            what = "missing: there are checkpoints of records that are not there"
            self._name(self._chain_head.offset + 1, self._last, what)
        return PartitionResult(
            partition=self._partition,
            actions=self._chain_head.count,
            checkpoints=sum(map(len, self._said.values())),
            unsealed=max(self._chain_head.offset - self._last, 0),
            chain_head=self._chain_head,
            breaches=tuple(self._breaches),
        )

    def _name(self, first: int, last: int, what: str) -> None:
        if len(self._breaches) < BREACHES_MAX:
            place = f"audit/{self._partition}/{first}"
            self._breaches.append(
                Breach(place=place if first == last else f"{place}..{last}", what=what)
            )
