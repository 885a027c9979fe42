"""The bytes of a file of orders: bounded, unpacked where they are gzip, and what kind they are.

A file is judged by its first bytes, never by its name.
"""

import gzip
import zlib
from pathlib import Path
from typing import IO, cast

from workflows.shared.errors import PayflowError

FILE_BYTES_MAX = 512 * 1024 * 1024
"""What a file may hold, unpacked; about six million lines."""
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
TAR, TAR_AT = b"ustar", 257
OTHER_KINDS = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as .xlsx or .csv",
    b"PK\x05\x06": "an empty zip file",
    b"Rar!": "packed with RAR; unpack it first",
    b"BZh": "packed with bzip2; unpack it first",
    b"\xfd7zXZ": "packed with xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it first",
    b"7z\xbc\xaf": "packed with 7-Zip; unpack it first",
    b"%PDF": "a PDF; export the orders as .csv or .xlsx",
    b"PAR1": "a Parquet file; export the orders as .csv or .xlsx",
}
"""First bytes of what is not read, and what to do."""


class LoadError(PayflowError):
    """The file cannot be read, or not be played; the message says which, why and what to do."""


def read_bytes(path: Path, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """Return what is in the file, unpacked once; raises LoadError."""
    try:
        with path.open("rb") as file:
            raw = _bounded(path, file, bytes_max)
        if raw.startswith(GZIP):
            with path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
                raw = _bounded(path, cast("IO[bytes]", packed), bytes_max)
    except (OSError, EOFError, zlib.error) as error:
        raise LoadError(f"{path} cannot be read: {error}") from error
    for first, kind in OTHER_KINDS.items():
        if raw.startswith(first):
            raise LoadError(f"{path} is {kind}")
    if raw.startswith(GZIP):
        raise LoadError(f"{path} is packed twice with gzip; unpack it once first")
    if raw.startswith(TAR, TAR_AT):
        raise LoadError(f"{path} is a tar archive; unpack it first")
    return raw


def _bounded(path: Path, file: IO[bytes], bytes_max: int) -> bytes:
    raw = file.read(bytes_max + 1)
    if len(raw) > bytes_max:
        raise LoadError(
            f"{path} holds more than {bytes_max >> 20} MiB unpacked; split it into smaller files"
        )
    return raw
