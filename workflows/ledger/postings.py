"""The parts of which every entry is made: its sides, and the account that a refund lowers. Pure."""

from workflows.ledger.messages import Account, EntryPosted, Posting
from workflows.shared.naming import joined


def entry(
    transaction_id: str, currency: str, cause: str, sides: tuple[Posting, ...]
) -> EntryPosted:
    """Return the entry of `cause`: one of each cause is posted, as its id is made of it."""
    return EntryPosted(
        entry_id=joined(transaction_id, cause),
        transaction_id=transaction_id,
        currency=currency,
        postings=sides,
        cause=cause,
    )


def moved(debit: Account, credit: Account, amount_minor: int) -> tuple[Posting, ...]:
    """Return a debit and a credit of `amount_minor`; the other way when it is negative."""
    return (*side(debit, amount_minor), *side(credit, -amount_minor))


def side(account: Account, amount_minor: int) -> tuple[Posting, ...]:
    """Return a debit of `amount_minor`, a credit when it is negative, nothing when it is zero."""
    if amount_minor > 0:
        return (Posting(account=account, debit_minor=amount_minor),)
    return (Posting(account=account, credit_minor=-amount_minor),) if amount_minor else ()


def lowered_by_refund(kind: str) -> Account:
    """Return the account that a refund of `kind` is debited to."""
    return "refunds" if kind == "return" else "customer_receivable"
