"""What contradicts itself does not start: the error names both sides."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import Counter

from app import check_extension, registry
from app.cli import commands
from app.config import ConfigError
from app.console.api.routes import of_workflow
from app.delivery.agent import registered
from app.entrypoints.requests import entrypoint_of
from app.host.routes import Route, RouteError, serve_routes
from app.registry import check_declarations, load_agents, load_workflows
from app.worker import metrics
from workflows.order.messages import OrderPlaced
from workflows.order.workflow import ORDER
from workflows.shared import reaction, topic, workflow
from workflows.shared.errors import DeclarationError
from workflows.shared.topic import by, declare
from workflows.shared.workflow import declare_workflow

OTHER = replace(
    ORDER,
    name="other",
    table="shipping",
    figures=None,
    invariants=replace(
        ORDER.invariants,
        judge=lambda facts, moment: replace(ORDER.invariants.judge(facts, moment), figures={}),
        balances=(),
    ),
)
"""Another workflow, of which nothing contradicts the first."""


@pytest.fixture(autouse=True)
def declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is declared in service, and one workflow more than there are folders."""
    load_workflows()
    load_agents()
    monkeypatch.setitem(workflow.declared, "other", OTHER)


def test_what_is_declared_in_service_contradicts_nothing() -> None:
    """Nor does a second workflow with names of its own."""
    check_declarations()


@pytest.mark.parametrize(
    ("changed", "objection"),
    [
        pytest.param({"table": "order"}, "order and other have one table: order", id="a table"),
        pytest.param({"table": "none"}, "other: there is no table none", id="no table"),
        pytest.param({"key": "id"}, "its key id is not a field of OrderPlaced", id="no key"),
        pytest.param(
            {"figures": ORDER.figures},
            "the live figures of workflows order and other name no workflow",
            id="figures",
        ),
        pytest.param(
            {"invariants": ORDER.invariants},
            "verify: workflows order and other have one figure",
            id="figures of verify",
        ),
        pytest.param(
            {"invariants": replace(OTHER.invariants, balances=("gone",))},
            "the balance gone of workflow other is none of its figures",
            id="a balance",
        ),
    ],
)
def test_workflows_do_not_share_what_is_of_one(
    changed: Mapping[str, Any], objection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, figures and balances of one would be taken for those of another."""
    monkeypatch.setitem(workflow.declared, "other", replace(OTHER, **changed))

    with pytest.raises(DeclarationError, match=objection):
        check_declarations()


def test_a_folder_is_named_like_its_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """`payflow <folder> show` finds it by that name."""
    monkeypatch.setattr(registry, "subjects_with", lambda _module: ["order", "ride"])

    with pytest.raises(DeclarationError, match=r"workflows/ride/workflow.py declares no workflow"):
        check_declarations()


@pytest.mark.parametrize("name", ["other.redrive", "other.timers", "a.b.dead", "workers"])
def test_a_topic_has_no_name_of_another_kind(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic of an agent's own records would carry messages."""
    monkeypatch.setitem(topic.declared, name, topic.declared["orders"])

    with pytest.raises(DeclarationError, match=f"topic {name} has the name of a "):
        check_declarations()


def test_a_topic_is_declared_once() -> None:
    """The second would take the place of the first, and of its messages."""
    with pytest.raises(DeclarationError, match="topic payments is declared twice"):
        declare("payments", OrderPlaced, key=by("order_id"), writer="other")

    assert "payment" == topic.declared["payments"].writer


@pytest.mark.parametrize("name", ["", "Ride", "a-ride", "a|ride", "4711", "ri\u0301de"])
def test_a_workflow_has_a_name_that_rows_and_metrics_can_hold(name: str) -> None:
    """`|` separates it from what follows in a row of analytics."""
    with pytest.raises(DeclarationError, match="a name is of a-z"):
        declare_workflow(replace(OTHER, name=name))


def test_reactions_and_agents_name_what_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the pen would be a reaction that never comes."""
    one = {OrderPlaced: {"ordr": lambda _event: None}}
    with monkeypatch.context() as context:
        context.setitem(reaction.declared, "paymnt", {})
        with pytest.raises(DeclarationError, match="there is no agent paymnt"):
            check_declarations()
    with monkeypatch.context() as context:
        context.setitem(reaction.declared, "payment", one)
        with pytest.raises(DeclarationError, match="of payment: there is no workflow ordr"):
            check_declarations()
    with monkeypatch.context() as context:
        context.setitem(registered, "order", replace(registered["order"], workflow="ordr"))
        with pytest.raises(DeclarationError, match="agent order: there is no workflow ordr"):
            check_declarations()


def test_an_agent_has_the_name_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its docstring is read there."""
    monkeypatch.setitem(registered, "ride", replace(registered["order"], name="ride"))

    with pytest.raises(DeclarationError, match="agent ride is not in a file agents/ride"):
        check_declarations()


def test_a_workflow_is_named_like_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """`payflow topics` would be one of them, and the other could not be called."""
    commands.check_names()
    monkeypatch.setattr(commands, "WORKFLOWS", ["order", "topics"])

    with pytest.raises(DeclarationError, match="workflow topics has the name of the command"):
        commands.check_names()


def test_a_workflow_has_a_metric_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a `payflow_batch_seconds` of the engine."""
    monkeypatch.setitem(workflow.declared, "batch", replace(OTHER, name="batch"))
    with pytest.raises(DeclarationError, match="payflow_batch_seconds of the workflow batch"):
        metrics.declare_metrics()


def test_a_counter_has_a_name_of_its_own() -> None:
    """Of messages too."""
    Counter("payflow_declared_test_total", "A test.")
    counted = topic.MessageCounter(
        message=OrderPlaced, metric="payflow_declared_test_total", help="Another."
    )

    with pytest.raises(DeclarationError, match=r"of messages of payflow\.order\.placed\.v1"):
        metrics._counter_of(counted)


def test_requests_are_of_a_workflow_that_is_declared() -> None:
    """An entrypoint without its workflow says so."""
    entrypoint = entrypoint_of("order")
    assert entrypoint is not None

    with pytest.raises(DeclarationError, match="under /orders: there is no workflow ordr"):
        list(of_workflow(replace(entrypoint, workflow="ordr")))


def test_no_route_hides_another() -> None:
    """The first would be served and the second never, whatever its parameter is called."""

    def route(path: str) -> Route:
        async def handler(_request: Any) -> Any: ...

        return Route(method="GET", path=path, handler=handler, audience="public", role=None)

    app: Any = SimpleNamespace()

    with pytest.raises(RouteError, match=r"GET /tables/\{name\} is declared beside .*\{ride_id\}"):
        serve_routes(app, (route("/tables/{ride_id}"), route("/tables/{name}")))


@pytest.mark.parametrize("name", ["payment.py", "payment/__init__.py"])
def test_an_extension_replaces_no_module(name: str, tmp_path: Path) -> None:
    """Python would import the one whose folder comes first, in silence."""
    here, extension = tmp_path / "here", tmp_path / "extension"
    for path in (here / "payment.py", extension / "agents" / name):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    with pytest.raises(ConfigError, match=r"payment has the name of .*here/payment.py"):
        check_extension(extension, extension / "agents", [str(here)])


def test_an_extension_is_a_folder(tmp_path: Path) -> None:
    """One that is not there would be an instance without its workflow."""
    with pytest.raises(ConfigError, match="there is no folder"):
        check_extension(tmp_path / "none", tmp_path / "none" / "agents", [])


def test_an_extension_may_lack_a_package_and_have_an_empty_init(tmp_path: Path) -> None:
    """What it adds beside what is there is welcome."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()
    (tmp_path / "agents" / "ride.py").touch()

    check_extension(tmp_path, tmp_path / "tables", [])
    check_extension(tmp_path, tmp_path / "agents", ["agents"])
