"""Topics of the subject shipping."""

from workflows.shared.topic import by_order, declare
from workflows.shipping.carrier_messages import CarrierAnswer, CarrierCommand, CarrierNotified
from workflows.shipping.messages import ShipmentMessage

shipments = declare("shipments", ShipmentMessage, key=by_order, writer="shipping", retention_ms=-1)
carrier_commands = declare("carrier.commands", CarrierCommand, key=by_order, writer="shipping")
carrier_answers = declare("carrier.answers", CarrierAnswer, key=by_order, writer="shipping")
carrier_webhooks = declare("carrier.webhooks", CarrierNotified, key=by_order, writer="console")
