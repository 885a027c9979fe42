"""A query of records, parsed from terms such as `key:o1`, `type:payflow.payment.*`, `since:...`.

A query is matched against the masked record (`app.operations.search.masked_record`). Before that a
cheap test of the raw bytes spares a million records the decoding; it may pass records that do not
match, and never drops one that does.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from app.operations.search.amount import Amount, NoAmount, amount_of
from app.operations.search.expression import BadExpression, Expression
from app.operations.search.masked_record import MaskedRecord
from app.wire.personal import masked_text
from app.wire.records import Consumed
from workflows.shared.errors import ErrorKind, PayflowError

TERMS_MAX = 20
TERM_CHARS_MAX = 1_000
TERMS = "key:, type:, corr:, header.NAME:, text:, amount:, since:, until:"

NAMES = frozenset({"key", "type", "corr", "text", "amount", "since", "until"})

_TERM = re.compile(r"([A-Za-z_]+)(?:\.([^:\s]*))?:(.*)", re.DOTALL)
_PLAIN = re.compile(r"[Ee0-9_-]*[A-DF-Za-df-z][A-Za-z0-9_-]*")
"""Words that look the same in any JSON: no digits alone, and no `1e3`."""

Kind = Literal["key", "header", "text", "amount"]


class BadTerm(PayflowError, ValueError):
    """A term that cannot be searched for; `field` names its argument."""

    kind: ClassVar[ErrorKind] = "invalid"

    def __init__(self, detail: str, field: str = "q") -> None:
        super().__init__(detail)
        self.field = field


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. `begins`: the value needs only begin with it."""

    kind: Kind
    value: str
    name: str = ""
    """The name of the header; of an amount, its currency."""
    begins: bool = False

    def holds(self, masked: MaskedRecord) -> bool:
        """Return whether `masked` meets it."""
        match self.kind:
            case "key":
                return self._is(masked.key)
            case "header":
                return any(name == self.name and self._is(value) for name, value in masked.pairs)
            case "amount":
                return Amount(minor=int(self.value), currency=self.name).is_in(masked.body)
            case "text":
                return (
                    self.value in masked.text
                    or msgspec.json.encode(self.value)[1:-1].decode() in masked.text
                )

    def _is(self, text: str) -> bool:
        return text.startswith(self.value) if self.begins else text == self.value

    def in_bytes(self) -> Callable[[Consumed], bool]:
        """Return a quick test of a raw record: whether the term could match."""
        sought, name = self.value.encode(errors="surrogatepass"), self.name
        if "\\" in self.value or (self.kind == "text" and not _PLAIN.fullmatch(self.value)):
            return lambda _record: True
        if self.kind == "key":
            if self.begins:
                return lambda record: (record.key or b"").startswith(sought)
            return lambda record: (record.key or b"") == sought
        if self.kind == "header":
            if self.begins:
                return lambda record: any(
                    n == name and (v or b"").startswith(sought) for n, v in record.headers
                )
            return lambda record: any(n == name and (v or b"") == sought for n, v in record.headers)
        return lambda record: _could_hold(record.value or b"", sought)


def _could_hold(body: bytes, sought: bytes) -> bool:
    # Escapes, and bytes that are shown as escapes, may match once decoded.
    return sought in body or b"\\" in body or b"\x00" in body or not body.isascii()


class Query:
    """All conditions of a query."""

    def __init__(
        self,
        terms: Sequence[Term] = (),
        since_ms: int = 0,
        until_ms: int | None = None,
        expression: Expression | None = None,
    ) -> None:
        self.terms = tuple(terms)
        self.since_ms = since_ms
        self.until_ms = until_ms
        self.expression = expression
        self._first = tuple(term.in_bytes() for term in terms)

    def may_hold(self, record: Consumed) -> bool:
        """Return False where `record` surely does not match; its body is not decoded."""
        if record.timestamp < self.since_ms and self.since_ms:
            return False
        if self.until_ms is not None and record.timestamp >= self.until_ms:
            return False
        return all(could(record) for could in self._first)

    def holds(self, masked: MaskedRecord) -> bool:
        """Return whether `masked` matches. Raises ExpressionFailed."""
        if not all(term.holds(masked) for term in self.terms):
            return False
        return self.expression is None or self.expression.holds(masked)


def parse(texts: Sequence[str], cel: str = "") -> Query:
    """Return what the terms `texts` and the expression `cel` ask for. Raises BadTerm."""
    if len(texts) > TERMS_MAX:
        raise BadTerm(f"{len(texts)} terms, at most {TERMS_MAX}")
    terms: list[Term] = []
    since_ms, until_ms = 0, None
    for term in texts:
        name, sub, value = _split(term)
        if name == "since":
            since_ms = max(since_ms, moment_ms(value, term))
        elif name == "until":
            at_ms = moment_ms(value, term)
            until_ms = at_ms if until_ms is None else min(until_ms, at_ms)
        else:
            terms.append(_term(name, sub, value, term))
    try:
        expression = Expression(cel) if cel else None
    except BadExpression as error:
        raise BadTerm(f"cel: {error}", "cel") from error
    return Query(terms, since_ms, until_ms, expression)


def _split(term: str) -> tuple[str, str, str]:
    if not term or len(term) > TERM_CHARS_MAX:
        raise BadTerm(f"a term has 1 to {TERM_CHARS_MAX} characters, not {len(term)}")
    match = _TERM.fullmatch(term)
    if not match:
        return "text", "", term
    name, sub, value = match.groups()
    is_name = name == "header" if sub else name in NAMES
    if not is_name:
        raise BadTerm(f"{term[:80]!r}: there are {TERMS}; for this as text write text:{term[:80]}")
    if not value:
        raise BadTerm(f"{term[:80]!r}: nothing stands behind the colon")
    return name, sub or "", value


def _term(name: str, sub: str, value: str, term: str) -> Term:
    if masked_text(value) != value:
        raise BadTerm(f"{term[:80]!r}: people are masked before anything is searched")
    if name == "text":
        return Term(kind="text", value=value)
    if name == "amount":
        try:
            amount = amount_of(value)
        except NoAmount as error:
            raise BadTerm(f"{term[:80]!r}: {error}") from error
        return Term(kind="amount", value=str(amount.minor), name=amount.currency)
    begins = value.endswith("*") and value != "***"
    value = value[:-1] if begins else value
    if name == "key":
        return Term(kind="key", value=value, begins=begins)
    header = {"type": "ce_type", "corr": "ce_correlationid"}.get(name, sub)
    return Term(kind="header", name=header, value=value, begins=begins)


YEAR_MIN, YEAR_MAX = 1_971, 2_200
"""Of a time that is asked for."""


def moment_ms(text: str, term: str, field: str = "q") -> int:
    """Return the RFC 3339 time `text` in ms. Raises BadTerm, which repeats `term`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadTerm(f"{term[:80]!r}: no RFC 3339 time", field) from error
    if moment.tzinfo is None:
        raise BadTerm(f"{term[:80]!r}: the time has no zone, such as Z", field)
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        raise BadTerm(f"{term[:80]!r}: the year is not from {YEAR_MIN} to {YEAR_MAX}", field)
    return round(moment.timestamp() * 1_000)
