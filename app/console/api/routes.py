"""Every route of the API, declared once for the server and for OpenAPI."""

from collections.abc import Iterator
from functools import partial

from app.console.api import (
    commands,
    customer_search,
    dead_letter_actions,
    fault_injection,
    operator_actions,
    session,
)
from app.console.api.fraud_routes import FRAUD_ROUTES
from app.console.api.money_routes import MONEY_ROUTES
from app.console.api.reading_routes import READING_ROUTES
from app.console.api.route_kinds import REFUSED, action, get, post, webhook
from app.console.api.workflow_requests import WorkflowRequests
from app.console.api.workflow_shapes import (
    accepted_shape,
    events_shape,
    page_shape,
    status_shape,
)
from app.entrypoints.requests import Entrypoint, load_entrypoints
from app.host.routes import Route
from app.registry import load_workflows
from workflows.shared.errors import DeclarationError


def of_workflow(entrypoint: Entrypoint) -> Iterator[Route]:
    """Yield the routes of one workflow's requests. Raises DeclarationError when there is none."""
    if entrypoint.workflow not in load_workflows():
        raise DeclarationError(
            f"the requests under {entrypoint.path}: there is no workflow {entrypoint.workflow}"
        )
    requests, start = WorkflowRequests(entrypoint), entrypoint.start
    workflow = load_workflows()[entrypoint.workflow]
    name, accepted = workflow.name, accepted_shape(workflow)
    one = f"{entrypoint.path}/{{{workflow.key}}}"
    yield post(
        entrypoint.write_scope,
        entrypoint.path,
        requests.start,
        start.summary,
        start.body,
        "Idempotency-Key",
        shape=accepted,
    )
    listed, scope = f"List {entrypoint.listed_as} by id", entrypoint.read_scope
    parameters = "state", "limit", "after"
    page = page_shape(workflow, entrypoint.listed_as)
    yield get(entrypoint.path, requests.listed, listed, *parameters, scope=scope, shape=page)
    status = f"The status of one {name}"
    yield get(one, requests.show, status, scope=scope, shape=status_shape(workflow))
    events = "The transaction, causes before effects"
    shape = events_shape(workflow)
    yield get(f"{one}/events", requests.events, events, scope=scope, shape=shape)
    for each in entrypoint.follow:
        handler = partial(requests.follow, each)
        scope = each.scope or entrypoint.write_scope
        yield post(
            scope,
            one + each.path,
            handler,
            each.summary,
            each.body,
            shape=accepted,
            optional=each.optional,
        )


def of_others() -> Iterator[Route]:
    """Yield the routes of commands and webhooks."""
    for command in load_entrypoints().commands:
        handler = partial(commands.command, command)
        yield post(
            command.scope,
            command.path,
            handler,
            command.summary,
            command.body,
            shape=command.shape,
        )
    for each in load_entrypoints().webhooks:
        yield webhook(each.path, partial(commands.webhook, each), each.summary, each.header)


ROUTES = (
    *(route for each in load_entrypoints().workflows for route in of_workflow(each)),
    *of_others(),
    *READING_ROUTES,
    Route(
        method="POST",
        path="/sign-in",
        handler=session.sign_in,
        audience="public",
        role=None,
        summary="Sign in",
        body=session.SignInAsked,
        answers=(200, *REFUSED),
    ),
    action("viewer", "/sign-out", session.sign_out, "Sign out", None, 204),
    get(
        "/me", session.me, "Who is signed in", audience="public", answers=(200, 400, 401, 429, 503)
    ),
    *MONEY_ROUTES,
    *FRAUD_ROUTES,
    action(
        "operator",
        "/operators/faults/{system}",
        fault_injection.switch,
        "Inject faults into an external system",
        fault_injection.FaultsAsked,
    ),
    action(
        "operator",
        "/operators/faults/{system}/clear",
        fault_injection.clear,
        "End the faults",
        fault_injection.WhyAsked,
    ),
    action(
        "operator",
        "/operators/processes/{name}/kill",
        fault_injection.kill,
        "Kill a process: only with fault injection",
        fault_injection.WhyAsked,
    ),
    action(
        "operator",
        "/operators/dead-letters/redrive",
        dead_letter_actions.redrive,
        "Send dead letters back",
        dead_letter_actions.RedriveAsked,
    ),
    action(
        "operator",
        "/operators/dead-letters/check",
        dead_letter_actions.check,
        "Try an edit",
        dead_letter_actions.CheckAsked,
        200,
    ),
    action(
        "operator",
        "/operators/dead-letters/edit",
        dead_letter_actions.edit,
        "Send one changed",
        dead_letter_actions.EditAsked,
    ),
    action(
        "operator",
        "/operators/dead-letters/discard",
        dead_letter_actions.discard,
        "Discard dead letters",
        dead_letter_actions.ChoiceAsked,
    ),
    get(
        "/operators/dead-letters/reveal/{topic}/{partition}/{offset}",
        dead_letter_actions.show_bytes,
        "The bytes of a dead letter in clear",
        "why",
        audience="operator",
        role="approver",
        answers=(200, 400, 401, 403, 404, 429, 503),
    ),
    action(
        "operator",
        "/operators/orders-of-customer",
        customer_search.of_customer,
        "The ids of a customer's orders",
        customer_search.CustomerAsked,
        200,
    ),
    get(
        "/operators/reveal/{order_id}",
        operator_actions.reveal,
        "Personal fields in clear",
        "why",
        audience="operator",
        role="approver",
        answers=(200, 400, 401, 403, 404, 429, 503),
    ),
)
