"""The latest payments of one customer, card, terminal, device or address.

Every feature and aggregate is computed from them. Times are exact, not in buckets, so a burst is
found wherever it begins. Part of the fraud workflow; `workflows/fraud/features.py` reads figures
from here.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from operator import attrgetter
from typing import get_args

import msgspec
from msgspec.structs import replace

from workflows.fraud.entity_messages import Kind
from workflows.shared.personal import NamesPeople, Personal

KINDS: tuple[Kind, ...] = get_args(Kind)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LATE_MS = HOUR_MS
"""A payment may come this much later than a newer one of its entity and lose nothing."""
KEEP_DAYS = 37
"""Thirty days that end a week ago: the longest window that a figure uses."""
ENTRIES_MAX = 512
"""The newest are kept: four times as many as the busiest card of 1.7 million payments had."""
DEVICES_MAX = 32
PENDING_MAX = 64
"""Labels remembered that came before their payment."""
SUSPICIOUS_RATIO = 2.5
"""Times the customer's usual amount."""
CLIP_SD = 2.0
CLIP_RATIO = 2.0
"""A payment enters the profile no larger than so many deviations, or times, above the mean."""
PROFILE_WEIGHT_MIN = 0.02
"""The profile forgets: no payment weighs less than this when it enters."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One payment attempt: a payment, or one that was declined."""

    at_ms: int
    amount_minor: int
    tag: str
    """A digest of the order id: enough to recognise it, too little to identify it."""
    fraud_at_ms: int = 0
    """When it became known as fraud; 0 while it is not."""
    declined: bool = False
    suspicious: bool = False
    """Far above what its customer usually pays."""
    met: NamesPeople[tuple[str, ...]] = ()
    """Tags of the other entities of the payment, each begun with its kind."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What an entity usually pays: running mean and variance that one large payment cannot move."""

    count: int = 0
    mean_minor: float = 0.0
    variance: float = 0.0


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where an entity paid last, in degrees."""

    at_ms: int
    latitude: Personal[float]
    longitude: Personal[float]


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one entity."""

    seen: tuple[Attempt, ...] = ()
    """In the order of their time; at the same moment, in the order they came."""
    cut: int = 0
    """Entries dropped for lack of space while their windows were still open: see ENTRIES_MAX."""
    since_ms: int | None = None
    """The earliest payment ever seen."""
    profile: Profile = Profile()
    place: Place | None = None
    devices: NamesPeople[tuple[str, ...]] = ()
    """Tags of the devices it paid with, the newest last."""
    pending: tuple[tuple[str, int], ...] = ()
    """(tag, known as fraud at) of labels whose payment has not come."""


INITIAL = Entity()


def tag_of(name: str) -> str:
    """Return twelve hex digits that stand for `name`."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def met_tag(kind: Kind, name: str) -> str:
    """Return the tag of an entity as it stands in `Attempt.met`."""
    return f"{kind}:{tag_of(name)}"


def before(state: Entity, attempt: Attempt) -> list[Attempt]:
    """Return the payments up to the time of `attempt`, without itself; declined ones are none."""
    end = bisect_right(state.seen, attempt.at_ms, key=_at_ms)
    return [each for each in state.seen[:end] if not each.declined and each.tag != attempt.tag]


def around(state: Entity, attempt: Attempt, window_ms: int) -> list[Attempt]:
    """Return `attempt` and all entries, declined ones too, that may share a window with it."""
    low = bisect_right(state.seen, attempt.at_ms - window_ms, key=_at_ms)
    high = bisect_right(state.seen, attempt.at_ms + window_ms - 1, key=_at_ms)
    others = [each for each in state.seen[low:high] if not _is_same(each, attempt)]
    return sorted([*others, attempt], key=_at_ms)


def insert(state: Entity, attempt: Attempt, *, place: Place | None, device: str) -> Entity:
    """Return `state` with `attempt`; a payment that is known already changes nothing."""
    if any(_is_same(each, attempt) for each in state.seen):
        return state
    since_ms = attempt.at_ms if state.since_ms is None else min(state.since_ms, attempt.at_ms)
    entry, pending = _with_label(state, attempt)
    entries, overflow = _entries_with(state, entry)
    after = replace(
        state, seen=entries, cut=state.cut + overflow, since_ms=since_ms, pending=pending
    )
    if attempt.declined:
        return after
    devices = state.devices
    if device and device not in devices:
        devices = (*devices, device)[-DEVICES_MAX:]
    newer = place and (state.place is None or place.at_ms >= state.place.at_ms)
    return replace(
        after,
        profile=_learned(state.profile, attempt.amount_minor),
        place=place if newer else state.place,
        devices=devices,
    )


def label(state: Entity, tag: str, *, fraud: bool, at_ms: int) -> Entity:
    """Return `state` after it is known whether the payment `tag` was fraud, from `at_ms` on."""
    known_ms = at_ms if fraud else 0
    changed = tuple(
        replace(each, fraud_at_ms=known_ms) if each.tag == tag and not each.declined else each
        for each in state.seen
    )
    if any(each.tag == tag and not each.declined for each in state.seen):
        return replace(state, seen=changed)
    others = tuple(each for each in state.pending if each[0] != tag)
    return replace(state, pending=(*others, (tag, known_ms))[-PENDING_MAX:])


def is_suspicious(profile: Profile, amount_minor: int) -> bool:
    """Return whether `amount_minor` is far above what `profile` usually pays."""
    return profile.count > 0 and amount_minor > SUSPICIOUS_RATIO * profile.mean_minor


_at_ms = attrgetter("at_ms")


def _is_same(one: Attempt, other: Attempt) -> bool:
    return one.tag == other.tag and one.declined == other.declined


def _with_label(state: Entity, attempt: Attempt) -> tuple[Attempt, tuple[tuple[str, int], ...]]:
    for tag, at_ms in state.pending:
        if tag == attempt.tag and not attempt.declined:
            rest = tuple(each for each in state.pending if each[0] != tag)
            return replace(attempt, fraud_at_ms=at_ms), rest
    return attempt, state.pending


def _entries_with(state: Entity, attempt: Attempt) -> tuple[tuple[Attempt, ...], int]:
    # Counted from the older of this payment and the newest, so that one wrong clock drops nothing.
    newest_ms = state.seen[-1].at_ms if state.seen else attempt.at_ms
    low_ms = min(newest_ms, attempt.at_ms) - KEEP_DAYS * DAY_MS - LATE_MS
    entries = list(_newer(state.seen, low_ms))
    entries.insert(bisect_right(entries, attempt.at_ms, key=_at_ms), attempt)
    return tuple(entries[-ENTRIES_MAX:]), max(len(entries) - ENTRIES_MAX, 0)


def _newer(entries: tuple[Attempt, ...], low_ms: int) -> Iterable[Attempt]:
    return entries[bisect_right(entries, low_ms, key=_at_ms) :]


def _learned(profile: Profile, amount_minor: int) -> Profile:
    count = profile.count + 1
    if not profile.count:
        return Profile(count=1, mean_minor=float(amount_minor), variance=0.0)
    bound = max(
        profile.mean_minor * CLIP_RATIO, profile.mean_minor + CLIP_SD * profile.variance**0.5
    )
    clipped_minor = min(float(amount_minor), bound)
    weight = max(1.0 / count, PROFILE_WEIGHT_MIN)
    step = clipped_minor - profile.mean_minor
    mean = profile.mean_minor + weight * step
    variance = (1.0 - weight) * (profile.variance + weight * step * step)
    return Profile(count=count, mean_minor=mean, variance=variance)
