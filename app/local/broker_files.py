"""The files of the embedded broker: settings, ports, cluster id, log."""

import errno
import re
import socket
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import IO
from uuid import uuid5

import msgspec

from app.wire.byte_limits import DEAD_LETTER_TOPIC_BYTES_MAX
from app.wire.envelope import NAMESPACE

PROPERTIES = "server.properties"
LOGGING = "log4j2.xml"
PORTS = "ports.json"
LOG = "broker.log"
LOG_BYTES_MAX = 16_000_000
"""A longer log is renamed to `broker.log.1` at the next start."""
STARTING = "--- starting ---"
ASCII_END = 0x80
ERROR_CHARACTERS_MAX = 500


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The ports in use, and the one of the configuration."""

    wanted: int
    broker: int
    controller: int


def read_ports(folder: Path) -> Ports | None:
    """Return the ports of the last start; None when there was none."""
    try:
        return msgspec.json.decode((folder / PORTS).read_bytes(), type=Ports)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def choose_ports(folder: Path, config_port: int) -> Ports:
    """Return the ports of the last start if they are free, so that clients find it again.

    Otherwise `config_port`, or any free port when it is taken or 0.
    """
    last = read_ports(folder)
    if last and last.wanted == config_port and _free(last.broker) and _free(last.controller):
        return last
    port = config_port if _free(config_port) else any_free_port()
    controller = any_free_port()
    return Ports(wanted=config_port, broker=port, controller=controller)


def _free(port: int) -> bool:
    if port == 0:
        return False
    with socket.socket() as probe:
        # Kafka sets this too: a port whose connections just closed may be used again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
        return True


def any_free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cluster_id(folder: Path) -> str:
    """Return this folder's cluster id, 22 characters of base64; the same at every start."""
    path = folder / "cluster.id"
    if not path.exists():
        derived = uuid5(NAMESPACE, str(folder)).bytes
        path.write_text(urlsafe_b64encode(derived).decode().rstrip("=").replace("-", "_"))
    return path.read_text()


def write(folder: Path, ports: Ports, advertised_port: int) -> None:
    """Write settings, log form and ports, anew at every start.

    Clients connect to `advertised_port`.
    """
    properties = {**_who_and_where(folder, ports, advertised_port), **LIMITS, **SINGLE_NODE}
    lines = [f"{name}={_escaped(str(value))}\n" for name, value in properties.items()]
    (folder / PROPERTIES).write_text("".join(lines), encoding="ascii")
    (folder / LOGGING).write_text(_LOG4J, encoding="utf-8")
    (folder / PORTS).write_bytes(msgspec.json.encode(ports))


def _escaped(value: str) -> str:
    """Return `value` for a Java properties file, which is Latin-1, other characters by code."""
    units = value.replace("\\", "\\\\").encode("utf-16-be").hex(" ", 2).split()
    return "".join(
        chr(int(unit, 16)) if int(unit, 16) < ASCII_END else f"\\u{unit}" for unit in units
    )


def open_log(folder: Path) -> IO[bytes]:
    """Return the log opened to append, with a line that marks this start."""
    path = folder / LOG
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_name(f"{LOG}.1"))
    log = path.open("ab")
    log.write(f"{STARTING}\n".encode())
    log.flush()
    return log


def said_since_start(path: Path) -> str:
    """Return the log at `path` since the last start."""
    return path.read_text(encoding="utf-8", errors="replace").rpartition(STARTING)[2]


def last_error(log_text: str) -> str:
    """Return the last error of a log on one line; its last line where there is none."""
    lines = [line.strip() for line in log_text.splitlines() if line.strip()]
    errors = [
        line for line in lines if re.search(r"\b(ERROR|FATAL)\b|(Exception|Error)\b.{0,300}:", line)
    ]
    last = (errors or lines or ["its log says nothing"])[-1]
    return last[:ERROR_CHARACTERS_MAX]


def _who_and_where(folder: Path, ports: Ports, advertised_port: int) -> dict[str, object]:
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": (
            f"PLAINTEXT://127.0.0.1:{ports.broker},CONTROLLER://127.0.0.1:{ports.controller}"
        ),
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{advertised_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": folder / "data",
    }


LIMITS = {
    "auto.create.topics.enable": "false",
    "message.max.bytes": DEAD_LETTER_TOPIC_BYTES_MAX,
    "replica.fetch.max.bytes": DEAD_LETTER_TOPIC_BYTES_MAX,
    "log.retention.hours": 168,  # of topics that name none; ours all do
    "offsets.topic.segment.bytes": 16_777_216,  # the last segment of each is not compacted
    # 62 days, twice as long as topics: what a group had read has to outlive the events behind it.
    "offsets.retention.minutes": 89_280,
    "group.initial.rebalance.delay.ms": 0,  # workers need not wait for one another
    "group.min.session.timeout.ms": 1_000,
    # What lies behind an open transaction is not read: below the limit of the watchdog.
    "transaction.max.timeout.ms": 60_000,
    "log.index.size.max.bytes": 1_048_576,  # hundreds of small partitions, two indexes each
    "log.cleaner.dedupe.buffer.size": 16_777_216,  # a quarter of the heap otherwise
    # A broker that was killed is let back in when its last session has run out.
    "broker.session.timeout.ms": 6_000,
    "broker.heartbeat.interval.ms": 1_000,
    "num.network.threads": 2,
    "num.io.threads": 4,
}
SINGLE_NODE = {
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
}

_LOG4J = """<Configuration status="WARN" shutdownHook="disable">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601} %-5p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <Logger name="org.apache.kafka.coordinator.group" level="INFO"/>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""
