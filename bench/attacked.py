"""What attackers cost those who use Payflow: `python -m bench.attacked [--seconds 10]`.

An instance of its own is attacked, one attack after the other. Meanwhile every process is asked
for `/livez` and its memory is read, and an operator signs in and acts. Each process must answer
within a second, and hold at most 1.5 times of its idle memory and 100 MB; the operator has two
seconds.
"""

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
import psutil

from app.config import Config
from app.local.instance_folder import approver, client_key, worker_url
from app.local.supervisor import Supervisor
from bench import SCOPES
from bench.attacks import ATTACKS, Attack, Attacker, place_large_orders

IDLE_SECONDS = 15.0
"""Between the start and the reading of what processes hold when nobody attacks."""
ASK_SECONDS = 0.1
ANSWER_SECONDS_MAX, SIGN_IN_SECONDS_MAX = 1.0, 2.0
GROWTH, MORE_BYTES = 1.5, 100 << 20
NAME = "bench"


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """What one attack did."""

    attack: str
    livez_seconds: float
    """The longest answer, or lack of one, of any process."""
    slowest: str
    memory_ratio: float
    """Of what a process may hold: 1.5 times of idle, and 100 MB."""
    largest: str
    sign_in_seconds: float
    answers: dict[int, int]
    """By status, what the attack was answered; 0: nothing in time."""

    @property
    def holds(self) -> bool:
        """Return whether nobody was hurt."""
        return (
            self.livez_seconds <= ANSWER_SECONDS_MAX
            and self.memory_ratio <= 1
            and self.sign_in_seconds <= SIGN_IN_SECONDS_MAX
        )


class Watch:
    """Asks every process, and reads what it holds, from a thread each."""

    def __init__(self, urls: Mapping[str, str], pids: Mapping[str, int]) -> None:
        self._urls = urls
        self._pids = pids
        self.allowed = {name: bytes_ * GROWTH + MORE_BYTES for name, bytes_ in self._held().items()}
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(name,), daemon=True) for name in urls
        ]
        self._threads.append(threading.Thread(target=self._weigh, daemon=True))
        self.slowest: dict[str, float] = {}
        self.largest: dict[str, float] = {}
        for each in self._threads:
            each.start()

    def begin(self) -> None:
        """Forget what was measured until now."""
        self.slowest, self.largest = {}, {}

    def end(self) -> None:
        """Stop asking."""
        self._ended.set()
        for each in self._threads:
            each.join()

    def _ask(self, name: str) -> None:
        at = urlsplit(self._urls[name])
        while not self._ended.wait(ASK_SECONDS):
            began = time.monotonic()
            connection = HTTPConnection(at.hostname or "", at.port, timeout=30)
            try:
                connection.request("GET", "/livez")
                connection.getresponse().read()
            except (OSError, HTTPException) as error:
                print(f"{name}: {error!r}", file=sys.stderr, flush=True)
                began -= ANSWER_SECONDS_MAX
            finally:
                connection.close()
            self._note(self.slowest, name, time.monotonic() - began)

    def _weigh(self) -> None:
        while not self._ended.wait(ASK_SECONDS):
            for name, held in self._held().items():
                self._note(self.largest, name, held / self.allowed[name])

    def _held(self) -> dict[str, int]:
        return {name: psutil.Process(pid).memory_info().rss for name, pid in self._pids.items()}

    @staticmethod
    def _note(most: dict[str, float], name: str, value: float) -> None:
        most[name] = max(value, most.get(name, 0.0))


async def measure(folder: Path, seconds: float) -> list[Damage]:
    """Return what each attack did to an instance in `folder`."""
    own = Config(data_dir=str(folder), broker_port=0, console_port=0)
    async with Supervisor(own, _say).up() as instance, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {client_key(instance.config, SCOPES)}"}
        attacker = Attacker(
            config=instance.config, session=session, client_headers=headers, seconds=seconds
        )
        name, _, token = approver(instance.config.data_path, NAME).partition(":")
        await place_large_orders(attacker)
        await asyncio.sleep(IDLE_SECONDS)
        watch = Watch(_urls(instance), {name: each.pid for name, each in instance.children.items()})
        damages = [await _damage(attack, attacker, watch, (name, token)) for attack in ATTACKS]
        watch.end()
    return damages


def _urls(instance: Supervisor) -> dict[str, str]:
    config = instance.config
    urls = {name: worker_url(config, name, each.pid) for name, each in instance.children.items()}
    return {name: url for name, url in urls.items() if url} | {"api": config.console_url}


async def _damage(attack: Attack, attacker: Attacker, watch: Watch, who: tuple[str, str]) -> Damage:
    watch.begin()
    attacker.answers.clear()
    under_way = asyncio.ensure_future(attack(attacker))
    await asyncio.sleep(1)
    signed_in = await _sign_in(attacker, who)
    await under_way
    await asyncio.sleep(1)
    slowest = max(watch.slowest, key=watch.slowest.__getitem__)
    largest = max(watch.largest, key=watch.largest.__getitem__)
    damage = Damage(
        attack=attack.__name__,
        livez_seconds=round(watch.slowest[slowest], 3),
        slowest=slowest,
        memory_ratio=round(watch.largest[largest], 2),
        largest=largest,
        sign_in_seconds=round(signed_in, 2),
        answers=dict(sorted(attacker.answers.items())),
    )
    _say(f"{'holds' if damage.holds else 'BROKEN'} {damage}")
    return damage


async def _sign_in(attacker: Attacker, who: tuple[str, str]) -> float:
    """Return how long an operator takes to sign in and act. Raises ClientError when he cannot."""
    began = time.monotonic()
    body = {"name": who[0], "token": who[1]}
    url = attacker.config.console_url
    act = {"name": "blocked.card", "add": [f"k{began}"], "reason": "a test under attack"}
    # Otherwise aiohttp keeps no cookie of an address.
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(raise_for_status=True, cookie_jar=jar) as session:
        async with session.post(f"{url}/sign-in", json=body) as answer:
            headers = {"X-CSRF-Token": (await answer.json())["csrf"], "Origin": url}
        await session.post(f"{url}/operators/fraud/lists", json=act, headers=headers)
    return time.monotonic() - began


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure and print, as JSON; return 1 where an attack hurts."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacked", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of an attack that holds on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="payflow-bench-") as folder:
        damages = asyncio.run(measure(Path(folder), options.seconds))
    print(msgspec.json.encode({"attacks": damages}).decode())
    return 0 if all(each.holds for each in damages) else 1


if __name__ == "__main__":
    sys.exit(main())
