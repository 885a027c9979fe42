"""The chain: one digest over everything that lies on a partition of `audit`, in its order.

The broker decides the order, so the chain is reckoned over what it holds: place, time, key, body
and all headers of every record, repeated and forged ones too. Pure; who reads is elsewhere.
"""

import hashlib
from collections.abc import Callable, Iterable

import msgspec

from app.wire.records import Record
from workflows.audit.messages import AuditSealed

BREACHES_MAX = 20
"""Places named of one partition; the first is what matters."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The chain through `offset`."""

    offset: int = -1
    count: int = 0
    digest: str


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A place that does not hold, and what is wrong there."""

    place: str
    what: str


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """What a partition holds, and what of it does not hold."""

    partition: int
    acts: int
    checkpoints: int
    unsealed: int
    """Records at the end that no checkpoint covers yet."""
    head: Head
    breaches: tuple[Breach, ...] = ()


def beginning(partition: int) -> Head:
    """Return the chain of a partition that holds nothing."""
    return Head(digest=hashlib.sha256(b"payflow audit chain 1|%d" % partition).hexdigest())


def after(head: Head, given: Record) -> Head:
    """Return the chain with `given` behind `head`."""
    parts: list[bytes | None] = [
        bytes.fromhex(head.digest),
        b"%d" % given.offset,
        b"%d" % given.at_ms,
        given.key,
        given.value,
    ]
    for name, value in given.headers:
        parts += [name.encode("utf-8", "surrogatepass"), value]
    # Behind all their lengths, no byte can move from one part to the next; None is no length.
    said = repr([None if part is None else len(part) for part in parts]).encode()
    digest = hashlib.sha256(b"".join([said, *(part or b"" for part in parts)])).hexdigest()
    return Head(offset=given.offset, count=head.count + 1, digest=digest)


def head_of(sealed: AuditSealed) -> Head:
    """Return the chain that `sealed` tells of."""
    return Head(offset=sealed.offset, count=sealed.count, digest=sealed.digest)


class Prover:
    """Compares one partition with all that was said of it, from its first record on."""

    def __init__(
        self, partition: int, said: Iterable[Head], genuine: Callable[[Record], bool]
    ) -> None:
        self._partition = partition
        self._said: dict[int, set[Head]] = {}
        for head in said:
            self._said.setdefault(head.offset, set()).add(head)
        self._last = max(self._said, default=-1)
        self._genuine = genuine
        self._head = beginning(partition)
        self._held = -1
        """The offset of the last checkpoint that held."""
        self._is_broken = False
        self._breaches: list[Breach] = []

    def hear(self, given: Record) -> None:
        """Take the next record of the partition."""
        due = self._head.offset + 1
        if given.offset != due:
            self._name(due, given.offset - 1, "missing: somebody has removed what lay here")
        if not self._genuine(given):
            what = "its seal is missing or wrong: it was changed, or the house has not told it"
            self._name(given.offset, given.offset, what)
        self._head = after(self._head, given)
        said = self._said.get(given.offset, set())
        if said - {self._head}:
            # Behind the first that differs every one does.
            if not self._is_broken:
                self._name(self._held + 1, given.offset, "not what the checkpoint at its end says")
            self._is_broken = True
        elif said:
            self._held = given.offset

    def done(self) -> Proven:
        """Return what came of it, once all records were heard."""
        if self._last > self._head.offset:
            what = "missing: there are checkpoints of records that are not there"
            self._name(self._head.offset + 1, self._last, what)
        return Proven(
            partition=self._partition,
            acts=self._head.count,
            checkpoints=sum(map(len, self._said.values())),
            unsealed=max(self._head.offset - self._last, 0),
            head=self._head,
            breaches=tuple(self._breaches),
        )

    def _name(self, first: int, last: int, what: str) -> None:
        if len(self._breaches) < BREACHES_MAX:
            place = f"audit/{self._partition}/{first}"
            self._breaches.append(
                Breach(place=place if first == last else f"{place}..{last}", what=what)
            )
