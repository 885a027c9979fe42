"""Disputes in the provider's file, and the effects of requests about them."""

import re
import sqlite3
from collections.abc import Sequence

import msgspec

from app.local.simulators import dispute_states as states
from app.local.simulators import provider_params as fields
from app.local.simulators.balance_store import Balance
from app.local.simulators.dispute_states import Change, Dispute
from app.local.simulators.lists import Condition, Window, select
from app.local.simulators.notices import Notices
from app.local.simulators.provider_cards import card_of
from app.local.simulators.provider_params import Call
from app.local.simulators.provider_records import Intent
from app.local.simulators.provider_shapes import Answer, StripeError, missing
from app.local.simulators.provider_store import ProviderStore
from app.local.simulators.settlement_shapes import dispute_shape, transaction_shape
from app.local.simulators.sqlite_file import derived_id, json_text

DUE_MAX = 500
NAMES = Dispute.__struct_fields__
VISIBLE: Condition = ("status != ?", "expected")


class DisputeEffects:
    """Disputes: opened by some cards, answered with evidence, decided by time."""

    def __init__(self, store: ProviderStore, balance: Balance, notices: Notices) -> None:
        self._store = store
        self._balance = balance
        self._notices = notices

    def expect(self, intent: Intent, after_ms: int) -> None:
        """Let the customer complain later about a charge, where its card is one of those."""
        card = card_of(intent.payment_method)
        if not card.dispute or intent.charge_id is None:
            return
        dispute = Dispute(
            id=derived_id("du", intent.charge_id),
            charge_id=intent.charge_id,
            intent_id=intent.id,
            amount_minor=intent.received_minor,
            currency=intent.currency,
            reason=card.dispute,
            is_inquiry=card.is_inquiry,
            due_ms=self._store.now_ms() + after_ms,
        )
        self._store.connection.execute(
            f"INSERT INTO disputes ({', '.join(NAMES)}) VALUES ({', '.join('?' * len(NAMES))})",  # noqa: S608  ours
            _values(dispute),
        )

    def is_charged_back(self, intent_id: str) -> bool:
        """Return whether a dispute has the money of this intent."""
        disputes = self._select([("intent_id = ?", intent_id)], Window(limit=10))[0]
        return not all(map(states.is_refundable, disputes))

    def end_inquiries(self, intent_id: str) -> None:
        """Close the inquiries about a charge that was refunded whole."""
        for each in self._select([VISIBLE, ("intent_id = ?", intent_id)], Window(limit=10))[0]:
            if each.is_inquiry and each.status in states.OPEN:
                self._apply(states.close(each))

    # --- requests -------------------------------------------------------------

    def responded(self, call: Call) -> Answer:
        """Take evidence, and hand it to the bank unless `submit` is false."""
        dispute = self.dispute(call.object_id)
        if dispute.status not in states.OPEN:
            return _closed()
        matched = (
            (re.fullmatch(r"evidence\[(\w{1,60})\]", name), text)
            for name, text in call.params.items()
        )
        evidence = {match.group(1): text for match, text in matched if match}
        submits = call.params.get("submit", "true") == "true"
        change = states.respond(
            dispute,
            evidence,
            fields.metadata(call.params),
            self._store.now_ms() if submits else None,
            call.dispute_ms,
        )
        return Answer(body=self.shape(self._apply(change)))

    def closed(self, call: Call) -> Answer:
        """Give the dispute up."""
        dispute = self.dispute(call.object_id)
        if dispute.status not in states.OPEN:
            return _closed()
        return Answer(body=self.shape(self._apply(states.close(dispute))))

    # --- time -----------------------------------------------------------------

    def due(self) -> list[Dispute]:
        """Return the disputes that change by now."""
        rows = self._store.all(
            "SELECT * FROM disputes WHERE due_ms <= ? LIMIT ?", self._store.now_ms(), DUE_MAX
        )
        return [_dispute(row) for row in rows]

    def next_ms(self) -> int | None:
        """Return when the next dispute changes by itself; None: none will."""
        row = self._store.one("SELECT min(due_ms) FROM disputes")
        return row[0] if row else None

    def turn(self, due: Sequence[Dispute]) -> None:
        """Open disputes that are due, and let banks decide; what is refunded is not disputed."""
        now_ms = self._store.now_ms()
        for each in due:
            if each.status != "expected":
                self._apply(states.fall_due(each, now_ms))
                continue
            intent = self._store.intent(each.intent_id)
            left_minor = intent.received_minor - intent.refunded_minor if intent else 0
            if left_minor:
                self._apply(states.begin(each, left_minor, now_ms))
            else:
                self._store.connection.execute("DELETE FROM disputes WHERE id = ?", (each.id,))

    def _apply(self, change: Change) -> Dispute:
        """Write a dispute after a change, move the money, and queue its events."""
        dispute, sign = change.dispute, {"dispute": -1, "dispute_reversal": 1, "": 0}
        changed = ", ".join(f"{name} = ?" for name in NAMES)
        self._store.connection.execute(
            f"UPDATE disputes SET {changed} WHERE id = ?",  # noqa: S608  ours
            (*_values(dispute), dispute.id),
        )
        if change.movement:
            # The fee leaves with the money, and comes back with it.
            fee_minor = -sign[change.movement] * self._balance.tariff.dispute_fee_minor
            amount_minor = sign[change.movement] * dispute.amount_minor
            self._balance.enter(
                change.movement, dispute.id, (amount_minor, fee_minor), dispute.currency
            )
        shape = self.shape(dispute)
        for kind in change.events:
            self._notices.emit(kind, dispute.id, shape)
        return dispute

    # --- reading --------------------------------------------------------------

    def dispute(self, name: str) -> Dispute:
        """Return a dispute. Raises StripeError when there is none."""
        disputes = self._select([VISIBLE, ("id = ?", name)], Window(limit=1))[0]
        if not disputes:
            raise missing("dispute", name, "dispute")
        return disputes[0]

    def listed(self, conditions: list[Condition], window: Window) -> tuple[list[object], bool]:
        """Return disputes, newest first, and whether there are more."""
        disputes, more = self._select([VISIBLE, *conditions], window)
        return [self.shape(each) for each in disputes], more

    def shape(self, dispute: Dispute) -> dict[str, object]:
        """Return a dispute as Stripe shows it, with what it moved."""
        moved, _ = self._balance.transactions([("source = ?", dispute.id)], Window(limit=10))
        now_ms = self._store.now_ms()
        return dispute_shape(dispute, [transaction_shape(each, now_ms) for each in moved])

    def _select(self, conditions: list[Condition], window: Window) -> tuple[list[Dispute], bool]:
        rows, more = select(self._store, "disputes", conditions, window)
        return [_dispute(row) for row in rows], more


def _values(dispute: Dispute) -> list[object]:
    values = {name: getattr(dispute, name) for name in NAMES}
    values["evidence"] = json_text(dispute.evidence)
    values["metadata"] = json_text(dispute.metadata)
    return list(values.values())


def _dispute(row: sqlite3.Row) -> Dispute:
    record: dict[str, object] = {name: row[name] for name in NAMES}
    record["is_inquiry"] = bool(row["is_inquiry"])
    record["evidence"] = msgspec.json.decode(row["evidence"])
    record["metadata"] = msgspec.json.decode(row["metadata"])
    return msgspec.convert(record, Dispute)


def _closed() -> Answer:
    return StripeError(400, "invalid_request_error", "This dispute is already closed").answer
