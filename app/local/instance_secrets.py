"""The secrets of one folder, made at its first start: nobody else knows them."""

import secrets
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from app.auth import private_file
from app.config import Config
from app.wire.known_secrets import is_here, known_secrets

FILE = "secrets.json"
BYTES = 32


class Secrets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The secrets of an instance whose broker and external systems are on this machine."""

    signing_key: str
    provider_key: str
    provider_webhook_secret: str
    carrier_webhook_secret: str


def with_secrets(config: Config, say: Callable[[str], None] | None = None) -> Config:
    """Return `config` with the secrets of its folder in place of those that everybody knows.

    With `say` they are made where there are none. Only where the broker is of this machine: the
    processes of a cluster share what is chosen for it. Raises PrivateFileError.
    """
    names = known_secrets(config)
    if not names or not is_here(config.broker_url):
        return config
    path = config.data_path / FILE
    try:
        own = private_file.read(path, Secrets)
    except FileNotFoundError:
        if say is None:
            return config
        own = _first(config, say)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_file.beside(path, own).replace(path)
    return replace(config, **{name: getattr(own, name) for name in names})


def _first(config: Config, say: Callable[[str], None]) -> Secrets:
    if (config.data_path / "up.json").exists():
        # What lies on its topics is signed with these: with others it would be forged.
        say(
            f"{config.data_path} is from a version before, and keeps the keys that everybody "
            "knows. Operator: choose a PAYFLOW_SIGNING_KEY; give the known one as "
            "PAYFLOW_SIGNING_KEY_BEFORE only while all is bound to this machine and until what "
            "lies on the topics is handled, then unset it"
        )
        return Secrets(**{name: getattr(Config(), name) for name in Secrets.__struct_fields__})
    tokens = (secrets.token_urlsafe(BYTES) for _ in Secrets.__struct_fields__)
    signing, provider, provider_webhook, carrier_webhook = tokens
    return Secrets(
        signing_key=signing,
        provider_key=f"sk_test_{provider}",
        provider_webhook_secret=f"whsec_{provider_webhook}",
        carrier_webhook_secret=carrier_webhook,
    )
