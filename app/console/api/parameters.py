"""What the parameters of requests may be, for the document of the API.

The handlers check them; a test compares the two.
"""

from app.console.api.transaction_search import QUERY_CHARS_MAX
from app.gateways.signature import HEADER_CHARS_MAX
from app.host.parameters import DIGITS_MAX, NAME_CHARS_MAX
from app.operations.dead_letters.status import STATES
from app.operations.search.expression import CHARS_MAX as EXPRESSION_CHARS_MAX
from app.worker.http import LIMIT_MAX
from workflows.shared.limits import NAME_PATTERN, TEXT_CHARS_MAX

Schema = dict[str, object]


def _text(most: int, least: int = 0) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _one_of(*names: str) -> Schema:
    return {"type": "string", "enum": list(names)}


ID = {**_text(NAME_CHARS_MAX, 1), "pattern": NAME_PATTERN}
MOMENT: Schema = {"type": "string", "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}
"""A form that is sent as it is says nothing of a time."""
SIGNATURE = _text(HEADER_CHARS_MAX, 1)
NUMBER = _whole(0, 10**DIGITS_MAX - 1)
SCHEMAS: dict[str, Schema] = {
    "Idempotency-Key": ID,
    "at": NUMBER,
    "cel": _text(EXPRESSION_CHARS_MAX),
    "follow": _whole(0, 1),
    "format": _one_of("ndjson", "csv"),
    "hits": _whole(0, 1),
    "internal": _whole(0, 1),
    "limit": _whole(1, 1_000),
    "offset": NUMBER,
    "older": _whole(0, 20),
    "partition": _whole(0, 999_999),
    "skip": _whole(0, 1_000_000),
    "why": {**_text(TEXT_CHARS_MAX, 1), "pattern": r"\S"},
}
"""By name; of one route alone, by its path and its name. All other headers sign a webhook, all
other parameters are texts."""
OF_ROUTES: dict[str, Schema] = {
    "/tables/{name} limit": _whole(1, LIMIT_MAX),
    "/inbox limit": _whole(1, 200),
    "/transactions q": {**_text(QUERY_CHARS_MAX), "pattern": f"{NAME_PATTERN}|^$"},
    "/fraud/backtest from": MOMENT,
    "/fraud/trial from": MOMENT,
    "/fraud/cases limit": _whole(1, 100),
    "/fraud/cases state": _one_of("open", "closed", "all"),
    "/dead-letters/list state": _one_of("", *STATES),
    "/topics/{name}/records limit": _whole(1, 500),
    "/topics/{name}/find limit": _whole(1, 10_000),
    "/topics/{name}/export limit": _whole(1, 10_000),
}
REQUIRED = frozenset({"why"})
REPEATED = frozenset({"q"})
"""Which may stand several times in a query."""


def parameter_of(path: str, name: str, place: str = "") -> dict[str, object]:
    """Return the description of a parameter of the route at `path`."""
    # Names of headers begin with a capital.
    place = place or ("header" if name[0].isupper() else "query")
    schema = OF_ROUTES.get(f"{path} {name}") or SCHEMAS.get(name)
    others: dict[str, Schema] = {"path": ID, "header": SIGNATURE}
    schema = schema or others.get(place) or {"type": "string"}
    if name in REPEATED and path.startswith("/topics/"):
        schema = {"type": "array", "items": schema}
    required = place in others or name in REQUIRED
    return {"name": name, "in": place, "required": required, "schema": schema}
