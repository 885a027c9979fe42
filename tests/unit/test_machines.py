"""Machines as they are: no home, folders that cannot be written, IPv6, a clock that is wrong."""

import errno
import getpass
import os
import socket
import sqlite3
from pathlib import Path

import msgspec
import pytest
import typer
from aiohttp import web
from structlog.testing import capture_logs

from app.cli.instance import run, this_user
from app.config import Config, ConfigError, extension_folders
from app.host.processes import free_port, hold, url_of
from app.local import jars
from app.local.demo import fresh
from app.local.instance_folder import SupervisorError
from app.local.simulators.sqlite_file import Books
from app.worker import discovery
from app.worker.discovery import Directory, Worker
from app.worker.http import serve_site

WORKER = Worker(
    service="order", url="http://x:1", pid=1, at_ms=10_000_000, ready=True, partitions={}
)


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of whom the system knows a number only."""

    def unknown(*_: object) -> None:
        raise KeyError("no such user")

    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "M2_REPO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_name_is_recorded_by_number() -> None:
    """Who acted is written down."""
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()

    assert f"uid-{os.getuid()}" == this_user()


@pytest.mark.usefixtures("homeless")
def test_a_home_that_nobody_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting that speaks of it, and what to write instead."""
    with pytest.raises(ConfigError, match=r"data_dir is '~/x': .* Operator: write the whole path"):
        Config.from_env({"PAYFLOW_DATA_DIR": "~/x"})

    monkeypatch.setenv("PAYFLOW_EXTENSIONS", "~/y")
    with pytest.raises(ConfigError, match=r"PAYFLOW_EXTENSIONS: .* no home"):
        extension_folders()


@pytest.mark.usefixtures("homeless")
def test_without_a_home_jars_are_kept_with_the_installation(tmp_path: Path) -> None:
    """Where that cannot be written either, one line says what to set."""
    assert tmp_path / "own" == jars._repository(jars.locked(), tmp_path / "own")

    (tmp_path / "file").touch()
    with pytest.raises(jars.BadJar, match="Operator: name a folder with M2_REPO"):
        jars._repository(jars.locked(), tmp_path / "file" / "own")


def test_jars_in_a_home_that_cannot_be_written_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written there, the lock neither."""
    locked_jars = jars.locked()[:1]
    path = jars._path(tmp_path / "home", locked_jars[0])
    path.parent.mkdir(parents=True)
    path.touch()
    monkeypatch.setenv("M2_REPO", str(tmp_path / "home"))
    monkeypatch.setattr(os, "access", lambda _path, mode: mode == os.R_OK)

    with jars._alone(jars._repository(locked_jars, tmp_path / "own")):
        assert [path] == [each for each in tmp_path.rglob("*") if each.is_file()]


def test_a_demo_that_starts_beside_another_leaves_its_folder_alone(tmp_path: Path) -> None:
    """The first may still be starting."""
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "orders").touch()
    with (
        hold(folder / "up.lock"),
        pytest.raises(SupervisorError, match=f"in use by process {os.getpid()}"),
    ):
        fresh(Config(data_dir=str(tmp_path)), print)

    assert (folder / "orders").exists()


def test_a_demo_empties_no_folder_but_its_own(tmp_path: Path) -> None:
    """A folder of that name may be anybody's."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").touch()

    with pytest.raises(SupervisorError, match="Operator: choose another PAYFLOW_DATA_DIR"):
        fresh(Config(data_dir=str(tmp_path)), print)


def test_a_demo_begins_with_an_empty_folder(tmp_path: Path) -> None:
    """Its locks stay: who holds one must be found by the next."""
    config = Config(data_dir=str(tmp_path))
    own = fresh(config, print).data_path
    for name in ("orders", "kafka/server.properties", "kafka/data/x", "logs/fraud.log"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).touch()

    fresh(config, print)

    left = sorted(str(path.relative_to(own)) for path in own.rglob("*"))
    assert ["kafka", "kafka/broker.lock", "up.lock"] == left


async def test_a_taken_port_is_named_with_its_setting() -> None:
    """The operator knows what to change."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=rf"the port {port} .* is taken; PAYFLOW_CONSOLE_PORT"):
            await serve_site(web.Application(), Config(console_port=port), "console_port")


def test_a_simulator_goes_on_when_its_full_disk_has_space_again(tmp_path: Path) -> None:
    """The transaction that found no space is rolled back, whole."""
    books = Books(tmp_path / "books.sqlite", "CREATE TABLE notes (text BLOB);")
    books.connection.execute("PRAGMA max_page_count = 10")
    with pytest.raises(sqlite3.OperationalError, match="full"), books.writing() as writing:
        writing.execute("INSERT INTO notes VALUES (zeroblob(1000000))")

    books.connection.execute("PRAGMA max_page_count = 1000000")
    with books.writing() as writing:
        writing.execute("INSERT INTO notes VALUES ('after')")

    assert ["after"] == [row["text"] for row in books.all("SELECT text FROM notes")]
    books.close()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(
    capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """One line, not a traceback."""

    async def work() -> None:
        raise OSError(number, "not here", "/x/kafka")

    with pytest.raises(typer.Exit):
        run(work())

    error_text = " ".join(capsys.readouterr().err.split())
    assert "payflow: /x/kafka: not here. Operator: choose another folder" in error_text
    assert "PAYFLOW_DATA_DIR" in error_text


def test_a_site_on_ipv6_has_its_address_in_brackets() -> None:
    """So do URLs everywhere."""
    assert ("http://[::1]:80", "http://127.0.0.1:80") == (
        url_of("::1", 80),
        url_of("127.0.0.1", 80),
    )


def test_a_port_is_looked_for_where_it_is_used() -> None:
    """The same port may be free on one of IPv4 and IPv6, and taken on the other."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]

        assert port != free_port("::1", port)


@pytest.mark.parametrize(
    ("arrived_ms", "warnings"),
    [
        pytest.param(WORKER.at_ms + 2_000, 0, id="right"),
        pytest.param(WORKER.at_ms - 7_200_000, 1, id="two hours ahead"),
        pytest.param(WORKER.at_ms + 7_200_000, 1, id="two hours behind"),
        pytest.param(0, 0, id="not known"),
    ],
)
def test_a_clock_that_differs_from_the_brokers_is_named_once(
    arrived_ms: int, warnings: int
) -> None:
    """Deadlines are reckoned by it."""
    directory = Directory()
    with capture_logs() as lines:
        directory.receive(msgspec.json.encode(WORKER), arrived_ms)
        directory.receive(msgspec.json.encode(WORKER), arrived_ms)

    about_clocks = [line for line in lines if "clock" in line["event"]]
    assert warnings == len(about_clocks)
    assert all(abs(line["ahead_seconds"]) == 7_200 for line in about_clocks)
    assert discovery.CLOCK_MS_MAX < 7_200_000
