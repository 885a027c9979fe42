"""Requests that schemathesis makes from the document of an API, and what is wrong with answers.

It is used as a library: its pytest plugin is switched off, since every process would import it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import schemathesis
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.engine import Status, events, from_schema

ANSWER_SECONDS = 60
TOO_LARGE = "413"
"""A refusal too: the document says how many bytes a request has at most."""
SHOWN_CHARS = 400


class Finding(NamedTuple):
    """An answer that is not as the document says, or a request that could not be made."""

    check: str
    operation: str
    request: str
    status: int
    answer: str
    message: str


class Sent:
    """How often each operation was asked, what the answers were held against, what is wrong."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.checks: set[str] = set()
        self.findings: list[Finding] = []


def all_checks() -> set[str]:
    """Return the names of the checks that there are."""
    load_all_checks()
    return set(CHECKS.get_all_names())


def send(
    document: Mapping[str, Any],
    url: str,
    headers: Mapping[str, str],
    phases: Sequence[str],
    most: int,
) -> Sent:
    """Ask `most` times for each operation of `document`, and as each phase does besides."""
    schema = schemathesis.openapi.from_dict({**document})
    config = schema.config
    config.update(
        base_url=url,
        headers={**headers},
        continue_on_failure=True,
        request_timeout=ANSWER_SECONDS,
    )
    config.phases.update(phases=[*phases])
    # The headers above say who asks: a drawn cookie or token beside them would say another.
    config.generation.update(
        max_examples=most,
        deterministic=True,
        no_shrink=True,
        database="none",
        with_security_parameters=False,
    )
    config.checks.positive_data_acceptance.expected_statuses.append(TOO_LARGE)
    config.checks.negative_data_rejection.expected_statuses.append(TOO_LARGE)
    sent = Sent()
    for event in from_schema(schema).execute():
        _take(sent, event)
    return sent


def _take(sent: Sent, event: Any) -> None:
    if isinstance(event, events.NonFatalError | events.FatalError):
        error = event.value if isinstance(event, events.NonFatalError) else event.exception
        label = getattr(event, "label", "")
        sent.findings.append(Finding("no request", label, "", 0, "", repr(error)[:SHOWN_CHARS]))
    if not isinstance(event, events.ScenarioFinished):
        return
    sent.cases.update(each.value.operation.label for each in event.recorder.cases.values())
    sent.checks |= {check.name for done in event.recorder.checks.values() for check in done}
    sent.findings.extend(_findings(event.recorder))


def _findings(recorder: Any) -> Iterator[Finding]:
    for name, done in recorder.checks.items():
        for check in done:
            if check.status is not Status.FAILURE:
                continue
            case, interaction = recorder.cases[name].value, recorder.interactions[name]
            request, response = interaction.request, interaction.response
            yield Finding(
                check=check.name,
                operation=case.operation.label,
                request=f"{request.method} {request.uri} {request.body!r}"[:SHOWN_CHARS],
                status=response.status_code if response is not None else 0,
                answer=response.content.decode(errors="replace") if response is not None else "",
                message=check.failure_info.failure.message[:SHOWN_CHARS],
            )
