"""The provider's simulator, asked by an official SDK that Payflow does not use: node's."""

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

from app.local.simulators.clock import PATH as CLOCK
from app.local.simulators.provider import make_app
from app.wire.signing import read_headers
from tests.support.external_systems import running
from tests.support.node_sdk import NODE, SOURCES, installed
from tests.support.shop import SECRET


@pytest.mark.slow
async def test_the_main_calls_of_another_sdk_work(tmp_path: Path) -> None:
    """Every check of its script is printed, and none fails."""
    folder = await asyncio.to_thread(installed)
    port = unused_port()
    checks = re.findall(r'^  async "([^"]+)"', (SOURCES / "provider.mjs").read_text(), re.MULTILINE)

    async with running(make_app, tmp_path, f"http://127.0.0.1:{port}") as system:
        script = await asyncio.create_subprocess_exec(
            NODE,
            folder / "provider.mjs",
            system.url,
            system.config.provider_key,
            str(port),
            SECRET,
            json.dumps(read_headers(system.config, CLOCK)),
            stdout=PIPE,
            stderr=PIPE,
        )
        printed, trouble = await script.communicate()

    assert (0, checks) == (script.returncode, printed.decode().splitlines()), trouble.decode()
    assert 13 == len(checks)
