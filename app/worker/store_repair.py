"""Damaged tables: found before they are opened, set aside, and rebuilt from their changelogs.

A table on disk is a copy of its changelog, so a damaged one is kept only to be examined. RocksDB
itself repairs what a crash leaves behind: it reads its log up to the first damaged record. The
offset up to which the changelog was applied lies in the same log, behind the rows it speaks for,
so the changelog restores whatever was cut off.
"""

import shutil
from pathlib import Path

import rocksdict
import structlog

OFFSET_KEY = b"__faust\0offset__"
"""The key under which Faust stores the changelog offset of the table."""
KEPT_MAX = 3
"""Damaged copies of one table to keep for examination; the oldest is deleted first."""
_SIGNS = ("corruption", "checksum", "does not exist", "no such file")
"""Parts of RocksDB's errors about damaged or missing files, in lower case."""

log = structlog.get_logger(__name__)


def is_damage(text: str) -> bool:
    """Return whether RocksDB says in `text` that its files are damaged, not that the disk fails."""
    return any(sign in text.lower() for sign in _SIGNS)


def set_aside_damaged(folder: Path) -> list[Path]:
    """Set aside every damaged table under `folder`; return their new paths.

    Where one is damaged the others are read through too: a disk rarely damages one file alone, and
    each that is found later would end the process once more. Raises OSError naming the table that
    cannot be opened for another reason.
    """
    tables = [path for path in sorted(folder.glob("**/*.db")) if path.is_dir()]
    faults = {path: _fault(path) for path in tables}
    if any(faults.values()):
        faults = {path: fault or _fault(path, whole=True) for path, fault in faults.items()}
    return [_set_aside(path, fault) for path, fault in faults.items() if fault]


def mark(path: Path, fault: str) -> None:
    """Mark the table `path`: the next start sets it aside."""
    _marker(path).write_text(fault)


def _fault(path: Path, *, whole: bool = False) -> str:
    """Return the fault of the table, or nothing; `whole` reads every row of it.

    Raises OSError as `set_aside_damaged`.
    """
    if _marker(path).exists():
        return _marker(path).read_text() or "marked as damaged"
    if not (path / "CURRENT").exists() and not _has_rows(path):
        # Killed while it was being made: nothing is lost, and Faust makes it anew.
        return ""
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(False)  # noqa: FBT003  the library's signature
    try:
        database = rocksdict.Rdict(str(path), options)
        try:
            database.get(OFFSET_KEY)
            if whole:
                _read_through(database)
        finally:
            database.close()
    except Exception as error:
        if not is_damage(str(error)):
            raise OSError(f"the table {path} cannot be opened: {error}") from error
        return str(error)
    return ""


def _read_through(database: rocksdict.Rdict) -> None:
    rows = database.iter()
    rows.seek_to_first()
    while rows.valid():
        rows.next()
    # At a damaged block the iterator ends as at the last row; only its status raises.
    rows.status()


def _has_rows(path: Path) -> bool:
    return any(file.stat().st_size for kind in ("*.sst", "*.log") for file in path.glob(kind))


def _set_aside(path: Path, fault: str) -> Path:
    numbers = sorted(_number(folder) for folder in path.parent.glob(f"{path.name}.damaged-*"))
    for number in numbers[: max(len(numbers) - KEPT_MAX + 1, 0)]:
        shutil.rmtree(_set_aside_path(path, number))
    target = path.rename(_set_aside_path(path, max(numbers, default=0) + 1))
    _marker(path).unlink(missing_ok=True)
    log.error(
        "damaged table set aside",
        table=path.name,
        fault=fault,
        kept_as=str(target),
        next="it is rebuilt from its changelog. Operator: check the disk of this machine",
    )
    return target


def _set_aside_path(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.damaged-{number}")


def _number(aside: Path) -> int:
    return int(aside.name.rpartition("-")[2])


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")
