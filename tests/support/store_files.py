"""RocksDB folders of a table: written, halved, overwritten."""

import os
from pathlib import Path

import rocksdict

from app.worker.store_repair import OFFSET_KEY

ROWS = 4_000
BATCH = 100


class Table:
    """What `Store` knows of a Faust table: one partition in one folder."""

    name = "tally"
    offset_key = OFFSET_KEY

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = self
        self._dbs: dict[int, rocksdict.Rdict] = {}

    def partition_path(self, _partition: int) -> Path:
        return self.path

    def _db_for_partition(self, partition: int) -> rocksdict.Rdict:
        if partition not in self._dbs:
            self._dbs[partition] = registered(self.path)
        return self._dbs[partition]


def registered(path: Path) -> rocksdict.Rdict:
    return rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))


def key(number: int) -> bytes:
    return b"order-%06d" % number


def fill(path: Path) -> rocksdict.Rdict:
    """Write rows as a worker does: a batch of rows, then the offset that speaks for them."""
    database = registered(path)
    for first in range(0, ROWS, BATCH):
        batch = rocksdict.WriteBatch(raw_mode=True)
        for number in range(first, first + BATCH):
            batch.put(key(number), b"%06d" % number * 40)
        database.write(batch)
        database.put(OFFSET_KEY, b"%d" % (first + BATCH - 1))
    return database


def only(path: Path, pattern: str) -> Path:
    [file] = path.glob(pattern)
    return file


def overwrite(path: Path, at: float) -> None:
    """Flip 64 bytes of a file, `at` of the way through."""
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * at))
        file.write(b"\xff" * 64)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)
