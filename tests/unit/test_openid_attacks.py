"""Each rule of signing in through an OpenID provider, and an attack on it: nobody gets in."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.auth import openid
from app.auth.openid import OidcError
from app.auth.sign_ins import SIGN_IN_SECONDS, SignIns, browser_id
from app.console.api import openid_provider
from app.console.api.access import AUTH
from tests.support.openid_site import KEY, OTHER_KEY, SECRET, Site, openid_site, shown_key

__all__ = ["openid_site"]

NOW = int(time.time())
DAY = 86_400
"""Tests are collected long before they run."""
PUBLIC = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
PRIVATE = {**msgspec.json.decode(RSAAlgorithm.to_jwk(KEY)), "kid": "k1", "key_ops": ["verify"]}
SMALL_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505  refused


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        pytest.param({"aud": "another"}, "not good", id="for another client"),
        pytest.param({"aud": ["another", "third"]}, "not good", id="for several others"),
        pytest.param({"aud": []}, "not good", id="for nobody"),
        pytest.param({"aud": ["payflow", "another"]}, "azp", id="for several, and no azp"),
        pytest.param(
            {"aud": ["payflow", "another"], "azp": "another"}, "another client", id="another azp"
        ),
        pytest.param({"azp": "another"}, "another client", id="asked by another client"),
        pytest.param({"azp": ["payflow"]}, "another client", id="asked by no text"),
        pytest.param({"azp": ""}, "another client", id="asked by nobody"),
        pytest.param({"iss": "https://elsewhere.example"}, "not good", id="of another issuer"),
        pytest.param({"iss": None}, "not good", id="of no issuer"),
        pytest.param({"exp": 1}, "not good", id="long over"),
        pytest.param({"exp": NOW - 120}, "not good", id="over"),
        pytest.param({"exp": None}, "not good", id="for ever"),
        pytest.param({"exp": "9" * 5_000}, "not good", id="until a number of 5,000 digits"),
        pytest.param({"iat": NOW - 600}, "older than this sign-in", id="made before"),
        pytest.param({"iat": NOW + DAY}, "not good", id="made later"),
        pytest.param({"iat": None}, "not good", id="made at no time"),
        pytest.param({"nbf": NOW + DAY}, "not good", id="not yet"),
        pytest.param({"nonce": "another"}, "another sign-in", id="of another sign-in"),
        pytest.param({"nonce": None}, "another sign-in", id="of no sign-in"),
        pytest.param({"nonce": 7}, "another sign-in", id="of a number"),
        pytest.param({"sub": None}, "not good", id="of no subject"),
        pytest.param({"email_verified": False}, "vouch", id="not vouched for"),
        pytest.param({"email_verified": "true"}, "vouch", id="vouched for by a text"),
        pytest.param({"email": None}, "no claim", id="of nobody"),
        pytest.param({"email": "eve@example.org"}, "not an operator", id="of no operator"),
    ],
)
async def test_a_token_that_is_not_right_lets_nobody_in(
    openid_site: Site, claims: dict[str, Any], reason: str
) -> None:
    """403, in text."""
    openid_site.provider.claims = claims
    answer = await openid_site.back(await openid_site.away())

    assert 403 == answer.status
    assert reason in await answer.text()
    assert 401 == await openid_site.who()


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": ["payflow"]}, id="a list of one"),
        pytest.param({"aud": ["another", "payflow"], "azp": "payflow"}, id="several, asked by us"),
        pytest.param({"azp": "payflow"}, id="azp where it needs none"),
        pytest.param({"exp": NOW + DAY, "iat": NOW - 10}, id="a clock that is behind"),
    ],
)
async def test_a_token_that_is_right_in_another_way_lets_in(
    openid_site: Site, claims: dict[str, Any]
) -> None:
    """The refusals above are of what they name."""
    openid_site.provider.claims = claims
    claims |= {"iat": int(time.time()) - 10} if "iat" in claims else {}

    assert 200 == (await openid_site.back(await openid_site.away())).status


def _body(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def _by_hand(token: str, header: dict[str, Any], key: bytes) -> str:
    """Return the claims of `token` under `header` with an HMAC: PyJWT refuses to make some."""
    parts = [jwt.utils.base64url_encode(msgspec.json.encode(header)).decode(), token.split(".")[1]]
    signing_input = ".".join(parts).encode()
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = jwt.utils.base64url_encode(hmac.sign(signing_input, key)).decode()
    return ".".join([*parts, signature])


def _with_own_key(token: str) -> str:
    own = {"kid": "k1", "jwk": shown_key(OTHER_KEY, "k1")}
    return jwt.encode(_body(token), OTHER_KEY, algorithm="RS256", headers=own)


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(
            lambda token: jwt.encode(_body(token), OTHER_KEY, "RS256", headers={"kid": "k1"}),
            id="another key under the same id",
        ),
        pytest.param(lambda token: jwt.encode(_body(token), None, "none"), id="alg none"),
        pytest.param(
            lambda token: _by_hand(token, {"alg": "None", "kid": "k1"}, b""), id="alg None"
        ),
        pytest.param(
            lambda token: _by_hand(token, {"alg": "HS256", "kid": "k1"}, PUBLIC),
            id="HS256 with the public key",
        ),
        pytest.param(
            lambda token: jwt.encode(_body(token), SECRET * 4, "HS256", headers={"kid": "k1"}),
            id="HS256 with the client secret",
        ),
        pytest.param(
            lambda token: _by_hand(token, {"alg": "RS256", "kid": "k1"}, PUBLIC),
            id="an HMAC that is called RS256",
        ),
        pytest.param(_with_own_key, id="a key in its own header"),
        pytest.param(
            lambda token: jwt.encode(
                _body(token), KEY, "RS256", headers={"kid": "k1", "crit": ["x"], "x": 1}
            ),
            id="an extension that nobody knows",
        ),
        pytest.param(
            lambda token: jwt.encode(_body(token), KEY, "PS256", headers={"kid": "k1"}),
            id="another algorithm than the key's",
        ),
        pytest.param(lambda token: token[:-4], id="half a signature"),
        pytest.param(lambda _: "x" * 100_000, id="no token"),
        pytest.param(lambda _: "a.b.c", id="three parts"),
        pytest.param(lambda _: "\ud800.\ud800.", id="no text"),
        pytest.param(lambda _: "W" * 40_000 + ".e30.e30", id="a deep header"),
    ],
)
async def test_a_forged_token_lets_nobody_in(
    openid_site: Site, forge: Callable[[str], str]
) -> None:
    """Nor one that nobody signed, nor one signed with what everybody can read."""
    openid_site.provider.token = forge
    answer = await openid_site.back(await openid_site.away())

    assert 403 == answer.status
    assert "id token" in await answer.text()
    assert 401 == await openid_site.who()


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([shown_key(OTHER_KEY, "k1")], id="another under its id"),
        pytest.param([shown_key(KEY, "k2")], id="under another id"),
        pytest.param([], id="none"),
        pytest.param([shown_key(KEY, "k1", use="enc")], id="for encryption"),
        pytest.param([shown_key(KEY, "k1", key_ops=["encrypt"])], id="not to verify"),
        pytest.param([shown_key(KEY, "k1", alg="RS512")], id="for another algorithm"),
        pytest.param([shown_key(KEY, "k1"), shown_key(OTHER_KEY, "k1")], id="two under one id"),
        pytest.param([{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}], id="a shared secret"),
        pytest.param([PRIVATE], id="a private one"),
        pytest.param("keys", id="a text"),
    ],
)
async def test_a_key_that_is_not_right_lets_nobody_in(openid_site: Site, keys: Any) -> None:
    """It counts for what the provider shows, and as what."""
    openid_site.provider.jwks = {"keys": keys}

    assert 403 == (await openid_site.back(await openid_site.away())).status
    assert 401 == await openid_site.who()


async def test_a_small_key_lets_nobody_in(openid_site: Site) -> None:
    """Whoever has time can compute its other half."""
    openid_site.provider.key = SMALL_KEY
    openid_site.provider.jwks = {"keys": [shown_key(SMALL_KEY, "k1")]}

    with pytest.warns(jwt.InsecureKeyLengthWarning):
        answer = await openid_site.back(await openid_site.away())
    assert 403 == answer.status


async def test_a_jwks_is_read_to_its_end(openid_site: Site) -> None:
    """The key is the last of five hundred, in many pieces, behind kinds that nobody knows."""
    strange: list[Any] = [{"kty": "PQ", "kid": "k0"}, {"kid": "k1"}, "text", None, {"kty": "EC"}]
    others = [shown_key(OTHER_KEY, f"other-{number}") for number in range(500)]
    body = msgspec.json.encode({"keys": [*strange, *others, shown_key(KEY, "k1")]})
    assert len(body) > 200_000

    async def parts() -> Any:
        for begin in range(0, len(body), 20_000):
            yield body[begin : begin + 20_000]
            await asyncio.sleep(0.001)

    openid_site.provider.jwks_parts = parts

    assert 200 == (await openid_site.back(await openid_site.away())).status


@pytest.mark.parametrize("size_mb", [2, 100])
async def test_a_jwks_of_many_megabytes_is_not_read(openid_site: Site, size_mb: int) -> None:
    """Not beyond its first one: the provider sees the console leave."""
    emitted = 0

    async def parts() -> Any:
        nonlocal emitted
        yield b'{"keys": ['
        while emitted < size_mb << 20:
            emitted += 1 << 16
            yield b" " * (1 << 16)
        yield msgspec.json.encode(shown_key(KEY, "k1")) + b"]}"

    openid_site.provider.jwks_parts = parts
    answer = await openid_site.back(await openid_site.away())

    assert 403 == answer.status
    assert "longer than 1,000,000 bytes" in await answer.text()
    # What the sockets between hold, besides.
    assert emitted < 20 << 20


async def test_a_jwks_without_an_end_is_not_waited_for(
    openid_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits meanwhile gets the same answer: the provider is not asked in turn."""
    monkeypatch.setattr(openid_provider, "ASK_SECONDS", 0.5)

    async def parts() -> Any:
        yield b'{"keys": ['
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    openid_site.provider.jwks_parts = parts
    states = [await openid_site.away() for _ in range(4)]
    answers = await asyncio.gather(*map(openid_site.back, states))

    assert [403] * 4 == [answer.status for answer in answers]
    assert "does not answer" in await answers[0].text()
    assert 1 == openid_site.provider.read.count("/keys")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def clock(openid_site: Site) -> Clock:
    """The clock by which the console rereads."""
    clock = Clock()
    provider = openid_site.client.app[AUTH].oidc
    provider._provider._clock = provider._keys._clock = clock
    return clock


async def test_a_withdrawn_key_is_refused_after_a_minute(openid_site: Site, clock: Clock) -> None:
    """Also while others sign in with it again and again."""
    statuses = []
    for second in range(0, 150, 15):
        clock.ahead_s = second
        if second == 60:
            openid_site.provider.jwks = {"keys": [shown_key(OTHER_KEY, "k2")]}
        statuses.append((await openid_site.back(await openid_site.away())).status)

    assert [200] * 4 == statuses[:4]
    assert [403] * 2 == statuses[-2:]
    assert statuses == sorted(statuses)
    assert openid_provider.KEYS_SECONDS_MAX <= 60


async def test_a_key_is_not_believed_while_its_jwks_cannot_be_read(
    openid_site: Site, clock: Clock
) -> None:
    """What was read before is too old."""
    assert 200 == (await openid_site.back(await openid_site.away())).status
    openid_site.provider.jwks = "broken"
    clock.ahead_s = 100

    assert 403 == (await openid_site.back(await openid_site.away())).status


async def test_a_new_key_is_believed_at_once(openid_site: Site, clock: Clock) -> None:
    """An id that nobody knows reads the JWKS again, but not for every token with such an id."""
    await openid_site.back(await openid_site.away())
    openid_site.provider.key, openid_site.provider.kid = OTHER_KEY, "k2"
    openid_site.provider.jwks = {"keys": [shown_key(KEY, "k1"), shown_key(OTHER_KEY, "k2")]}
    clock.ahead_s = 10
    rotated = await openid_site.back(await openid_site.away())
    openid_site.provider.kid = "k3"
    unknown = [await openid_site.back(await openid_site.away()) for _ in range(5)]

    assert 200 == rotated.status
    assert [403] * 5 == [answer.status for answer in unknown]
    assert 2 == openid_site.provider.read.count("/keys")


async def test_a_key_of_another_kind_verifies(openid_site: Site) -> None:
    """A curve, without the name of its algorithm, and a token without the id of its key."""
    curve = ec.generate_private_key(ec.SECP256R1())
    jwk = msgspec.json.decode(ECAlgorithm.to_jwk(curve.public_key()))
    openid_site.provider.jwks = {"keys": [shown_key(KEY, "k1"), jwk]}
    openid_site.provider.token = lambda token: jwt.encode(_body(token), curve, "ES256")

    assert 200 == (await openid_site.back(await openid_site.away())).status


@pytest.mark.parametrize("path", ["/keys", "/token", "/.well-known/openid-configuration"])
async def test_no_redirect_is_followed(openid_site: Site, path: str) -> None:
    """A code, a secret and keys are for and from whom discovery names."""
    openid_site.provider.redirects[path] = f"{openid_site.provider.url}/elsewhere"
    if path.startswith("/."):
        answer = await openid_site.client.get("/console/sign-in/with", allow_redirects=False)
        assert 502 == answer.status
    else:
        answer = await openid_site.back(await openid_site.away())
        assert 403 == answer.status

    assert "answers 307" in await answer.text()
    assert "/elsewhere" not in openid_site.provider.read


@pytest.mark.parametrize(
    "says",
    [
        pytest.param({"issuer": "https://elsewhere.example"}, id="another issuer"),
        pytest.param({"issuer": None}, id="no issuer"),
        pytest.param({"token_endpoint": None}, id="no endpoint"),
        pytest.param({"jwks_uri": "ftp://127.0.0.1/keys"}, id="another scheme"),
        pytest.param({"jwks_uri": "http://elsewhere.example/keys"}, id="in clear elsewhere"),
        pytest.param({"token_endpoint": "http://["}, id="no URL"),
        pytest.param({"token_endpoint": "http:///token"}, id="no host"),
        pytest.param({"authorization_endpoint": "http://127.0.0.1/\r\nX: y"}, id="two lines"),
        pytest.param({"authorization_endpoint": "http://127.0.0.1/#a"}, id="a fragment"),
    ],
)
async def test_a_provider_that_is_none_is_named(openid_site: Site, says: dict[str, Any]) -> None:
    """502; nobody is sent there."""
    openid_site.provider.says = says
    answer = await openid_site.client.get("/console/sign-in/with", allow_redirects=False)

    assert 502 == answer.status
    assert "openid-configuration" in await answer.text()


async def test_a_provider_that_hangs_is_asked_once(
    openid_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty who begin meanwhile are answered together."""
    monkeypatch.setattr(openid_provider, "ASK_SECONDS", 0.5)
    openid_site.provider.delay_seconds = 30
    requests = (openid_site.client.get("/console/sign-in/with") for _ in range(50))
    answers = await asyncio.gather(*requests)

    assert [502] * 50 == [answer.status for answer in answers]
    assert 1 == len(openid_site.provider.read)


async def test_the_answer_of_another_provider_is_refused(openid_site: Site) -> None:
    """RFC 9207: where it names itself, and where it should have."""
    own = openid_site.provider.url
    right = await openid_site.back(await openid_site.away(), iss=own)
    wrong = await openid_site.back(await openid_site.away(), iss="https://elsewhere.example")

    assert [200, 403] == [right.status, wrong.status]


async def test_a_provider_that_promises_its_name_has_to_say_it(openid_site: Site) -> None:
    """Else whoever takes the name away would get around the check."""
    openid_site.provider.says = {"authorization_response_iss_parameter_supported": True}

    assert 403 == (await openid_site.back(await openid_site.away())).status


async def test_nobody_comes_back_twice_or_from_nowhere(openid_site: Site) -> None:
    """A state counts once, and in the browser that was sent away with it."""
    state = await openid_site.away()
    first = await openid_site.back(state)
    again = await openid_site.back(state)
    openid_site.client.session.cookie_jar.clear()
    await openid_site.away()
    invented = await openid_site.back("another")
    state = await openid_site.away()
    openid_site.client.session.cookie_jar.clear()
    without = await openid_site.back(state)
    await openid_site.away()
    elsewhere = await openid_site.back(state)

    answers = (first, again, invented, without, elsewhere)
    assert [200, 403, 403, 403, 403] == [each.status for each in answers]
    assert 401 == await openid_site.who()
    assert 1 == len(openid_site.provider.asked)


async def test_a_code_that_was_used_lets_nobody_in(openid_site: Site) -> None:
    """Brought by another sign-in, which has another verifier: the provider decides, we refuse."""
    openid_site.provider.codes = {"c"}
    first = await openid_site.back(await openid_site.away())
    openid_site.client.session.cookie_jar.clear()
    second = await openid_site.back(await openid_site.away())
    verifiers = {token_request["code_verifier"] for token_request in openid_site.provider.asked}

    assert [200, 403] == [first.status, second.status]
    assert 2 == len(verifiers)
    assert 401 == await openid_site.who()


async def test_tabs_of_one_browser_do_not_end_each_other(openid_site: Site) -> None:
    """A page elsewhere that opens many has no effect either."""
    first = await openid_site.away()
    nonce = openid_site.provider.nonce
    for _ in range(5):
        await openid_site.away()
    openid_site.provider.nonce = nonce

    assert 200 == (await openid_site.back(first)).status


@pytest.mark.slow
def test_a_hundred_thousand_begun_sign_ins_push_nobody_out() -> None:
    """Nor do they take any memory: nothing is kept of one that is not finished."""
    sign_ins = SignIns()
    state, sign_in = sign_ins.begin("browser", "/console")
    for number in range(100_000):
        sign_ins.begin(f"browser {number}", "/")

    assert sign_in == sign_ins.finish("browser", state)
    assert 1 == len(sign_ins._finished)


def test_a_state_is_for_ten_minutes_and_of_one_console() -> None:
    """Changed, it is none; written in another way, it is the same one."""
    now = [1_000.0]
    sign_ins = SignIns(lambda: now[0])
    late, other, changed, twice = (sign_ins.begin("b", "/")[0] for _ in range(4))
    refused = [("b", other[:-6] + "AAAA=="), ("b", ""), ("", other), ("c", other), ("b", "ü")]
    for browser, state in [*refused, ("b", "x" * 5_000), ("b", changed.swapcase())]:
        with pytest.raises(OidcError):
            sign_ins.finish(browser, state)
    with pytest.raises(OidcError):
        SignIns(lambda: now[0]).finish("b", other)
    sign_ins.finish("b", twice)
    with pytest.raises(OidcError, match="already"):
        sign_ins.finish("b", f"{twice[:50]}\n{twice[50:]}")
    now[0] += SIGN_IN_SECONDS - 1
    sign_ins.finish("b", other)
    now[0] += 2
    with pytest.raises(OidcError, match="too long ago"):
        sign_ins.finish("b", late)


def test_a_long_page_is_not_brought_along() -> None:
    """The state is a parameter of a URL."""
    state, sign_in = SignIns().begin(browser_id(""), "/console?q=" + "x" * 10_000)

    assert "/" == sign_in.wanted
    assert len(state) < 2_000


def test_a_browser_keeps_its_id_and_chooses_none() -> None:
    """What is not an id that was drawn here is replaced."""
    own_id = browser_id("")

    assert own_id == browser_id(own_id)
    assert own_id != browser_id("")
    assert not {"x", "ü" * 43, "\n" * 43} & {
        browser_id(cookie) for cookie in ("x", "ü" * 43, "\n" * 43)
    }


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "RSA1_5", "", None, [], "rs256"])
def test_an_algorithm_that_is_not_on_the_list_is_named(algorithm: object) -> None:
    """Before a key is chosen for it."""
    header = {"alg": algorithm, "kid": "k1"}
    token = _by_hand("e30.e30.", header, PUBLIC)
    with pytest.raises(OidcError, match="signed by"):
        openid.key_of(token, [shown_key(KEY, "k1"), {"kty": "oct", "k": "AA", "kid": "k1"}])


def test_algorithms_are_asymmetric() -> None:
    """One that is added by mistake is seen."""
    assert {"RS", "PS", "ES", "Ed"} == {name[:2] for name in openid.ALGORITHMS}
