"""Operator actions: signed in, with the right role, from our own page; each is audited."""

import asyncio
import time
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace

from app.auth import operators
from app.console.api.access import COOKIE, SIGN_IN_BURST, STREAMS_EACH_MAX
from app.console.api.routes import ROUTES
from app.console.api.session import me
from app.console.server import make_api
from app.host.routes import Route, RouteError
from app.wire.envelope import Envelope
from app.worker.discovery import Directory
from tests.support.console import CONFIG, FakeWorker, place
from tests.support.operators_site import APPROVE, REFUND, WHY, Site
from workflows.audit.messages import (
    ActionUnconfirmed,
    OrderCancelledByOperator,
    PersonalRevealed,
    RefundGivenByOperator,
    RefundProposed,
)
from workflows.order.messages import GoodwillGranted, OrderCancelRequested
from workflows.order.returns import Return, Returns
from workflows.order.state import Order
from workflows.shared.message import Message

LIMIT_MINOR = CONFIG.refund_two_people_minor
CANCEL = "/operators/orders/o1/cancel"
REVEAL = "/operators/reveal/o1?why=a%20complaint"


def test_every_route_below_operators_is_for_operators():
    """And all of them change something, or show what is personal."""
    below = {route for route in ROUTES if route.path.startswith("/operators/")}

    assert {"operator"} == {route.audience for route in below}
    assert {"viewer"} & {route.role for route in below} == set()


async def test_a_server_with_a_route_that_says_nothing_refuses_to_start(tmp_path: Path):
    """The route is named."""
    app = make_api(FakeWorker(), FakeWorker(), Directory(), replace(CONFIG, data_dir=str(tmp_path)))
    app.router.add_post("/orders/{order_id}/gift", me)

    with pytest.raises(RouteError, match=r"POST /orders/\{order_id\}/gift says neither"):
        await web.AppRunner(app).setup()


@pytest.mark.parametrize(
    ("audience", "role", "reason"),
    [
        pytest.param("operator", None, "a role is said", id="operators without a role"),
        pytest.param("public", "viewer", "a role is said", id="a role of anybody"),
        pytest.param("customer", None, "no such audience", id="an audience that is none"),
    ],
)
def test_a_route_that_contradicts_itself_is_refused(audience: Any, role: Any, reason: str):
    """The route is named."""
    with pytest.raises(RouteError, match=f"POST /gift: {reason}"):
        Route(method="POST", path="/gift", handler=me, audience=audience, role=role)


async def test_a_session_is_a_cookie_that_no_script_and_no_other_site_uses(site: Site):
    """HttpOnly, SameSite, of the whole site; two sessions share nothing."""
    credentials = {"name": "oda", "token": site.tokens["oda"]}

    first, second = [await site.client.post("/sign-in", json=credentials) for _ in range(2)]

    cookie = SimpleCookie(first.headers["Set-Cookie"])[COOKIE]
    assert (True, "Strict", "/", "") == (
        cookie["httponly"],
        cookie["samesite"],
        cookie["path"],
        cookie["secure"],
    )
    assert cookie.value != second.cookies[COOKIE].value
    assert (await first.json())["csrf"] != (await second.json())["csrf"]
    assert {"name": "oda", "role": "operator"}.items() <= (await first.json()).items()


async def test_the_whole_line_of_the_token_file_signs_in(site: Site):
    """People copy the line, which holds the name too."""
    token = f" oda:{site.tokens['oda']}\n"

    right = await site.client.post("/sign-in", json={"name": "oda", "token": token})
    wrong = await site.client.post("/sign-in", json={"name": "max", "token": token})

    assert (200, 401) == (right.status, wrong.status)


async def test_the_cookie_is_secure_where_the_console_is(
    tmp_path: Path, aiohttp_client: Any
) -> None:
    """Behind https it is sent over nothing else."""
    token = operators.first_start(tmp_path)
    secure = replace(CONFIG, data_dir=str(tmp_path), console_url="https://127.0.0.1")
    client = await aiohttp_client(make_api(FakeWorker(), FakeWorker(), Directory(), secure))

    answer = await client.post("/sign-in", json={"name": "admin", "token": token})

    assert SimpleCookie(answer.headers["Set-Cookie"])[COOKIE]["secure"]


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param({"name": "oda", "token": "x"}, id="a wrong token"),
        pytest.param({"name": "nobody", "token": "x"}, id="nobody"),
        pytest.param({"name": "", "token": ""}, id="nothing"),
        pytest.param({"name": "oda", "token": "x" * 100_000}, id="a long token"),
        pytest.param({"name": "\ud800", "token": "\x00"}, id="no names at all"),
    ],
)
async def test_an_unknown_name_learns_nothing(site: Site, credentials: dict[str, str]):
    """The same messages for a wrong name and a wrong token; no cookie."""
    body = (
        msgspec.json.encode(credentials) if credentials["name"].isascii() else b'{"name":"\\ud800"}'
    )

    answer = await site.client.post(
        "/sign-in", data=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status in (400, 401)
    assert "Set-Cookie" not in answer.headers
    assert (answer.status == 401) == ((await answer.json())["detail"] == "name or token is wrong")


async def test_guessing_tokens_ends_soon_and_keeps_nobody_out(site: Site):
    """429, when to come back; whoever has the right token signs in from the same address."""
    wrong, right = {"name": "oda", "token": "x"}, {"name": "oda", "token": site.tokens["oda"]}
    guesses = [await site.client.post("/sign-in", json=wrong) for _ in range(8)]

    session = await site.client.post("/sign-in", json=right)
    machine = await site.client.post(CANCEL, json=WHY, headers=site.machine("oda"))

    statuses = [answer.status for answer in guesses]
    assert [401] * SIGN_IN_BURST + [429] * (8 - SIGN_IN_BURST) == statuses
    assert "application/problem+json" == guesses[-1].content_type
    assert int(guesses[-1].headers["Retry-After"]) >= 1
    assert (200, 202) == (session.status, machine.status)


async def test_guesses_side_by_side_are_as_many(site: Site):
    """Nobody gets more of them by asking all at once."""
    wrong = {"Authorization": "Bearer oda:x"}

    answers = await asyncio.gather(
        *(site.client.post(CANCEL, json=WHY, headers=wrong) for _ in range(12))
    )

    assert SIGN_IN_BURST == sum(answer.status == 401 for answer in answers)
    assert 12 - SIGN_IN_BURST == sum(answer.status == 429 for answer in answers)


async def test_acts_have_a_rate(site: Site):
    """Who is signed in may not flood the audit either."""
    headers = site.machine("vic")

    statuses = {
        (await site.client.post(CANCEL, json=WHY, headers=headers)).status for _ in range(80)
    }

    assert {403, 429} == statuses


async def test_an_operator_cancels_and_the_act_is_emitted_first(site: Site):
    """Who and why, before what is done."""
    answer = await site.client.post(CANCEL, json=WHY, headers=await site.page("oda"))

    action, message = site.emitted
    assert 202 == answer.status
    assert isinstance(action, OrderCancelledByOperator)
    assert isinstance(message, OrderCancelRequested)
    assert ("o1", "oda", "asked by phone") == (action.about, action.who, action.why)
    assert action.event_id == site.queries.emitted[1][1].id


HOSTILE = [
    pytest.param({"Cookie": None}, 401, id="no cookie"),
    pytest.param({"Cookie": f"{COOKIE}=guess"}, 401, id="a guessed cookie"),
    pytest.param({"X-CSRF-Token": None}, 403, id="no csrf token"),
    pytest.param({"X-CSRF-Token": "guess"}, 403, id="a guessed csrf token"),
    pytest.param({"X-CSRF-Token": ""}, 403, id="an empty csrf token"),
    pytest.param({"Origin": "http://evil.example"}, 403, id="a foreign page"),
    pytest.param({"Origin": "null"}, 403, id="a page of nowhere"),
    pytest.param({"Origin": "http://127.0.0.1:1"}, 403, id="another port of this machine"),
    pytest.param({"Origin": None}, 403, id="no message of where from"),
    pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="the browser says another site"),
    pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="the browser says a sister site"),
    pytest.param({"Authorization": "Bearer nonsense"}, 401, id="a bearer of nothing"),
    pytest.param({"Authorization": "Basic b2RhOng="}, 401, id="another scheme"),
    pytest.param({"Authorization": "Bearer oda:x"}, 401, id="a wrong token besides"),
    pytest.param({"Host": "evil.example"}, 421, id="another host"),
]


@pytest.mark.parametrize(("changed", "status"), HOSTILE)
async def test_what_our_page_has_not_asked_is_not_done(
    site: Site, changed: dict[str, str | None], status: int
):
    """Each thing that is missing or wrong is enough; nothing is emitted."""
    page = {**await site.page("oda"), **changed}
    headers = {name: value for name, value in page.items() if value is not None}

    answer = await site.client.post(CANCEL, json=WHY, headers=headers)

    assert (status, "application/problem+json") == (answer.status, answer.content_type)
    assert [] == site.emitted


async def test_a_csrf_token_is_good_for_its_own_session_alone(site: Site):
    """One operator cannot lend it to the cookie of another."""
    mine, theirs = await site.page("oda"), await site.page("pat")

    answer = await site.client.post(
        CANCEL, json=WHY, headers={**mine, "X-CSRF-Token": theirs["X-CSRF-Token"]}
    )

    assert (403, []) == (answer.status, site.emitted)


async def test_the_browser_says_it_was_our_page(site: Site):
    """Without Origin, its other header is enough."""
    page = {**await site.page("oda"), "Sec-Fetch-Site": "same-origin"}
    del page["Origin"]

    assert 202 == (await site.client.post(CANCEL, json=WHY, headers=page)).status


async def test_a_form_may_carry_the_csrf_token(site: Site):
    """It is authorized, to where the body is read."""
    page = await site.page("oda")
    field = {"csrf": page.pop("X-CSRF-Token")}

    right = await site.client.post(CANCEL, data=field, headers=page)
    wrong = await site.client.post(CANCEL, data={"csrf": "x"}, headers=page)

    assert (415, 403) == (right.status, wrong.status)


async def test_signed_out_is_out(site: Site):
    """The cookie of before opens nothing; a foreign page cannot sign anybody out."""
    page = await site.page("oda")
    foreign = await site.client.post("/sign-out", headers={**page, "Origin": "http://evil.example"})

    before = await site.client.get("/me", headers={"Cookie": page["Cookie"]})
    out = await site.client.post("/sign-out", headers=page)
    after = await site.client.get("/me", headers={"Cookie": page["Cookie"]})
    action = await site.client.post(CANCEL, json=WHY, headers=page)

    assert [403, 200, 204, 401, 401] == [
        answer.status for answer in (foreign, before, out, after, action)
    ]
    assert page["X-CSRF-Token"] == (await before.json())["csrf"]
    assert [] == site.emitted


@pytest.mark.parametrize(
    ("name", "path", "body", "status"),
    [
        pytest.param("vic", CANCEL, WHY, 403, id="a viewer does not cancel"),
        pytest.param("oda", CANCEL, WHY, 202, id="an operator does"),
        pytest.param("pat", CANCEL, WHY, 202, id="an approver too"),
        pytest.param("oda", APPROVE, {**WHY, "amount_minor": 1}, 403, id="an operator's approval"),
        pytest.param("pat", APPROVE, {**WHY, "amount_minor": 1}, 404, id="nothing to approve"),
        pytest.param("oda", "/operators/unknown", {}, 403, id="a route without a role"),
        pytest.param("oda", CANCEL, {}, 400, id="no reason"),
        pytest.param("oda", CANCEL, {"reason": "x" * 501}, 400, id="a long reason"),
        pytest.param("oda", CANCEL.replace("o1", "o2"), WHY, 404, id="no such order"),
    ],
)
async def test_each_role_may_do_its_part(site: Site, name: str, path: str, body: Any, status: int):
    """Programs say name and token; they need no cookie and no CSRF token."""
    answer = await site.client.post(path, json=body, headers=site.machine(name))

    assert status == answer.status
    assert (status == 202) == bool(site.emitted)


async def test_customers_need_no_sign_in(site: Site):
    """Their routes are as they were."""
    placed = await place(site.client)
    order_id = (await placed.json())["order_id"]

    cancelled = await site.client.post(f"/orders/{order_id}/cancel", json={"reason": "no"})

    assert (202, 202) == (placed.status, cancelled.status)


async def test_a_small_refund_is_one_persons(site: Site):
    """The act, then the return of money without items."""
    assert 202 == await site.refund("oda", LIMIT_MINOR)

    action, message = site.emitted
    assert isinstance(action, RefundGivenByOperator)
    assert isinstance(message, GoodwillGranted)
    assert ("oda", "", LIMIT_MINOR) == (action.who, action.proposed_by, action.amount_minor)
    assert (LIMIT_MINOR, "operator-r1") == (message.amount_minor, message.return_id)


async def test_a_large_refund_needs_two_people(site: Site):
    """Proposed, not given; not by the same person, not another amount; then given."""
    large = LIMIT_MINOR + 1
    assert 202 == await site.refund("pat", large)
    assert [RefundProposed] == [type(message) for message in site.emitted]

    refused = [
        await site.approve("pat", large),
        await site.approve("oda", large),
        await site.approve("admin", large - 1),
        await site.refund("oda", large + 1),
    ]
    approved = await site.approve("admin", large)

    assert ([403, 403, 409, 409], 202) == (refused, approved)
    proposed, action, message = site.emitted
    assert ("pat", "admin", "pat") == (proposed.who, action.who, action.proposed_by)
    assert (large, "operator-r1") == (message.amount_minor, message.return_id)


async def test_a_name_in_other_case_is_nobody_else(site: Site, tmp_path: Path) -> None:
    """An earlier version let both be added; rules and edits are compared like that too."""
    file = tmp_path / operators.FILE
    document = msgspec.json.decode(file.read_bytes())
    pat = next(each for each in document["people"] if each["name"] == "pat")
    file.write_bytes(msgspec.json.encode({"people": [*document["people"], {**pat, "name": "Pat"}]}))
    site.tokens["Pat"] = site.tokens["pat"]

    assert 202 == await site.refund("pat", LIMIT_MINOR + 1)
    assert 403 == await site.approve("Pat", LIMIT_MINOR + 1)


async def test_a_large_refund_in_small_parts_needs_two_people(site: Site):
    """What was given a moment ago counts, whether the order knows it yet or not."""
    first = await site.refund("oda", LIMIT_MINOR, "r1")
    again = await site.refund("oda", LIMIT_MINOR, "r1")
    more = await site.refund("oda", 1, "r2")

    assert [202, 202, 202] == [first, again, more]
    assert [RefundGivenByOperator, GoodwillGranted] * 2 + [RefundProposed] == [
        type(message) for message in site.emitted
    ]
    assert 1 == len(
        {
            envelope.id
            for message, envelope in site.queries.emitted
            if type(message) is GoodwillGranted
        }
    )


@pytest.mark.parametrize(
    ("status", "is_refunded"),
    [
        pytest.param("accepted", False, id="counts when it was accepted"),
        pytest.param("waiting", False, id="counts while it waits"),
        pytest.param("refused", True, id="counts no more when it was refused"),
    ],
)
async def test_what_customers_returned_counts(site: Site, status: Any, is_refunded: bool):
    """The limit is for all that goes back of an order."""
    returned = Returns(by_id={"x": Return(status=status, amount_minor=LIMIT_MINOR)})
    site.queries.keep("order", "o1", Order(order_id="o1", currency="GBP", returns=returned))

    await site.refund("oda", 1)

    assert is_refunded == isinstance(site.emitted[0], RefundGivenByOperator)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"amount_minor": 0}, id="nothing"),
        pytest.param({"amount_minor": -5}, id="less than nothing"),
        pytest.param({"amount_minor": True}, id="no number"),
        pytest.param({"amount_minor": 10**15}, id="more than there is"),
        pytest.param({"refund_id": "../x"}, id="a path"),
        pytest.param({"refund_id": "a\n"}, id="a line end"),
        pytest.param({"limit": 1}, id="a field of their own"),
    ],
)
async def test_a_refund_that_is_none_is_refused(site: Site, changed: dict[str, Any]):
    """400, and nothing is emitted."""
    body = {**WHY, "refund_id": "r1", "amount_minor": 5, **changed}

    answer = await site.client.post(REFUND, json=body, headers=site.machine("oda"))

    assert (400, []) == (answer.status, site.emitted)


async def test_personal_fields_are_seen_by_approvers_and_emitted_before(site: Site):
    """However deep they lie; of this order alone; the audit names the fields, not what they say."""
    answer = await site.client.get(REVEAL, headers=site.machine("pat"))

    (action,) = site.emitted
    assert 200 == answer.status
    assert {"customer_id": ["c1"], "email": ["a@b.c"]} == (await answer.json())["personal"]
    assert isinstance(action, PersonalRevealed)
    assert ("pat", "a complaint", ("customer_id", "email")) == (
        action.who,
        action.why,
        action.fields,
    )
    assert b"a@b.c" not in msgspec.json.encode(action)


async def test_what_cannot_be_emitted_is_not_shown(site: Site, monkeypatch: pytest.MonkeyPatch):
    """No answer without a trace."""

    async def fail(*_: Any) -> None:
        await asyncio.sleep(0)
        raise TimeoutError

    monkeypatch.setattr(site.queries, "publish", fail)

    answer = await site.client.get(REVEAL, headers=site.machine("pat"))

    assert 503 == answer.status
    assert "a@b.c" not in await answer.text()


@pytest.mark.parametrize("lost", [OrderCancelRequested, OrderCancelledByOperator])
async def test_the_audit_holds_nothing_as_done_that_was_not(
    site: Site, monkeypatch: pytest.MonkeyPatch, lost: type[Message]
) -> None:
    """Where the action itself is lost, nothing is asked for; where its effect is, that is said."""
    produce = site.queries.publish

    async def lose(message: Message, envelope: Envelope) -> None:
        if isinstance(message, lost):
            raise TimeoutError
        await produce(message, envelope)

    monkeypatch.setattr(site.queries, "publish", lose)
    answer = await site.client.post(CANCEL, json=WHY, headers=site.machine("oda"))

    done = [] if lost is OrderCancelledByOperator else [OrderCancelledByOperator, ActionUnconfirmed]
    assert (503, done) == (answer.status, [type(each) for each in site.emitted])


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        pytest.param("oda", REVEAL, 403, id="an operator"),
        pytest.param("pat", "/operators/reveal/o1", 400, id="no reason"),
    ],
)
async def test_personal_fields_are_not_shown_otherwise(
    site: Site, name: str, path: str, status: int
):
    """Nothing is emitted either: nobody has seen anything."""
    answer = await site.client.get(path, headers=site.machine(name))

    assert (status, []) == (answer.status, site.emitted)


@pytest.mark.parametrize("order_id", ["o9", "o" * 200])
async def test_a_reveal_without_a_match_is_audited(site: Site, order_id: str):
    """That nothing is known is an answer too; whoever tries ids shows in the audit."""
    answer = await site.client.get(
        f"/operators/reveal/{order_id}?why=x", headers=site.machine("pat")
    )

    (action,) = site.emitted
    assert 404 == answer.status
    assert isinstance(action, PersonalRevealed)
    assert (order_id[:140], ()) == (action.about, action.fields)


async def test_a_link_elsewhere_reveals_nothing(site: Site):
    """Reading alone is an act here: it takes the CSRF token, which a link does not carry."""
    cookie, _ = await site.signed_in("pat")

    answer = await site.client.get(REVEAL, headers=cookie)

    assert (403, []) == (answer.status, site.emitted)


async def test_people_who_cannot_be_read_let_nobody_in(site: Site, tmp_path: Path):
    """503; the reason is for the log alone."""
    page = await site.page("oda")
    (tmp_path / operators.FILE).write_text("{broken")

    answers = [
        await site.client.post(CANCEL, json=WHY, headers=page),
        await site.client.post(CANCEL, json=WHY, headers=site.machine("oda")),
        await site.client.get("/me", headers=page),
        await site.client.post("/sign-in", json={"name": "oda", "token": "x"}),
    ]

    assert [503] * 4 == [answer.status for answer in answers]
    assert str(tmp_path) not in await answers[0].text()
    assert [] == site.emitted


async def test_one_address_has_so_many_streams(site: Site):
    """Closed, they free their places."""
    streams = [await site.client.get("/live") for _ in range(STREAMS_EACH_MAX)]
    more = await site.client.get("/live")
    # Whoever is signed in is counted by name.
    cookie, _ = await site.signed_in("oda")
    operators_own = await site.client.get("/live", headers=cookie)
    for stream in (*streams, operators_own):
        stream.close()

    async def is_let_in() -> bool:
        stream = await site.client.get("/live")
        stream.close()
        return stream.status == 200

    limit = time.monotonic() + 60
    while not await is_let_in():
        if time.monotonic() > limit:
            pytest.fail("no stream is let in within 60 s")
        await asyncio.sleep(0.05)

    assert (429, 200) == (more.status, operators_own.status)


async def test_the_policy_lets_a_page_do_what_ours_does_and_no_more(site: Site):
    """No inline script, no frame, no form to elsewhere; on every answer."""
    policies = {
        (await site.client.get(path)).headers["Content-Security-Policy"]
        for path in ("/", "/web/live.js", "/livez", "/nothing")
    }

    (policy,) = policies
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


async def test_another_page_signs_nobody_in(site: Site):
    """Or somebody would act under a name that was slipped to them."""
    credentials = {"name": "oda", "token": site.tokens["oda"]}

    answers = [
        await site.client.post("/sign-in", json=credentials, headers=headers)
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"})
    ]

    assert [403, 403] == [answer.status for answer in answers]
    assert "Set-Cookie" not in answers[0].headers


async def test_signing_in_often_is_no_guessing(site: Site):
    """Right tokens cost nothing, of people and of machines."""
    for _ in range(SIGN_IN_BURST + 2):
        await site.signed_in("vic")

    assert 202 == (await site.client.post(CANCEL, json=WHY, headers=site.machine("oda"))).status
