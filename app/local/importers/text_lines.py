"""Bytes as physical lines of text: the encoding is read off the bytes, never off their meaning.

A byte order mark decides; then UTF-16 by its zero bytes, UTF-8 where it holds, Windows-1252 where
it does not. A line that cannot be decoded as the rest is kept with its fault.
"""

import codecs
import re

import msgspec

from app.local.importers.file_content import LoadError

WINDOWS = "windows-1252"
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 first: its little-endian mark begins with that of UTF-16."""
NAMES_OF_HOSTS = frozenset({"idna", "punycode"})
"""Codecs that are for no files: from Python 3.14 on, they decode nearly anything."""
SAMPLE_BYTES = 256
ZEROS_MIN = 0.8
"""The share of zero bytes in every second place by which UTF-16 without a mark is known."""
LINE_END = re.compile(r"\r\n|\r|\n")
UNDECODED = re.compile("[\ud800-\udfff]")
"""What `surrogateescape` leaves of bytes that the encoding has no character for."""
TRUNCATED = "\udc80"


class TextLines(msgspec.Struct, kw_only=True):
    """Every physical line, its end cut off; `faults` by position from 0."""

    texts: list[str]
    encoding: str
    faults: dict[int, str] = {}


def decode(raw: bytes, encoding: str = "") -> TextLines:
    """Return the lines of `raw`, in `encoding` when one is named; raises LoadError."""
    name = encoding or _marked(raw) or _unmarked_utf16(raw) or "utf-8"
    texts = _split(_decoded(raw, name))
    bad = [at for at, text in enumerate(texts) if UNDECODED.search(text)]
    if bad and name == "utf-8" and not encoding:
        return _utf8_or_windows(texts, bad)
    faults = dict.fromkeys(bad, f"bytes that are not {name}")
    return TextLines(texts=texts, encoding=name, faults=faults)


def _marked(raw: bytes) -> str:
    return next((name for mark, name in MARKS if raw.startswith(mark)), "")


def _unmarked_utf16(raw: bytes) -> str:
    sample = raw[: min(SAMPLE_BYTES, len(raw) // 2 * 2)]
    enough = max(len(sample) // 2 * ZEROS_MIN, 1)
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd >= enough > even:
        return "utf-16-le"
    return "utf-16-be" if even >= enough > odd else ""


def _decoded(raw: bytes, name: str) -> str:
    unit = {"utf-16": 2, "utf-32": 4}.get(name[:6].replace("_", "-").lower(), 1)
    whole = len(raw) // unit * unit
    try:
        _check(name)
        text = raw[:whole].decode(name, "surrogatepass" if unit > 1 else "surrogateescape")
    except LookupError as error:
        raise LoadError(
            f"--encoding {name}: there is no such encoding; try utf-8, utf-16 or windows-1252"
        ) from error
    except UnicodeError:
        text = _replaced(raw[:whole], name)
    return (text + TRUNCATED * (whole < len(raw))).removeprefix("\ufeff")


def _check(name: str) -> None:
    """Raise LookupError for an encoding that is for no files."""
    if codecs.lookup(name).name in NAMES_OF_HOSTS:
        raise LookupError(name)


def _replaced(raw: bytes, name: str) -> str:
    """Return the text of a codec that keeps no undecoded bytes, such as those of East Asia."""
    try:
        return raw.decode(name, "replace").replace("\ufffd", TRUNCATED)
    except UnicodeError as error:
        raise LoadError(f"--encoding {name}: {error}") from error


def _split(text: str) -> list[str]:
    lines = LINE_END.split(text)
    if not lines[-1]:
        lines.pop()
    return lines


def _utf8_or_windows(texts: list[str], bad: list[int]) -> TextLines:
    """Return the lines as most of them are encoded; those encoded otherwise are at fault."""
    apart = set(bad)
    good = [at for at, text in enumerate(texts) if not text.isascii() and at not in apart]
    if len(good) >= len(bad):
        return TextLines(
            texts=texts, encoding="utf-8", faults=dict.fromkeys(bad, "bytes that are not utf-8")
        )
    faults = dict.fromkeys(good, f"utf-8 among lines in {WINDOWS}")
    for at in bad:
        raw = texts[at].encode("utf-8", "surrogateescape")
        texts[at] = raw.decode(WINDOWS, "surrogateescape")
        if UNDECODED.search(texts[at]):
            faults[at] = f"bytes that are not {WINDOWS}"
    return TextLines(texts=texts, encoding=WINDOWS, faults=faults)
