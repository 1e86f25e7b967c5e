"""Money before status: an empty account is told as such under every status, and a limit per minute is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_cast import NOW, answer, error, kind

from monitor.model import FailureKind
from monitor.probes.parameter_fallback import newly_refused
from monitor.probes.verdict.classify import (
    is_error_object,
    judge_api_body,
    judge_error_object,
    judge_http,
)
from monitor.probes.verdict.retry_after import retry_after

QUOTA, RATE = FailureKind.QUOTA_EXHAUSTED, FailureKind.RATE_LIMITED

EMPTY_ACCOUNTS: list[dict[str, Any]] = [
    error("please top up", code="1113"),
    error("Insufficient balance or no resource package"),
    error("no access", type="exceeded_current_quota_error"),
    error("The usage limit has been reached", type="usage_limit_reached"),
    error("You have reached your specified API usage limits", type="invalid_request_error"),
    {"code": 30001, "message": "sorry", "data": None},
    error("denied", code="Arrearage"),
    error("denied", code="AccountOverdueError", type="Forbidden"),
    error("Insufficient quota available for instant inference", type="invalid_request_error"),
    error("x", type="insufficient_balance_error"),
    error("insufficient balance (1008)", type="api_error"),
    error("Key limit exceeded (total limit). Manage it in the settings"),
    error("Your team has either used all available credits or reached its monthly spending limit"),
    error("Your newly created team doesn't have any credits or licenses yet"),
    error("x", code="BILLING_INSUFFICIENT_BALANCE"),
    error("x", code="AllocationQuota.FreeTierOnly"),
    error("x", code="SetLimitExceeded"),
    error("Budget has been exceeded! Current cost: 10.1", type="budget_exceeded"),
    error("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 a day"),
    error("Rate limit reached on tokens per day (TPD): Limit 100000", type="tokens"),
    error("usage limit exceeded, 5-hour usage limit reached for Starter", type="rate_limit_error"),
    error("x", details=[{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]),
    error("该令牌额度已用尽"),
    error("您的账户已欠费"),
    error("該帳戶餘額不足"),
    error("クレジットが不足しています"),
    error("残高が不足しています"),
    error("잔액이 부족합니다"),
    error("Недостаточно средств на балансе"),
    error("Saldo insuficiente"),
    error("Crédits insuffisants pour cette requête"),
    error("Ihr Guthaben ist aufgebraucht"),
    error("Credito insufficiente"),
    error("Yetersiz bakiye"),
    error("Số dư không đủ"),
]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
@pytest.mark.parametrize("body", EMPTY_ACCOUNTS, ids=str)
def test_an_empty_account_is_told_under_every_status(status: int, body: dict[str, Any]) -> None:
    assert kind(status, body) is QUOTA


@pytest.mark.parametrize("body", EMPTY_ACCOUNTS, ids=str)
def test_an_empty_account_is_told_under_200_and_in_a_stream(body: dict[str, Any]) -> None:
    assert is_error_object(body)
    assert judge_error_object(body).kind is QUOTA


@pytest.mark.parametrize(
    "body",
    [
        error("You exceeded your current quota, please check your plan and billing details"),
        error(
            "Quota exceeded for metric: generate_content, limit: 20", status="RESOURCE_EXHAUSTED"
        ),
        error("x", details=[{"violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}]),
        error("Rate limit exceeded: free-models-per-min. Add 10 credits to unlock more"),
        error(
            "Allocated quota exceeded, please increase your quota limit", code="insufficient_quota"
        ),
        error("Rate limit reached on tokens per min (TPM): Limit 30000, Used 29000"),
        error("您当前使用该 API 的并发数过高，请充值提升等级", code="1302"),
        error("Your account reached the rate limit of 3 requests per minute, upgrade your plan"),
        error("Too many requests"),
    ],
    ids=str,
)
def test_a_limit_per_minute_stays_a_rate_limit(body: dict[str, Any]) -> None:
    assert kind(429, body) is RATE


def test_the_same_weak_words_mean_money_where_no_rate_limit_is_spoken_of() -> None:
    body = error("organization exceeded current quota, please check your plan")
    assert (kind(403, body), kind(429, body)) == (QUOTA, RATE)


def test_money_that_the_relays_own_upstream_lacks_is_the_relays_fault() -> None:
    for text in ("上游账户余额不足", "upstream provider: insufficient balance", "渠道余额不足"):
        assert kind(500, error(text)) is FailureKind.NO_CHANNEL


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"resets_at": 1_796_000_000}, "(it returns 2026-11-30 00:53 UTC)"),
        ({"resets_in_seconds": 529_498}, "(it returns in 6 days)"),
        ({"resets_in_seconds": 7300}, "(it returns in 2 h)"),
        ({"resets_in_seconds": 5}, "(it returns in 1 min)"),
        ({"resets_at": "2026-12-31T00:00:00Z"}, "(it returns 2026-12-31T00:00:00Z)"),
        (
            {"metadata": {"headers": {"X-RateLimit-Reset": "1796083200000"}}},
            "(it returns 2026-12-01 00:00 UTC)",
        ),
    ],
)
def test_a_used_up_allowance_says_when_it_returns(fields: dict[str, Any], words: str) -> None:
    failure = judge_http(answer(429, error("daily limit reached", **fields)), had_key=True)
    assert failure is not None
    assert (failure.kind, words in failure.message) == (QUOTA, True), failure.message


# --- envelopes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "want", "words"),
    [
        (
            {"code": 500, "msg": "404 NOT_FOUND", "success": False},
            FailureKind.SERVER_ERROR,
            "404 NOT_FOUND",
        ),
        ({"error_code": 17, "error_msg": "daily request limit reached"}, QUOTA, "daily request"),
        ({"error_code": 18, "error_msg": "Open api qps request limit reached"}, RATE, "qps"),
        (
            {"error_code": 110, "error_msg": "Access token invalid"},
            FailureKind.AUTH_INVALID,
            "token",
        ),
        (
            {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "no money"}},
            QUOTA,
            "no money",
        ),
        (
            {"base_resp": {"status_code": 1004, "status_msg": "login fail"}},
            FailureKind.AUTH_INVALID,
            "login",
        ),
        ({"header": {"code": 11200, "message": "AppIdNoAuthError"}}, QUOTA, "AppIdNo"),
        (
            {"Response": {"Error": {"Code": "InternalError", "Message": "we broke"}}},
            FailureKind.SERVER_ERROR,
            "we broke",
        ),
        (
            {"choices": [{"error": {"code": 502, "message": "provider gone"}}]},
            FailureKind.SERVER_ERROR,
            "provider gone",
        ),
        ({"errcode": 40001, "errmsg": "not today"}, FailureKind.SERVER_ERROR, "not today"),
        (
            {"code": "InvalidApiKey", "message": "no such key"},
            FailureKind.AUTH_INVALID,
            "no such key",
        ),
        ({"status": "error", "message": "boom"}, FailureKind.SERVER_ERROR, "boom"),
        (
            {"error": {"message": 'HTTP 429: {"error": {"code": "1113", "message": "没钱"}}'}},
            QUOTA,
            "没钱",
        ),
    ],
)
def test_every_envelope_of_an_error_is_opened(value: Any, want: FailureKind, words: str) -> None:
    assert is_error_object(value)
    failure = judge_api_body(answer(200, value))
    assert failure is not None
    assert (failure.kind, words in failure.message) == (want, True), failure.message


@pytest.mark.parametrize(
    "value",
    [
        {"code": 0, "message": "Success", "choices": [{"text": "hello"}]},
        {"code": 200, "msg": "ok", "data": [1]},
        {"code": 200, "message": "accepted"},
        {"status": "completed", "message": "done", "output": []},
        {"base_resp": {"status_code": 0, "status_msg": ""}, "choices": [{}]},
        {"header": {"code": 0, "message": "Success"}},
        {"message": {"role": "assistant", "content": "hi"}, "done": True, "status": "busy"},
        {"choices": [{"error": None, "delta": {"content": "x"}}]},
        {"type": ["error"], "object": {}, "code": []},
    ],
    ids=str,
)
def test_a_good_answer_is_no_error_whatever_stands_beside_it(value: Any) -> None:
    assert not is_error_object(value)


# --- odd types ------------------------------------------------------------------------------------

NAMES = (
    "error",
    "errors",
    "message",
    "msg",
    "code",
    "type",
    "status",
    "success",
    "choices",
    "base_resp",
    "header",
    "response",
    "Error",
    "details",
    "violations",
    "metadata",
    "headers",
    "param",
    "retryDelay",
    "retry_after",
    "resets_at",
    "resets_in_seconds",
    "object",
    "detail",
    "error_code",
    "data",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_is_too_odd_for_a_classifier(value: Any) -> None:
    is_error_object(value)
    assert judge_error_object(value).message
    for status in (200, 400, 401, 403, 404, 429, 500):
        exchange = answer(status, json.dumps(value).encode())
        judge_http(exchange, had_key=True)
        judge_api_body(exchange)
        newly_refused(exchange, ["max_tokens"])
        retry_after(exchange, NOW)
