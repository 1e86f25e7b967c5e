"""Neighbours of the public complaints: the same kinds of answers from other providers, in other words."""

import json
from typing import Any

import pytest
from stream_cast import DONE, chunk, stream
from stream_cast import judge as judge_chat
from verdict_cast import answer, error, kind

from monitor.model import FailureKind
from monitor.probes.answer.check_answer import is_same_model
from monitor.probes.answer.error_text import judge_error_text
from monitor.probes.upstream_key import shows_another_key
from monitor.probes.verdict.classify import is_bare_message, is_error_object, judge_api_body

QUOTA, RATE = FailureKind.QUOTA_EXHAUSTED, FailureKind.RATE_LIMITED
CHALLENGE, DENIED = FailureKind.EDGE_CHALLENGE, FailureKind.EDGE_DENIED


def page(title: str = "", body: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>".encode()


# --- money ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 412, 429, 500])
@pytest.mark.parametrize(
    "text",
    [
        "You're out of extra usage. Add more in the settings",
        "Extra usage is required for long context requests",
        "The billing account for the owning project is disabled in state absent",
        "Account is suspended, possibly due to exceeded budget or failure to pay past invoices",
        "A valid payment instrument must be provided",
        "Account suspended for non-payment",
        "Your free trial has expired",
        "Your subscription has been cancelled",
        "No active subscription found for this group",
        "Zero balance",
        "Balance: 0.00",
        "Your wallet balance is below the minimum",
        "Not enough money on the balance",
        "Out of call volume quota",
        "账户可用额度为0",
        "剩余额度为 0",
        "令牌剩余额度不够",
        "您的订阅已到期,请续费",
        "Баланс недостаточен",
        "Se agotaron sus créditos",
        "Ihr Guthaben ist leer",
        "Saldo Anda tidak cukup",
    ],
)
def test_sentences_of_an_empty_account(status: int, text: str) -> None:
    assert kind(status, error(text)) is QUOTA


@pytest.mark.parametrize(
    "text",
    [
        "Too many tokens per day, please wait before trying again.",
        "Rate limit of 50 per 86400s exceeded for UserByModelByDay",
        "You are using a trial key, which is limited to 1000 API calls / month",
        "you have used all your requests for this month",
        "You've hit your limit · resets 3pm",
        "week allocated quota exceeded",
        "month allocated quota exceeded",
        "you have used up your daily free allocation of 10,000 neurons",
        "Дневной лимит исчерпан",
    ],
)
def test_allowances_of_a_day_or_longer(text: str) -> None:
    assert kind(429, error(text)) is QUOTA


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit of 10 per 60s exceeded for UserByModelByMinute",
        "You are using a trial key, which is limited to 10 API calls / minute",
        "Allocated quota exceeded, please increase your quota limit",
        "hour allocated quota exceeded",
        "Rate limit reached. Please add a payment method to your account to raise it",
        "Rate limit exceeded, please top up to raise it",
        "您的账户已达到速率限制, 请充值提升",
        "Rate limit exceeded, upgrade to Pro for $5/month",
        "You've hit a rate limit, please try again in 2 minutes",
    ],
)
def test_limits_that_pass_are_no_money(text: str) -> None:
    assert kind(429, error(text)) is RATE


@pytest.mark.parametrize("text", ["Please top up your account", "请先充值", "Add a payment method"])
def test_a_call_for_money_is_one_where_no_rate_limit_is_spoken_of(text: str) -> None:
    assert kind(403, error(text)) is QUOTA


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (400, error("x", code="11200"), QUOTA),
        (400, error("x", code="11202"), RATE),
        (429, error("x", type="usage_not_included"), QUOTA),
        (400, error("This organization has been disabled."), FailureKind.PERMISSION_DENIED),
        (
            403,
            {"success": False, "errors": [{"code": 9109, "message": "Invalid access token"}]},
            FailureKind.AUTH_INVALID,
        ),
        (403, {"error": "insufficient_quota"}, QUOTA),
        (500, {"error": "model_not_found"}, FailureKind.NO_CHANNEL),
        (403, error("<!DOCTYPE html><html>Just a moment"), FailureKind.BAD_GATEWAY),
        (401, error("got <html><title>403</title>"), FailureKind.BAD_GATEWAY),
    ],
)
def test_codes_and_quotes(status: int, body: Any, want: FailureKind) -> None:
    assert kind(status, body) is want


# --- walls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "headers", "want"),
    [
        (403, b"", {"x_datadome": "protected"}, CHALLENGE),
        (403, b"{}", {"x_dd_b": "2"}, CHALLENGE),
        (403, b'{"blockScript":"/px/captcha.js","appId":"PX1"}', {}, CHALLENGE),
        (200, page("Pardon Our Interruption"), {}, CHALLENGE),
        (415, page("One moment, please..."), {}, CHALLENGE),
        (409, page("", '<script>document.cookie="humans_1=1"</script>'), {}, CHALLENGE),
        (521, b"<script>document.cookie=('__jsl_clearance_s=1')</script>", {}, CHALLENGE),
        (412, page("", "<script>$_ts=window['$_ts']</script>"), {}, CHALLENGE),
        (200, page("宝塔防火墙"), {}, DENIED),
        (468, b"", {}, DENIED),
        (468, {"code": 468, "message": "x"}, {}, DENIED),
        (403, {"message": "blocked by Chaitin SafeLine Web Application Firewall"}, {}, DENIED),
        (403, b" " * 600 + page("Access denied"), {}, DENIED),
        (429, page("Rate limit exceeded"), {}, RATE),
        (429, page("You are being rate limited"), {}, RATE),
        (429, page("请求过于频繁"), {}, RATE),
        (403, page("Rate limit exceeded"), {}, DENIED),
        (403, error("x"), {"x_datadome": "protected"}, FailureKind.PERMISSION_DENIED),
    ],
)
def test_walls_by_their_marks(
    status: int, body: Any, headers: dict[str, str], want: FailureKind
) -> None:
    assert kind(status, body, **headers) is want


# --- errors under 200 -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ({"errorCode": "429", "errorMessage": "Too many requests"}, RATE),
        ({"errors": [{"message": "rate limit exceeded"}]}, RATE),
        ({"success": "false", "message": "boom"}, FailureKind.SERVER_ERROR),
        ({"Response": {"Error": {"Code": "RequestLimitExceeded", "Message": "x"}}}, RATE),
        ({"detail": "boom"}, FailureKind.SERVER_ERROR),
        ({"message": "Insufficient balance"}, QUOTA),
        ([{"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}], RATE),
    ],
)
def test_an_answer_of_words_alone_is_an_error_in_its_own_words(
    value: Any, want: FailureKind
) -> None:
    failure = judge_api_body(answer(200, value))
    assert failure is not None
    assert failure.kind is want
    if isinstance(value, dict) and not is_bare_message(value):
        assert is_error_object(value)


@pytest.mark.parametrize(
    "value",
    [
        {"message": "hello", "choices": []},
        {"message": "", "x": 1},
        {"message": {"content": "hello"}},
        {"object": "list", "data": []},
        {"models": [], "message": "ok"},
        ["message"],
        "message",
    ],
)
def test_words_beside_a_place_for_an_answer_are_no_error(value: Any) -> None:
    assert not is_bare_message(value)
    assert judge_api_body(answer(200, value)) is None


def test_words_alone_count_in_a_stream_only_where_no_answer_comes() -> None:
    words = f"data: {json.dumps({'message': 'all workers are gone'})}\n\n"
    failure = judge_chat(stream((1, words), (2, DONE)))
    assert failure is not None
    assert failure.kind is FailureKind.STREAM_ERROR
    assert "all workers are gone" in failure.message
    good = (2, chunk("1 2")), (3, chunk(None, "stop")), (4, DONE)
    assert judge_chat(stream((1, words), *good)) is None


@pytest.mark.parametrize(
    ("status", "text", "want"),
    [
        (500, "upstream error: insufficient_quota", FailureKind.NO_CHANNEL),
        (500, "upstream failed: its payment method is gone", FailureKind.NO_CHANNEL),
        (500, "the load balance is below threshold", FailureKind.SERVER_ERROR),
        (500, "execution plan cancelled", FailureKind.SERVER_ERROR),
        (429, "每分钟限制 3 次, 续费可提升", RATE),
        (429, "limit_rpd/some/model is used up: daily limit reached", QUOTA),
    ],
)
def test_whose_money_it_is_and_what_is_none(status: int, text: str, want: FailureKind) -> None:
    assert kind(status, error(text)) is want


@pytest.mark.parametrize(
    ("text", "is_other"),
    [
        ("Invalid token sk-ab****wxyz", True),
        ("无效的密钥 sk-ab****wxyz", True),
        ("Received API key = sk-...WXYZ", True),
        ("The API key is invalid...please check it", False),
        ("Incorrect API key provided... see the dashboard", False),
        ("Incorrect API key provided: sk-test-****cdef", False),
    ],
)
def test_parts_of_another_key_are_told_from_words(
    text: str, is_other: bool
) -> None:  # what is expected
    assert shows_another_key(text, "sk-test-0123456789abcdef") is is_other


@pytest.mark.parametrize(
    "text",
    [
        "账号已被封禁",
        "该模型已下线",
        "请先登录",
        "Model is loading, please wait",
        "This model is no longer available",
        "サーバーエラーが発生しました",
        "오류가 발생했습니다",
        "Ошибка сервера",
    ],
)
def test_an_error_as_the_only_words_in_other_languages(text: str) -> None:
    failure = judge_error_text(text, wrong=True)
    assert failure is not None
    assert failure.kind is FailureKind.SERVER_ERROR
    assert judge_error_text(text, wrong=False) is None


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("deepseek-chat", "deepseek/deepseek-chat:free"),
        ("claude-3-5-sonnet@20240620", "claude-3-5-sonnet-20240620"),
        ("glm-4.6", "zai.glm-4.6"),
        ("minimax-m2", "minimax.minimax-m2"),
    ],
)
def test_one_model_under_two_names(asked: str, got: str) -> None:
    assert is_same_model(asked, got)
    assert is_same_model(got, asked)
