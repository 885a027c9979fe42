"""Payments on file, for training and evaluation: CSV or Parquet, checked, in the order of time."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from workflows.shared.errors import PayflowError
from workflows.shared.personal import Personal

COLUMNS = ("transaction_id", "t", "customer_id", "terminal_id", "amount_cents", "fraud")
DAY_SECONDS = 86_400

Integers = npt.NDArray[np.int64]
"""A column of payments, or indices of rows."""
Floats = npt.NDArray[np.float64]
"""Scores (payments), or figures (payments, FEATURES)."""
Mask = npt.NDArray[np.bool_]
"""A selection of payments, one element each."""


class DataError(PayflowError, ValueError):
    """The file cannot be used; the message names the error and its place."""


class Payments(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of equal length, sorted by time, then by id. `t` is seconds since the first day."""

    transaction_id: Integers
    t: Integers
    customer_id: Personal[Integers]
    terminal_id: Integers
    amount_cents: Integers
    fraud: Integers
    digest: str

    def __len__(self) -> int:
        """Return how many payments there are."""
        return len(self.t)

    @property
    def day(self) -> Integers:
        """Return the day of each payment, counted from the first, 0."""
        return self.t // DAY_SECONDS


def read_payments(path: Path, say: Callable[[str], None] = lambda _text: None) -> Payments:
    """Return the payments in `path`, `.csv` or `.parquet`, in order of time. Raises DataError.

    Rows are counted from 1, without the heading. Other columns than COLUMNS are not read.
    """
    try:
        is_parquet = path.suffix == ".parquet"
        table: pa.Table = parquet.read_table(path) if is_parquet else csv.read_csv(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: {error}") from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"{path}: there is no column {', '.join(missing)}; needs {COLUMNS}")
    columns = {name: _whole(table[name], f"{path}: {name}") for name in COLUMNS}
    _check(columns, path)
    order = np.lexsort((columns["transaction_id"], columns["t"]))
    if (moved := np.flatnonzero(order != np.arange(len(order)))).size:
        say(f"{path}: row {moved[0] + 1} is out of order: sorted by t and transaction_id")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Payments(**{name: column[order] for name, column in columns.items()}, digest=digest)


def _whole(column: pa.ChunkedArray, what: str) -> Integers:
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py()
        raise DataError(f"{what}: row {row + 1} is empty")
    if pa.types.is_temporal(column.type):
        # A cast would silently read timestamps as seconds of the file.
        raise DataError(f"{what}: must be whole numbers, not moments")
    try:
        return column.cast(pa.int64()).to_numpy()
    except pa.ArrowException as error:
        row = next(at for at, value in enumerate(column, 1) if not _is_whole(value))
        value = column[row - 1].as_py()
        raise DataError(f"{what}: must be whole numbers: row {row} is {value!r}") from error


def _is_whole(value: pa.Scalar) -> bool:
    try:
        value.cast(pa.int64())
    except pa.ArrowException:
        return False
    return True


def _check(columns: dict[str, Integers], path: Path) -> None:
    if not len(columns["t"]):
        raise DataError(f"{path}: holds no payments")
    for name in ("t", "amount_cents"):
        wrong = np.flatnonzero(columns[name] < 0)
        if wrong.size:
            raise DataError(f"{path}: {name}: row {wrong[0] + 1} is below zero")
    wrong = np.flatnonzero((columns["fraud"] != 0) & (columns["fraud"] != 1))
    if wrong.size:
        raise DataError(f"{path}: fraud: row {wrong[0] + 1} is neither 0 nor 1")
    ids, counts = np.unique(columns["transaction_id"], return_counts=True)
    if len(ids) < len(columns["t"]):
        raise DataError(f"{path}: transaction_id: {ids[counts > 1][0]} is there twice")
