"""The table of payments that are disputed: a row is one course."""

from tests.support.simulation.provider_world import Course

LATE = {"dispute_seconds": 300.0}
"""The dispute opens when the order has ended."""


def course(name: str, card: str, *ends: str, phrase: str = "", **more: object) -> Course:
    """Return one row of the table; `ends`: how its disputes are closed."""
    fields = {"faults": LATE, **more}
    return Course(
        name=f"disputed: {name}",
        card=f"pm_card_createDispute{card}",
        end="completed",
        phrase=phrase,
        ends=ends,
        **fields,  # pyright: ignore[reportArgumentType]
    )


RECEIVED, INQUIRY = "ProductNotReceived", "Inquiry"
BY_BANK, ON_HOLD = "That settles your refund", "once your bank has decided"
DISPUTES = (
    course("won", "", "won", kept_minor=1_000, evidence="winning_evidence"),
    course("lost", "", "lost", kept_minor=0, evidence="losing_evidence"),
    course("nobody answers", "", "lost", kept_minor=0),
    course("accepted", "", "lost", kept_minor=0, evidence="accept"),
    course("not received: won", RECEIVED, "won", kept_minor=1_000, evidence="winning_evidence"),
    course("not received: lost", RECEIVED, "lost", kept_minor=0, evidence="losing_evidence"),
    course("inquiry: closed", INQUIRY, "warning_closed", kept_minor=1_000,
           evidence="winning_evidence"),
    course("inquiry: accepted", INQUIRY, "warning_closed", kept_minor=1_000, evidence="accept"),
    course("inquiry: escalated and won", INQUIRY, "won", kept_minor=1_000,
           evidence="escalate_inquiry_evidence"),
    course("a return meanwhile: won", "", "won", kept_minor=700, evidence="winning_evidence",
           returns="during", phrase=ON_HOLD),
    course("a return meanwhile: lost", "", "lost", kept_minor=0, evidence="losing_evidence",
           returns="during", phrase=BY_BANK),
    course("a return before", "", "lost", kept_minor=0, evidence="losing_evidence",
           returns="before"),
    course("all returned before", "", kept_minor=0, returns="all before"),
    course("a return during an inquiry", INQUIRY, "warning_closed", kept_minor=700,
           evidence="winning_evidence", returns="during", phrase="once it is content"),
    course("a return during an inquiry that is escalated and lost", INQUIRY, "lost", kept_minor=0,
           evidence="escalate_inquiry_evidence", then="losing_evidence", returns="during",
           phrase=BY_BANK),
    course("before the order has ended", "", "won", kept_minor=1_000,
           evidence="winning_evidence", faults={"dispute_seconds": 0.0}),
    course("while it is cancelled: lost", "", "lost", kept_minor=0, evidence="losing_evidence",
           faults={"dispute_seconds": 0.0}, is_cancelled=True),
)  # fmt: skip
