"""What a file came to: rows and physical lines by what they became, and refusals with reasons."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from app.local.importers.retail_file import Plan
from app.local.importers.retail_requests import Adjust, Ask, PlaceOrder, Refuse, ReturnItems

REFUSALS_SHOWN_MAX = 1_000
"""Refusals that are listed one by one; all of them are counted."""
LINES_SHOWN_MAX = 5
"""Lines that are named for each reason."""
PLACES = {PlaceOrder: "orders", ReturnItems: "returns", Adjust: "adjustments"}


class LoadedFile(msgspec.Struct, kw_only=True):
    """The requests so far; they grow while a file is played."""

    rows_read: int = 0
    orders_asked: int = 0
    orders_planned: int = 0
    adjustments: int = 0
    rows: Counter[str] = msgspec.field(default_factory=Counter)
    """Rows by their outcome: orders, returns, adjustments, refused."""
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    """Rows by the reason they were refused for."""
    order_ids: dict[str, str] = {}
    """Order id by the number of its invoice."""
    returns: dict[str, tuple[str, int]] = {}
    """Order id and number of rows by return id."""
    return_lines: dict[str, tuple[int, ...]] = {}
    """Physical lines of the file by return id."""
    lines: Counter[str] = msgspec.field(default_factory=Counter)
    """Physical lines of the file by what they became, header and blank lines included."""
    refusals: list[Refuse] = []
    """The first refusals, with lines, column and value."""
    form: str = ""
    """How the file was read."""

    def begin(self, plan: Plan) -> None:
        """Note what the file holds before anything is asked."""
        self.rows_read, self.form = plan.rows_read, plan.form
        self.orders_planned = sum(isinstance(ask, PlaceOrder) for ask in plan.asks)
        self.lines.update(plan.other_lines)

    def count(self, place: str, ask: Ask) -> None:
        """Count the rows and the physical lines of `ask` as what they became."""
        self.rows[place] += ask.rows
        self.lines[place] += len(ask.file_lines)

    def refuse(self, refusal: Refuse) -> None:
        """Count a refusal under its reason, and note it while there is room."""
        self.refused[refusal.reason] += refusal.rows
        self.count("refused", refusal)
        if len(self.refusals) < REFUSALS_SHOWN_MAX:
            self.refusals.append(refusal)


def outcome_of(plan: Plan) -> LoadedFile:
    """Return what the plan comes to if the API accepts all of it; nothing is asked."""
    loaded = LoadedFile()
    loaded.begin(plan)
    for ask in plan.asks:
        if isinstance(ask, Refuse):
            loaded.refuse(ask)
        else:
            loaded.count(PLACES[type(ask)], ask)
            loaded.adjustments += isinstance(ask, Adjust)
    return loaded


def report_lines(loaded: LoadedFile) -> Iterator[str]:
    """Yield the report for people: how the file was read, its lines by place, its refusals."""
    yield f"read as {loaded.form}"
    yield f"{loaded.rows_read} rows: {_counts(loaded.rows)}"
    yield f"{sum(loaded.lines.values())} lines: {_counts(loaded.lines)}"
    for reason, rows in loaded.refused.most_common():
        yield f"{rows} refused: {reason}{_examples(loaded, reason)}"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common() if count)


def _examples(loaded: LoadedFile, reason: str) -> str:
    """Return the first lines of the refusals for `reason`, with the value where one is wrong."""
    same = [each for each in loaded.refusals if each.reason == reason and each.file_lines]
    examples = [
        f"{each.file_lines[0]} ({each.column} {each.value!r})"
        if each.value
        else str(each.file_lines[0])
        for each in same[:LINES_SHOWN_MAX]
    ]
    more = ", ..." if len(same) > LINES_SHOWN_MAX else ""
    return f"; line {', '.join(examples)}{more}" if examples else ""
