"""What a request says: its path, query, headers, cookies, forms and bodies. The one reader of them.

Each function returns a value of one type, within bounds, or raises BadParameter, which names the
field: a 400. No other module reads `request.headers`, `.query`, `.match_info[...]` or `.cookies`:
`tests/architecture/test_parameters.py` refuses it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from workflows.shared.errors import ErrorKind, PayflowError
from workflows.shared.limits import NAME_PATTERN

NAME_CHARS_MAX = 200
"""Of an id in a path, and of an idempotency key."""
DIGITS_MAX = 18
"""More than any number has that is asked for; Python refuses to read more than 4,300."""
FIELDS_MAX = 1_000
"""Of a form."""
FORM = "application/x-www-form-urlencoded"

Shape = TypeVar("Shape")

_PATTERN = re.compile(r"matching regex '.*'", re.DOTALL)
"""How msgspec says which texts a field takes: in a regular expression, which is for programs."""
_NAME = re.compile(NAME_PATTERN)
_FIELD = re.compile(r"(?:unknown|required) field `([^`]*)`")
AS_DESCRIBED = "of the form that /openapi.json describes"


class BadParameter(PayflowError, ValueError):
    """What a request says is of no use; `field` names the header, parameter or field."""

    kind: ClassVar[ErrorKind] = "invalid"

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(for_people(detail))
        self.field = field


def for_people(detail: str) -> str:
    """Return `detail` without the regular expression that msgspec shows."""
    return _PATTERN.sub(AS_DESCRIBED, detail)


def whole_number(digits: str, least: int, most: int) -> int | None:
    """Return the number that `digits` write, None where they do not, or out of bounds."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX):
        return None
    number = int(digits)
    return number if least <= number <= most else None


def is_text(value: str) -> bool:
    """Return whether `value` can be encoded as UTF-8: without lone surrogates."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def is_name(value: str) -> bool:
    """Return whether a message takes `value` as an id too, but for its length: keys join ids."""
    return len(value) <= NAME_CHARS_MAX and bool(_NAME.search(value))


# --- the query ------------------------------------------------------------------


def query_of(request: web.Request) -> Mapping[str, str]:
    """Return all parameters of the query, each once. Raises BadParameter unless they are text."""
    for name, value in request.query.items():
        if not (is_text(name) and is_text(value)):
            label = name[:100] if is_text(name) else "query"
            raise BadParameter("a parameter of the query is not UTF-8 text", label)
    return request.query


def refuse_unknown(request: web.Request, names: Sequence[str]) -> None:
    """Raise BadParameter for a parameter of the query that is not in `names`.

    A filter with a typing mistake would show everything.
    """
    for name in query_of(request):
        if name not in names:
            there = ", ".join(names) or "none"
            raise BadParameter(
                f"there is no parameter {name[:100]!r} here; there are: {there}", name[:100]
            )


def text_of(request: web.Request, name: str, standard: str = "") -> str:
    """Return the parameter `name` of the query. Raises BadParameter, also where it is repeated."""
    query_of(request)
    occurrences = request.query.getall(name, [standard])
    if len(occurrences) > 1:
        raise BadParameter(f"{name} is said more than once", name)
    return occurrences[0]


def texts(request: web.Request, name: str) -> Sequence[str]:
    """Return the parameters `name` of the query that say something. Raises BadParameter."""
    query_of(request)
    return [text for text in request.query.getall(name, []) if text]


def whole(request: web.Request, name: str, standard: int, least: int, most: int) -> int:
    """Return the parameter `name` as a whole number within bounds. Raises BadParameter."""
    number = whole_number(text_of(request, name, str(standard)), least, most)
    if number is None:
        raise BadParameter(f"{name} must be a whole number from {least} to {most}", name)
    return number


def one_of(request: web.Request, name: str, choices: Sequence[str], standard: str = "") -> str:
    """Return the parameter `name`, one of `choices` or `standard`. Raises BadParameter."""
    choice = text_of(request, name, standard)
    if choice != standard and choice not in choices:
        raise BadParameter(f"{name} is one of {', '.join(choices)}", name)
    return choice


# --- the path ------------------------------------------------------------------


def path_text(request: web.Request, name: str) -> str:
    """Return the part `name` of the path, whatever text it is. Raises BadParameter."""
    text = request.match_info.get(name, "")
    if not is_text(text):
        raise BadParameter(f"{name} is not UTF-8 text", name)
    return text


def path_name(request: web.Request, name: str) -> str:
    """Return the part `name` of the path, an id. Raises BadParameter."""
    text = path_text(request, name)
    if not is_name(text):
        raise BadParameter(f"{name} is not an id", name)
    return text


# --- headers ------------------------------------------------------------------


def check_headers(request: web.Request) -> None:
    """Raise BadParameter for a header that is not text; every server does so first."""
    for name, value in request.headers.items():
        # aiohttp decodes bytes that are not UTF-8 as lone surrogates, which nothing can encode.
        if not is_text(value):
            label = name if name.isprintable() and is_text(name) else "of a header"
            raise BadParameter(f"the value of {label} is not UTF-8 text", label)


def header(request: web.Request, name: str, standard: str = "") -> str:
    """Return the header `name`; `check_headers` has refused those that are not text."""
    return request.headers.get(name, standard)


def header_if_any(request: web.Request, name: str) -> str | None:
    """Return the header `name`, None where there is none."""
    return request.headers.get(name)


def header_texts(request: web.Request, name: str) -> Sequence[str]:
    """Return the headers `name`."""
    return request.headers.getall(name, [])


def has_header(request: web.Request, name: str) -> bool:
    """Return whether there is a header `name`."""
    return name in request.headers


def cookie(request: web.Request, name: str) -> str:
    """Return the cookie `name`; "" where there is none, or what was sent is not text."""
    text = request.cookies.get(name, "")
    return text if is_text(text) else ""


def idempotency_key(request: web.Request) -> str:
    """Return the `Idempotency-Key`. Raises BadParameter when it is missing or of no use."""
    name = "Idempotency-Key"
    key = header(request, name)
    if not key:
        detail = f"header {name} is missing: choose one for each order, repeat it on retry"
        raise BadParameter(detail, name)
    if not is_name(key):
        raise BadParameter(
            f"header {name} must be 1 to {NAME_CHARS_MAX} characters, none of control", name
        )
    return key


def media_type(request: web.Request) -> str:
    """Return the type of the body, without its parameters."""
    return request.content_type


def host_of(request: web.BaseRequest) -> str:
    """Return `Host` as it was sent, with the port."""
    return request.host


def origin_of(request: web.Request) -> str:
    """Return scheme, host and port by which this server was asked. Raises BadParameter."""
    try:
        return str(request.url.origin())
    except ValueError as error:
        raise BadParameter("the header Host names no host", "Host") from error


# --- bodies ------------------------------------------------------------------


async def body_of(request: web.Request) -> bytes:
    """Return the body. Raises BadParameter where it is broken: of wrong chunks, or cut off."""
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise BadParameter("the body is cut off, or its chunks are broken", "body") from error


async def form_of(request: web.Request) -> dict[str, str]:
    """Return the fields of a form, {} for another body. Raises BadParameter.

    Always UTF-8: aiohttp would believe the header about it, and fail for a charset that is none.
    """
    if media_type(request) != FORM:
        return {}
    body = await body_of(request)
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError as error:
        detail = f"the body is not a form of at most {FIELDS_MAX:,} fields in UTF-8"
        raise BadParameter(detail, "body") from error
    return dict(pairs)


def of_wrong_shape(error: msgspec.ValidationError) -> BadParameter:
    """Return `error` as what a request says, with the field that it names."""
    detail, _, path = str(error).partition(" - at `")
    field = path.rstrip("`").removeprefix("$").lstrip(".")
    if match := _FIELD.search(detail):
        field = f"{field}.{match.group(1)}".lstrip(".")
    return BadParameter(detail, field or "body")


def decoded(body: bytes, shape: type[Shape]) -> Shape:
    """Return JSON as `shape`. Raises BadParameter naming the field that is wrong."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise of_wrong_shape(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadParameter(f"a JSON syntax error: {error}", "body") from error
