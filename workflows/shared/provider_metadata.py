"""Whose something on the provider's account is: what Payflow writes there, and how it is read.

Other programs and other installations may use the same account. Nothing but the metadata that we
have written says that a charge is ours; what names no order of this installation is nobody's here.
"""

from collections.abc import Mapping
from typing import cast

import msgspec

from workflows.shared.limits import Name

TRANSACTION, INSTALLATION = "order_id", "installation"
"""The fields of the metadata."""
REFUND_IDS = ("re_", "pyr_")
"""How the ids of the provider's refunds begin, of cards and of other payments."""


def metadata_of(transaction_id: str, installation: str) -> dict[str, str]:
    """Return what says at the provider whose an intent or a refund is."""
    owner = {INSTALLATION: installation} if installation else {}
    return {TRANSACTION: transaction_id, **owner}


def owner_of(metadata: object, installation: str) -> str:
    """Return the transaction that `metadata` names; empty when it is not of `installation`.

    What was made before intents had the name of an installation has none, and is ours.
    """
    if not isinstance(metadata, Mapping):
        return ""
    fields = cast("Mapping[str, object]", metadata)
    if fields.get(INSTALLATION, "") not in ("", installation):
        return ""
    try:
        return msgspec.convert(fields.get(TRANSACTION), Name)
    except msgspec.ValidationError:
        # Payflow gives no such id: somebody else wrote it.
        return ""
