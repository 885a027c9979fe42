"""Clients of the API: their file, their keys, how keys end."""

import stat
import threading
from pathlib import Path

import pytest

from app.auth import clients
from app.auth.clients import ClientsError

NOW_MS = 1_700_000_000_000
HOUR_SECONDS, HOUR_MS = 3_600, 3_600_000
SCOPES = ["orders:write", "stock"]


def name_of(folder: Path, key: str, now_ms: int = NOW_MS) -> str:
    """Return whose key it is, or nothing."""
    client = clients.client_of(folder, key, now_ms)
    return client.name if client else ""


def test_a_key_is_its_clients_and_lies_nowhere(tmp_path: Path) -> None:
    """The file holds a digest, and nobody else can read it."""
    key = clients.add(tmp_path, "shop", SCOPES)
    path = tmp_path / clients.FILE

    assert "shop" == name_of(tmp_path, key)
    assert "" == name_of(tmp_path, key + "x") == name_of(tmp_path, "") == name_of(tmp_path, "é")
    assert key not in path.read_text()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_rotated_key_is_taken_for_a_while(tmp_path: Path) -> None:
    """The shop changes its configuration in that while; then the old key ends."""
    old = clients.add(tmp_path, "shop", SCOPES)
    new = clients.rotate(tmp_path, "shop", NOW_MS, HOUR_SECONDS)

    assert "shop" == name_of(tmp_path, old, NOW_MS + HOUR_MS - 1)
    assert "" == name_of(tmp_path, old, NOW_MS + HOUR_MS)
    assert "shop" == name_of(tmp_path, new, NOW_MS + HOUR_MS)


def test_a_second_rotation_gives_no_longer_life(tmp_path: Path) -> None:
    """Whoever has stolen a key that ends cannot be helped by a further rotation."""
    old = clients.add(tmp_path, "shop", SCOPES)
    clients.rotate(tmp_path, "shop", NOW_MS, HOUR_SECONDS)
    clients.rotate(tmp_path, "shop", NOW_MS, 10 * HOUR_SECONDS)

    assert "" == name_of(tmp_path, old, NOW_MS + HOUR_MS)


def test_a_rotation_without_overlap_ends_every_key_at_once(tmp_path: Path) -> None:
    """What one does with a key that has leaked."""
    old = clients.add(tmp_path, "shop", SCOPES)
    newer = clients.rotate(tmp_path, "shop", NOW_MS, HOUR_SECONDS)
    newest = clients.rotate(tmp_path, "shop", NOW_MS, 0)

    assert ["", "", "shop"] == [name_of(tmp_path, key) for key in (old, newer, newest)]


def test_a_rotation_keeps_who_owns_what(tmp_path: Path) -> None:
    """Ids are derived from what stays, or a request that is repeated would be another one."""
    clients.add(tmp_path, "shop", SCOPES)
    [before] = clients.clients(tmp_path)
    clients.rotate(tmp_path, "shop", NOW_MS, HOUR_SECONDS)
    [after] = clients.clients(tmp_path)

    assert (before.id_secret, before.tag) == (after.id_secret, after.tag)


def test_a_revoked_client_is_nobody_and_its_name_is_nobodys(tmp_path: Path) -> None:
    """Whoever had the name later would own the orders of the one before."""
    key = clients.add(tmp_path, "shop", SCOPES)
    clients.revoke(tmp_path, "shop")

    assert "" == name_of(tmp_path, key)
    with pytest.raises(ClientsError, match="is or was"):
        clients.add(tmp_path, "shop", SCOPES)
    with pytest.raises(ClientsError, match="revoked"):
        clients.rotate(tmp_path, "shop", NOW_MS, 0)


def test_a_revoked_key_does_not_come_back_with_a_rotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two commands at once the second waits for the first, and reads what it wrote."""
    key = clients.add(tmp_path, "shop", ["stock"])
    has_read, goes_on, new_key = threading.Event(), threading.Event(), clients._new_key

    def slow_key() -> tuple[str, str]:
        has_read.set()
        goes_on.wait(5)
        return new_key()

    monkeypatch.setattr(clients, "_new_key", slow_key)
    rotating = threading.Thread(target=clients.rotate, args=(tmp_path, "shop", NOW_MS, 60))
    revoking = threading.Thread(target=clients.revoke, args=(tmp_path, "shop"))
    rotating.start()
    assert has_read.wait(5)
    revoking.start()
    revoking.join(0.3)
    goes_on.set()
    for each in (rotating, revoking):
        each.join(5)

    assert () == clients.clients(tmp_path)[0].keys
    assert clients.client_of(tmp_path, key, NOW_MS) is None


def test_no_two_clients_have_one_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first eight digits say whose a transaction is."""
    tags = iter(["00" * 16, "00" * 16, "11" * 16])
    monkeypatch.setattr(clients.secrets, "token_hex", lambda count: _token_hex(tags, count))

    clients.add(tmp_path, "one", SCOPES)
    clients.add(tmp_path, "other", SCOPES)

    assert 2 == len({each.tag for each in clients.clients(tmp_path)})


def _token_hex(tags: "object", count: int) -> str:
    return next(tags) if count == 16 else "ab" * count  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["", "Shop", "a b", "a:b", "x" * 65, "shop\n"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    """And nothing is written."""
    with pytest.raises(ClientsError):
        clients.add(tmp_path, name, SCOPES)

    assert not (tmp_path / clients.FILE).exists()


@pytest.mark.parametrize(
    ("path", "mode"), [(clients.FILE, 0o644), (clients.FILE, 0o602), ("", 0o777)]
)
def test_a_file_that_others_could_have_written_is_not_believed(
    tmp_path: Path, path: str, mode: int
) -> None:
    """Neither in a folder in which they could have replaced it."""
    folder = tmp_path / "data"
    folder.mkdir(0o700)
    key = clients.add(folder, "shop", SCOPES)
    (folder / path).chmod(mode)

    with pytest.raises(ClientsError, match="chmod"):
        clients.client_of(folder, key, NOW_MS)
