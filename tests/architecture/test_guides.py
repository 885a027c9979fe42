"""The guides are true: the code that they show passes the checks and runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.decimals import assumed_decimals
from tests.support.guides import guided_files, write_extension
from tests.support.source import ROOT

RUFF = Path(sys.executable).with_name("ruff")
OURS = "lint.isort.known-first-party=['app','agents','tables','workflows']"
"""Ruff takes modules that are not on disk for those of a package that is installed."""
LINT = ("check", "--ignore", "INP001", "--config", OURS)
FORMAT = ("format", "--diff")
FOLLOWED = """
from app.delivery.decision import apply
from app.entrypoints.requests import entrypoint_of
from app.registry import check_declarations, load_agents, load_workflows
from workflows.payment.instructions import RequestPayment
from workflows.payment.messages import PaymentCompleted
from workflows.shared.reaction import instructions

check_declarations()
agents, entrypoint = load_agents(), entrypoint_of("topup")
asked = entrypoint.start.body(
    card_id="c", country="France", currency="JPY", amount_minor=2_500, payment_method="pm"
)
requested = entrypoint.start.message("t1", asked, 1)
(payment,) = instructions(agents["payment"].reactions, requested, "topup")
paid = PaymentCompleted(
    transaction_id="t1", payment_id="p", amount_minor=2_500, goods_minor=2_500, charges_minor=0,
    currency="JPY", customer_id="", country="France", ordered_at_ms=1,
)
state = agents["topup"].table.initial
for message in (requested, paid):
    state, emitted = apply(agents["topup"], state, message, 1)
view = load_workflows()["topup"].view
_, earned = apply(agents["loyalty"], agents["loyalty"].table.initial, paid, 1)
print(type(payment).__name__, *(type(each).__name__ for each in emitted))
print(view.headline(view.facts(state)))
print(earned[0].points)
"""


def test_what_the_guides_write_is_found_and_decides(tmp_path: Path) -> None:
    """The nine files of a workflow and the one of a service, with no edit of another."""
    write_extension(tmp_path)

    answer = subprocess.run(
        [sys.executable, "-c", FOLLOWED],
        cwd=ROOT,
        env=os.environ | {"PAYFLOW_EXTENSIONS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    output = "RequestPayment TopUpCredited\n2,500 JPY on card c\n2500\n"
    assert (output, "") == (answer.stdout, answer.stderr)


@pytest.mark.parametrize("path", guided_files())
def test_what_the_guides_write_passes_the_checks(path: str) -> None:
    """`make check` is the next thing that its reader does."""
    text = guided_files()[path]
    checks = [
        subprocess.run(
            [RUFF, *command, "--quiet", "--stdin-filename", path, "-"],
            cwd=ROOT,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        for command in (LINT, FORMAT)
    ]

    assert [(0, ""), (0, "")] == [(each.returncode, each.stdout) for each in checks]
    assert [] == assumed_decimals(text)
