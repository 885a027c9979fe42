"""Files that decide who may act: only their owner may read or change them, or their folder."""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from workflows.shared.errors import PayflowError

Shape = TypeVar("Shape")


class PrivateFileError(PayflowError):
    """The file is open to others, or cannot be read; the message says what to do."""

    kind = "unavailable"


def read(path: Path, shape: type[Shape]) -> Shape:
    """Return the content of `path` as a `shape`.

    Raises as `read_bytes` does.
    """
    body = read_bytes(path)
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        text = f"{path}: {error}. Operator: repair it, or restore a copy."
        raise PrivateFileError(text) from error


def read_bytes(path: Path) -> bytes:
    """Return the content of `path`.

    Raises PrivateFileError when somebody else could have written it, and FileNotFoundError.
    """
    try:
        _check(path.parent, 0o022, "be changed")
        _check(path, 0o077, "be read")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PrivateFileError(f"{path} cannot be read: {error.strerror}") from error


def _check(path: Path, forbidden: int, act: str) -> None:
    file_status = path.stat()
    if file_status.st_uid not in (os.geteuid(), 0):
        raise PrivateFileError(f"{path} belongs to another user. Operator: chown it")
    # A sticky folder, such as that for temporary files, lets nobody replace a file of others.
    if file_status.st_mode & forbidden and not file_status.st_mode & stat.S_ISVTX:
        mode = "go-w" if path.is_dir() else "600"
        raise PrivateFileError(f"{path} may {act} by others. Operator: chmod {mode} {path}")


def write_new(path: Path, body: bytes) -> None:
    """Write a file that only its owner can read, whatever the umask; raises FileExistsError."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        try:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            path.unlink()
            raise


@contextmanager
def changing(folder: Path, refused: type[PayflowError]) -> Iterator[None]:
    """Hold the private files of `folder`, from reading one to renaming: nobody else changes them.

    What one command has read another would write back: a key that was revoked meanwhile. Raises
    `refused`. It waits for others, and may not be entered twice by one caller.
    """
    try:
        # The folder itself: a file beside them could be removed, and would have to be private too.
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise refused(f"{folder} cannot be read: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def beside(path: Path, value: msgspec.Struct) -> Path:
    """Write `value` to a new file beside `path`, to be renamed: no reader sees half; return it."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    write_new(new, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    return new
