"""Whether a service took a message, from what it answered."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.acceptance import NO_REQUEST, ChannelAnswer, refusal, retry_after
from monitor.model.duration import LONGEST_PAUSE
from monitor.model.errors import ADDRESS, CHAT, REACH, SETTINGS, delivery_remedy

SEND = "https://oapi.dingtalk.com/robot/send"
SCHEMAS = st.sampled_from(
    ["tgram", "slack", "matrix", "dingtalk", "pushplus", "bark", "json", "other"]
)
BODIES = st.one_of(
    st.binary(max_size=80),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["ok", "code", "errcode", "error", "errors", "message", "parameters"]
                )
                | st.sampled_from(
                    ["status", "retry_after", "retry_after_ms", "migrate_to_chat_id", "meta"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(lambda document: json.dumps(document).encode()),
)
ANSWERS = st.builds(
    ChannelAnswer,
    st.sampled_from([SEND, "https://m.example/_matrix/client/v3/rooms/!r/send/m.room.message/1"]),
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=30), max_size=2),
    BODIES,
    st.sampled_from(["HTTP", "SMTP"]),
)


@given(SCHEMAS, st.lists(ANSWERS, max_size=3), st.booleans(), st.text(max_size=40), st.booleans())
def test_whatever_a_service_answers_is_taken_or_has_a_reason(
    schema: str, answers: list[ChannelAnswer], reported: bool, log: str, is_http: bool
) -> None:
    refused = refusal(schema, answers, reported=reported, log=log, is_http=is_http)
    if refused is None:
        assert reported
        assert not is_http or any(answer.is_success for answer in answers)
    else:
        assert refused.why
        assert refused.wait is None or timedelta(0) < refused.wait <= LONGEST_PAUSE
        assert not (refused.wait and refused.needs_person)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"errors":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"errcode": ["M_FORBIDDEN"]}',
        b'{"retry_after_ms": 1' + b"0" * 400 + b"}",
    ],
)
def test_an_answer_that_means_harm_is_a_refusal_as_any_other(body: bytes) -> None:
    answer = ChannelAnswer("https://m.example/send/1", 429, body=body)
    assert refusal("matrix", (answer,), reported=False)


def test_a_plugin_that_asked_nobody_delivered_nothing() -> None:
    silent = refusal("opsgenie", (), reported=True)
    assert silent
    assert silent.why == NO_REQUEST
    assert refusal("mailto", (), reported=True, is_http=False) is None


def test_one_of_several_chats_that_refuses_is_no_delivery() -> None:
    took = ChannelAnswer(SEND, 200, body=b'{"ok": true}')
    denied = ChannelAnswer(SEND, 200, body=b'{"ok": false, "description": "chat not found"}')
    assert refusal("tgram", (took, took), reported=True) is None
    refused = refusal("tgram", (denied, took), reported=True)
    assert refused
    assert refused.why.startswith("HTTP 200, but not delivered: chat not found;")


def test_what_a_service_asks_before_the_message_is_not_taken_for_its_answer() -> None:
    login = ChannelAnswer(
        "https://m.example/_matrix/client/v3/login", 200, body=b'{"user_id": "@m"}'
    )
    nothing = ChannelAnswer("https://m.example/.well-known/matrix/client", 404)
    sent = ChannelAnswer(
        "https://m.example/rooms/r/send/m.room.message/1", 200, body=b'{"event_id": "$1"}'
    )
    assert refusal("matrixs", (nothing, login, sent), reported=True) is None
    only_login = refusal("matrixs", (nothing, login), reported=True)
    assert only_login
    assert only_login.why == NO_REQUEST


def test_a_group_that_became_a_supergroup_names_its_new_number() -> None:
    body = {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": -1001234567890},
    }
    sent = b'{"chat_id": -42, "text": "t"}'
    answer = ChannelAnswer(SEND, 400, body=json.dumps(body).encode(), sent=sent)
    refused = refusal("tgram", (answer,), reported=False)
    assert refused
    assert refused.moved == ("-42", "-1001234567890")


@pytest.mark.parametrize(
    ("schema", "status", "body", "remedy"),
    [
        ("tgram", 401, '{"ok": false, "description": "Unauthorized"}', ADDRESS),
        ("tgram", 403, '{"ok": false, "description": "bot was kicked"}', CHAT),
        ("tgram", 502, "<html>502</html>", REACH),
        ("dingtalk", 200, '{"errcode": 310000, "errmsg": "keywords not in content"}', SETTINGS),
        ("dingtalk", 200, '{"errcode": 130101, "errmsg": "send too fast"}', REACH),
        ("slack", 410, "channel_is_archived", SETTINGS),
    ],
)
def test_what_a_person_can_do_follows_from_the_reason(
    schema: str, status: int, body: str, remedy: str
) -> None:
    refused = refusal(
        schema, (ChannelAnswer(SEND, status, body=body.encode()),), reported=status == 200
    )
    assert refused
    assert delivery_remedy(refused.why) == remedy


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "77"}, "", 77),
        ({"retry-after": "2"}, '{"retry_after": 0.5}', 0.5),
        ({}, '{"parameters": {"retry_after": 9}}', 9),
        ({}, '{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2500}', 2.5),
        ({}, '{"retry_after": "soon"}', None),
        ({}, '{"retry_after": -3}', None),
        ({}, '{"retry_after": 1e400}', None),
        ({"retry-after": "9" * 30}, "", None),
        ({"retry-after": "9" * 9}, "", 86_400),
    ],
)
def test_a_wait_is_read_where_the_services_put_it(
    headers: dict[str, str], body: str, seconds: float | None
) -> None:
    wait = retry_after(ChannelAnswer(SEND, 429, headers, body.encode()))
    assert (wait and wait.total_seconds()) == seconds
