"""The fraud cases for analysts: open ones first, by age. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from app.wire.envelope import Envelope
from workflows.fraud.messages import CaseClosed, CaseOpened
from workflows.shared.message import Message


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A payment to review, or a reviewed one."""

    registered: CaseOpened
    closed: CaseClosed | None = None
    closed_at_ms: int = 0


def cases_of(emitted: Iterable[tuple[Envelope, Message]]) -> list[Case]:
    """Return every case: open ones by age, then closed ones, the one closed last before the others.

    `emitted` are the messages of the topic of cases, those of one order in their order. A repeated
    message counts once.
    """
    waiting: dict[str, Case] = {}
    done: list[Case] = []
    event_ids: set[str] = set()
    for envelope, message in emitted:
        if envelope.id in event_ids:
            continue
        event_ids.add(envelope.id)
        match message:
            case CaseOpened(transaction_id=order_id):
                waiting[order_id] = Case(registered=message)
            case CaseClosed(transaction_id=order_id):
                # The record that opened it was deleted by retention.
                fraud_case = waiting.pop(order_id, None) or Case(registered=_opened(message))
                done.append(replace(fraud_case, closed=message, closed_at_ms=envelope.time_ms))
            case _:
                continue
    return [
        *sorted(
            waiting.values(),
            key=lambda case: (case.registered.opened_at_ms, case.registered.transaction_id),
        ),
        *sorted(done, key=lambda case: (-case.closed_at_ms, case.registered.transaction_id)),
    ]


def _opened(closed: CaseClosed) -> CaseOpened:
    return CaseOpened(transaction_id=closed.transaction_id, case=closed.case)
