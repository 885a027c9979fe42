"""The configuration: one frozen value, read from the environment once.

No other module reads the environment. A name that begins with `PAYFLOW_` and is none of these is an
error: a typing mistake must not be silent.
"""

import difflib
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from workflows.shared.errors import ErrorKind, PayflowError

PREFIX = "PAYFLOW_"
SECRETS = frozenset(
    {
        "provider_key",
        "provider_webhook_secret",
        "carrier_webhook_secret",
        "sasl_password",
        "signing_key",
        "signing_key_before",
        "oidc_client_secret",
        "client_key",
    }
)
"""Fields that are never printed; `sms_url` and `push_url` may carry tokens and are masked too."""
_FILE = "_file"
"""What a name ends with that gives a secret by a file: `PAYFLOW_SIGNING_KEY_FILE`."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Hosts that nobody but this machine reaches."""
_TOKEN_URLS = frozenset({"sms_url", "push_url"})

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=300)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class ConfigError(PayflowError, ValueError):
    """The environment holds an unknown name or an unusable value; the message names it."""

    kind: ClassVar[ErrorKind] = "invalid"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set from outside."""

    service: str = ""
    """The service this process runs; empty where a command runs none."""
    broker_url: str = ""
    """`host:port[,host:port]` of a cluster; empty: a broker of our own is started."""
    data_dir: str = ".payflow"
    """Where tables, the embedded broker and the external systems keep their files."""
    partitions: Count = 4
    """Partitions of every topic that is keyed like a table. It cannot change once the topics
    exist."""
    replication: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    """Replication factor of every topic: 3 in production, 1 on a single broker."""
    host: str = "127.0.0.1"
    """What every HTTP server binds; anything wider shows the console to the network."""
    console_port: Port = 8700
    provider_port: Port = 8701
    carrier_port: Port = 8702
    worker_port: Port = 0
    """Health and metrics of a worker; 0 takes any free port, so that many fit on one machine."""
    broker_port: Port = 19_092
    """The embedded broker; the next free port when it is taken."""
    broker_heap_mb: Annotated[int, msgspec.Meta(ge=128, le=65_536)] = 512
    """Heap of the embedded broker: under 256 it collects garbage all the time."""
    console_url: str = "http://127.0.0.1:8700"
    """The URL to which the external systems send their webhooks."""
    installation: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{0,40}$(?!\n)")] = ""
    """The name of this instance at the provider, where keys and metadata carry it: several may use
    one account. It stays the same for ever, on other brokers too."""
    provider_url: str = "http://127.0.0.1:8701"
    provider_key: str = "sk_test_payflow"
    provider_webhook_secret: str = "whsec_payflow_local"  # noqa: S105  of the local simulator only
    webhook_quiet_seconds: Seconds = 300.0
    """After so long without a webhook of the provider its list of events is read (ADR 25)."""
    provider_timeout_seconds: Seconds = 2.0
    """The time-out of a charge, after which its outcome is unknown, and inquired about."""
    action_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 3_600
    """How long a customer may take to confirm a payment with the bank; then it is voided."""
    processing_seconds: Annotated[int, msgspec.Meta(ge=1, le=2_592_000)] = 86_400
    """How long the provider may take to process a charge; then it is voided, if it can be."""
    carrier_url: str = "http://127.0.0.1:8702"
    carrier_webhook_secret: str = "carrier_payflow_local"  # noqa: S105  of the local simulator only
    carrier_timeout_seconds: Seconds = 2.0
    client_key: str = ""
    """The key with which `payflow orders load` asks a console elsewhere, of `payflow clients add`;
    empty: that of this folder."""
    signing_key: str = "seal_payflow_local"
    """What events are signed with, the same for the whole instance.

    Empty: no signatures, ACLs alone."""
    signing_key_before: str = ""
    """A key that is still accepted while `signing_key` is being changed."""
    trusted_proxies: str = ""
    """Networks, `10.0.0.0/8,::1`, whose `X-Forwarded-For` is the caller; empty: none."""
    refund_two_people_minor: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    """Operators refund up to this much of an order alone, in minor units; more needs two."""
    quotas: str = ""
    """`NAME=NUMBER,...`: other quotas of open transactions than those of the table (ADR 33)."""
    oidc_issuer: str = ""
    """An OpenID provider that people may sign in with, besides their tokens; empty: none. What
    they may do is said by `payflow operators add NAME ROLE`."""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_name_claim: str = "email"
    """The claim that is the operator's name: one that people cannot choose for themselves."""
    sms_url: str = "inbox://sms"
    """An apprise URL; `inbox://` lands in a local file that the console shows."""
    push_url: str = "inbox://push"
    crash_at: Annotated[str, msgspec.Meta(pattern=r"^([a-z ]+:[0-9]+(:stop)?)?$")] = ""
    """For drills: `CHECKPOINT:NUMBER` kills the process when it passes that checkpoint of the
    engine the n-th time; `CHECKPOINT:NUMBER:stop` freezes it there. Empty in production."""
    fault_injection: bool = False
    """For demonstrations: operators may inject faults into the external systems and kill
    workers. `payflow demo` sets it."""
    stall_seconds: Seconds = 90.0
    """How long a worker with something to do may make no progress before it ends itself."""
    fraud_models: str = ""
    """A folder of models, `*.json`; `trial.json` decides nothing. Empty: the model of the
    package."""
    reference_rates: str = ""
    """A file of the rates by which the fraud check compares currencies (docs/fraud.md). Empty: the
    rates of the package."""
    extensions: str = ""
    """Folders with further workflows, separated as in PATH: each holds what it adds to `workflows`,
    `tables`, `agents` and `entrypoints`. The same for the whole instance."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = False
    """One JSON object a line, for machines; plain text for people otherwise."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_cafile: str = ""
    """Certificates to trust, a PEM file; empty: those of the system."""

    def __post_init__(self) -> None:
        """Raise ValueError where two fields do not fit together."""
        wrong = [each for each in filter(None, self.broker_url.split(",")) if not _is_address(each)]
        if wrong:
            raise ValueError(f"broker_url must be host:port[,host:port], not {wrong[0]!r}")
        if self.security_protocol.startswith("SASL") and not self.sasl_mechanism:
            raise ValueError(f"{self.security_protocol} needs a sasl_mechanism")
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret):
            raise ValueError("oidc_issuer needs oidc_client_id and oidc_client_secret")
        is_encrypted = urlsplit(self.oidc_issuer).scheme == "https"
        if self.oidc_issuer and not (is_encrypted or is_local(self.oidc_issuer)):
            raise ValueError("oidc_issuer must begin with https://")
        if not self.installation and not is_local(self.provider_url):
            raise ValueError(
                "a provider elsewhere needs an installation: a name that no other instance has"
            )
        try:
            _whole(self.data_dir)
        except RuntimeError as error:
            raise ValueError(f"data_dir is {self.data_dir!r}: {error}") from error
        if self.stall_seconds <= max(self.provider_timeout_seconds, self.carrier_timeout_seconds):
            raise ValueError("stall_seconds must be longer than a provider or carrier may take")

    def __repr__(self) -> str:
        """Return every field with secrets masked: a value like this ends up in logs."""
        return f"Config({', '.join(f'{name}={text}' for name, text in self.texts().items())})"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Config":
        """Return the configuration in `environ`.

        Raises ConfigError naming the variable that is unknown or holds no usable value.
        """
        settings = {
            name.removeprefix(PREFIX).lower(): value.strip()
            for name, value in environ.items()
            if name.startswith(PREFIX)
        }
        for name in [each for each in settings if each.removesuffix(_FILE) in SECRETS - {each}]:
            settings[name.removesuffix(_FILE)] = _in_file(name, settings.pop(name))
        if unknown := [name for name in settings if name not in cls.__struct_fields__]:
            raise ConfigError(f"{_variable(unknown[0])} is not a setting{_nearest(unknown[0])}")
        empty = {name for name, value in settings.items() if not value} - _EMPTY_OK
        if empty:
            raise ConfigError(f"{_variable(min(empty))} is empty")
        if "broker_url" in settings:
            # Other clients of Kafka write the address so.
            settings["broker_url"] = settings["broker_url"].removeprefix("kafka://")
        try:
            return msgspec.convert(settings, cls, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(_in_variables(str(error))) from error

    @property
    def data_path(self) -> Path:
        """Return `data_dir` as an absolute path."""
        return _whole(self.data_dir)

    def to_env(self) -> dict[str, str]:
        """Return the variables that make this configuration again, for a process to be started.

        Only what differs from the defaults; values are not masked.
        """
        standard = Config()
        return {
            _variable(name): _text(getattr(self, name))
            for name in self.__struct_fields__
            if getattr(self, name) != getattr(standard, name)
        }

    def texts(self) -> dict[str, str]:
        """Return every field as text with secrets masked, to be printed at start."""
        return {name: _masked_text(name, getattr(self, name)) for name in self.__struct_fields__}


@cache
def current() -> Config:
    """Return the configuration of this process, read once. Raises ConfigError."""
    return Config.from_env(os.environ)


def _in_file(name: str, path: str) -> str:
    """Return the secret in the file `path`, as containers get one. Raises ConfigError."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{_variable(name)}: {path} cannot be read: {error}") from error


def extension_folders() -> list[Path]:
    """Return the folders of `extensions`; raises ConfigError for a `~` that is nobody's."""
    names = os.environ.get(_variable("extensions"), "").split(os.pathsep)
    try:
        return [_whole(name) for name in names if name.strip()]
    except RuntimeError as error:
        raise ConfigError(f"{_variable('extensions')}: {error}") from error


def child_environment(config: Config) -> dict[str, str]:
    """Return the environment of a process that runs with `config`, and with no other settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**environment, "PYTHONUNBUFFERED": "1", **config.to_env()}


_EMPTY_OK = frozenset(each.name for each in msgspec.structs.fields(Config) if each.default == "")


def _whole(path: str) -> Path:
    """Return `path` as an absolute one; raises RuntimeError for a `~` that stands for nothing."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        text = "`~` is not a folder: this user has no home. Operator: write the whole path"
        raise RuntimeError(text) from error


def _is_address(text: str) -> bool:
    return re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s/:@]+):\d{1,5}", text.strip()) is not None


def is_local(url: str) -> bool:
    """Return whether `url` is of this machine alone: not where it cannot be parsed."""
    try:
        return urlsplit(url).hostname in LOOPBACK
    except ValueError:
        return False


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, Config.__struct_fields__, n=1)
    return f"; did you mean {_variable(near[0])}?" if near else ""


def _in_variables(text: str) -> str:
    problem, _, path = text.partition(" - at `$.")
    return f"{_variable(path.rstrip('`'))}: {problem}" if path else problem


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _masked_text(name: str, value: object) -> str:
    text = _text(value)
    if name in SECRETS:
        return "***" if text else ""
    if name in _TOKEN_URLS and not text.startswith("inbox://"):
        return f"{text.partition('://')[0]}://***"
    return text
