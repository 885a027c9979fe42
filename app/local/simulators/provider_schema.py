"""The tables of the provider's file; a file of an earlier version gets what was added later."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    order_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    payment_method TEXT,
    status TEXT NOT NULL,
    metadata TEXT NOT NULL,
    last_error TEXT,
    created_ms INTEGER NOT NULL,
    canceled_ms INTEGER
);
CREATE TABLE IF NOT EXISTS charges (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL UNIQUE REFERENCES intents (id),
    order_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    refunded_minor INTEGER NOT NULL DEFAULT 0
        CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    currency TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS charges_order ON charges (order_id);
CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL REFERENCES intents (id),
    charge_id TEXT NOT NULL REFERENCES charges (id),
    order_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS refunds_intent ON refunds (intent_id);
"""


INTENT_COLUMNS = {
    "capture_method": "TEXT NOT NULL DEFAULT 'automatic'",
    "cancellation_reason": "TEXT",
    "return_url": "TEXT",
    "action_url": "TEXT",
    "due_ms": "INTEGER",
    "authorized_minor": "INTEGER NOT NULL DEFAULT 0",
    "authorized_ms": "INTEGER",
    "capture_before_ms": "INTEGER",
    "hold_id": "TEXT",
}
"""Added later, so that a file of an earlier version has them too."""
CHANGEABLE = (
    "payment_method",
    "status",
    "canceled_ms",
    *(name for name in INTENT_COLUMNS if name not in {"capture_method", "hold_id"}),
)
INDEXES = """
CREATE INDEX IF NOT EXISTS intents_order ON intents (order_id);
CREATE INDEX IF NOT EXISTS intents_due ON intents (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS intents_hold ON intents (hold_id) WHERE hold_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS refunds_due ON refunds (due_ms) WHERE due_ms IS NOT NULL;
"""
DISPUTES = """
CREATE TABLE IF NOT EXISTS disputes (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    charge_id TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    reason TEXT NOT NULL,
    status TEXT NOT NULL,
    is_inquiry INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    metadata TEXT NOT NULL,
    submission_count INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    due_by_ms INTEGER NOT NULL,
    due_ms INTEGER
);
CREATE INDEX IF NOT EXISTS disputes_intent ON disputes (intent_id);
CREATE INDEX IF NOT EXISTS disputes_due ON disputes (due_ms) WHERE due_ms IS NOT NULL;
"""
