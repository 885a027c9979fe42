"""Quotas of what clients and their customers have open: transactions without money, units of stock.

The console decides by what it knows: the rows of all transactions, from their changelog, and what
it has accepted itself since. Two consoles at once may each accept the last one. What must never be
exceeded is decided in rows (ADR 33).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from aiohttp import web

from app.auth.clients import TAG_CHARS
from app.config import Config, ConfigError
from app.console.api.problems import Problem
from workflows.shared.workflow import Holding

ACCEPTED_MS = 3_600_000
"""How long an accepted transaction counts without a row: no worker may be there to make it."""
RETRY_AFTER_SECONDS = 10


class Quotas(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most of each kind; `PAYFLOW_QUOTAS` names other numbers."""

    client_unpaid: int = 20_000
    """Open transactions of one client whose money is neither taken nor held."""
    client_units: int = 20_000_000
    """Units of stock that the transactions of one client hold."""
    customer_unpaid: int = 100
    """As `client_unpaid`, of one customer of a client."""
    customer_units: int = 2_000_000
    """As `client_units`, of one customer of a client."""


def quotas_of(config: Config) -> Quotas:
    """Return the quotas of an instance. Raises ConfigError naming what is none."""
    number_by_name: dict[str, str] = {}
    for each in filter(None, (part.strip() for part in config.quotas.split(","))):
        name, _, number = each.partition("=")
        if name.strip() not in Quotas.__struct_fields__ or not number.strip().isdecimal():
            names = ", ".join(Quotas.__struct_fields__)
            text = f"{each!r} is not a quota; write NAME=NUMBER,... with names of {names}"
            raise ConfigError(f"PAYFLOW_QUOTAS: {text}")
        number_by_name[name.strip()] = number.strip()
    return msgspec.convert(number_by_name, Quotas, strict=False)


class _Used(msgspec.Struct):
    unpaid: int = 0
    units: int = 0


class Holdings:
    """What every client, and every customer of a client, has open."""

    def __init__(self, quotas: Quotas, clock: Callable[[], int]) -> None:
        self._quotas = quotas
        self._clock = clock
        self._of: dict[str, Holding] = {}
        self._accepted_ms: dict[str, int] = {}
        """Transactions without a row, and when each was accepted (ms), the oldest first."""
        self._used: dict[tuple[str, str], _Used] = {}
        """By the tag of a client, and its customer; empty: all of its customers."""

    def put(self, transaction_id: str, holding: Holding) -> None:
        """Replace what a transaction holds: its row says so."""
        self._accepted_ms.pop(transaction_id, None)
        before = self._of.pop(transaction_id, Holding())
        self._add(transaction_id, before, -1)
        if holding.is_unpaid or holding.units:
            self._of[transaction_id] = holding
            self._add(transaction_id, holding, 1)

    @contextmanager
    def held(self, client: str, transaction_id: str, holding: Holding) -> Iterator[None]:
        """Count a new transaction, unless the block raises. Raises Problem 429 over a quota."""
        self._forget()
        if transaction_id in self._of:
            # A repetition, while no worker can be asked whether it is one: it counts already.
            yield
            return
        self._check(client, transaction_id, holding)
        self.put(transaction_id, holding)
        self._accepted_ms[transaction_id] = self._clock()
        try:
            yield
        except BaseException:
            # Its row may have come meanwhile, and knows better.
            if transaction_id in self._accepted_ms:
                self.put(transaction_id, Holding())
            raise

    def used(self, tag: str, customer_id: str = "") -> tuple[int, int]:
        """Return the unpaid transactions and the units of a client, or of one of its customers."""
        usage = self._used.get((tag, customer_id), _Used())
        return usage.unpaid, usage.units

    def _check(self, client: str, transaction_id: str, holding: Holding) -> None:
        quotas, tag = self._quotas, transaction_id[:TAG_CHARS]
        limits = [("client", "", quotas.client_unpaid, quotas.client_units)]
        if holding.customer_id:
            most = (quotas.customer_unpaid, quotas.customer_units)
            limits.append(("customer", holding.customer_id, *most))
        for whose, customer_id, unpaid_max, units_max in limits:
            unpaid, units = self.used(tag, customer_id)
            who = client if whose == "client" else f"this customer of {client}"
            if holding.is_unpaid and unpaid >= unpaid_max:
                text = f"{who} has {unpaid} that are open and unpaid"
                advice = "Wait until some are paid or cancelled"
                raise _exceeded(f"{whose}_unpaid", unpaid_max, unpaid, f"{text}. {advice}")
            if units + holding.units > units_max:
                text = f"{who} holds {units} units, and this asks for {holding.units}"
                advice = "Ask for fewer, or wait until some are shipped or cancelled"
                raise _exceeded(f"{whose}_units", units_max, units, f"{text}. {advice}")

    def _add(self, transaction_id: str, holding: Holding, sign: int) -> None:
        tag = transaction_id[:TAG_CHARS]
        for whose in {(tag, ""), (tag, holding.customer_id)}:
            used = self._used.setdefault(whose, _Used())
            used.unpaid += sign * holding.is_unpaid
            used.units += sign * holding.units
            if not (used.unpaid or used.units):
                del self._used[whose]

    def _forget(self) -> None:
        before_ms = self._clock() - ACCEPTED_MS
        while self._accepted_ms:
            transaction_id, at_ms = next(iter(self._accepted_ms.items()))
            if at_ms > before_ms:
                return
            self.put(transaction_id, Holding())


def _exceeded(name: str, limit: int, used: int, text: str) -> Problem:
    detail = (
        f"quota {name}: at most {limit}; {text}, then repeat the request with the same "
        f"Idempotency-Key. Operator: PAYFLOW_QUOTAS={name}=NUMBER allows more"
    )
    return Problem(
        429,
        "Too Many Requests",
        detail,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        more={"quota": {"name": name, "limit": limit, "used": used}},
    )


HOLDINGS: web.AppKey[Holdings] = web.AppKey("holdings")
