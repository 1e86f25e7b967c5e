"""Where one verdict ends and its neighbour begins, and the words of each: what relays say is made up here."""

from datetime import timedelta
from typing import Any

import pytest
from verdict_cast import answer, broken, error, kind

from monitor.model import Failure, FailureKind, Timings
from monitor.probes.exchange import ErrorType, Exchange, TransportError, TransportPhase
from monitor.probes.verdict.classify import (
    is_error_object,
    judge_api_body,
    judge_error_object,
    judge_http,
)
from monitor.probes.verdict.edge import judge_edge_timeout
from monitor.probes.verdict.transport import judge_body_transport, judge_transport


def said(status: int, body: Any = b"", **headers: str) -> str | None:
    failure = judge_http(answer(status, body, **headers), had_key=True)
    return failure and failure.message


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (299, b"", None),
        (300, b"", FailureKind.UNEXPECTED_REDIRECT),
        (304, b"", FailureKind.UNEXPECTED_STATUS),
        (305, b"", FailureKind.UNEXPECTED_REDIRECT),
        (
            400,
            error("the context is full", code="context_length_exceeded"),
            FailureKind.REQUEST_REJECTED,
        ),
        (400, error("Model x is not supported"), FailureKind.MODEL_NOT_FOUND),
        (
            400,
            error("Model x is not supported", code="too_many_tokens"),
            FailureKind.REQUEST_REJECTED,
        ),
        (400, error("model: `x` does not exist"), FailureKind.MODEL_NOT_FOUND),
        (
            400,
            error("Tools are not supported: the field does not exist"),
            FailureKind.REQUEST_REJECTED,
        ),
        (400, error("The model x likes no tools"), FailureKind.REQUEST_REJECTED),
        (401, error(code="get_channel_failed"), FailureKind.AUTH_INVALID),
        (402, error(code="get_channel_failed"), FailureKind.NO_CHANNEL),
        (403, error("Forbidden", type="forbidden"), FailureKind.PERMISSION_DENIED),
        (403, error("request not allowed"), FailureKind.PERMISSION_DENIED),
        (403, error(code="invalid_api_key"), FailureKind.AUTH_INVALID),
        (403, error("\u65e0\u6548\u7684\u4ee4\u724c"), FailureKind.AUTH_INVALID),
        (404, error("Invalid URL for this model"), FailureKind.PATH_NOT_FOUND),
        (404, error("Page not found, says the model"), FailureKind.PATH_NOT_FOUND),
        (404, error("Unknown request URL of a model"), FailureKind.PATH_NOT_FOUND),
        (404, error("no such MODEL"), FailureKind.MODEL_NOT_FOUND),
        (429, error("We are overloaded"), FailureKind.OVERLOADED),
        (429, error(type="overloaded_error"), FailureKind.OVERLOADED),
        (500, error(code="model_not_found"), FailureKind.NO_CHANNEL),
        (500, error("x", type="overloaded_error"), FailureKind.OVERLOADED),
        (500, error("we are at capacity"), FailureKind.OVERLOADED),
        (529, b"", FailureKind.OVERLOADED),
        (504, error("x"), FailureKind.UPSTREAM_TIMEOUT),
        (505, error("x"), FailureKind.SERVER_ERROR),
        (500, error("x", type="timeout_error"), FailureKind.UPSTREAM_TIMEOUT),
        (502, error("x"), FailureKind.BAD_GATEWAY),
    ],
)
def test_neighbours_are_told_apart(status: int, body: Any, want: FailureKind | None) -> None:
    assert kind(status, body) == want


def test_only_in_the_beginning_of_a_sentence_is_a_model_what_it_is_about() -> None:
    assert kind(400, error("x" * 31 + " model y does not exist")) is FailureKind.MODEL_NOT_FOUND
    assert kind(400, error("x" * 33 + " model y does not exist")) is FailureKind.REQUEST_REJECTED


def test_a_path_is_gone_only_where_it_is_known_to_have_worked() -> None:
    assert kind(404, b"") is FailureKind.PATH_NOT_FOUND
    failure = judge_http(answer(404), had_key=True)
    assert failure == Failure(
        FailureKind.PATH_NOT_FOUND, "got HTTP 404, want 200; check the base URL"
    )


def test_words_of_refusals() -> None:
    assert said(302, location="https://login.example/") == (
        "got HTTP 302 to https://login.example/, want an answer"
    )
    assert said(302) == "got HTTP 302 to nowhere, want an answer"
    assert said(418) == "got HTTP 418, want 200"
    assert said(500, error("a\n b")) == 'got HTTP 500: "a b", want 200'
    assert said(500, error("x" * 200)) == f'got HTTP 500: "{"x" * 200}", want 200'
    assert said(500, error("x" * 201)) == f'got HTTP 500: "{"x" * 199}…", want 200'


def test_words_of_errors_inside_a_good_status() -> None:
    def words(value: Any, *status: int) -> str:
        return judge_error_object(value, *status).message

    assert words(error("boom"), 201) == 'got an error inside HTTP 201: "boom", want an answer'
    assert words("plain") == 'got an error inside HTTP 200: "plain", want an answer'
    coded = {"error": {"code": "b_code", "type": "a_type"}}
    assert words(coded) == 'got an error inside HTTP 200: "a_type, b_code", want an answer'
    assert words({"error": {"x": 1}}) == 'got an error inside HTTP 200: "no words", want an answer'


def test_a_body_that_is_no_answer_says_what_it_is() -> None:
    assert judge_api_body(answer(200, b"<html><p>hello")) == Failure(
        FailureKind.HTML_ANSWER, "got an HTML page, want the API's JSON; is the base URL right?"
    )
    assert judge_api_body(answer(202, error("boom"))) == Failure(
        FailureKind.SERVER_ERROR, 'got an error inside HTTP 202: "boom", want an answer'
    )


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (error("output limit was reached"), FailureKind.BUDGET_TOO_SMALL),
        (error("output limit was reached", code=503), FailureKind.STREAM_ERROR),
        (error("x", code=529), FailureKind.OVERLOADED),
        (error("x", code=403), FailureKind.PERMISSION_DENIED),
        (error("x", code=404), FailureKind.STREAM_ERROR),
        (error("x", type="not_found_error", code="rate_limit_exceeded"), FailureKind.RATE_LIMITED),
    ],
)
def test_errors_inside_a_good_status_have_neighbours_too(value: Any, want: FailureKind) -> None:
    assert judge_error_object(value).kind is want


# --- edges ----------------------------------------------------------------------------------------

CHALLENGE = (
    "with a browser challenge of the edge, want the API's answer; the monitor is taken for a robot"
)


@pytest.mark.parametrize(
    ("status", "body", "headers", "message"),
    [
        (403, b"<title>Just a moment...", {}, f"got HTTP 403 {CHALLENGE}"),
        (400, b"<html><script src=/cdn-cgi/challenge-platform/x>", {}, f"got HTTP 400 {CHALLENGE}"),
        (200, b"<title>Just a moment...", {}, f"got HTTP 200 {CHALLENGE}"),
        (200, b"<html>Just a moment", {}, None),
        (
            400,
            b"error code: 1020",
            {},
            "got HTTP 400: the edge denies us access (error 1020), want the API's answer",
        ),
        (399, b"error code: 1020", {}, "got HTTP 399 to nowhere, want an answer"),
        (429, b"error code: 1015", {}, "got HTTP 429: the edge limits our rate (error 1015)"),
        (
            530,
            b"error code: 1033",
            {},
            "got HTTP 530: the edge failed (error 1033), want the API's answer",
        ),
        (
            500,
            b"x",
            {"cf_error_type": "y"},
            "got HTTP 500: the edge answered in place of the server behind it, want the API's answer",
        ),
        (499, b"x", {"cf_error_type": "y"}, 'got HTTP 499: "x", want 200'),
        (
            502,
            b"error code: 502",
            {},
            "got HTTP 502: the edge answered in place of the server behind it, want the API's answer",
        ),
        (502, b"502 bad gateway          ", {}, 'got HTTP 502: "502 bad gateway", want 200'),
        (
            502,
            b"502 bad gateway         ",
            {},
            "got HTTP 502: the edge answered in place of the server behind it, want the API's answer",
        ),
        (500, b"error code: 502", {}, 'got HTTP 500: "error code: 502", want 200'),
    ],
)
def test_an_edge_is_known_by_its_marks_and_named(
    status: int, body: bytes, headers: dict[str, str], message: str | None
) -> None:
    assert said(status, body, **headers) == message


def test_a_status_of_the_edges_own_is_explained() -> None:
    words = said(522)
    assert words is not None
    assert words.startswith("got HTTP 522: ")
    assert "in place of" not in words


# --- the way --------------------------------------------------------------------------------------


def test_what_broke_and_why_is_said_in_one_sentence() -> None:
    assert judge_transport(broken(TransportPhase.DNS, ErrorType.NXDOMAIN)) == Failure(
        FailureKind.DNS_NXDOMAIN, "got no such name from DNS, want an address (because)"
    )
    assert judge_transport(broken(TransportPhase.TLS, ErrorType.CERT_NOT_YET)) == Failure(
        FailureKind.CERT_EXPIRED, "got a certificate that is not valid yet (because)"
    )
    silent = Exchange(
        timings=Timings(), error=TransportError(TransportPhase.CONNECT, ErrorType.TIMEOUT)
    )
    assert judge_transport(silent) == Failure(
        FailureKind.CONNECT_TIMEOUT, "got no connection in time, want one that opens"
    )
    whole = answer(200, b"{}")
    assert (judge_transport(whole), judge_body_transport(whole)) == (None, None)
    assert judge_body_transport(broken(TransportPhase.TLS, ErrorType.TIMEOUT)) is None


@pytest.mark.parametrize(
    ("what", "body", "want"),
    [
        (ErrorType.GAVE_UP, b"{", FailureKind.BODY_TIMEOUT),
        (ErrorType.PROTOCOL, b"{", FailureKind.HTTP_GARBAGE),
        (ErrorType.CLOSED, b"{", FailureKind.UNEXPECTED_BODY),
        (ErrorType.CLOSED, b"", FailureKind.HTTP_DISCONNECT),
    ],
)
def test_a_body_that_broke_is_explained(what: ErrorType, body: bytes, want: FailureKind) -> None:
    failure = judge_body_transport(broken(TransportPhase.BODY, what, body))
    assert failure is not None
    assert (failure.kind, failure.message.endswith(" (because)")) == (want, True)


# --- an edge that is known to cut -----------------------------------------------------------------

LIMIT = timedelta(seconds=100)


def took(seconds: float | None) -> Exchange:
    return Exchange(timings=Timings(total=None if seconds is None else seconds * 1000))


def test_a_call_that_ended_when_its_edge_ends_calls_is_called_by_that_name() -> None:
    lost = Failure(FailureKind.BAD_GATEWAY, "got HTTP 502, want 200")
    cut = Failure(
        FailureKind.EDGE_TIMEOUT,
        "got no answer before the edge ended the call after 98 s (it is known to after 100 s), want one",
    )
    assert judge_edge_timeout(lost, took(98), LIMIT) == cut
    for other in (took(97.9), took(None)):
        assert judge_edge_timeout(lost, other, LIMIT) is lost
    assert judge_edge_timeout(lost, took(100), None) is lost
    assert judge_edge_timeout(None, took(100), LIMIT) is None
    rejected = Failure(FailureKind.AUTH_INVALID, "got HTTP 401, want 200")
    assert judge_edge_timeout(rejected, took(100), LIMIT) is rejected


def test_how_long_it_took_is_said_in_seconds() -> None:
    lost = Failure(FailureKind.BAD_GATEWAY, "got HTTP 502, want 200")
    cut = judge_edge_timeout(lost, took(2000), timedelta(seconds=2000))
    assert cut is not None
    assert "ended the call after 2000 s" in cut.message


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ({"error": "boom"}, True),
        ({"error": {"message": "boom"}}, True),
        ({"error": {"message": "", "code": None}}, False),
        ({"error": {}}, False),
        ({"error": None}, False),
        ({"type": "error"}, True),
        ({"type": "response.failed"}, True),
        ({"type": "message"}, False),
        ({"object": "error"}, True),
        ({"object": "list"}, False),
        ({"success": False, "message": ""}, True),
        ({"success": False, "errors": ["boom"]}, True),
        ({"success": False, "errors": []}, False),
        ({"success": False}, False),
        ({"success": True, "message": "hello"}, False),
        ({"message": "hello", "errors": ["none"]}, False),
        (["error"], False),
        ("error", False),
    ],
)
def test_an_object_speaks_of_an_error_in_one_of_the_known_manners(value: Any, is_one: bool) -> None:
    assert is_error_object(value) == is_one
