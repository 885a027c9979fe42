"""The audit on a real broker: signed as it grows, and whoever tampers with it is found."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from app.config import Config, child_environment
from app.kafka.admin import client_options
from app.kafka.messages import console_record, publish
from app.kafka.producer import partition_of
from app.local.supervisor import Supervisor
from app.operations.audit.reader import Verdict, verify
from tests.support.workers import until
from workflows.audit import topics as audit_topics
from workflows.audit.dead_letter_actions import DeadLetterDiscarded

ACTIONS = 12


def action(number: int) -> DeadLetterDiscarded:
    """Return an act about a dead letter of its own."""
    return DeadLetterDiscarded(about=f"orders.payment.dead/0/{number}", who="ann", why="seen")


async def say(config: Config, *numbers: int) -> None:
    await publish(config, [action(number) for number in numbers], time.time_ns() // 1_000_000)


async def all_checkpointed(config: Config, actions: int) -> bool:
    verdict = await verify(config)
    return (verdict.actions, verdict.unsealed) == (actions, 0)


async def command(config: Config, *arguments: str) -> tuple[int | None, bytes]:
    """Return the exit code and the output of `payflow audit verify`."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-c",
            "from app.cli.main import main; main()",
            "audit",
            "verify",
            *arguments,
        ),
        env=child_environment(config),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode, output


async def forge(config: Config) -> str:
    """Put a well-formed act on the audit that Payflow has not emitted; return where it lies."""
    forged = console_record(action(99), time.time_ns() // 1_000_000)
    key = forged.key or b""
    async with AIOKafkaProducer(**client_options(config)) as producer:
        lies = await producer.send_and_wait(
            forged.topic,
            forged.value,
            key=key,
            partition=partition_of(key, config.partitions),
            headers=forged.headers,
        )
    return f"audit/{lies.partition}/{lies.offset}"


async def delete(config: Config, topic: str, partition: int, before: int) -> None:
    admin = AIOKafkaAdminClient(**client_options(config))
    await admin.start()
    try:
        place = TopicPartition(topic, partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


def places(verdict: Verdict) -> list[str]:
    return [breach.place for breach in verdict.breaches]


def _quiet(_line: str) -> None:
    pass


@pytest.mark.timeout(600)
async def test_who_tampers_with_the_audit_is_found(tmp_path: Path) -> None:
    """Signed, also over a kill; then forged, then removed: each is named by its place."""
    own = Config(data_dir=str(tmp_path), broker_port=0, console_port=0, partitions=2)
    async with Supervisor(own, _quiet, ("console",)).up() as instance:
        config = instance.config
        await say(config, *range(ACTIONS))
        await until(
            lambda: all_checkpointed(config, ACTIONS), "a checkpoint covers all actions", 60
        )
        os.kill(instance.children["console"].pid, signal.SIGKILL)
        await say(config, ACTIONS)
        await until(lambda: all_checkpointed(config, ACTIONS + 1), "it goes on where it was", 120)
        before = await verify(config)
        code, output = await command(config, "--json")
        report = tmp_path / "kept.json"
        report.write_bytes(output)

        forged_at = await forge(config)
        after_forging = await verify(config)
        victim = next(each for each in before.partitions if each.actions > 1)
        await delete(config, audit_topics.audit.name, victim.partition, 1)
        after_deleting = await verify(config)
        code_after, text = await command(config, "--known", str(report))

        await delete_all_checkpoints(config)
        without_checkpoints = await verify(config)

    assert before.audit_ok
    assert {True, 0} == {msgspec.json.decode(output)["audit_ok"], code}
    assert before.checkpoints >= 2
    assert [forged_at] == places(after_forging)
    assert f"audit/{victim.partition}/0" in places(after_deleting)
    assert f"audit/{victim.partition}/0.." in "".join(places(after_deleting)[1:])
    assert code_after == 1
    assert f"audit/{victim.partition}/0".encode() in text
    assert any(place.startswith("audit.chain/") for place in places(without_checkpoints))


async def delete_all_checkpoints(config: Config) -> None:
    for partition in range(config.partitions):
        await delete(config, audit_topics.audit_chain.name, partition, -1)


@pytest.mark.timeout(600)
async def test_a_console_makes_its_first_operator(tmp_path: Path) -> None:
    """One approver; the token lies in a file of its owner alone, and in no log."""
    own = Config(data_dir=str(tmp_path), broker_port=0, console_port=0, partitions=1)
    async with Supervisor(own, _quiet, ("console",)).up() as instance:
        note = tmp_path / "operators.token"
        mode, credentials = note.stat().st_mode & 0o777, note.read_text().strip()
        name, _, token = credentials.partition(":")
        signed_in: Any = await sign_in(instance.config, name, token)
        log = (tmp_path / "logs" / "console.log").read_text()

        assert (0o600, "admin", "approver") == (mode, signed_in["name"], signed_in["role"])
        assert not note.exists()
        assert token not in log


async def sign_in(config: Config, name: str, token: str) -> Any:

    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{config.console_url}/sign-in", json={"name": name, "token": token}
        ) as answer,
    ):
        return await answer.json()
