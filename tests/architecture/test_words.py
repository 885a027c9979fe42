"""One word, one meaning: names and texts use the words of the field, not the dialect of old.

Kept: what lies on the wire (tags, topics, headers, metric names, fields renamed by
`msgspec.field(name=...)`, ids derived from text), and the columns of the retail file.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.source import ROOT, Module, bound_names, modules, nodes

REFUSED_NAMES = {
    "room": "agent", "rooms": "agents", "house": "app, registry", "hears": "consumes",
    "heard": "received", "told": "emitted", "tells": "produces", "tell": "emit",
    "judgment": "verdict, decide", "owed": "pending", "shell": "processor", "seal": "signature",
    "sealed": "signed", "fence": "applied_offsets", "genuine": "is_authentic",
    "letter": "dead_letter", "letters": "dead_letters", "desk": "context", "looks": "queries",
    "looking": "query", "passage": "evaluation", "parcel": "shipment", "parcels": "shipments",
    "pulse": "metrics", "lab": "fault_injection", "awaited": "pending", "parties": "entities",
    "unheard": "unconsumed",
}  # fmt: skip
"""Parts of a name, and what to call it instead."""

OUTSIDE_SENTENCES = {
    "word": "message, text", "words": "messages, texts", "hear": "consume", "keeps": "table",
    "given": "record, params, input", "head": "header, envelope, first", "memory": "state",
    "fold": "project, evolve", "folds": "projects", "folded": "projected", "settle": "drain",
    "settles": "ends", "settled": "ended, at rest, drained", "saying": "outbox_entry",
    "seen": "processed_ids, observation, what it is", "home": "partition, folder", "look": "query",
    "guard": "auth, require, check", "guards": "checks", "guarded": "checked", "acting": "operator",
    "standing": "open_orders", "stands": "status", "board": "live_state", "proof": "invariants",
    "lane": "entity_queue, swimlane", "lanes": "entity_queues, swimlanes", "wording": "labels",
    "named": "what it is a name of", "checked": "check, validate, validated", "goods": "items",
    "cut": "consistent_cut, truncated", "cuts": "pauses, truncates",
}  # fmt: skip
"""Parts of a name that is no sentence, and what to call it instead; a test's name is a sentence."""

REFUSED_WHOLE = {"progress": "positions, state of a scan, status line"}
"""A whole name, and what to call it instead: a part says whose progress it is."""

FIELD_WORDS = {
    # Cross-validation splits the payments into folds.
    "fold": ("app/fraud/training/", "app/cli/fraud_training.py", "tests/*/test_*evaluation.py"),
    "folds": ("app/fraud/training/", "app/cli/fraud_training.py"),
    # A hash chain ends with its head.
    "head": ("app/operations/audit/", "app/cli/audit.py"),
    # MemoryRecords is a class of aiokafka, which is replaced there.
    "memory": ("app/kafka/record_batches.py",),
    # A payment provider settles; an operator's decision says so under this name.
    "settled": (
        "tests/support/examples/reconciliation.py", "tests/unit/test_refunds.py",
        "app/console/api/settle",
    ),
    # A message, a stored row or JSON has a field of this name, or a check has this name in JSON.
    "settle": (
        "workflows/order/order_checks.py", "app/cli/settle.py", "app/console/api/settle",
        "tests/support/settlement.py",
    ),
    "given": ("workflows/audit/messages.py",),
    "seen": (
        "workflows/fraud/entity.py", "app/operations/verification/verdict.py",
        "app/console/api/invariants.py",
    ),
    "home": ("app/console/api/dead_letters.py",),
    "cut": ("workflows/fraud/entity.py",),
    "checked": ("workflows/shared/invariants.py",),
    "goods": (
        "workflows/fraud/state.py", "workflows/ledger/process.py", "workflows/order/messages.py",
        "workflows/order/reactions.py", "workflows/payment/", "tests/support/examples/ledger.py",
        "app/console/api/fraud_shapes.py",
    ),
}  # fmt: skip
"""Where a refused part is the field's own word, or lies on the wire."""

REFUSED_TEXT = {
    r"rooms|(the|a|an|each|every|its|other|that) room": "agent",
    r"(in the|whole|the) house": "Payflow, worker, app",
    r"(un)?heard|hears?": "received, consumes",
    r"(un|re)?told(?! apart)|tells?(?! (.{1,40} )?(apart|whose))": "emitted, produces, says",
    r"judge?ments?": "verdict",
    r"the shell|a beat": "processor, checkpoint",
    r"(a|the) (saying|fence)": "outbox entry, applied offsets",
    r"seal(s|ed)?": "signature, signed",
    r"(?<!dead[\s-])(?<!capital )letters?": "dead letter",
    r"(laid|lays?|laying) aside": "dead-lettered",
    r"desk|the board": "context, state",
    r"pulse|(the|a|in) lab": "metrics, fault injection",
    r"(the|a) passage": "evaluation",
    r"parcels?": "shipment",
    r"parties|party": "entity, external system",
    r"do(es)? wrong": "inject fault",
    r"let(s|ting)? (it|them) go": "discard",
    r"tak(en?|es) back|took back": "cancelled, compensated",
    r"giv(e|en|es|ing) back|gave back": "refunded",
    r"(was|is|are|were) emitted(?= (to|a|the|something|some|nothing|so|not|twenty|twice|again)\b)":
        "a thing is emitted; a person or a service receives it",
    r"acting (as|for|through)": "operator action",
    r"look(ed|s)? (at|through)|looked for|who(ever)? looks|somebody looks": "read, search",
    r"(the|a|its|their) doors?|a proof|the proof": "HTTP server, route, invariants",
    r"(orders|events|payments|letters|outs|refunds|rate`|rates|judged) a second": "per second",
    r"(how|where) (\w+ ){1,5}stands?": "the status, the offset",
    r"taking back": "compensating",
    r"(un)?guard(s|ed)?|folded": "checked, authenticated, projected",
    r"robbed|(is|are|was|were|being|be) hurt": "wiped, faulted",
    r"goods": "items",
    r"(?<!there )(is|are|was|were) no(?! (longer|more|less|one|other|different|better|worse))":
        "is not a",
}  # fmt: skip
"""Regular expressions between word boundaries, and what to write instead."""

TEXT = re.compile("|".join(rf"(?:\b(?:{pattern})\b)" for pattern in REFUSED_TEXT), re.IGNORECASE)
CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|[\w.]+\.v\d+\b|Heard\s+Island", re.DOTALL)
TEMPLATE = re.compile(r"\{[{%#].*?[}%#]\}|<script.*?</script>|</?\w[^>]*?>", re.DOTALL)
TERMS = re.compile(r"dead_?letters?|consistent_?cut", re.IGNORECASE)
"""Terms of the field that have a refused part."""
SQL = re.compile(r"\b(CREATE|DROP) (TABLE|INDEX)|\bSELECT |\bINSERT |\bUPDATE |\bDELETE ")
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
SOURCES = ("app", "agents", "tables", "workflows", "tests")
DOCUMENTS = (
    "README.md", "STYLE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/**/*.md",
    "data/*.md", "Makefile",
    "Dockerfile", "pyproject.toml", "compose.yaml", "deploy/*",
)  # fmt: skip
OWN = Path("tests/architecture/test_words.py")


def modules_of(package: str) -> Iterator[Module]:
    """Yield the modules of `package` but this one, which holds the refused words."""
    return (module for module in modules(package) if module.path != OWN)


def texts(module: Module) -> Iterator[tuple[str, int]]:
    """Yield comments, and strings that are sentences: what has no blank is a name, not prose."""
    ids = {
        id(argument)
        for node in nodes(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("derive_id")
        for argument in node.args
    }
    for node in nodes(module):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and " " in node.value and not SQL.search(node.value) and id(node) not in ids:
            yield node.value, node.lineno
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string, token.start[0]


def refused_parts(module: Module, name: str) -> Iterator[str]:
    """Yield what to call `name` of `module` instead, for each part of it that is refused."""
    whole = name.strip("_").lower()
    refused = REFUSED_NAMES if whole.startswith("test_") else REFUSED_NAMES | OUTSIDE_SENTENCES
    if whole in REFUSED_WHOLE:
        yield REFUSED_WHOLE[whole]
    for part in {each.lower() for each in PARTS.findall(TERMS.sub("", name))}:
        own = any(module.path.match(f"{place}*") for place in FIELD_WORDS.get(part, ()))
        if part in refused and not own:
            yield refused[part]


def refused_in(text: str) -> list[tuple[str, int]]:
    """Return the refused words of `text` and their lines from 0; code and wire names are exempt."""
    prose = CODE.sub(lambda code: re.sub(r"[^\n]", "#", code[0]), text)
    return [(match[0], prose.count("\n", 0, match.start())) for match in TEXT.finditer(prose)]


@pytest.mark.parametrize("package", SOURCES)
def test_names_are_the_words_of_the_field(package: str) -> None:
    """A name that speaks the old dialect is named with what to call it."""
    refused = [
        f"{module.path}:{line} {name}: {instead}"
        for module in modules_of(package)
        for name, line, _ in bound_names(module)
        for instead in refused_parts(module, name)
    ]

    assert [] == refused


@pytest.mark.parametrize("package", SOURCES)
def test_texts_are_the_words_of_the_field(package: str) -> None:
    """Docstrings, comments, log lines, errors and help."""
    refused = [
        f"{module.path}:{line + at} {word}"
        for module in modules_of(package)
        for text, line in texts(module)
        for word, at in refused_in(text)
    ]

    assert [] == refused


def test_documents_are_the_words_of_the_field() -> None:
    """What people read first."""
    refused = [
        f"{path.relative_to(ROOT)}:{1 + at} {word}"
        for pattern in DOCUMENTS
        for path in ROOT.glob(pattern)
        for word, at in refused_in(path.read_text(encoding="utf-8"))
    ]

    assert [] == refused


def test_pages_are_the_words_of_the_field() -> None:
    """The console's templates and scripts, expressions and tags left out."""
    pages = [*(ROOT / "web").glob("*.js"), *(ROOT / "web/templates").glob("*.html")]
    refused = [
        f"{path.name}:{1 + at} {word}"
        for path in pages
        for word, at in refused_in(
            TEMPLATE.sub(lambda code: re.sub(r"[^\n]", "#", code[0]), path.read_text("utf-8"))
        )
    ]

    assert [] == refused
