"""Sessions, in the memory of one console.

A session ends by itself: when it is idle, when it is old, when its person is removed or gets
another token or role.
"""

import hmac
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
from cachetools import LRUCache
from msgspec.structs import replace

from app.auth.digests import digest_of
from app.auth.operators import Person, Role, is_theirs, people

IDLE_SECONDS = 1_800.0
LIFE_SECONDS = 43_200.0
SESSIONS_MAX = 1_000
SESSIONS_EACH_MAX = 10
"""Most sessions of one person: a further one ends the oldest."""
ID_BYTES = 32
TOKEN_CHARS_MAX = 200


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated operator."""

    name: str
    role: Role


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session, with the role and token at its start (seconds of a clock)."""

    person: Person
    csrf: str
    began_at: float
    used_at: float


class Sessions:
    """Signs people in and out, by the file in `folder` as it is at that moment."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        # By the digest of its id, so that the time of a lookup reveals nothing.
        self._open: LRUCache[str, Session] = LRUCache(SESSIONS_MAX)

    def prove(self, name: str, token: str) -> Person | None:
        """Return the person `name` if `token` is theirs. Raises PeopleError for a broken file."""
        person = {person.name: person for person in people(self._folder)}.get(name)
        return person if len(token) <= TOKEN_CHARS_MAX and is_theirs(person, token) else None

    def open(self, person: Person) -> tuple[str, Session]:
        """Return a new session of `person` and its id, which nobody can guess."""
        theirs = [at for at, each in self._open.items() if each.person.name == person.name]
        if len(theirs) >= SESSIONS_EACH_MAX:
            del self._open[theirs[0]]
        session_id, now = secrets.token_urlsafe(ID_BYTES), self._clock()
        session = Session(
            person=person, csrf=secrets.token_urlsafe(ID_BYTES), began_at=now, used_at=now
        )
        self._open[digest_of(session_id)] = session
        return session_id, session

    def get(self, session_id: str) -> Session | None:
        """Return the session and note its use; None when there is none, or it has ended."""
        at, now = digest_of(session_id), self._clock()
        session = self._open.get(at)
        if session is None:
            return None
        idle, age = now - session.used_at, now - session.began_at
        if idle > IDLE_SECONDS or age > LIFE_SECONDS or session.person not in people(self._folder):
            del self._open[at]
            return None
        self._open[at] = replace(session, used_at=now)
        return session

    def close(self, session_id: str) -> None:
        """End the session, if there is one."""
        self._open.pop(digest_of(session_id), None)


def same(text: str, due: str) -> bool:
    """Return whether both texts are equal, in constant time."""
    return hmac.compare_digest(text.encode("utf-8", "surrogatepass"), due.encode())
