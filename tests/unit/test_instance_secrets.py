"""Secrets that nobody has chosen: made for a folder, refused where others could use them."""

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.auth.private_file import PrivateFileError
from app.config import Config, ConfigError
from app.local.instance_secrets import FILE, Secrets, with_secrets
from app.wire.known_secrets import check_secrets, known_secrets
from tests.support.source import ROOT

NAMES = Secrets.__struct_fields__


def config_of(folder: Path, **changed: Any) -> Config:
    return Config(data_dir=str(folder), **changed)


def test_a_folder_gets_secrets_of_its_own_at_its_first_start(tmp_path: Path) -> None:
    """No two folders have the same, and each keeps its own."""
    notices: list[str] = []
    one, other = (with_secrets(config_of(tmp_path / name), notices.append) for name in ("a", "b"))
    path = tmp_path / "a" / FILE

    assert () == known_secrets(one)
    assert [] == [name for name in NAMES if getattr(one, name) == getattr(other, name)]
    assert one == with_secrets(config_of(tmp_path / "a"), notices.append)
    assert one == with_secrets(config_of(tmp_path / "a"))
    assert (0o600, []) == (stat.S_IMODE(path.stat().st_mode), notices)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)


def test_what_somebody_has_chosen_stays(tmp_path: Path) -> None:
    """One by one."""
    config = with_secrets(config_of(tmp_path, signing_key="ours"), print)

    assert "ours" == config.signing_key
    assert "ours" not in (tmp_path / FILE).read_text()
    assert () == known_secrets(config)


def test_a_command_makes_no_secrets(tmp_path: Path) -> None:
    """It would speak of an instance that has others."""
    assert config_of(tmp_path) == with_secrets(config_of(tmp_path))
    assert not (tmp_path / FILE).exists()


def test_a_cluster_shares_what_is_chosen_for_it(tmp_path: Path) -> None:
    """Each machine with secrets of its own would take the events of the others for forged."""
    elsewhere = config_of(tmp_path, broker_url="localhost:9092,kafka.example:9092")

    assert elsewhere == with_secrets(elsewhere, print)
    assert not (tmp_path / FILE).exists()


def test_a_known_key_of_before_is_for_this_machine_alone() -> None:
    """Whatever it signed would be believed, and everybody can sign with it."""
    changing = Config(signing_key="ours", signing_key_before=Config().signing_key)
    secret_by_name = {name: f"own {name}" for name in NAMES}
    elsewhere = replace(changing, **secret_by_name, broker_url="kafka.example:9092")

    check_secrets(changing)
    check_secrets(replace(elsewhere, signing_key_before="ours before"))
    with pytest.raises(ConfigError, match=r"PAYFLOW_SIGNING_KEY_BEFORE.*unset it"):
        check_secrets(elsewhere)


def test_a_folder_of_a_version_before_keeps_the_keys_of_its_events(tmp_path: Path) -> None:
    """And it is said, with what changes them."""
    (tmp_path / "up.json").write_text("{}")
    notices: list[str] = []

    config = with_secrets(config_of(tmp_path), notices.append)

    assert config_of(tmp_path) == config
    assert "PAYFLOW_SIGNING_KEY_BEFORE only while all is bound to this machine" in notices[0]


def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """The line says what to do."""
    with_secrets(config_of(tmp_path), print)
    (tmp_path / FILE).chmod(0o644)

    with pytest.raises(PrivateFileError, match="chmod 600"):
        with_secrets(config_of(tmp_path))


@pytest.mark.parametrize(
    "changed",
    [
        {"host": "0.0.0.0"},  # noqa: S104
        {"host": "192.168.1.2"},
        {"host": "::"},
        {"broker_url": "kafka.example:9092"},
        {"broker_url": "127.0.0.1:9092,10.0.0.2:9092"},
        {"console_url": "https://pay.example"},
        {"provider_url": "https://api.example", "installation": "x"},
        {"carrier_url": "http://carrier:8702"},
    ],
    ids=str,
)
def test_a_known_secret_within_reach_of_others_is_refused(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    """Each of them is named with the place; once all are chosen, it starts."""
    config = config_of(tmp_path, **changed)
    for name in NAMES:
        others = {each: "chosen" for each in NAMES if each != name}
        with pytest.raises(
            ConfigError, match=f"PAYFLOW_{name.upper()}.*{next(iter(changed)).upper()}"
        ):
            check_secrets(replace(config, **others))

    check_secrets(replace(config, **dict.fromkeys(NAMES, "chosen")))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_alone_nothing_is_refused(tmp_path: Path, host: str) -> None:
    """The first try needs no settings."""
    check_secrets(config_of(tmp_path, host=host, broker_url="localhost:9092"))


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    """As containers get one; a file that is not there is named."""
    path = tmp_path / "key"
    path.write_text("ours\n")

    assert "ours" == Config.from_env({"PAYFLOW_SIGNING_KEY_FILE": str(path)}).signing_key
    with pytest.raises(ConfigError, match=r"SIGNING_KEY_FILE.*none"):
        Config.from_env({"PAYFLOW_SIGNING_KEY_FILE": str(tmp_path / "none")})
    with pytest.raises(ConfigError, match="HOST_FILE"):
        Config.from_env({"PAYFLOW_HOST_FILE": str(path)})


def test_the_containers_get_every_secret_by_a_file(tmp_path: Path) -> None:
    """Every service has them all, and the script makes what the file of compose names."""
    compose = (ROOT / "compose.yaml").read_text()
    services = compose.count("\n    command: [")
    (tmp_path / "deploy").mkdir()
    script = tmp_path / "deploy" / "secrets"
    shutil.copy(ROOT / "deploy" / "secrets", script)
    for _ in range(2):
        subprocess.run([str(script)], check=True, capture_output=True, timeout=30)

    secret_by_name = {
        path.name: path.read_text() for path in (tmp_path / ".payflow-secrets").iterdir()
    }
    for name in NAMES:
        assert f"  PAYFLOW_{name.upper()}_FILE: /run/secrets/{name}\n" in compose
        assert f"  {name}: {{file: ./.payflow-secrets/{name}}}\n" in compose
    assert f"secrets: [{', '.join(NAMES)}]" in compose
    assert services == compose.count("<<: *payflow\n") == compose.count("<<: *environment,") > 0
    assert set(NAMES) == set(secret_by_name)
    assert len(secret_by_name) == len(set(secret_by_name.values()))
    assert all(
        re.fullmatch(r"(sk_test_|whsec_)?[0-9a-f]{64}", text) for text in secret_by_name.values()
    )
    assert 0o700 == stat.S_IMODE((tmp_path / ".payflow-secrets").stat().st_mode)
