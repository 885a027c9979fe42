"""Whose address counts: the nearest one that no proxy of ours has."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from app.config import Config, ConfigError
from app.console.api.addresses import HEADER, address_of, trusted_networks

OURS = "10.0.0.0/8, ::1,127.0.0.1"


def _address(remote: str, header_texts: list[str], trusted: str) -> str:
    headers = CIMultiDict([(HEADER, text) for text in header_texts])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=remote)
    return address_of(request, trusted_networks(Config(trusted_proxies=trusted)))


@pytest.mark.parametrize(
    ("remote", "header_texts", "trusted", "address"),
    [
        pytest.param("10.0.0.1", ["7.7.7.7"], "", "10.0.0.1", id="nobody is trusted"),
        pytest.param("9.9.9.9", ["7.7.7.7"], OURS, "9.9.9.9", id="another says it"),
        pytest.param("10.0.0.1", ["7.7.7.7"], OURS, "7.7.7.7", id="a proxy of ours says it"),
        pytest.param("10.0.0.1", ["6.6.6.6, 7.7.7.7"], OURS, "7.7.7.7", id="the caller adds one"),
        pytest.param("10.0.0.1", ["6.6.6.6", "7.7.7.7"], OURS, "7.7.7.7", id="in a header more"),
        pytest.param("10.0.0.1", ["7.7.7.7, 10.0.0.2"], OURS, "7.7.7.7", id="two proxies"),
        pytest.param("::1", ["2001:db8::7"], OURS, "2001:db8::7", id="IPv6"),
        pytest.param("::ffff:10.0.0.1", ["7.7.7.7"], OURS, "7.7.7.7", id="IPv4 within IPv6"),
        pytest.param("10.0.0.1", ["7.7.7.7, a"], OURS, "10.0.0.1", id="no address"),
        pytest.param("10.0.0.1", [""], OURS, "10.0.0.1", id="nothing"),
        pytest.param("10.0.0.1", [], OURS, "10.0.0.1", id="no header"),
        pytest.param("10.0.0.1", ["10.0.0.2"], OURS, "10.0.0.2", id="a proxy that asks itself"),
    ],
)
def test_the_address_is_of_who_is_no_proxy_of_ours(
    remote: str, header_texts: list[str], trusted: str, address: str
) -> None:
    """What the caller has written in front of it counts for nothing."""
    assert address == _address(remote, header_texts, trusted)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy", "10.0.0.0/8;::1", "10.0.0.0/99"])
def test_a_network_that_is_none_is_named(text: str) -> None:
    """The console does not start with it."""
    with pytest.raises(ConfigError, match=r"PAYFLOW_TRUSTED_PROXIES: .*10\.0\.0\.0/8,::1"):
        trusted_networks(Config(trusted_proxies=text))
