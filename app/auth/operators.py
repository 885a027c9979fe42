"""The operators, in the file `operators.json`, with digests of their tokens.

A user who can write that file can act as any operator, so it must be accessible to its owner alone.
"""

import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

import msgspec

from app.auth import private_file
from app.auth.digests import digest_of
from workflows.shared.errors import ErrorKind, PayflowError

Role = Literal["viewer", "operator", "approver"]
ROLES: tuple[Role, ...] = get_args(Role)
"""The roles, least first: each may do what those before it may."""
FILE = "operators.json"
NOTE = "operators.token"
"""The file with the first token, until it is used."""
FIRST = "admin"
TOKEN_BYTES = 32
PEOPLE_MAX = 200

PersonName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._@+-]{1,64}$(?!\n)")]
"""No colon, which separates name and token."""
_Salt = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?$(?!\n)")]
_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class PeopleError(PayflowError, ValueError):
    """The file cannot be read, or a change is not allowed; the message says why."""

    kind: ClassVar[ErrorKind] = "unavailable"


class Person(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A person who may sign in."""

    name: PersonName
    role: Role
    digest: _Digest
    """SHA-256 of the token, in hexadecimal."""
    salt: _Salt = ""
    """Of a version that salted its digests: whoever has one takes another token to sign in."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    people: Annotated[tuple[Person, ...], msgspec.Meta(min_length=1, max_length=PEOPLE_MAX)]


def at_least(role: Role, least: Role) -> bool:
    """Return whether `role` may do what `least` may."""
    return ROLES.index(role) >= ROLES.index(least)


def first_start(folder: Path) -> str:
    """Make the file with one approver, `admin`; return their token, "" where the file exists.

    The token is stored nowhere else. Of several concurrent starts, one makes the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / FILE).exists():
        return ""
    person, token = _person(FIRST, "approver")
    new = _written(folder, [person])
    try:
        os.link(new, folder / FILE)
    except FileExistsError:
        return ""
    finally:
        new.unlink()
    return token


def note(folder: Path, name: str, token: str) -> Path:
    """Write the first token to a file that only its owner can read; return the path."""
    path = folder / NOTE
    path.unlink(missing_ok=True)
    private_file.write_new(path, f"{name}:{token}\n".encode())
    return path


def first_steps(folder: Path) -> str:
    """Return the text on how to sign in for the first time; "" when that has been done."""
    path = folder / NOTE
    return f"to act there, sign in as {FIRST}; the token: {path}" if path.exists() else ""


def forget_note(folder: Path) -> None:
    """Remove the note: its token was used."""
    (folder / NOTE).unlink(missing_ok=True)


def people(folder: Path) -> tuple[Person, ...]:
    """Return all operators.

    Raises PeopleError when the file is missing, open to others or broken.
    """
    path = folder / FILE
    try:
        persons = private_file.read(path, _File).people
    except FileNotFoundError as error:
        raise PeopleError(f"{path} cannot be read: {error.strerror}") from error
    except private_file.PrivateFileError as error:
        raise PeopleError(str(error)) from error
    names = [person.name for person in persons]
    for name in names:
        if names.count(name) > 1:
            raise PeopleError(f"{path}: {name} is there twice. Operator: remove one of them.")
    return persons


def add(folder: Path, name: str, role: Role) -> str:
    """Add a person; return their token. Raises PeopleError for a name that is taken or invalid.

    Also by one in other case: who may act as `Ann` and as `ann` would be two of two people.
    """
    with private_file.changing(folder, PeopleError):
        persons = people(folder)
        name_by_casefold = {person.name.casefold(): person.name for person in persons}
        if there := name_by_casefold.get(name.casefold()):
            raise PeopleError(f"there is a {there} already")
        if len(persons) >= PEOPLE_MAX:
            raise PeopleError(f"there are {PEOPLE_MAX} people already")
        person, token = _person(name, role)
        _save(folder, [*persons, person])
        return token


def remove(folder: Path, name: str) -> None:
    """Remove a person, whose sessions end with it. Raises PeopleError: the last approver stays."""
    with private_file.changing(folder, PeopleError):
        persons = people(folder)
        _person_of(persons, name)
        left = [person for person in persons if person.name != name]
        if not any(person.role == "approver" for person in left):
            raise PeopleError(f"{name} is the last approver: add another one first")
        _save(folder, left)


def renew(folder: Path, name: str) -> str:
    """Give a person another token, which ends their sessions; return it. Raises PeopleError."""
    with private_file.changing(folder, PeopleError):
        persons = people(folder)
        changed, token = _person(name, _person_of(persons, name).role)
        _save(folder, [changed if person.name == name else person for person in persons])
        return token


def is_theirs(person: Person | None, token: str) -> bool:
    """Return whether `token` is the one of `person`; for None it is False and takes as long."""
    right = hmac.compare_digest(digest_of(token), person.digest if person else "0" * 64)
    return right and person is not None and not person.salt


def _person_of(persons: Sequence[Person], name: str) -> Person:
    for person in persons:
        if person.name == name:
            return person
    raise PeopleError(f"there is no {name}")


def _person(name: str, role: Role) -> tuple[Person, str]:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    fields = {"name": name, "role": role, "digest": digest_of(token)}
    try:
        return msgspec.convert(fields, Person), token
    except msgspec.ValidationError as error:
        raise PeopleError(f"{name[:80]!r} as {role[:20]!r}: {error}") from error


def _save(folder: Path, everybody: Sequence[Person]) -> None:
    _written(folder, everybody).replace(folder / FILE)


def _written(folder: Path, everybody: Sequence[Person]) -> Path:
    return private_file.beside(folder / FILE, _File(people=tuple(everybody)))
