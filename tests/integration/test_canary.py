"""A dead letter that fails again stops the redrive, and comes back with its history."""

import subprocess
from contextlib import ExitStack

from app.config import Config
from tests.support.dead_letter_commands import count, payflow, redriver
from tests.support.workers import publish, until, worker

DEAD_LETTERS = 5
DEAD = "orders.test.dead"


def exit_of(started: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit code of a command, and its errors in one line."""
    _, errors = started.communicate(timeout=90)
    return started.returncode, " ".join(errors.split())


def states(config: Config) -> list[tuple[str, int]]:
    """Return the state of each dead letter, and how often it has failed."""
    return [(each["state"], each["failures"]) for each in payflow(config, "ls", "--all")]


async def test_a_canary_that_fails_again_stops_the_redrive(
    redrive_instance: Config, stack: ExitStack
) -> None:
    """One dead letter is sent, not five; mended, the one that came back goes with the others."""

    async def dead_lettered(least: int) -> bool:
        return await count(redrive_instance, DEAD, 1) >= least

    broken = worker(redrive_instance, "tally_app", stack)
    await publish(redrive_instance, ["explode"] * DEAD_LETTERS)
    await until(lambda: dead_lettered(DEAD_LETTERS), "all dead-lettered")
    code, why = exit_of(redriver(redrive_instance, "redrive", "--all", "--reason", "too early"))
    after = states(redrive_instance)
    refused, reason = exit_of(redriver(redrive_instance, "redrive", DEAD, "0"))
    sent = await count(redrive_instance, "tally.redrive", 4)
    broken.terminate()
    broken.wait(20)
    worker(redrive_instance, "repaired_app", stack)
    outcome = payflow(redrive_instance, "redrive", "--all", "--reason", "mended")

    assert (1, 1) == (code, sent)
    assert f"the canary {DEAD}/0/0 is again: nothing else was sent. Operator:" in why
    assert [("again", 1), *[("open", 1)] * (DEAD_LETTERS - 1), ("open", 2)] == after
    assert 1 == refused
    assert "1 again" in reason
    assert (DEAD_LETTERS, DEAD_LETTERS) == (outcome["sent"], outcome["handled"])
    assert [("again", 1), *[("handled", 1)] * (DEAD_LETTERS - 1), ("handled", 2)] == states(
        redrive_instance
    )
