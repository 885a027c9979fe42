"""Topics of the subject giftcard."""

from workflows.giftcard.messages import (
    CreditMessage,
    CreditRefused,
    TopUpCancelled,
    TopUpRequested,
)

from workflows.shared.topic import by, declare

giftcards = declare(
    "giftcards", TopUpRequested, key=by("top_up_id"), writer="console", retention_ms=-1, traced=True
)
credits_ = declare(
    "giftcard.credits",
    CreditMessage,
    key=by("top_up_id"),
    writer="giftcard",
    retention_ms=-1,
    traced=True,
    kinds={"failure": (CreditRefused, TopUpCancelled)},
)
