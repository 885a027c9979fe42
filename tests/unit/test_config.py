"""The configuration: what the environment may say, and how a mistake is answered."""

import msgspec
import pytest

from app.config import Config, ConfigError


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing has to be set; other programs' variables do not matter."""
    assert Config() == Config.from_env({"PATH": "/bin", "HOME": "/"})


def test_values_get_the_type_of_their_field() -> None:
    """Numbers and switches are written as text."""
    record = Config.from_env(
        {
            "PAYFLOW_PARTITIONS": "24",
            "PAYFLOW_PROVIDER_TIMEOUT_SECONDS": "0.5",
            "PAYFLOW_LOG_JSON": "true",
            "PAYFLOW_DATA_DIR": " /var/lib/payflow ",
        }
    )

    assert (24, 0.5, True, "/var/lib/payflow") == (
        record.partitions,
        record.provider_timeout_seconds,
        record.log_json,
        record.data_dir,
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        pytest.param("PARTITION", "6", "did you mean PAYFLOW_PARTITIONS", id="a typing mistake"),
        pytest.param("QWERTY", "6", "PAYFLOW_QWERTY is not a setting", id="a name like no other"),
        pytest.param("PARTITIONS", "six", "PAYFLOW_PARTITIONS: .*int", id="no number"),
        pytest.param("PARTITIONS", "0", "PAYFLOW_PARTITIONS: .*>= 1", id="too small"),
        pytest.param("CONSOLE_PORT", "70000", "PAYFLOW_CONSOLE_PORT: .*65535", id="no port"),
        pytest.param("PROVIDER_TIMEOUT_SECONDS", "0", "TIMEOUT_SECONDS: .*> 0", id="no time"),
        pytest.param("LOG_JSON", "perhaps", "PAYFLOW_LOG_JSON: .*bool", id="no switch"),
        pytest.param("LOG_LEVEL", "loud", "PAYFLOW_LOG_LEVEL: .*loud", id="no level"),
        pytest.param("HOST", "", "PAYFLOW_HOST is empty", id="nothing where something must be"),
        pytest.param("SECURITY_PROTOCOL", "SASL_SSL", "sasl_mechanism", id="half of a login"),
    ],
)
def test_a_mistake_is_an_error_that_names_the_variable(name: str, value: str, says: str) -> None:
    """Given one wrong variable, the message says which and why."""
    with pytest.raises(ConfigError, match=says):
        Config.from_env({f"PAYFLOW_{name}": value})


@pytest.mark.parametrize(
    ("address", "url"),
    [
        pytest.param("kafka://one:9092", "one:9092", id="as other clients write it"),
        pytest.param("one:9092,two:9093", "one:9092,two:9093", id="several"),
        pytest.param("[::1]:9092", "[::1]:9092", id="IPv6"),
    ],
)
def test_a_broker_is_named_by_host_and_port(address: str, url: str) -> None:
    """What Kafka's other clients accept is accepted here."""
    assert url == Config.from_env({"PAYFLOW_BROKER_URL": address}).broker_url


@pytest.mark.parametrize(
    "address", ["one", "http://one:9092", "one:9092,two", "user@one:9092", "one:port", "::1:9092"]
)
def test_another_address_is_refused_at_once(address: str) -> None:
    """A client of Kafka would try it for minutes."""
    with pytest.raises(ConfigError, match="broker_url must be host:port"):
        Config.from_env({"PAYFLOW_BROKER_URL": address})


def test_an_optional_text_may_be_empty() -> None:
    """Compose files pass variables on that are not set."""
    assert "" == Config.from_env({"PAYFLOW_BROKER_URL": ""}).broker_url


def test_a_started_process_gets_the_same_configuration() -> None:
    """`to_env` is the way back of `from_env`."""
    config = Config(
        partitions=24,
        log_json=True,
        carrier_timeout_seconds=0.25,
        sasl_password="p w",  # noqa: S106
    )

    assert config == Config.from_env(config.to_env())


def test_secrets_are_never_shown() -> None:
    """Neither printed at start nor in the value's own form."""
    config = Config(
        sasl_password="hidden-1",  # noqa: S106
        provider_key="hidden-2",
        provider_webhook_secret="hidden-3",  # noqa: S106
        carrier_webhook_secret="hidden-4",  # noqa: S106
        sms_url="twilio://hidden-5@1/2",
    )

    assert "hidden" not in str(config.texts())
    assert "hidden" not in repr(config)
    assert "twilio://***" == config.texts()["sms_url"]


def test_a_configuration_cannot_be_changed() -> None:
    """It is one value for the life of the process."""
    with pytest.raises(AttributeError):
        Config().partitions = 2  # type: ignore[misc]


def test_every_field_can_be_set_from_the_environment() -> None:
    """Its default, written as text, is read back as itself."""
    standard = Config()
    environ = {
        f"PAYFLOW_{name.upper()}": str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in msgspec.structs.asdict(standard).items()
    }

    assert standard == Config.from_env(environ)
