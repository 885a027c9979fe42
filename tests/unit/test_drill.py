"""A drill goes on after a fault that could not be carried out, and says why in one text."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from app.auth import operators
from app.chaos import cause, drill, probe
from app.chaos.cause import NotMoving
from app.chaos.drill import Drill, DrillOptions
from app.chaos.external_faults import OUTSIDE
from app.chaos.instance import DrillError, Site
from app.chaos.load import Refused
from app.chaos.plan import FAULTS, Step, plan
from app.chaos.probe import Probe
from app.chaos.size import SMALL
from app.chaos.worker_faults import WORKERS
from app.config import Config
from app.entrypoints.drill_load import LoadRequest
from app.kafka.errors import TopicError
from app.registry import services
from workflows.shared.invariants import Check

ROOT = Path(__file__).parents[2]
STEP = Step(fault="zombie", target="payment", detail="decided:8:stop")
SIZE = SMALL.__class__(rest_seconds=0.0, drain_seconds_max=0.0)


def verdict(**changes: Any) -> Any:
    """Return the verdict on an instance in which nothing is wrong, apart from `changes`."""
    sound = {"checks": (), "started": 9, "unsettled": 3, "open_ids": ("o-7",)}
    return SimpleNamespace(**{**sound, "dead_letters": {"orders.payment.dead": 2}, **changes})


class Books:
    """An auditor whose answers are those, the last one again and again."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    async def verdict(self) -> Any:
        """Return or raise the next answer."""
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def site(tmp_path: Path) -> Any:
    """An instance of which two processes have said something."""
    (tmp_path / "payment.log").write_text("a line before\nlease of payment/3 is lost\n\n")
    (tmp_path / "broker.log").write_text("Kafka Server started\n")
    child = SimpleNamespace(pid=41, running=False, exit_code=-9, log_path=tmp_path / "payment.log")
    return SimpleNamespace(
        config=Config(data_dir=str(tmp_path)),
        services=["payment"],
        counts=Counter(),
        child=lambda _name: child,
        broker=SimpleNamespace(pid=40, running=True, log_path=tmp_path / "broker.log"),
    )


@pytest.fixture
def run(site: Any, monkeypatch: pytest.MonkeyPatch) -> Drill:
    """A drill whose workers move at once and whose payment has 17 records to go."""

    async def waiting(_config: Config, names: Any) -> dict[str, int]:
        return dict.fromkeys(names, 17)

    async def recovered(*_: Any) -> float:
        return 1.0

    monkeypatch.setattr(drill, "AUDIT_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(cause, "waiting_by_service", waiting)
    monkeypatch.setattr(Probe, "recovered", recovered)
    load: Any = SimpleNamespace(accepted=9, of=lambda _: "kill of payment", join=nothing)
    run = Drill(site, DrillOptions(seed=1, size=SIZE), load, lambda _line: None)
    monkeypatch.setattr(run, "_auditor", Books(verdict()))
    return run


async def nothing(*_: Any) -> float:
    """Inject nothing."""
    return 0.0


def planted(error: Exception) -> Any:
    """Return a fault that fails with `error`."""

    async def fault(*_: Any) -> float:
        raise error

    return fault


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(
            DrillError("not within 90 s: payment freezes"),
            "not within 90 s: payment freezes",
            id="what was waited for never came",
        ),
        pytest.param(
            KafkaTimeoutError("Failed to get offsets by times"),
            "KafkaTimeoutError: KafkaTimeoutError: Failed to get offsets by times",
            id="the broker did not answer in time",
        ),
        pytest.param(
            ConnectionRefusedError(111, "refused"),
            "ConnectionRefusedError: [Errno 111] refused",
            id="nobody listens",
        ),
    ],
)
async def test_a_fault_that_failed_is_a_breach_with_a_cause_and_not_the_end(
    run: Drill, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    """Half an hour of other faults is not thrown away for it, and the drill does not pass."""
    monkeypatch.setitem(drill.WORKERS, STEP.fault, planted(error))

    outcome = await run.run_step(STEP)

    assert ("zombie", float("inf")) == (outcome.name, outcome.recovery_s)
    assert 1 == len(outcome.breaches)
    assert outcome.cause.splitlines() == [
        f"zombie of payment (decided:8:stop): while waited for: it is injected: {reason}",
        (
            "  last figures: 9 transactions started, 3 open; "
            "dead letters: 2 in orders.payment.dead; lag: 17 of payment"
        ),
        "  payment, process 41, ended with code -9: lease of payment/3 is lost",
    ]


async def test_a_fault_that_nothing_came_of_has_no_cause(
    run: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What held is reported in one line."""
    monkeypatch.setitem(drill.WORKERS, STEP.fault, nothing)

    outcome = await run.run_step(STEP)

    assert ((), "", 1.0) == (outcome.breaches, outcome.cause, outcome.recovery_s)


async def test_services_that_stand_still_are_named_with_what_they_said_last(
    run: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of nobody in Payflow concerns its own process and the services that stopped."""
    monkeypatch.setitem(drill.OUTSIDE, "broker_kill", nothing)
    monkeypatch.setattr(Probe, "recovered", planted(NotMoving(["payment"], 120.0)))

    outcome = await run.run_step(Step(fault="broker_kill"))

    assert [
        (
            "broker_kill: while waited for: every service concerned applies another event: "
            "not within 120 s: payment apply another event"
        ),
        "  broker, process 40, running: Kafka Server started",
        "  payment, process 41, ended with code -9: lease of payment/3 is lost",
    ] == [line for line in outcome.cause.splitlines() if "figures" not in line]


async def test_a_probe_names_who_does_not_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services that move are not named."""
    service_probe = Probe(SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setattr(probe, "POLL_SECONDS", 0.0)
    counts = iter(range(1000))
    events = {"payment": lambda: 1, "order": lambda: next(counts)}
    monkeypatch.setattr(
        service_probe, "events", lambda names: {name: events[name]() for name in names}
    )

    with pytest.raises(NotMoving, match="payment apply another event") as caught:
        await service_probe.recovered(["payment", "order"], 0.0, 0.0)

    assert ("payment",) == caught.value.services


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([verdict(), TopicError("gone")], "while waited for: the books can be read: gone"),
        (
            [verdict(checks=(Check(name="charged once", ok=False, checked=9, detail="o-3"),))],
            "charged once: o-3",
        ),
    ],
)
async def test_books_that_are_wrong_or_unreadable_are_of_the_fault_before(
    run: Drill, monkeypatch: pytest.MonkeyPatch, answers: list[Any], reason: str
) -> None:
    """The figures are those of the last verdict that could be had."""
    monkeypatch.setitem(drill.WORKERS, STEP.fault, nothing)
    monkeypatch.setattr(run, "_auditor", Books(*answers))
    if len(answers) > 1:
        await run.run_step(STEP)

    outcome = await run.run_step(STEP)

    assert (f"zombie of payment (decided:8:stop): {reason}",) == outcome.breaches
    assert "9 transactions started, 3 open; dead letters: 2 in orders.payment.dead" in outcome.cause


async def test_an_operator_decides_until_verify_names_no_case(
    run: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an approver, over HTTP; a case that has been decided meanwhile is refused, and passed."""
    posts: list[tuple[str, str]] = []

    async def post(request: LoadRequest, headers: dict[str, str]) -> None:
        posts.append((request.path, headers["Authorization"].partition(":")[0]))
        if len(posts) > 1:
            raise Refused("409")

    wrong = Check(name="captures_arrive", ok=False, checked=2, offending=("o-1", "o-2"))
    monkeypatch.setitem(drill.WORKERS, STEP.fault, nothing)
    monkeypatch.setattr(run, "_auditor", Books(verdict(checks=(wrong,)), verdict()))
    monkeypatch.setattr(run._load, "post", post, raising=False)
    operators.first_start(run._site.config.data_path)

    outcome = await run.run_step(STEP)

    path = "/operators/orders/{}/capture-case"
    assert [(path.format(each), "Bearer drill") for each in ("o-1", "o-2")] == posts
    assert (((), {"decisions of an operator": 1})) == (outcome.breaches, outcome.written)


async def test_an_operator_goes_on_as_long_as_other_cases_come(
    run: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is for one that stays: a slow machine needs more for three hundred than for ten."""

    async def post(*_: Any) -> None:
        return None

    def wrong(*ids: str) -> Any:
        check = Check(name="captures_arrive", ok=False, checked=9, offending=ids)
        return verdict(checks=(check,))

    monkeypatch.setattr(drill, "DECISION_SECONDS_MAX", 0.0)
    monkeypatch.setattr(run._load, "post", post, raising=False)
    operators.first_start(run._site.config.data_path)
    monkeypatch.setattr(
        run, "_auditor", Books(wrong("o-1"), wrong("o-2"), wrong("o-3"), wrong("o-3"))
    )

    left = await run._decide()

    assert 4 == run._operator.decisions
    assert any("o-3" in each for each in left)


async def test_an_order_that_never_ends_is_named_with_the_fault_it_was_placed_in(
    run: Drill,
) -> None:
    """The drain gives up and says whom it waited for."""
    unended = await run._drain()

    assert unended.splitlines()[0] == (
        "drain: not within 0 s: every order ends; open: o-7 placed during kill of payment"
    )
    assert "lag: 17 of payment" in unended


def test_a_small_drill_has_every_fault_once() -> None:
    """Each can be carried out by name."""
    assert sorted(FAULTS) == sorted(step.fault for step in plan(1, services(), size=SMALL))
    assert set(FAULTS) == {*WORKERS, *OUTSIDE, "mixed"}


def test_the_tests_with_a_broker_are_of_exactly_the_faults_of_the_drill() -> None:
    """A fault that is added has its test; one that is gone leaves none."""
    collected = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "tests/integration/test_faults.py",
        ],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    ids = [
        line.partition("[")[2].rstrip("]") for line in collected if "::test_payflow_holds" in line
    ]

    assert sorted(FAULTS) == sorted(ids)


def test_a_process_that_ended_beside_a_fault_is_named() -> None:
    """Another has its name by now: only its id says so."""
    children = {name: SimpleNamespace(pid=pid) for name, pid in (("order", 1), ("payment", 2))}
    nobody: Any = None
    supervisor: Any = SimpleNamespace(children=children)
    site = Site(supervisor, nobody, nobody, SIZE)
    before = site.pids()
    site.check_pids(before, "a broker that was away")

    children["payment"].pid = 3

    with pytest.raises(DrillError, match="ended beside a broker that was away: payment"):
        site.check_pids(before, "a broker that was away")
