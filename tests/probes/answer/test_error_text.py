"""An error that comes as the assistant's words is an error; a wrong answer stays a wrong answer."""

import pytest

from monitor.model import FailureKind, Habit
from monitor.probes.answer.challenges import Addition, Challenge, Counting, OwnQuestion
from monitor.probes.answer.check_answer import CompletedAnswer, judge_answer
from monitor.probes.readers import ChatReader

COUNT = Counting(429)
SUM = Addition(60, 70)
OWN = OwnQuestion("Capital of France?", "Paris")
ANY = OwnQuestion("Say something.")


def kind(text: str, challenge: Challenge, finish: str = "stop") -> FailureKind | None:
    reader = ChatReader()
    reader.take({"choices": [{"message": {"content": text}, "finish_reason": finish}]})
    answer = CompletedAnswer(
        reader=reader,
        challenge=challenge,
        model="m",
        cap=None,
        right_content_type=True,
        content_type="application/json",
    )
    failure, _ = judge_answer(answer, Habit())
    assert failure is None or text[:20] in failure.message
    return failure and failure.kind


UNMISTAKABLE = [
    "当前分组上游负载已饱和\uff0c请稍后再试 (request id: 20261129)",
    "Error: upstream request timeout",
    "[ERROR] connection reset by peer",
    "API Error: 529 Overloaded",
    "Error code: 500 - internal error",
    '{"error": {"message": "model is loading", "type": "server_error"}}',
    "429 Too Many Requests",
    "HTTP 502: Bad Gateway",
    "Rate limit exceeded. Slow down.",
    "分组 default 下模型 m 无可用渠道",
]
VAGUE = [
    "The service is temporarily unavailable. Please try again later.",
    "Request timed out.",
    "服务繁忙\uff0c请稍后再试",
    "系统维护中",
    "upstream closed the stream",
]
ACCOUNT = ["Insufficient balance, please recharge.", "您的余额不足\uff0c请充值"]


@pytest.mark.parametrize("text", [*UNMISTAKABLE, *VAGUE])
@pytest.mark.parametrize("challenge", [COUNT, SUM, OWN])
def test_an_error_in_place_of_the_answer_is_down(text: str, challenge: Challenge) -> None:
    found = kind(text, challenge)
    assert found is not None
    assert found.outcome == "down"


@pytest.mark.parametrize("text", UNMISTAKABLE)
def test_an_unmistakable_one_is_down_where_any_text_would_do(text: str) -> None:
    found = kind(text, ANY)
    assert found is not None
    assert found.outcome == "down"


@pytest.mark.parametrize("text", ACCOUNT)
@pytest.mark.parametrize("challenge", [COUNT, SUM, OWN, ANY])
def test_an_empty_account_is_told_as_that(text: str, challenge: Challenge) -> None:
    assert kind(text, challenge) is FailureKind.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    ("text", "challenge"),
    [
        ("429 430 432 433", COUNT),
        ("500 501 502", COUNT),
        ("I cannot count that far.", COUNT),
        ("131", SUM),
        ("415 is the sum.", SUM),
        ("It is London.", OWN),
        ("", OWN),
        ("word " * 300 + "error", OWN),
    ],
)
def test_a_wrong_answer_is_none(text: str, challenge: Challenge) -> None:
    assert kind(text, challenge) in {None, FailureKind.CONTENT_MISMATCH}


@pytest.mark.parametrize(
    ("text", "challenge"),
    [
        ("Error handling is fun; the sum is 130.", SUM),
        (" ".join(map(str, range(429, 493))) + " try again", COUNT),
        ("Paris. Error: none.", OWN),
        ("Please try again with another question.", ANY),
        ("Errors are human.", ANY),
    ],
)
def test_a_right_answer_may_speak_of_errors(text: str, challenge: Challenge) -> None:
    assert kind(text, challenge) is None
