"""Secrets that nobody has chosen: they are in the source, so everybody knows them."""

from app.config import LOOPBACK, SECRETS, Config, ConfigError, is_local

KNOWN_KEY = Config().signing_key
"""The signing key of whoever has chosen none."""
PLACES = ("host", "broker_url", "console_url", "provider_url", "carrier_url")


def known_secrets(config: Config) -> tuple[str, ...]:
    """Return the names of the secrets in `config` that everybody knows."""
    standard = Config()
    return tuple(
        name
        for name in sorted(SECRETS)
        if getattr(standard, name) and getattr(config, name) == getattr(standard, name)
    )


def is_known_key(key: str) -> bool:
    """Return whether everybody knows the signing key `key`, of now or of before."""
    return key == KNOWN_KEY


def check_secrets(config: Config) -> None:
    """Raise ConfigError for a known secret where others reach this instance, or it reaches them."""
    elsewhere = [name for name in PLACES if not is_here(getattr(config, name))]
    for name in known_secrets(config) if elsewhere else ():
        setting, place = f"PAYFLOW_{name.upper()}", f"PAYFLOW_{elsewhere[0].upper()}"
        raise ConfigError(
            f"everybody knows {setting}, and {place} is not of this machine alone. "
            f"Operator: choose one for the whole instance, as {setting} or in a file that "
            f"{setting}_FILE names"
        )
    if elsewhere and is_known_key(config.signing_key_before):
        raise ConfigError(
            "everybody knows PAYFLOW_SIGNING_KEY_BEFORE, so whatever anybody signs would be "
            f"believed, and PAYFLOW_{elsewhere[0].upper()} is not of this machine alone. "
            "Operator: unset it"
        )


def is_here(text: str) -> bool:
    """Return whether a host, a URL, or every broker of `text` is of this machine alone."""
    if text in LOOPBACK:
        return True
    places = text.split(",") if text else []
    return all(is_local(each if "://" in each else f"//{each}") for each in places)
