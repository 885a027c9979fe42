"""Bytes as physical lines of text: the encoding is read off the bytes, never off their meaning.

A byte order mark decides; then UTF-16 and UTF-32 by their zero bytes, UTF-8 where it holds,
Windows-1252 where it does not. A line that cannot be decoded as the rest is kept with its fault.

Every file of single bytes can be read as Windows-1252. What is another encoding is known by
characters where no word has them, `CAFƒ`: where such lines are most, the encoding is asked for.
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
"""The share of zero bytes in a place of each unit by which UTF-16 and UTF-32 without a mark are
known."""
WIDE = {
    "utf-32-le": (False, True, True, True),
    "utf-32-be": (True, True, True, False),
    "utf-16-le": (False, True),
    "utf-16-be": (True, False),
}
"""Which bytes of a unit are zero, in texts that are mostly ASCII."""
LINE_END = re.compile(r"\r\n|\r|\n")
UNDECODED = re.compile("[\ud800-\udfff]")
"""What `surrogateescape` leaves of bytes that the encoding has no character for."""
TRUNCATED = "\udc80"
_ALPHABETIC = r"[A-Za-zÀ-ÖØ-öø-ÿ]"
_INSIDE = bytes.fromhex(
    "80 82 83 84 86 87 88 89 8b 91 93 94 95 98 99 9b "
    "a1 a2 a4 a5 a6 a7 a8 a9 ac ae af b1 b6 b8 bb bf f7"
).decode(WINDOWS)
"""Symbols that no word has within. Apostrophes, dashes, an ellipsis and ª º ° · may be there."""
_BEHIND = bytes.fromhex("82 83 84 86 87 88 89 98").decode(WINDOWS)
_BEFORE = bytes.fromhex("83 86 87 88 98").decode(WINDOWS)
MISREAD = re.compile(
    # Symbols within a word, or at one side of it: `M†TZE`, `K”ln`, `CAFƒ`, `†BER`, `€PFEL`.
    rf"{_ALPHABETIC}[{_INSIDE}]{{1,2}}{_ALPHABETIC}"
    rf"|{_ALPHABETIC}[{_BEHIND}]|[{_BEFORE}]{_ALPHABETIC}|€{_ALPHABETIC}{{2}}"
    # Capitals within small ones, and small ones within capitals: `KŠse`, `RŽunion`, `MšTZE`.
    rf"|[a-zß-öø-ÿ][ŠŽŒŸ]|{_ALPHABETIC}[ŠŽŒŸ][a-zß-öø-ÿ]|[A-ZÀ-ÖØ-Þ][šœž][A-ZÀ-ÖØ-Þ]"
    # The same at the beginning, and where DOS has the pound: `šBER`, `œ 5`.
    r"|[šœž][A-Z]{2}|œ[ 0-9]"
    # Accents alone: `Ñâåòèëüíèê` is Cyrillic.
    r"|[À-ÖØ-öø-ÿ]{4}"
)
"""What no text in Windows-1252 has, and texts in other encodings have when read as it."""
ACCENTS = re.compile("[À-ÖØ-öø-ÿ]")
"""Characters of Windows-1252 that are symbols in the encodings of DOS and of old Macs."""
OTHERS = "mac-roman, cp850 or windows-1251"


class TextLines(msgspec.Struct, kw_only=True):
    """Every physical line, its end cut off; `faults` by position from 0."""

    texts: list[str]
    encoding: str
    faults: dict[int, str] = {}


def decode(raw: bytes, encoding: str = "") -> TextLines:
    """Return the lines of `raw`, in `encoding` when one is named; raises LoadError."""
    name = encoding or _marked(raw) or _wide(raw) or "utf-8"
    texts = _split(_decoded(raw, name))
    bad = [at for at, text in enumerate(texts) if UNDECODED.search(text)]
    if bad and name == "utf-8" and not encoding:
        return _utf8_or_windows(texts, bad)
    faults = dict.fromkeys(bad, f"bytes that are not {name}")
    return TextLines(texts=texts, encoding=name, faults=faults)


def _marked(raw: bytes) -> str:
    return next((name for mark, name in MARKS if raw.startswith(mark)), "")


def _wide(raw: bytes) -> str:
    """Return the encoding of units of two or four bytes that has no mark, or nothing."""
    for name, zeros in WIDE.items():
        unit = len(zeros)
        sample = raw[: min(SAMPLE_BYTES, len(raw) // unit * unit)]
        enough = max(len(sample) // unit * ZEROS_MIN, 1)
        if all((sample[at::unit].count(0) >= enough) is zero for at, zero in enumerate(zeros)):
            return name
    return ""


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
    misread: dict[int, str] = {}
    for at in bad:
        raw = texts[at].encode("utf-8", "surrogateescape")
        texts[at] = raw.decode(WINDOWS, "surrogateescape")
        if UNDECODED.search(texts[at]):
            misread[at] = f"bytes that are not {WINDOWS}"
        elif match := MISREAD.search(texts[at]):
            misread[at] = f"{match[0]!r} is not a word in {WINDOWS}; say --encoding"
    _refuse_misread(texts, bad, misread)
    faults = dict.fromkeys(good, f"utf-8 among lines in {WINDOWS}") | misread
    return TextLines(texts=texts, encoding=WINDOWS, faults=faults)


def _refuse_misread(texts: list[str], others: list[int], misread: dict[int, str]) -> None:
    """Raise LoadError where more lines speak against Windows-1252 than for it."""
    speaking = sum(at not in misread and bool(ACCENTS.search(texts[at])) for at in others)
    if len(misread) > speaking and 2 * len(misread) > len(others):
        at, fault = next(iter(misread.items()))
        raise LoadError(
            f"line {at + 1}: {fault.removesuffix('; say --encoding')}, and most lines with "
            f"characters outside ASCII are so; say --encoding, such as {OTHERS}, or "
            f"--encoding {WINDOWS} where it is that"
        )
