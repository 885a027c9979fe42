"""The address of a caller, also behind proxies that are trusted to say it.

Rates are counted by address: believed from anybody, `X-Forwarded-For` would give a new one to each
guess; not believed from a proxy of ours, one caller would use up the share of all.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

from app.config import Config, ConfigError
from app.host.parameters import header_texts

HEADER = "X-Forwarded-For"
PROXIES_MAX = 20
"""Most entries that are followed, from the nearest."""

Networks = tuple[IPv4Network | IPv6Network, ...]


def trusted_networks(config: Config) -> Networks:
    """Return the networks of `PAYFLOW_TRUSTED_PROXIES`. Raises ConfigError naming what is none."""
    texts = [each.strip() for each in config.trusted_proxies.split(",") if each.strip()]
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigError(f"PAYFLOW_TRUSTED_PROXIES: {error}; write 10.0.0.0/8,::1") from error


def address_of(request: web.Request, trusted: Networks) -> str:
    """Return the address of the nearest caller that is not a trusted proxy."""
    addresses = [each.strip() for text in header_texts(request, HEADER) for each in text.split(",")]
    address = request.remote or ""
    for before in reversed(addresses[-PROXIES_MAX:]):
        if not (_is_in(address, trusted) and _read(before)):
            break
        address = before
    return address


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A server that listens on `::` sees callers by IPv4 in this form.
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(text: str, networks: Networks) -> bool:
    address = _read(text)
    return address is not None and any(address in network for network in networks)
