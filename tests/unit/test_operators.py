"""Operators: who there is, who is signed in, who asked too often."""

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.auth import operators, sessions
from app.auth.operators import PeopleError
from app.auth.rate_limits import ADDRESSES_MAX, Rates
from app.auth.sessions import IDLE_SECONDS, LIFE_SECONDS, SESSIONS_EACH_MAX, Sessions


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with the first operator."""
    operators.first_start(tmp_path)
    return tmp_path


def test_the_first_start_makes_one_approver_whose_token_is_said_once(tmp_path: Path):
    """The file holds no token, and its owner alone may read it."""
    token = operators.first_start(tmp_path)
    again = operators.first_start(tmp_path)
    text = (tmp_path / operators.FILE).read_text()
    (person,) = operators.people(tmp_path)

    assert ("admin", "approver", "") == (person.name, person.role, again)
    assert len(token) >= 43
    assert token not in text
    assert 0o600 == (tmp_path / operators.FILE).stat().st_mode & 0o777
    assert [operators.FILE] == [path.name for path in tmp_path.iterdir()]
    assert operators.is_theirs(person, token)


@pytest.mark.parametrize(
    "token", [pytest.param("", id="none"), pytest.param("x" * 43, id="another")]
)
def test_another_token_is_not_theirs(folder: Path, token: str):
    """Nor is it anybody's who is not there."""
    (person,) = operators.people(folder)

    assert (False, False) == (operators.is_theirs(person, token), operators.is_theirs(None, token))


def test_people_come_and_go(folder: Path):
    """Each with a token of their own."""
    first = operators.add(folder, "ann", "operator")
    second = operators.add(folder, "bob", "approver")
    renewed = operators.renew(folder, "ann")
    operators.remove(folder, "admin")
    person_by_name = {person.name: person for person in operators.people(folder)}

    assert {"ann": "operator", "bob": "approver"} == {
        name: person.role for name, person in person_by_name.items()
    }
    assert [False, True, True] == [
        operators.is_theirs(person_by_name["ann"], first),
        operators.is_theirs(person_by_name["ann"], renewed),
        operators.is_theirs(person_by_name["bob"], second),
    ]
    assert person_by_name["ann"].digest != person_by_name["bob"].digest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda at: operators.add(at, "admin", "viewer"), "already", id="twice"),
        pytest.param(
            lambda at: operators.add(at, "Admin", "viewer"), "a admin already", id="in other case"
        ),
        pytest.param(lambda at: operators.add(at, "a:b", "viewer"), "name", id="a colon in a name"),
        pytest.param(lambda at: operators.add(at, "ann\n", "viewer"), "name", id="a line end"),
        pytest.param(lambda at: operators.add(at, "ann", "king"), "role", id="no such role"),
        pytest.param(lambda at: operators.remove(at, "ann"), "no ann", id="nobody"),
        pytest.param(lambda at: operators.renew(at, "ann"), "no ann", id="a token for nobody"),
        pytest.param(
            lambda at: operators.remove(at, "admin"), "last approver", id="the last approver"
        ),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    folder: Path, change: Any, reason: str
):
    """The message says why."""
    before = operators.people(folder)

    with pytest.raises(PeopleError, match=reason):
        change(folder)

    assert before == operators.people(folder)


def _person(**changed: Any) -> dict[str, Any]:
    return {"name": "a", "role": "viewer", "digest": "00" * 32} | changed


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "truncated", id="nothing"),
        pytest.param(b"\xff{}", "malformed", id="noise"),
        pytest.param(b"[" * 100_000, "operators.json", id="too deep"),
        pytest.param({}, "people", id="no people"),
        pytest.param({"people": []}, "people", id="nobody"),
        pytest.param({"people": [_person(role="king")]}, r"people\[0\].role", id="a role"),
        pytest.param({"people": [_person(digest="00")]}, r"people\[0\].digest", id="a digest"),
        pytest.param({"people": [_person(salt="zz" * 16)]}, r"people\[0\].salt", id="a salt"),
        pytest.param({"people": [_person(note="t")]}, "note", id="a field too much"),
        pytest.param({"people": [_person(), _person(role="approver")]}, "twice", id="one twice"),
    ],
)
def test_a_broken_file_says_what_is_wrong(folder: Path, body: Any, reason: str):
    """Nobody is let in by it."""
    path = folder / operators.FILE
    path.write_bytes(body if isinstance(body, bytes) else msgspec.json.encode(body))

    with pytest.raises(PeopleError, match=reason):
        operators.people(folder)


def test_a_file_that_others_may_read_is_refused(folder: Path):
    """Tokens could be guessed from it at leisure."""
    (folder / operators.FILE).chmod(0o640)

    with pytest.raises(PeopleError, match="chmod 600"):
        operators.people(folder)


def test_signing_in_takes_name_and_token(folder: Path):
    """A wrong one of the two is nobody."""
    token = operators.add(folder, "ann", "viewer")
    context = Sessions(folder, Clock())

    assert [None, None, None] == [
        context.prove(name, secret) for name, secret in (("ann", "x"), ("x", token), ("", ""))
    ]
    assert "ann" == getattr(context.prove("ann", token), "name", "")


def test_whoever_was_removed_does_not_come_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With somebody who is added by another command at the same time."""
    operators.add(folder, "mallory", "operator")
    has_read, goes_on, person = threading.Event(), threading.Event(), operators._person

    def slow_person(name: str, role: operators.Role) -> Any:
        has_read.set()
        goes_on.wait(5)
        return person(name, role)

    monkeypatch.setattr(operators, "_person", slow_person)
    adding = threading.Thread(target=operators.add, args=(folder, "zoe", "viewer"))
    removing = threading.Thread(target=operators.remove, args=(folder, "mallory"))
    adding.start()
    assert has_read.wait(5)
    removing.start()
    removing.join(0.3)
    goes_on.set()
    for each in (adding, removing):
        each.join(5)
    names = {each.name for each in operators.people(folder)}

    assert ("zoe" in names, "mallory" in names) == (True, False)


def test_a_salted_digest_of_a_version_before_lets_nobody_in(folder: Path):
    """Until its person has another token; everybody else is not concerned."""
    token = operators.add(folder, "ann", "viewer")
    path = folder / operators.FILE
    file = msgspec.json.decode(path.read_bytes())
    file["people"][1]["salt"] = "00" * 16
    path.write_bytes(msgspec.json.encode(file))
    context = Sessions(folder, Clock())

    before = context.prove("ann", token)
    renewed = operators.renew(folder, "ann")

    assert before is None
    assert "ann" == getattr(context.prove("ann", renewed), "name", "")


@pytest.mark.parametrize(
    ("steps", "is_open"),
    [
        pytest.param([IDLE_SECONDS - 1] * 3, True, id="used in time"),
        pytest.param([IDLE_SECONDS + 1], False, id="idle for too long"),
        pytest.param([IDLE_SECONDS - 1] * 30, False, id="used for half a day"),
    ],
)
def test_a_session_ends_by_itself(folder: Path, steps: list[float], is_open: bool):
    """When nobody uses it, and at last in any case."""
    clock = Clock()
    context = Sessions(folder, clock)
    session_id, _ = context.open(operators.people(folder)[0])
    for step in steps:
        clock.now += step
        session = context.get(session_id)

    assert is_open == (session is not None)
    assert 30 * (IDLE_SECONDS - 1) > LIFE_SECONDS


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda at: operators.remove(at, "ann"), id="removed"),
        pytest.param(lambda at: operators.renew(at, "ann"), id="another token"),
        pytest.param(
            lambda at: (operators.remove(at, "ann"), operators.add(at, "ann", "viewer")), id="less"
        ),
    ],
)
def test_a_session_ends_with_what_its_person_was(folder: Path, change: Any):
    """Whatever of it has changed."""
    token = operators.add(folder, "ann", "approver")
    context = Sessions(folder, Clock())
    person = context.prove("ann", token)
    assert person is not None
    session_id, _ = context.open(person)
    assert context.get(session_id)

    change(folder)

    assert context.get(session_id) is None


def test_one_person_has_so_many_sessions_and_each_has_secrets_of_its_own(folder: Path):
    """The oldest ends; ids and CSRF tokens never repeat."""
    context = Sessions(folder, Clock())
    registered = [context.open(operators.people(folder)[0]) for _ in range(SESSIONS_EACH_MAX + 1)]
    open_flags = [context.get(session_id) is not None for session_id, _ in registered]

    assert [False] + [True] * SESSIONS_EACH_MAX == open_flags
    assert 2 * len(registered) == len(
        {secret for at, one in registered for secret in (at, one.csrf)}
    )


@given(text=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_a_session_or_a_secret(folder: Path, text: str):
    """Whatever a cookie or a header says."""
    context = Sessions(folder, Clock())
    session_id, session = context.open(operators.people(folder)[0])
    context.close(session_id)

    assert (None, None) == (context.get(text), context.get(session_id))
    assert not sessions.same(text, session.csrf)
    assert context.prove(text, text) is None


@given(steps=st.lists(st.floats(0, 100), max_size=50))
def test_no_more_is_let_through_than_the_bucket_holds(steps: list[float]):
    """The burst, and then one in so many seconds, whatever the rhythm."""
    clock = Clock()
    rates = Rates(3, 10.0, clock)
    take_count = 0
    for step in steps:
        clock.now += step
        take_count += not rates.take("a")

    assert take_count <= 3 + sum(steps) / 10.0 + 1e-6


def test_who_waits_as_emitted_is_let_through():
    """What is said in Retry-After is true; another address is not held up."""
    clock = Clock()
    rates = Rates(1, 10.0, clock)
    first, again, other = rates.take("a"), rates.take("a"), rates.take("b")
    clock.now += again

    assert (0.0, 10.0, 0.0, 0.0) == (first, again, other, rates.take("a"))


def test_addresses_are_forgotten_in_the_end():
    """The state is bounded; a flood of others makes nobody wait longer."""
    rates = Rates(1, 10.0, Clock())
    for number in range(ADDRESSES_MAX + 10):
        rates.take(str(number))

    assert ADDRESSES_MAX == len(rates._buckets)
