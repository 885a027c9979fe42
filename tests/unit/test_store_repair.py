"""Damaged tables are found, set aside and marked; what a crash leaves behind is not damage."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.host.exit import EXIT_UNSAFE
from app.worker.store import Store
from app.worker.store_repair import KEPT_MAX, OFFSET_KEY, is_damage, mark, set_aside_damaged
from tests.support.store_files import ROWS, Table, fill, halve, key, only, overwrite, registered

ROOT = Path(__file__).parents[2]
KILLED = """
import os, sys
from pathlib import Path
from tests.support.store_files import fill
database = fill(Path(sys.argv[1]))
os._exit(9)
"""
WORKS = """
import sys
from pathlib import Path
from app.worker.store import Store
from tests.support.store_files import ROWS, Table, key
store = Store(Table(Path(sys.argv[1])))
found = {
    "scan": lambda: list(store.scan(0, b"")),
    "get": lambda: [store.get(0, key(number)) for number in range(ROWS)],
}[sys.argv[2]]()
print("read", len(found))
"""


def table(folder: Path) -> Path:
    """Return a closed table whose rows lie in an SST file."""
    path = folder / "test" / "v1" / "tables" / "tally-0.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    database = fill(path)
    database.flush()
    database.close()
    return path


def killed(folder: Path) -> Path:
    """Return the table of a killed process: all its rows lie in RocksDB's log."""
    path = folder / "tally-0.db"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)
    assert [] == list(path.glob("*.sst"))
    return path


DAMAGE: dict[str, Callable[[Path], object]] = {
    "without CURRENT": lambda path: (path / "CURRENT").unlink(),
    "without MANIFEST": lambda path: only(path, "MANIFEST-*").unlink(),
    "with an empty MANIFEST": lambda path: os.truncate(only(path, "MANIFEST-*"), 0),
    "with a flipped MANIFEST": lambda path: overwrite(only(path, "MANIFEST-*"), 0.1),
    "without its SST": lambda path: only(path, "*.sst").unlink(),
    "with half an SST": lambda path: halve(only(path, "*.sst")),
    "with a flipped end of an SST": lambda path: overwrite(only(path, "*.sst"), 0.9999),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_table_is_set_aside(damage: Callable[[Path], object], tmp_path: Path) -> None:
    """Another one beside it stays where it is; at the next start there is nothing to do."""
    hurt = table(tmp_path)
    sound = hurt.with_name("tally-1.db")
    fill(sound).close()
    damage(hurt)

    assert [hurt.with_name("tally-0.db.damaged-1")] == set_aside_damaged(tmp_path)
    assert (False, True) == (hurt.exists(), sound.exists())
    assert [] == set_aside_damaged(tmp_path)


def test_beside_a_damaged_table_a_damaged_block_is_found_at_once(tmp_path: Path) -> None:
    """Otherwise its first reader would end the process once more."""
    sound, hurt = table(tmp_path), table(tmp_path / "other")
    overwrite(only(hurt, "*.sst"), 0.5)
    assert [] == set_aside_damaged(tmp_path)

    mark(sound.with_name("tally-9.db"), "")
    third = fill(sound.with_name("tally-9.db"))
    third.close()

    aside = {path.name for path in set_aside_damaged(tmp_path)}
    assert {"tally-9.db.damaged-1", "tally-0.db.damaged-1"} == aside
    assert (True, False) == (sound.exists(), hurt.exists())


def test_a_sound_table_stays(tmp_path: Path) -> None:
    """All its rows are there after the look."""
    path = table(tmp_path)

    assert [] == set_aside_damaged(tmp_path)
    assert ROWS == len(list(Store(Table(path)).scan(0, b"")))


def test_a_table_that_was_being_made_stays(tmp_path: Path) -> None:
    """Killed before its first row: Faust makes it anew."""
    path = tmp_path / "tally-0.db"
    path.mkdir()
    (path / "LOCK").touch()

    assert [] == set_aside_damaged(tmp_path)


def test_a_table_that_is_held_is_not_called_damaged(tmp_path: Path) -> None:
    """Another process has it: that is said, and nothing is moved."""
    path = table(tmp_path)
    held = registered(path)

    with pytest.raises(OSError, match=r"tally-0\.db cannot be opened.*lock"):
        set_aside_damaged(tmp_path)
    held.close()
    assert path.exists()


def test_at_most_three_damaged_copies_are_kept(tmp_path: Path) -> None:
    """The oldest goes first; numbers are not used twice."""
    for _ in range(KEPT_MAX + 2):
        halve(only(table(tmp_path), "*.sst"))
        set_aside_damaged(tmp_path)

    copies = sorted(path.name for path in tmp_path.glob("**/*.damaged-*"))
    assert [f"tally-0.db.damaged-{number}" for number in (3, 4, 5)] == copies


@pytest.mark.parametrize("read", ["scan", "get"])
def test_a_block_that_is_damaged_is_noticed_by(read: str, tmp_path: Path) -> None:
    """The process ends and says so, and the next start sets the table aside: no row is missed."""
    path = table(tmp_path)
    overwrite(only(path, "*.sst"), 0.5)
    assert [] == set_aside_damaged(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", WORKS, str(path), read],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (EXIT_UNSAFE, False) == (done.returncode, done.stdout.startswith("read"))
    assert "the table tally is damaged: Corruption" in done.stderr.splitlines()[-1]
    assert [path.with_name("tally-0.db.damaged-1")] == set_aside_damaged(tmp_path)
    assert not path.with_name("tally-0.db.damaged").exists()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _log: None, id="whole"),
        pytest.param(halve, id="cut off in the middle"),
        pytest.param(lambda log: overwrite(log, 0.5), id="flipped in the middle"),
        pytest.param(lambda log: overwrite(log, 0.9), id="flipped near its end"),
        pytest.param(Path.unlink, id="gone"),
    ],
)
def test_what_a_killed_worker_s_log_has_lost_is_known_to_the_offset(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    """The offset never speaks for a row that is not there: the changelog restores the rest."""
    path = killed(tmp_path)
    damage(only(path, "*.log"))

    assert [] == set_aside_damaged(tmp_path)
    database = registered(path)
    through = int(database.get(OFFSET_KEY) or b"-1")
    missing = [number for number in range(through + 1) if database.get(key(number)) is None]
    assert [] == missing


def test_a_marked_table_is_set_aside(tmp_path: Path) -> None:
    """Whatever it looks like."""
    mark(table(tmp_path), "Corruption: seen at work")

    assert ["tally-0.db.damaged-1"] == [path.name for path in set_aside_damaged(tmp_path)]


@pytest.mark.parametrize(
    "text",
    [
        "IO error: No space left on device: While appending to file: /x/000012.log",
        "IO error: File too large: While appending to file: /x/000012.log",
        "IO error: lock hold by current process: /x/LOCK: No locks available",
        "IO error: Too many open files: While open a file for random read: /x/000009.sst",
    ],
)
def test_a_failing_disk_is_no_damage(text: str) -> None:
    """The rows are sound: they must not be thrown away."""
    assert not is_damage(text)
