import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_cast import NOW, answer, broken, error, kind

from monitor.model import FailureKind
from monitor.probes.exchange import ErrorType, Exchange, TransportPhase
from monitor.probes.verdict.classify import judge_api_body, judge_error_object, judge_http
from monitor.probes.verdict.retry_after import retry_after
from monitor.probes.verdict.transport import judge_body_transport, judge_transport


@pytest.mark.parametrize(
    ("stage", "what", "want"),
    [
        (TransportPhase.DNS, ErrorType.NXDOMAIN, FailureKind.DNS_NXDOMAIN),
        (TransportPhase.DNS, ErrorType.SERVFAIL, FailureKind.DNS_SERVFAIL),
        (TransportPhase.DNS, ErrorType.TIMEOUT, FailureKind.DNS_SERVFAIL),
        (TransportPhase.CONNECT, ErrorType.REFUSED, FailureKind.TCP_REFUSED),
        (TransportPhase.CONNECT, ErrorType.UNREACHABLE, FailureKind.TCP_UNREACHABLE),
        (TransportPhase.CONNECT, ErrorType.TIMEOUT, FailureKind.CONNECT_TIMEOUT),
        (TransportPhase.TLS, ErrorType.TIMEOUT, FailureKind.TLS_TIMEOUT),
        (TransportPhase.TLS, ErrorType.RESET, FailureKind.TLS_RESET),
        (TransportPhase.TLS, ErrorType.CLOSED, FailureKind.TLS_RESET),
        (TransportPhase.TLS, ErrorType.PROTOCOL, FailureKind.TLS_PROTOCOL),
        (TransportPhase.TLS, ErrorType.CERT_EXPIRED, FailureKind.CERT_EXPIRED),
        (TransportPhase.TLS, ErrorType.CERT_NOT_YET, FailureKind.CERT_EXPIRED),
        (TransportPhase.TLS, ErrorType.CERT_HOSTNAME, FailureKind.CERT_HOSTNAME),
        (TransportPhase.TLS, ErrorType.CERT_UNTRUSTED, FailureKind.CERT_UNTRUSTED),
        (TransportPhase.HEADERS, ErrorType.TIMEOUT, FailureKind.HEADERS_TIMEOUT),
        (TransportPhase.HEADERS, ErrorType.RESET, FailureKind.HTTP_DISCONNECT),
        (TransportPhase.HEADERS, ErrorType.CLOSED, FailureKind.HTTP_DISCONNECT),
        (TransportPhase.HEADERS, ErrorType.PROTOCOL, FailureKind.HTTP_GARBAGE),
    ],
)
def test_what_breaks_before_the_body_is_told_by_stage_and_cause(
    stage: TransportPhase, what: ErrorType, want: FailureKind
) -> None:
    failure = judge_transport(broken(stage, what))
    assert failure is not None
    assert (failure.kind, "because" in failure.message) == (want, True)


@pytest.mark.parametrize("stage", TransportPhase)
@pytest.mark.parametrize("what", ErrorType)
def test_every_trouble_has_a_verdict(stage: TransportPhase, what: ErrorType) -> None:
    exchange = broken(stage, what)
    assert judge_transport(exchange) or judge_body_transport(exchange)


def test_a_broken_body_is_judged_by_what_came_of_it() -> None:
    def judged(what: ErrorType, body: bytes) -> FailureKind | None:
        exchange = broken(TransportPhase.BODY, what, body)
        assert judge_transport(exchange) is None
        failure = judge_body_transport(exchange)
        return failure and failure.kind

    assert judged(ErrorType.RESET, b"{") is FailureKind.UNEXPECTED_BODY
    assert judged(ErrorType.RESET, b"") is FailureKind.HTTP_DISCONNECT
    assert judged(ErrorType.TIMEOUT, b"{") is FailureKind.BODY_TIMEOUT
    assert judged(ErrorType.TOO_LARGE, b"{") is FailureKind.BODY_TOO_LARGE


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (200, {"data": []}, None),
        (
            400,
            error("bad", code="unsupported_parameter", param="max_tokens"),
            FailureKind.REQUEST_REJECTED,
        ),
        (400, error(details=[{"reason": "API_KEY_INVALID"}]), FailureKind.AUTH_INVALID),
        (400, {"code": "x", "error": "Incorrect API key provided."}, FailureKind.AUTH_INVALID),
        (400, error("User location is not supported for the API use."), FailureKind.REGION_BLOCKED),
        (400, error("Your credit balance is too low to go on"), FailureKind.QUOTA_EXHAUSTED),
        (400, error("prompt is too long: 9 tokens > 8"), FailureKind.REQUEST_REJECTED),
        (400, error(code="model_not_found"), FailureKind.MODEL_NOT_FOUND),
        (400, error("/chat/completions: Invalid model name, model=x"), FailureKind.MODEL_NOT_FOUND),
        (
            400,
            error(
                "could not finish the message because max_tokens or model output limit was reached"
            ),
            FailureKind.BUDGET_TOO_SMALL,
        ),
        (400, error("not here", code="data_inspection_failed"), FailureKind.CONTENT_FILTERED),
        (400, error("x", code="InputTextRiskDetection"), FailureKind.CONTENT_FILTERED),
        (
            400,
            error("This credential is only authorized for use with Claude Code"),
            FailureKind.CLIENT_REFUSED,
        ),
        (400, error("x", code="InvalidApiKey"), FailureKind.AUTH_INVALID),
        (400, error("x", type="invalid_model"), FailureKind.MODEL_NOT_FOUND),
        (400, {"message": "The model identifier is invalid."}, FailureKind.MODEL_NOT_FOUND),
        (400, error("该模型已下线"), FailureKind.MODEL_NOT_FOUND),
        (400, error("模型 x 不存在"), FailureKind.MODEL_NOT_FOUND),
        (400, error("参数不存在"), FailureKind.REQUEST_REJECTED),
        (400, error("Your organization has been restricted."), FailureKind.PERMISSION_DENIED),
        (401, b"", FailureKind.AUTH_INVALID),
        (
            401,
            error("该令牌额度已用尽 (request id: 1)", type="one_api_error"),
            FailureKind.QUOTA_EXHAUSTED,
        ),
        (402, error("Insufficient Balance"), FailureKind.QUOTA_EXHAUSTED),
        (
            403,
            error("用户额度不足, 剩余额度: 0", type="new_api_error"),
            FailureKind.QUOTA_EXHAUSTED,
        ),
        (403, error(code="pre_consume_token_quota_failed"), FailureKind.QUOTA_EXHAUSTED),
        (403, {"code": "SUBSCRIPTION_EXPIRED", "message": "x"}, FailureKind.QUOTA_EXHAUSTED),
        (
            403,
            error("该令牌无权使用模型：gpt-4o", type="one_api_error"),
            FailureKind.PERMISSION_DENIED,
        ),
        (
            403,
            error("您的 IP 不在令牌允许访问的列表中", code="access_denied"),
            FailureKind.PERMISSION_DENIED,
        ),
        (403, error(code="unsupported_country_region_territory"), FailureKind.REGION_BLOCKED),
        (403, error("Request not allowed", type="forbidden"), FailureKind.REGION_BLOCKED),
        (
            403,
            {"message": "The security token included in the request is invalid."},
            FailureKind.AUTH_INVALID,
        ),
        (403, error(code="sensitive_words_detected"), FailureKind.CONTENT_FILTERED),
        (403, b"<html><title>Access denied</title></html>", FailureKind.EDGE_DENIED),
        (
            404,
            error("Invalid URL (POST /v1/v1/chat)", type="invalid_request_error"),
            FailureKind.PATH_NOT_FOUND,
        ),
        (404, b"404 page not found", FailureKind.PATH_NOT_FOUND),
        (404, b"<html><h1>404</h1></html>", FailureKind.PATH_NOT_FOUND),
        (404, {"detail": "Not Found"}, FailureKind.PATH_NOT_FOUND),
        (404, error("model: nonesuch", type="not_found_error"), FailureKind.MODEL_NOT_FOUND),
        (404, error("No endpoints found for a/b."), FailureKind.MODEL_NOT_FOUND),
        (
            404,
            error("No endpoints found matching your data policy"),
            FailureKind.PERMISSION_DENIED,
        ),
        (404, error("No endpoints found that support tools"), FailureKind.REQUEST_REJECTED),
        (404, b"The endpoint is offline. ERR_NGROK_3200", FailureKind.EDGE_ERROR),
        (402, b"Payment required\n\nDEPLOYMENT_DISABLED\n\nx", FailureKind.EDGE_ERROR),
        (405, b"", FailureKind.REQUEST_REJECTED),
        (408, b"", FailureKind.UPSTREAM_TIMEOUT),
        (413, error(type="request_too_large"), FailureKind.REQUEST_REJECTED),
        (418, b"", FailureKind.UNEXPECTED_STATUS),
        (
            422,
            {"detail": [{"loc": ["body"], "msg": "field required"}]},
            FailureKind.REQUEST_REJECTED,
        ),
        (429, b"", FailureKind.RATE_LIMITED),
        (
            429,
            error(
                "You exceeded your current quota, check your plan and billing",
                status="RESOURCE_EXHAUSTED",
                details=[{"violations": [{"quotaId": "RequestsPerMinutePerProject"}]}],
            ),
            FailureKind.RATE_LIMITED,
        ),
        (
            429,
            error("x", details=[{"violations": [{"quotaId": "RequestsPerDayPerProject"}]}]),
            FailureKind.QUOTA_EXHAUSTED,
        ),
        (429, error(type="insufficient_quota"), FailureKind.QUOTA_EXHAUSTED),
        (429, error("当前分组上游负载已饱和，请稍后再试"), FailureKind.OVERLOADED),
        (
            429,
            error("当前分组上游负载已饱和，请稍后再试", code="insufficient_user_quota"),
            FailureKind.QUOTA_EXHAUSTED,
        ),
        (429, error("您已达到请求数限制"), FailureKind.RATE_LIMITED),
        (498, error("Flex tier full", type="capacity_exceeded"), FailureKind.OVERLOADED),
        (500, error(code="do_request_failed"), FailureKind.SERVER_ERROR),
        (500, b"oops", FailureKind.SERVER_ERROR),
        (
            502,
            error("Upstream authentication failed", type="upstream_error"),
            FailureKind.BAD_GATEWAY,
        ),
        (502, b"<html><h1>502 Bad Gateway</h1></html>", FailureKind.BAD_GATEWAY),
        (
            503,
            error("分组 default 下模型 gpt-4o 无可用渠道（distributor）", code="model_not_found"),
            FailureKind.NO_CHANNEL,
        ),
        (503, error("当前分组 default 下对于模型 gpt-4o 无可用渠道"), FailureKind.NO_CHANNEL),
        (503, error(code="get_channel_failed"), FailureKind.NO_CHANNEL),
        (503, error("The model is overloaded.", status="UNAVAILABLE"), FailureKind.OVERLOADED),
        (503, b"", FailureKind.SERVER_ERROR),
        (504, error(type="timeout_error"), FailureKind.UPSTREAM_TIMEOUT),
        (529, error(type="overloaded_error"), FailureKind.OVERLOADED),
        (520, b"", FailureKind.EDGE_ERROR),
        (522, b"<html></html>", FailureKind.EDGE_ERROR),
        (524, b"<html></html>", FailureKind.EDGE_TIMEOUT),
        (500, error("x", code=524, type="cf_gateway_timeout"), FailureKind.EDGE_TIMEOUT),
        (530, b"error code: 1033", FailureKind.EDGE_ERROR),
        (403, b"error code: 1020", FailureKind.EDGE_DENIED),
        (403, b"error code: 1009", FailureKind.REGION_BLOCKED),
        (429, b"error code: 1015", FailureKind.RATE_LIMITED),
        (500, b"error code: 1101", FailureKind.EDGE_ERROR),
        (502, b"error code: 502\n", FailureKind.EDGE_ERROR),
        (504, b"error code: 504\n", FailureKind.EDGE_TIMEOUT),
        (
            503,
            b"<title>Just a moment...</title><script src=/cdn-cgi/challenge-platform/x>",
            FailureKind.EDGE_CHALLENGE,
        ),
    ],
)
def test_status_and_codes_decide_before_prose(
    status: int, body: Any, want: FailureKind | None
) -> None:
    assert kind(status, body) == want


def test_a_challenge_header_counts_under_any_status() -> None:
    assert kind(200, b"<html>", cf_mitigated="challenge") is FailureKind.EDGE_CHALLENGE
    assert kind(403, b"", cf_mitigated="challenge") is FailureKind.EDGE_CHALLENGE


def test_a_page_that_merely_carries_the_edges_script_is_no_challenge() -> None:
    assert kind(200, b"<html><script src=/cdn-cgi/challenge-platform/x></html>") is None


def test_cloudflare_in_front_does_not_make_an_error_its_own() -> None:
    body = error("no", type="server_error")
    assert kind(500, body, server="cloudflare", cf_ray="1-FRA") is FailureKind.SERVER_ERROR


def test_a_redirect_is_not_followed_but_told() -> None:
    assert kind(302, b"", location="https://login.example/") is FailureKind.UNEXPECTED_REDIRECT


def test_a_path_that_worked_before_is_gone() -> None:
    assert kind(404, b"<html>", known_good=True) is FailureKind.ROUTE_GONE


def test_without_a_key_a_refusal_is_no_news() -> None:
    failure = judge_http(answer(401), had_key=False)
    assert failure is not None
    assert failure.kind is FailureKind.NO_KEY


def test_the_message_says_got_want_and_the_servers_own_words() -> None:
    failure = judge_http(answer(402, error("Insufficient Balance")), had_key=True)
    assert failure is not None
    assert failure.message == (
        'got HTTP 402: "Insufficient Balance", want 200; the account needs money or a higher limit'
    )


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (error(code="insufficient_quota"), FailureKind.QUOTA_EXHAUSTED),
        ({"type": "error", "error": {"type": "overloaded_error"}}, FailureKind.OVERLOADED),
        (error("Provider disconnected", code=502), FailureKind.STREAM_ERROR),
        (error("slow down", code="429"), FailureKind.RATE_LIMITED),
        ({"object": "error", "message": "boom", "code": 500}, FailureKind.STREAM_ERROR),
        ({"error": "something broke"}, FailureKind.STREAM_ERROR),
        ({"error": {"message": "用户额度不足"}}, FailureKind.QUOTA_EXHAUSTED),
        ("plain words", FailureKind.STREAM_ERROR),
    ],
)
def test_an_error_inside_200_counts_by_the_status_it_would_have_had(
    value: Any, want: FailureKind
) -> None:
    assert judge_error_object(value).kind is want


def test_an_api_that_answers_200_with_a_page_or_an_error_has_failed() -> None:
    page = judge_api_body(answer(200, b"<!doctype html><title>Panel</title>"))
    wrong = judge_api_body(answer(200, error("boom")))
    assert page is not None
    assert wrong is not None
    assert (page.kind, wrong.kind) == (FailureKind.HTML_ANSWER, FailureKind.SERVER_ERROR)
    assert "Panel" in page.message
    assert judge_api_body(answer(200, {"data": [], "error": None})) is None


@pytest.mark.parametrize(
    ("exchange", "seconds"),
    [
        (answer(429, retry_after="30"), 30),
        (answer(429, retry_after="0"), 1),
        (answer(503, retry_after="999999999"), 3600),
        (answer(429, retry_after="Tue, 24 Nov 2026 12:02:00 GMT"), 120),
        (answer(429, retry_after="Tue, 24 Nov 2026 11:00:00 GMT"), 1),
        (answer(429, retry_after_ms="2500", retry_after="60"), 2.5),
        (answer(429, error(details=[{"@type": "RetryInfo", "retryDelay": "48.5s"}])), 48.5),
        (answer(429, error(details=[{"@type": "RetryInfo", "retryDelay": "1m1.5s"}])), 61.5),
        (answer(429, {"error_code": 1015, "retry_after": 30}), 30),
        (answer(429, error(metadata={"retry_after_seconds": 7.5})), 7.5),
        (answer(429, {"retry_after": float("nan")}), None),
        (answer(429, {"retry_after": 10**400}), 3600),
        (answer(429, retry_after="2026-11-24T12:02:00Z"), 120),
        (answer(429, retry_after="soon"), None),
        (answer(429, retry_after="inf"), None),
        (answer(429), None),
        (answer(200, retry_after="30"), None),
        (answer(401, retry_after="30"), None),
    ],
)
def test_retry_after_is_read_in_every_form_and_kept_within_bounds(
    exchange: Exchange, seconds: float | None
) -> None:
    want = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(exchange, NOW) == want


SPENT = {"x_ratelimit_reset_requests": "20s", "x_ratelimit_remaining_requests": "0"}
LIMITS = [
    ({"x_ratelimit_reset_requests": "6m0s"}, 360),
    ({"x_ratelimit_reset_requests": "12ms"}, 1),
    ({"x_ratelimit_reset_requests": "10"}, 10),
    ({"x_ratelimit_reset_tokens": "1m2.5s", "x_ratelimit_reset_requests": "1s"}, 62.5),
    ({"x_ratelimit_reset_tokens": "1h", "x_ratelimit_remaining_tokens": "9000", **SPENT}, 20),
    ({"anthropic_ratelimit_requests_reset": "2026-11-24T12:00:42Z"}, 42),
    ({"anthropic_ratelimit_input_tokens_reset": "2026-11-24T13:00:43+01:00"}, 43),
    ({"ratelimit_reset": "9"}, 9),
    ({"x_ratelimit_reset": f"{NOW.timestamp() + 15:.0f}"}, 15),
    ({"x_ratelimit_reset": f"{NOW.timestamp() * 1000 + 16_500:.0f}"}, 16.5),
    ({"x_ratelimit_reset_requests": "20s", "retry_after": "5"}, 5),
    ({"x_ratelimit_reset_requests": "later"}, None),
    ({"x_ratelimit_limit_requests": "20"}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), LIMITS)
def test_limits_in_general_are_read_where_a_429_asks_for_nothing(
    headers: dict[str, str], seconds: float | None
) -> None:
    want = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(answer(429, **headers), NOW) == want
    if "retry_after" not in headers:
        assert retry_after(answer(503, **headers), NOW) is None


def test_limits_that_a_relay_passes_on_inside_the_body_are_read() -> None:
    reset = f"{NOW.timestamp() * 1000 + 17_000:.0f}"
    metadata = {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}}
    assert retry_after(answer(429, error(metadata=metadata)), NOW) == timedelta(seconds=17)


@given(st.text(max_size=40) | st.from_regex(r"[0-9.smhd:TZ+-]{1,30}", fullmatch=True))
def test_no_word_of_a_server_about_its_limits_is_too_odd(text: str) -> None:
    for name in ("retry_after", "retry_after_ms", "x_ratelimit_reset", "x_ratelimit_reset_tokens"):
        found = retry_after(answer(429, **{name: text}), NOW)
        assert found is None or timedelta(seconds=1) <= found <= timedelta(hours=1)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"error":' * 5000,
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'{"error":{"code":1e999}}',
    ],
)
def test_a_hostile_body_gets_a_verdict_like_any_other(body: bytes) -> None:
    assert kind(500, body) is FailureKind.SERVER_ERROR
    assert retry_after(answer(500, body), NOW) is None


@pytest.mark.parametrize(
    "piece", [b'<span class="cf-error-code"', b"<span", b"<title", b"<title>", b'"error_code" ']
)
def test_a_page_made_to_be_slow_to_read_is_read_at_once(piece: bytes) -> None:
    page = b"<html>" + piece * (65_536 // len(piece))
    began = time.process_time()
    assert kind(503, page) is FailureKind.SERVER_ERROR
    assert time.process_time() - began < 0.5
