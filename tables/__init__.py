"""The tables: one declaration each. They are plain values, without RocksDB and Kafka."""

from typing import Generic, TypeVar

import msgspec

from workflows.shared.errors import DeclarationError

State = TypeVar("State")
Remembered = TypeVar("Remembered", covariant=True)  # noqa: PLC0105  the same noun, read only


class Table(msgspec.Struct, Generic[Remembered], frozen=True, kw_only=True):
    """A changelog-backed table, one row a key, partitioned like the topics that write it."""

    name: str
    service: str
    """The service that owns it: nobody else writes or reads it directly."""
    shape: type[Remembered]
    """The type of the state in a row: a frozen msgspec Struct."""
    initial: Remembered
    """The state of a key without a stored row."""
    help: str
    by_transaction: bool = True
    """Whether each row belongs to one transaction, whose id is its key."""


declared: dict[str, Table[object]] = {}
"""Every declared table by name."""


def declare(  # noqa: PLR0913  a table has these facts
    name: str,
    *,
    service: str,
    shape: type[State],
    initial: State,
    help: str,  # noqa: A002  what it is
    by_transaction: bool = True,
) -> Table[State]:
    """Return the table `name`; raises DeclarationError when the name is taken."""
    if name in declared:
        raise DeclarationError(f"table {name} is declared twice")
    table = Table(
        name=name,
        service=service,
        shape=shape,
        initial=initial,
        help=help,
        by_transaction=by_transaction,
    )
    declared[name] = table
    return table
