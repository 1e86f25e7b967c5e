"""Probes how much money a key has left, in whichever of the usual forms a relay speaks; it costs nothing.

Sources of the forms: new-api, "Token Usage Query" (docs.newapi.pro); one-api, controller/billing.go, after OpenAI's
old billing API; OpenRouter, "Limits" (its `/credits` wants a management key); the API references of DeepSeek, Moonshot and SiliconFlow;
sub2api's `/v1/usage`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, ClassVar, cast
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, Field

from monitor.model import Balance, BalanceHistory, Endpoint, Evidence, Failure, Secret
from monitor.model.check import names_version
from monitor.probes.exchange import Exchange, HttpRequest
from monitor.probes.kinds.api_call import JSON, bearer
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.readers.base import (
    JsonObject,
    as_object,
    as_text,
    as_written_number,
    objects_in,
)
from monitor.probes.verdict.classify import judge_http
from monitor.probes.verdict.error_body import read_json
from monitor.probes.verdict.transport import judge_body_transport, judge_transport

_UNLIMITED = 100_000_000
"""What one-api and its relatives answer for a key without a limit."""
_QUOTA_PER_USD = 500_000
"""New-api counts in units of which a dollar has so many, unless its operator has changed that."""
_KEPT_EVERY, _KEPT_FOR = timedelta(hours=6), timedelta(days=8)
_MOST_MONEY = 1e12
_REFUSED = frozenset({401, 403})
"""What a panel answers at a path of its own, which wants a login: it says nothing of a key that other paths take."""


@dataclass(frozen=True, slots=True)
class BalanceForm:
    """One way of asking: where, and how the answers are read. None means: this relay does not speak it."""

    name: str
    paths: tuple[str, ...]
    read: Callable[[list[JsonObject]], Balance | None]
    dollars_at: str = ""
    """The host whose accounts are in US dollars, where an answer names no currency."""

    def in_its_currency(self, balance: Balance, url: str) -> Balance:
        """Return the balance in the currency of the host that answered."""
        is_abroad = self.dollars_at != "" and urlsplit(url).hostname == self.dollars_at
        return replace(balance, currency="USD") if is_abroad else balance


def _amount(value: Any) -> float | None:
    """Return a sum of money; None for what is none."""
    amount = as_written_number(value)
    return amount if amount is not None and -_MOST_MONEY < amount < _MOST_MONEY else None


def _token_usage(answers: list[JsonObject]) -> Balance | None:
    data = as_object(answers[0].get("data"))
    left = _amount(data.get("total_available"))
    if data.get("object") != "token_usage" or left is None:
        return None
    if data.get("unlimited_quota") is True:
        return Balance(amount=None, currency="USD", of_key=True)
    return Balance(amount=left / _QUOTA_PER_USD, currency="USD", of_key=True)


def _billing(answers: list[JsonObject]) -> Balance | None:
    limit = _amount(answers[0].get("hard_limit_usd"))
    used_cents = _amount(answers[1].get("total_usage"))
    if limit is None or used_cents is None:
        return None
    if limit >= _UNLIMITED:
        return Balance(amount=None, currency="USD", of_key=True)
    return Balance(amount=limit - used_cents / 100, currency="USD", of_key=True)


def _deepseek(answers: list[JsonObject]) -> Balance | None:
    """Read the balance in the currency that has most: an account may have two, and pays with either."""
    balances = [
        Balance(amount=amount, currency=_currency(info.get("currency")))
        for info in objects_in(answers[0].get("balance_infos"))
        if (amount := _amount(info.get("total_balance"))) is not None
    ]
    return max(balances, key=lambda balance: balance.amount or 0.0, default=None)


def _moonshot(answers: list[JsonObject]) -> Balance | None:
    amount = _amount(as_object(answers[0].get("data")).get("available_balance"))
    return None if amount is None else Balance(amount=amount, currency="CNY")


def _siliconflow(answers: list[JsonObject]) -> Balance | None:
    amount = _amount(as_object(answers[0].get("data")).get("totalBalance"))
    return None if amount is None else Balance(amount=amount, currency="CNY")


def _openrouter_key(answers: list[JsonObject]) -> Balance | None:
    """Read what is left of a key's limit; None for a limit that begins anew each day, week or month: it is no balance."""
    data = as_object(answers[0].get("data"))
    left = data.get("limit_remaining", "")
    amount = _amount(left)
    if (amount is None and left is not None) or as_text(data.get("limit_reset")):
        return None
    return Balance(amount=amount, currency="USD", of_key=True)


def _credits(answers: list[JsonObject]) -> Balance | None:
    data = as_object(answers[0].get("data"))
    bought, used = _amount(data.get("total_credits")), _amount(data.get("total_usage"))
    return None if bought is None or used is None else Balance(amount=bought - used, currency="USD")


def _console(answers: list[JsonObject]) -> Balance | None:
    left = _amount(as_object(answers[0].get("data")).get("quota"))
    return None if left is None else Balance(amount=left / _QUOTA_PER_USD, currency="USD")


def _usage(answers: list[JsonObject]) -> Balance | None:
    """Read the account's balance or the key's quota; None for a subscription: its limits begin anew, and -1 is none."""
    answer = answers[0]
    amount, currency = _amount(answer.get("balance")), _currency(answer.get("unit"))
    if amount is not None:
        return Balance(amount=amount, currency=currency)
    left = _amount(answer.get("remaining"))
    if left is None or answer.get("mode") != "quota_limited":
        return None
    return Balance(amount=left, currency=currency, of_key=True)


def _currency(value: Any) -> str:
    text = as_text(value).upper()
    return text if text.isascii() and text.isalpha() and len(text) == len("USD") else "USD"


FORMS: tuple[BalanceForm, ...] = (
    BalanceForm("deepseek", ("/user/balance",), _deepseek),
    BalanceForm("moonshot", ("/v1/users/me/balance",), _moonshot, "api.moonshot.ai"),
    BalanceForm("siliconflow", ("/v1/user/info",), _siliconflow, "api.siliconflow.com"),
    BalanceForm("openrouter-key", ("/api/v1/key",), _openrouter_key),
    BalanceForm("sub2api", ("/v1/usage",), _usage),
    BalanceForm("new-api", ("/api/usage/token/",), _token_usage),
    BalanceForm("new-api", ("/api/usage/token",), _token_usage),
    BalanceForm(
        "one-api", ("/v1/dashboard/billing/subscription", "/v1/dashboard/billing/usage"), _billing
    ),
)
"""Tried in this order: those that tell of the account come before those that tell of a key alone.

New-api redirects its documented path to the one with a slash; its relatives do it the other way round.
"""
OF_A_CONSOLE: tuple[BalanceForm, ...] = (
    BalanceForm("openrouter-credits", ("/api/v1/credits",), _credits),
    BalanceForm("new-api-account", ("/api/user/self",), _console),
)
"""Tried before the others with a key of the operator's own: a model's key is refused there."""


class BalanceProbe(ProbeSettings):
    kind: ClassVar[str] = "balance"
    title: ClassVar[str] = "Balance"
    main_rank: ClassVar[int] = 99
    hub_only: ClassVar[bool] = True
    shown: ClassVar[bool] = False

    every: Duration = Field(default=timedelta(hours=1), description="how often it runs")
    timeout: Duration = Field(default=timedelta(seconds=15), description="when a run is given up")
    key: Annotated[str, AfterValidator(Secret)] | None = Field(
        default=None,
        description="asked with this key instead, such as a console's token, which tells of the account",
    )

    def own_secrets(self) -> tuple[Secret, ...]:
        return () if self.key is None else (cast("Secret", self.key),)

    async def run(self, run: Run) -> Finding:
        known = run.habit.money.form
        kept = OF_A_CONSOLE if self.key else FORMS
        forms = [form for form in kept if form.name == known] or list(
            dict.fromkeys((*kept, *FORMS))
        )
        refused: list[str] = []
        for form in forms:
            exchange, failure, balance = await self._ask(run, form)
            if failure is not None:
                refused.append(form.paths[0])
                is_search = len(forms) > 1 and self.key is None and exchange.status in _REFUSED
                if not is_search or len(refused) == len(forms):
                    return Finding(exchange=exchange, failure=failure, habit=run.habit)
            if balance is not None:
                balance = form.in_its_currency(balance, run.check.endpoint.url)
                key = self._key_digest(run.check.endpoint)
                money = with_balance(run.habit.money, form.name, balance, run.now, key)
                habit = replace(run.habit.worked(), money=money)
                return Finding(exchange=exchange, failure=None, habit=habit, balance=money.last())
        note = "no balance to be read here, in none of the usual forms"
        if refused:
            note += f"; this key is refused at {', '.join(refused)}"
        habit = replace(run.habit, money=replace(run.habit.money, form=""))
        return Finding(exchange=exchange, failure=None, habit=habit, evidence=Evidence(note=note))

    def _key_digest(self, endpoint: Endpoint) -> str:
        """Return what tells keys apart and says nothing of them."""
        keys = (*self.own_secrets(), *filter(None, [endpoint.key]))
        return sha256(keys[0].reveal().encode()).hexdigest()[:8] if keys else ""

    def _request(self, endpoint: Endpoint, path: str) -> HttpRequest:
        own = self.own_secrets()
        keyed = replace(endpoint, key=own[0]) if own else endpoint
        return page_request(keyed, root_of(endpoint.url) + path, self.timeout)

    async def _ask(
        self, run: Run, form: BalanceForm
    ) -> tuple[Exchange, Failure | None, Balance | None]:
        """Ask in one form. A server that fails is not asked in another."""
        answers: list[JsonObject] = []
        for path in form.paths:
            exchange = await run.client.send(self._request(run.check.endpoint, path))
            failure = judge_page(exchange)
            answer = read_json(exchange.body)
            if failure is not None or exchange.status != 200 or not isinstance(answer, dict):
                return exchange, failure, None
            answers.append(answer)
        return exchange, None, form.read(answers)


def page_request(
    endpoint: Endpoint, url: str, timeout: timedelta, max_body: int = 256 * 1024
) -> HttpRequest:
    """Build the request for a page that a relay may have beside the API."""
    own = {name: value.reveal() for name, value in endpoint.headers}
    return HttpRequest(
        method="GET",
        url=url,
        headers={"Accept": JSON, **bearer(endpoint), **own},
        timeout=timeout,
        max_body=max_body,
        ca_file=endpoint.ca_file,
        proxy=endpoint.proxy,
    )


def judge_page(exchange: Exchange) -> Failure | None:
    """Return a failure for a server that refuses us or fails; that it lacks such a page is none."""
    failure = judge_transport(exchange) or judge_body_transport(exchange)
    status = exchange.status or 0
    if failure is None and (status >= 500 or status in {401, 402, 403, 429}):
        return judge_http(exchange, had_key=True)
    return failure


def root_of(url: str) -> str:
    """Return a base URL up to the segment that names the version of an API: there panels have their own routes."""
    parts = urlsplit(url)
    segments: list[str] = []
    for segment in parts.path.split("/"):
        if names_version(segment):
            break
        segments.append(segment)
    return urlunsplit((parts.scheme, parts.netloc, "/".join(segments).rstrip("/"), "", ""))


def with_balance(
    history: BalanceHistory, form: str, balance: Balance, now: datetime, key: str = ""
) -> BalanceHistory:
    """Return the history with one more balance: of the last eight days, one for six hours and the newest.

    It begins anew where another thing is told of than before: other money, a key's and no account's, or what
    another key is told; `key` is its digest. What lies in the future was noted before the clock was set back.
    """
    same = (form, balance.currency, balance.of_key) == (
        history.form,
        history.currency,
        history.of_key,
    )
    is_other_key = history.asked_with not in {"", key}
    if not same or is_other_key or balance.amount is None:
        history = BalanceHistory(form=form)
    kept = [(at, amount) for at, amount in history.amounts if timedelta() <= now - at <= _KEPT_FOR]
    if len(kept) > 1 and kept[-1][0] - kept[-2][0] < _KEPT_EVERY:
        kept.pop()
    amounts = kept if balance.amount is None else [*kept, (now, balance.amount)]
    return replace(
        history,
        amounts=tuple(amounts),
        currency=balance.currency,
        of_key=balance.of_key,
        unlimited=balance.amount is None,
        asked_with=key,
    )
