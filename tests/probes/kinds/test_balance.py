"""What relays of each form answer for a key, from a server on a real socket."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from listening import listening

from monitor.model import (
    Balance,
    BalanceHistory,
    Check,
    Endpoint,
    FailureKind,
    Habit,
    Secret,
)
from monitor.probes.kinds.balance import FORMS, BalanceProbe, root_of, with_balance
from monitor.probes.probe import Finding, Run
from monitor.probes.wire.client import Client

NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WIRE: dict[str, tuple[dict[str, Any], Balance]] = {
    "deepseek": (
        {
            "/user/balance": {
                "is_available": True,
                "balance_infos": [{"currency": "CNY", "total_balance": "110.00"}],
            }
        },
        Balance(amount=110.0, currency="CNY"),
    ),
    "moonshot": (
        {"/v1/users/me/balance": {"code": 0, "data": {"available_balance": 49.58894}}},
        Balance(amount=49.58894, currency="CNY"),
    ),
    "siliconflow": (
        {"/v1/user/info": {"code": 20000, "data": {"balance": "0.88", "totalBalance": "88.88"}}},
        Balance(amount=88.88, currency="CNY"),
    ),
    "openrouter-key": (
        {"/api/v1/key": {"data": {"limit": 10, "limit_remaining": 7.5, "usage": 2.5}}},
        Balance(amount=7.5, currency="USD", of_key=True),
    ),
    "sub2api": (
        {"/v1/usage": {"balance": 12.5, "unit": "USD"}},
        Balance(amount=12.5, currency="USD"),
    ),
    "new-api": (
        {
            "/api/usage/token/": {
                "code": True,
                "data": {
                    "object": "token_usage",
                    "total_available": 987_500,
                    "unlimited_quota": False,
                },
            }
        },
        Balance(amount=1.975, currency="USD", of_key=True),
    ),
    "one-api": (
        {
            "/v1/dashboard/billing/subscription": {
                "object": "billing_subscription",
                "hard_limit_usd": 5.0,
            },
            "/v1/dashboard/billing/usage": {"object": "list", "total_usage": 139.4},
        },
        Balance(amount=3.606, currency="USD", of_key=True),
    ),
}


class Relay:
    """Answers the paths that it has; to all others as one-api's panel does: a web page under 200."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.status = 200
        self.refuses: tuple[str, ...] = ()
        self.key = "the-key"
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        assert request.headers["Authorization"] == f"Bearer {self.key}"
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        if request.path.startswith(self.refuses):
            return web.json_response({"success": False, "message": "no login"}, status=401)
        if request.path in self.answers:
            return web.json_response(self.answers[request.path])
        return web.Response(text="<html>panel</html>", content_type="text/html")


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay()
    app = web.Application()
    app.router.add_get("/{rest:.*}", relay.handle)
    async with listening(app) as relay.url:
        yield relay


async def ask(
    relay: Relay, habit: Habit | None = None, path: str = "", key: str | None = None
) -> Finding:
    endpoint = Endpoint(id="e", service="s", url=relay.url + path, name="E", key=Secret("the-key"))
    probe = BalanceProbe(key=key)
    check = Check(service="s", endpoint=endpoint, probe=probe)
    async with Client() as client:
        return await probe.run(
            Run(check=check, habit=habit or Habit(), client=client, rng=Random(2), now=NOON)
        )


def test_every_form_is_tried() -> None:
    assert {form.name for form in FORMS} == set(WIRE)


@pytest.mark.parametrize("form", WIRE)
async def test_a_relay_of_each_form_is_understood_and_asked_that_way_from_then_on(
    relay: Relay, form: str
) -> None:
    relay.answers, balance = WIRE[form]
    finding = await ask(relay, path="/v1")

    assert finding.failure is None
    assert finding.balance is not None
    assert finding.balance == replace(balance, amount=pytest.approx(balance.amount))
    assert finding.habit.money.form == form
    relay.asked.clear()
    await ask(relay, finding.habit)
    assert relay.asked == list(relay.answers)


@pytest.mark.parametrize(
    "answers",
    [
        {
            "/api/usage/token": {
                "data": {"object": "token_usage", "total_available": 0, "unlimited_quota": True}
            }
        },
        {
            "/v1/dashboard/billing/subscription": {"hard_limit_usd": 100_000_000},
            "/v1/dashboard/billing/usage": {"total_usage": 250.0},
        },
        {"/api/v1/key": {"data": {"limit": None, "limit_remaining": None}}},
    ],
)
async def test_a_key_without_a_limit_says_nothing_of_the_account(
    relay: Relay, answers: dict[str, Any]
) -> None:
    relay.answers = answers
    finding = await ask(relay)
    assert finding.balance == Balance(amount=None, currency="USD", of_key=True)


async def test_a_panel_that_has_the_path_of_new_api_without_a_slash_is_understood(
    relay: Relay,
) -> None:
    answers, balance = WIRE["new-api"]
    relay.answers = {"/api/usage/token": answers["/api/usage/token/"]}
    finding = await ask(relay)
    assert finding.balance == balance
    assert (await ask(relay, finding.habit)).balance == balance


async def test_what_is_left_of_a_keys_quota_is_not_said_to_be_the_accounts(relay: Relay) -> None:
    relay.answers = {"/v1/usage": {"mode": "quota_limited", "remaining": 4.5, "unit": "USD"}}
    finding = await ask(relay)
    assert finding.balance == Balance(amount=4.5, currency="USD", of_key=True)


@pytest.mark.parametrize(
    "answers",
    [
        {"/v1/usage": {"mode": "unrestricted", "remaining": -1, "unit": "USD", "subscription": {}}},
        {"/v1/usage": {"mode": "unrestricted", "remaining": 0, "unit": "USD", "subscription": {}}},
        {"/api/v1/key": {"data": {"limit": 10, "limit_remaining": 2, "limit_reset": "daily"}}},
    ],
)
async def test_an_allowance_that_begins_anew_is_no_balance(
    relay: Relay, answers: dict[str, Any]
) -> None:
    relay.answers = answers
    finding = await ask(relay)
    assert (finding.failure, finding.balance) == (None, None)


@pytest.mark.parametrize(
    ("name", "url", "currency"),
    [
        ("moonshot", "https://api.moonshot.cn/v1", "CNY"),
        ("moonshot", "https://api.moonshot.ai/v1", "USD"),
        ("siliconflow", "https://api.siliconflow.cn/v1", "CNY"),
        ("siliconflow", "https://api.siliconflow.com/v1", "USD"),
        ("sub2api", "https://api.moonshot.ai/v1", "EUR"),
    ],
)
def test_an_answer_without_a_currency_is_in_that_of_the_host(
    name: str, url: str, currency: str
) -> None:
    form = next(form for form in FORMS if form.name == name)
    told = Balance(amount=3.0, currency="EUR" if name == "sub2api" else "CNY")
    assert form.in_its_currency(told, url) == replace(told, currency=currency)


async def test_a_limit_that_is_no_number_is_not_taken_for_none(relay: Relay) -> None:
    relay.answers = {"/api/v1/key": {"data": {"limit_remaining": {}}}}
    finding = await ask(relay)
    assert (finding.failure, finding.balance) == (None, None)


@pytest.mark.parametrize(
    ("path", "data", "amount"),
    [
        ("/api/v1/credits", {"total_credits": 30.0, "total_usage": 12.25}, 17.75),
        ("/api/user/self", {"id": 7, "quota": 2_500_000, "used_quota": 1}, 5.0),
    ],
)
async def test_a_key_of_the_console_tells_of_the_account(
    relay: Relay, path: str, data: dict[str, Any], amount: float
) -> None:
    relay.key = "console-token"
    relay.answers = {path: {"data": data}}
    finding = await ask(relay, key="console-token")
    assert finding.balance == Balance(amount=amount, currency="USD")
    assert "console-token" not in repr(BalanceProbe(key="console-token"))


async def test_without_such_a_key_a_console_is_not_asked(relay: Relay) -> None:
    await ask(relay)
    assert not {"/api/v1/credits", "/api/user/self"} & set(relay.asked)


@pytest.mark.parametrize("status", [200, 404])
async def test_a_relay_that_tells_no_balance_has_not_failed(relay: Relay, status: int) -> None:
    relay.status = status
    finding = await ask(relay)
    assert (finding.failure, finding.balance) == (None, None)
    assert finding.evidence.note == "no balance to be read here, in none of the usual forms"


async def test_a_server_that_fails_has_failed(relay: Relay) -> None:
    relay.status = 502
    finding = await ask(relay)
    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.BAD_GATEWAY


async def test_a_panel_that_wants_a_login_at_its_own_paths_does_not_make_the_key_wrong(
    relay: Relay,
) -> None:
    relay.refuses = ("/user/", "/api/usage")
    relay.answers, balance = WIRE["one-api"]
    finding = await ask(relay)
    assert finding.failure is None
    assert finding.balance == replace(balance, amount=pytest.approx(balance.amount))

    relay.answers = {}
    finding = await ask(relay)
    assert (finding.failure, finding.balance) == (None, None)
    assert finding.evidence.note == (
        "no balance to be read here, in none of the usual forms; this key is refused at"
        " /user/balance, /api/usage/token/, /api/usage/token"
    )


@pytest.mark.parametrize("known", ["", "one-api"])
async def test_a_key_that_is_refused_wherever_it_is_asked_is_refused(
    relay: Relay, known: str
) -> None:
    relay.status = 401
    finding = await ask(relay, Habit(money=BalanceHistory(form=known)))
    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.AUTH_INVALID


def spent(*amounts: float, every: timedelta = DAY) -> BalanceHistory:
    history = BalanceHistory()
    for place, amount in enumerate(amounts):
        now = NOON + place * every
        history = with_balance(history, "f", Balance(amount=amount, currency="USD"), now)
    return history


def test_the_rate_of_some_days_says_how_long_it_lasts() -> None:
    assert spent(10, 8, 6).last().days_left == pytest.approx(3)
    assert spent(10, 8, 6, 26, 24).last().days_left == pytest.approx(24 / (6 / 4))
    assert spent(10).last().days_left is None
    assert spent(10, 10, 10).last().days_left is None
    assert spent(10, 9, every=timedelta(hours=12)).last().days_left is None


def test_who_tops_up_what_was_used_up_is_known_at_once_to_have_money_again() -> None:
    hour = timedelta(hours=1)
    assert [
        spent(*amounts, every=hour).last().is_refilled for amounts in ((0,), (0, 20), (3, 0))
    ] == [
        False,
        True,
        False,
    ]
    assert not spent(10, 30, every=hour).last().is_refilled


def test_of_two_currencies_the_one_that_has_most_is_the_balance() -> None:
    def read(*infos: tuple[str, str]) -> Balance | None:
        told = [{"currency": currency, "total_balance": amount} for currency, amount in infos]
        return FORMS[0].read([{"balance_infos": told}])

    assert read(("CNY", "0.00"), ("USD", "50.00")) == Balance(amount=50.0, currency="USD")
    assert read(("CNY", "-0.10"), ("USD", "50.00")) == Balance(amount=50.0, currency="USD")
    assert read(("USD", "0.01"), ("CNY", "500.00")) == Balance(amount=500.0, currency="CNY")
    assert read(("CNY", "0.00"), ("USD", "0.00")) == Balance(amount=0.0, currency="CNY")


def test_other_money_than_before_is_no_spending() -> None:
    history = spent(100, 90)
    euros = with_balance(history, "f", Balance(amount=12, currency="EUR"), NOON + 2 * DAY)
    assert euros.amounts == ((NOON + 2 * DAY, 12),)
    assert euros.last().days_left is None
    of_key = Balance(amount=12, currency="USD", of_key=True)
    assert with_balance(history, "f", of_key, NOON + 2 * DAY).amounts == ((NOON + 2 * DAY, 12),)


async def test_what_another_key_is_told_is_no_spending(relay: Relay) -> None:
    relay.answers = {"/user/balance": {"balance_infos": [{"total_balance": "1000"}]}}
    learned = (await ask(relay)).habit
    relay.answers = {"/user/balance": {"balance_infos": [{"total_balance": "5"}]}}
    relay.key = "another-key"
    other = (await ask(relay, learned, key="another-key")).habit.money
    assert [amount for _, amount in learned.money.amounts] == [1000]
    assert [amount for _, amount in other.amounts] == [5]
    assert learned.money.asked_with != other.asked_with
    assert "key" not in learned.money.asked_with


def test_a_balance_from_a_clock_that_ran_ahead_is_forgotten_once_it_is_set_back() -> None:
    ahead = with_balance(spent(10, 8), "f", Balance(amount=7, currency="USD"), NOON + 300 * DAY)
    back = with_balance(ahead, "f", Balance(amount=6, currency="USD"), NOON + 2 * DAY)
    assert [at for at, _ in back.amounts] == [NOON + 2 * DAY]


@given(st.lists(st.floats(-10, 1000), min_size=1, max_size=60), st.integers(1, 48))
def test_what_is_kept_stays_small_and_what_is_said_is_the_newest(
    amounts: list[float], hours: int
) -> None:
    history = spent(*amounts, every=timedelta(hours=hours))
    assert len(history.amounts) <= 8 * 4 + 2
    assert history.last().amount == amounts[-1]
    left = history.last().days_left
    assert left is None or left >= 0


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://r.test", "https://r.test"),
        ("https://r.test/v1", "https://r.test"),
        ("https://r.test/openai/v1/x", "https://r.test/openai"),
    ],
)
def test_panels_have_their_routes_before_the_version(url: str, root: str) -> None:
    assert root_of(url) == root
