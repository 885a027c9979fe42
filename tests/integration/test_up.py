"""`payflow up` as clients see it: on IPv6 where the machine has it, with files of every form."""

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.host.processes import free_port
from tests.support.instance import PAYFLOW, answered, environment, payflow, wait_for
from tests.support.retail_forms import FORMS, real_rows, write_forms

ROWS = 300
IPV6, IPV4 = "::1", "127.0.0.1"


def host() -> str:
    """Return the address on which the instance of these tests serves."""
    try:
        free_port(IPV6, 0)
    except OSError:
        return IPV4
    return IPV6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an instance that runs; what it says is in `up.log`."""
    path = tmp_path_factory.mktemp("up")
    log = path / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*PAYFLOW, "up"], env=environment(path, host=host()), stdout=out, stderr=out
        )
    try:
        wait_for(lambda: "as a client: " in log.read_text(), "everyone to be ready", log)
        yield path
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_every_service_answers_on_ipv6(folder: Path) -> None:
    """Its URLs have the address in brackets."""
    if host() != IPV6:
        pytest.skip(f"this machine has no {IPV6}")
    up = json.loads((folder / "up.json").read_text())
    workers = [path.read_text() for path in (folder / "run").glob("*.url")]
    urls = [up["console_url"], *workers]
    statuses = []
    for url in urls:
        with urllib.request.urlopen(f"{url}/readyz", timeout=60) as answer:  # noqa: S310
            statuses.append(answer.status)

    served = [*urls, up["provider_url"], up["carrier_url"]]
    assert [] == [url for url in served if not url.startswith(f"http://[{IPV6}]:")]
    assert {"up", "provider", "carrier"} < set(up["pids"])
    assert [200] * (len(up["pids"]) - 2) == statuses


def test_the_line_for_clients_works_as_it_is_printed(folder: Path) -> None:
    """It lists what the client has started."""
    assert {"orders", "next", "partial"} == set(answered(folder / "up.log"))


def test_a_file_of_any_form_is_the_same_orders(folder: Path, tmp_path: Path) -> None:
    """Every line is counted, what was placed is not placed again, and the books balance."""
    loads = [
        payflow(folder, "orders", "load", *arguments, host=host())
        for arguments in write_forms(tmp_path, real_rows()[:ROWS])
    ]

    def ended() -> Any:
        verdict = payflow(folder, "verify", host=host())
        return verdict if verdict["verify_ok"] and not verdict["orders_open"] else None

    verdict = wait_for(ended, "every order to end and the books to balance", folder / "up.log")

    assert len(FORMS) == len({load["form"] for load in loads})
    for load in loads:
        assert loads[0] == {**load, "form": loads[0]["form"]}
    assert ROWS == loads[0]["rows_read"] == sum(loads[0]["rows"].values())
    assert ROWS + 1 == sum(loads[0]["lines"].values())
    assert 0 < len(loads[0]["order_ids"]) == loads[0]["orders_asked"] == verdict["orders_placed"]
