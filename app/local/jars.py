"""The broker's jars: the versions and hashes of `kafka-jars.lock`, fetched through jgo.

The lock names every jar, so no dependency is resolved: every jar has the locked hash, or it is an
error.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import requests
from jgo.constants import default_maven_repo
from jgo.maven import MavenContext

from workflows.shared.errors import PayflowError

LOCK = Path(__file__).with_name("kafka-jars.lock")
DOWNLOADS_AT_ONCE = 8
FETCH_TIMEOUT_SECONDS = 60
OWN_REPOSITORY = Path(sys.prefix) / "share" / "payflow" / "jars"
"""The folder of this installation, for users without a home that can be written."""

Log = Callable[[str], object]


class BadJar(PayflowError):
    """A jar could not be fetched, or is not the one of the lock; the message names it."""


class Jar(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the lock."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def coordinate(self) -> str:
        """Return `group:artifact:version`."""
        return f"{self.group}:{self.artifact}:{self.version}"


def locked(lock: Path = LOCK) -> list[Jar]:
    """Return the jars of `lock`; raises ValueError for a line of another form."""
    jars: list[Jar] = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            sha256, coordinate = line.split("  ")
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(sha256=sha256, group=group, artifact=artifact, version=version))
    return jars


def fetch(lock: Path = LOCK, repository: Path | None = None, log: Log = print) -> list[Path]:
    """Return the paths of all jars of `lock`, each with the hash it must have.

    `repository` is where jars are kept; None: the Maven repository of this user, or a folder of
    this installation.
    Raises BadJar naming the jar that cannot be fetched or has another hash.
    """
    jars = locked(lock)
    folder = repository or _repository(jars)
    context = MavenContext(repo_cache=folder, timeout=FETCH_TIMEOUT_SECONDS)
    with _alone(folder), ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        missing = sum(not _path(folder, jar).exists() for jar in jars)
        if missing:
            log(f"fetching {missing} of the {len(jars)} jars of the broker ...")
        return list(pool.map(lambda jar: _fetched(context, jar), jars))


def _repository(jars: list[Jar], own: Path = OWN_REPOSITORY) -> Path:
    """Return the first folder that holds all of `jars`, or that can be written.

    Raises BadJar when there is none.
    """
    folders = [own]
    # A user may have no home at all, or one that others own.
    with suppress(RuntimeError):
        folders.insert(0, default_maven_repo())
    for folder in folders:
        if all(os.access(_path(folder, jar), os.R_OK) for jar in jars):
            return folder
    for folder in folders:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    raise BadJar(
        f"the broker's jars cannot be stored in {' or '.join(map(str, folders))}. Operator: name "
        "a folder with M2_REPO, or let PAYFLOW_BROKER_URL name a cluster that runs already."
    )


@contextmanager
def _alone(repository: Path) -> Generator[None]:
    # jgo writes a jar in place: a second process must not take half of one for a bad one.
    repository.mkdir(parents=True, exist_ok=True)
    path = repository / ".payflow-jars.lock"
    if not os.access(path if path.exists() else repository, os.W_OK):
        # All jars are there, as `_repository` has found: nobody writes here.
        yield
        return
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _path(repository: Path, jar: Jar) -> Path:
    # The layout of every Maven repository.
    folder = repository.joinpath(*jar.group.split("."), jar.artifact, jar.version)
    return folder / f"{jar.artifact}-{jar.version}.jar"


def _fetched(context: MavenContext, jar: Jar) -> Path:
    path = _path(context.repo_cache, jar)
    if path.exists() and _sha256(path) == jar.sha256:
        return path
    # Half a file of an interrupted download, or a file changed since: fetched once more.
    path.unlink(missing_ok=True)
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    try:
        artifact.resolve()
    except (OSError, RuntimeError, requests.RequestException) as error:
        raise BadJar(
            f"{jar.coordinate} cannot be fetched: {error}. Operator: is there a network? "
            "PAYFLOW_BROKER_URL names a cluster that runs already and needs no jars."
        ) from error
    digest = _sha256(path)
    if digest != jar.sha256:
        path.unlink()
        raise BadJar(
            f"{jar.coordinate} has sha256 {digest}, the lock says {jar.sha256}. Operator: "
            "somebody changed the jar on its way; do not run it, fetch from another place."
        )
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    try:
        fetch(log=lambda line: sys.stdout.write(f"setup: {line}\n"))
    except BadJar as error:
        sys.exit(f"setup: {error}")
