"""Topics of the subject shipping."""

from workflows.shared.topic import by, declare
from workflows.shipping.carrier_messages import (
    CarrierAnswer,
    CarrierCommand,
    CarrierNotified,
    InquireShipment,
    ShipmentRefused,
    ShipmentUnknown,
    ShipmentWithdrawn,
    WithdrawShipment,
)
from workflows.shipping.messages import ShipmentCancelled, ShipmentFailed, ShipmentMessage

shipments = declare(
    "shipments",
    ShipmentMessage,
    key=by("order_id"),
    writer="shipping",
    retention_ms=-1,
    traced=True,
    kinds={"compensation": (ShipmentCancelled,), "failure": (ShipmentFailed,)},
)
carrier_commands = declare(
    "carrier.commands",
    CarrierCommand,
    key=by("order_id"),
    writer="shipping",
    traced=True,
    kinds={"compensation": (WithdrawShipment,), "retry": (InquireShipment,)},
)
carrier_answers = declare(
    "carrier.answers",
    CarrierAnswer,
    key=by("order_id"),
    writer="shipping",
    traced=True,
    kinds={
        "compensation": (ShipmentWithdrawn,),
        "retry": (ShipmentUnknown,),
        "failure": (ShipmentRefused,),
    },
)
carrier_webhooks = declare(
    "carrier.webhooks", CarrierNotified, key=by("order_id"), writer="console", traced=True
)
