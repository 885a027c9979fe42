"""Topics of the subject payment."""

from workflows.payment.messages import PaymentMessage
from workflows.payment.provider_messages import ProviderAnswer, ProviderCommand, ProviderNotified
from workflows.shared.topic import by_order, declare

payments = declare("payments", PaymentMessage, key=by_order, writer="payment", retention_ms=-1)
provider_commands = declare("provider.commands", ProviderCommand, key=by_order, writer="payment")
provider_answers = declare("provider.answers", ProviderAnswer, key=by_order, writer="payment")
provider_webhooks = declare("provider.webhooks", ProviderNotified, key=by_order, writer="console")
