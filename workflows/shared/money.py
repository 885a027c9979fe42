"""Money as people read it."""


def money(amount_minor: int, currency: str) -> str:
    """Return `amount_minor`, never negative, for people: 12.50 GBP."""
    return f"{amount_minor // 100}.{amount_minor % 100:02d} {currency}"
