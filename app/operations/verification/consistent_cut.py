"""Where everybody stood at one moment: how far each group has received, how far each topic goes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.kafka.groups import committed_offsets
from app.kafka.reader import TopicPartition, span
from app.wire.topics import changelog_topic, topic_name
from tables.order import orders as order_table
from tables.stock import shelves as stock_table
from workflows.fraud import topics as fraud_topics
from workflows.inventory import topics as inventory_topics
from workflows.ledger import topics as ledger_topics
from workflows.order import topics as order_topics
from workflows.payment import topics as payment_topics
from workflows.shipping import topics as shipping_topics

EMITTED = (
    order_topics.orders,
    order_topics.sagas,
    payment_topics.payments,
    inventory_topics.inventory,
    inventory_topics.stock,
    inventory_topics.warehouse,
    fraud_topics.fraud,
    shipping_topics.shipments,
    ledger_topics.ledger,
)
"""The topics whose facts are folded; the others carry questions, answers and copies."""
EFFECTIVE = frozenset({"order", "payment", "inventory", "shipping", "fraud", "ledger"})
"""The services whose work is checked: what only they have yet to receive is allowed for."""
Place = tuple[str, int]
"""Topic and partition."""
ConsumedTopics = Mapping[str, frozenset[str]]
"""By service: the topics it reads, its retries and timers included."""


EMITTED_NAMES = frozenset(topic.name for topic in EMITTED)
CHANGELOGS = frozenset({changelog_topic(order_table), changelog_topic(stock_table)})


class ConsistentCut(msgspec.Struct, frozen=True, kw_only=True):
    """Where every group stood, and then where every partition began and ended."""

    consumed: ConsumedTopics
    committed: dict[str, dict[Place, int]]
    """By service: the next offset of each partition it has committed."""
    begins: dict[Place, int]
    ends: dict[Place, int]

    def received(self, place: Place) -> int | None:
        """Return up to which offset every effective service has received `place`.

        None: none does.
        """
        offsets = [
            self.committed[service].get(place, 0)
            for service in EFFECTIVE
            if place[0] in self.consumed.get(service, ())
        ]
        return min(offsets, default=None)

    def starts(self, known: Mapping[Place, int]) -> dict[Place, int]:
        """Return where to begin reading each partition that has something to read.

        What lies before `known` has been read; what somebody has yet to receive is read again.
        """
        wanted = {
            place: max(begin, self._start(place, known)) for place, begin in self.begins.items()
        }
        return {place: at for place, at in wanted.items() if at < self.ends[place]}

    def _start(self, place: Place, known: Mapping[Place, int]) -> int:
        topic = place[0]
        name = topic_name(topic)
        if name.kind == "retry":
            return self.committed[name.service].get(place, 0)
        received = self.received(place)
        if topic in CHANGELOGS or name.kind == "dead":
            return known.get(place, 0)
        if topic in EMITTED_NAMES:
            start = known.get(place, 0)
            return start if received is None else min(start, received)
        return self.ends[place] if received is None else received


async def take_consistent_cut(admin: Any, consumer: Any, consumed: ConsumedTopics) -> ConsistentCut:
    """Return where everybody stands now: the groups first, the topics after them."""
    committed: dict[str, dict[Place, int]] = {}
    for service in consumed:
        committed[service] = _plain(await committed_offsets(admin, f"payflow-{service}"))
    read = frozenset().union(*consumed.values(), EMITTED_NAMES, CHANGELOGS)
    places = [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in await admin.describe_topics()
        if topic["topic"] in read or topic_name(topic["topic"]).kind == "dead"
        for partition in topic["partitions"]
    ]
    begins, ends = await span(consumer, places)
    return ConsistentCut(
        consumed=consumed, committed=committed, begins=_plain(begins), ends=_plain(ends)
    )


def _plain(offsets: Mapping[TopicPartition, int]) -> dict[Place, int]:
    return {(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
