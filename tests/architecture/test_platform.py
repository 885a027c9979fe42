"""The platform knows no workflow: it reads values, and names no message, no step and no subject."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from app.registry import live_figures, load_workflows
from tests.support.source import ROOT, Module, imports, modules, nodes
from workflows.shared.message import type_name
from workflows.shared.topic import declared

ADAPTERS = ("app/entrypoints/", "app/local/importers/", "app/local/simulators/", "app/gateways/")
"""Where a workflow, or an external system of its own, meets the world: these may name it."""
PLATFORM_SUBJECTS = frozenset({"shared", "audit"})
"""Of `workflows/`: what belongs to the platform itself. What operators do is audited everywhere."""
FRAUD = ("app/fraud/", "app/cli/fraud", "app/console/api/fraud", "app/console/pages/fraud")
"""The judging of payments: it may name the payment's messages and its own."""
FRAUD_SUBJECTS = frozenset({"fraud", "payment"})
NOT_YET: frozenset[str] = frozenset()
"""Modules that still name something; one that no longer does has to leave this list."""


@cache
def messages() -> dict[str, str]:
    """Return the subject of every message, by its class name and by its wire name."""
    load_workflows()
    subject_by_name: dict[str, str] = {}
    for topic in declared.values():
        for message in topic.messages:
            subject = message.__module__.split(".")[1]
            subject_by_name |= {message.__name__: subject, type_name(message): subject}
    return subject_by_name


@cache
def names() -> frozenset[str]:
    """Return the names of workflows and of their steps.

    Not those that name a part of the platform too: `app/fraud`, `app/delivery`.
    """
    own = {path.name for path in (ROOT / "app").iterdir()}
    workflow_names = {
        name
        for workflow in load_workflows().values()
        for name in (workflow.name, *(step.name for step in workflow.steps))
    }
    return frozenset(workflow_names - own)


def figures() -> frozenset[str]:
    """Return the names of all live figures, and what transactions are called."""
    figure_names = {"order"}
    for shape in live_figures().values():
        series = (*shape.by_minute, *(each for chart in shape.rate_charts for each in chart))
        grouped = (pair for group in shape.groups for pair in group.totals)
        titled = (*shape.totals, *grouped, *shape.rates_shown, *shape.by_country, *shape.watched)
        figure_names |= {group.title for group in shape.groups}
        figure_names |= {shape.started, shape.latency, shape.plural, *shape.ended, *shape.rates}
        figure_names |= {shape.funnel_title, shape.latency_title, *shape.added_up}
        figure_names |= {name for each in series for name in (each.title, each.figure)}
        figure_names |= {name for pair in titled for name in pair}
    return frozenset(figure_names - {"open"})


@pytest.mark.parametrize("name", ["live.js", "live_charts.js", "templates/live.html"])
def test_the_live_page_names_no_figure_of_a_workflow(name: str) -> None:
    """Figures, titles and colours are declared with the workflow: another has the same page."""
    text = (ROOT / "web" / name).read_text().lower()

    found_figures = {
        each for each in figures() if re.search(rf"\b{re.escape(each.lower())}\b", text)
    }
    assert set() == found_figures


def allowed_in(module: Module) -> frozenset[str]:
    """Return the subjects that `module` may name."""
    is_fraud = module.path.as_posix().startswith(FRAUD)
    return PLATFORM_SUBJECTS | (FRAUD_SUBJECTS if is_fraud else frozenset())


def foreign_imports(module: Module) -> Iterator[str]:
    """Yield what `module` imports of a subject, or of a table."""
    for name in imports(module):
        package, _, rest = name.partition(".")
        subject = rest.split(".")[0]
        if package == "workflows" and subject and subject not in allowed_in(module):
            yield f"imports {name}"
        if package == "tables" and "." in rest:
            yield f"imports {name}"


def foreign_names(module: Module) -> Iterator[str]:
    """Yield the messages, workflows and steps that `module` names, with their lines."""
    allowed = allowed_in(module)
    foreign = {name for name, subject in messages().items() if subject not in allowed}
    tags = {name for name in foreign if "." in name}
    docstring_ids = {id(node) for node in docstrings(module.tree)}
    for node in nodes(module):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in foreign:
                yield f"{node.lineno}: {name}"
            case ast.Constant(value=str(text)) if id(node) not in docstring_ids:
                if text in names() or any(tag in text for tag in tags):
                    yield f"{node.lineno}: {text!r}"
            case _:
                pass


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield every string that only stands there to be read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def offending() -> dict[str, list[str]]:
    """Return what each module of the platform names, by its path."""
    names_by_path = {
        module.path.as_posix(): [*foreign_imports(module), *foreign_names(module)]
        for module in modules("app")
        if not module.path.as_posix().startswith(ADAPTERS)
    }
    return {path: names_there for path, names_there in names_by_path.items() if names_there}


def test_the_platform_names_no_workflow_no_message_and_no_step():
    """A new workflow is new folders; what names one elsewhere would have to be edited for it."""
    names_by_path = offending()

    assert {} == {
        path: names_there for path, names_there in names_by_path.items() if path not in NOT_YET
    }
    assert set() == NOT_YET - names_by_path.keys()


@pytest.mark.parametrize(
    ("path", "text", "offences"),
    [
        pytest.param(
            "app/x.py",
            "from workflows.order.state import Order",
            ["imports workflows.order.state.Order"],
            id="a subject",
        ),
        pytest.param(
            "app/x.py",
            "from tables.order import orders",
            ["imports tables.order.orders"],
            id="a table",
        ),
        pytest.param("app/x.py", "x = m.OrderPlaced", ["1: OrderPlaced"], id="a message"),
        pytest.param(
            "app/x.py",
            "x = 'type:payflow.order.placed.v1'",
            ["1: 'type:payflow.order.placed.v1'"],
            id="a message by its wire name",
        ),
        pytest.param("app/x.py", "x = row('shipping')", ["1: 'shipping'"], id="a step"),
        pytest.param("app/x.py", '"""order"""', [], id="a text for people"),
        pytest.param("app/x.py", "from workflows.shared import topic", [], id="what is shared"),
        pytest.param("app/fraud/x.py", "x = PaymentCompleted", [], id="fraud and a payment"),
        pytest.param("app/fraud/x.py", "x = OrderPlaced", ["1: OrderPlaced"], id="fraud"),
    ],
)
def test_what_is_named_is_seen(path: str, text: str, offences: list[str]):
    """The test would see each of them."""
    module = Module(path=Path(path), name="app.x", text=text, tree=ast.parse(text))

    assert offences == [*foreign_imports(module), *foreign_names(module)]


RIDE = {
    "messages.py": """
from workflows.shared.limits import Name
from workflows.shared.message import Message

class RideAsked(Message, tag="payflow.ride.asked.v1", frozen=True, kw_only=True):
    ride_id: Name

class RideEnded(Message, tag="payflow.ride.ended.v1", frozen=True, kw_only=True):
    ride_id: Name
""",
    "topics.py": """
from operator import attrgetter
from workflows.ride.messages import RideAsked, RideEnded
from workflows.shared.topic import declare

rides = declare(
    "rides", RideAsked | RideEnded, key=attrgetter("ride_id"), writer="console", traced=True
)
""",
    "workflow.py": """
from workflows.ride.messages import RideAsked, RideEnded
from workflows.ride.topics import rides
from workflows.shared.invariants import Invariants, Findings
from workflows.shared.workflow import Step, View, Workflow, declare_workflow

declare_workflow(
    Workflow(
        name="ride",
        started_by=RideAsked,
        key="ride_id",
        table="ride",
        ends={"ended": RideEnded},
        outcome=lambda _end: "ended",
        steps=(Step(name="driver", awaits="a driver to accept"),),
        invariants=Invariants(
            topics=(rides,),
            services=frozenset(),
            facts=list,
            project=lambda facts, message, at_ms: facts.append(message.ride_id),
            rows={},
            judge=lambda facts, moment: Findings(
                checks=(),
                figures={"rides": len(facts)},
                started=len(facts),
                unsettled=0,
                summary="",
                rows="",
            ),
            balances=(),
            made_of=("rides",),
        ),
        view=View(
            open_statuses=("searching",),
            facts=dict,
            shown=lambda state, now_ms: {},
            headline=lambda facts: "",
            began=("asked", "asked_at_ms"),
            begun=bool,
            waits=lambda state, now_ms: (("driver", "searching"),),
            brief=lambda state: state,
            pending_steps=lambda state: (),
            retried_calls=lambda rows: (),
            presets={},
            milestones=(),
            id_topics=(rides,),
            person_table="payment",
            person_of=lambda row: "",
        ),
    )
)
""",
}
SCRIPT = """
import workflows
workflows.__path__.append({folder!r})
from app.config import Config
from app.console.api.transaction_search import statuses
from app.operations.verification.facts import Facts
from app.operations.verification.verdict import judge
from app.registry import load_agents, load_workflows, wanted_topics
from app.wire.envelope import Envelope
from app.worker import metrics
from workflows.shared.invariants import Moment

found = load_workflows()
from workflows.ride.messages import RideAsked

metrics.declare_metrics()
facts = Facts()
envelope = Envelope(
    id="e", type="", source="", time_ms=1, subject="r1", correlation_id="r1"
)
facts.project(found.values(), RideAsked(ride_id="r1"), envelope)
print("rides" in {{spec.name for spec in wanted_topics(Config())}})
print("rides" in {{topic.name for topic in load_agents()["journal"].consumes}})
print("payflow_ride_seconds" in {{family.name for family in metrics.REGISTRY.collect()}})
print({{"searching", "ended"}} <= set(statuses()))
print(judge(facts, Moment(now_ms=1), found.values()).plain()["rides"])
"""


def test_a_new_workflow_is_a_new_folder(tmp_path: Path):
    """Its topics, journal, metrics, statuses and invariants follow from its value alone."""
    folder = tmp_path / "ride"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, text in RIDE.items():
        (folder / name).write_text(text)
    script = SCRIPT.format(folder=str(tmp_path))

    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ("True\nTrue\nTrue\nTrue\n1\n", "") == (answer.stdout, answer.stderr)


def test_every_template_that_is_named_is_there():
    """A page whose template was renamed would fail when somebody opens it."""
    templates = {
        node.value
        for module in modules("app")
        for node in nodes(module)
        if isinstance(node, ast.Constant) and str(node.value).endswith(".html")
    }

    assert set() == templates - {path.name for path in (ROOT / "web" / "templates").glob("*.html")}
