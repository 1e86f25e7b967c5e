"""The simulated service speaks every API, and acts every fault that a server can have."""

import asyncio
from typing import Any

import pytest
from demo_cast import Demo

from monitor.demo.door import LOOK_AGAIN_S
from monitor.demo.faults import Act
from monitor.demo.models import (
    EMBEDDING_MODEL,
    IMAGE_MODEL,
    MODERATION_MODEL,
    SPEECH_MODEL,
    TRANSCRIPTION_MODEL,
)
from monitor.model import FailureKind, Habit, Outcome
from monitor.probes import PROBES

MODELS = {
    "embeddings": EMBEDDING_MODEL,
    "images": IMAGE_MODEL,
    "moderations": MODERATION_MODEL,
    "speech": SPEECH_MODEL,
    "transcriptions": TRANSCRIPTION_MODEL,
}
STREAMS = sorted(kind for kind, probe in PROBES.items() if "stream" in probe.model_fields)
WORTH = Habit(
    good=20, has_finish_reason=20, ends_with_done=20, has_usage=20, right_content_type=20,
    prompt_tokens=20,
)  # fmt: skip
SHORT = {"timeout": "1s"}
FAULTS: dict[Act, tuple[FailureKind, str, dict[str, Any], Habit]] = {
    Act.REFUSED: (FailureKind.TCP_REFUSED, "tcp", {}, WORTH),
    Act.RESET: (FailureKind.TLS_RESET, "tls", {}, WORTH),
    Act.MUTE: (FailureKind.TLS_TIMEOUT, "tls", SHORT, WORTH),
    Act.NO_TLS: (FailureKind.TLS_PROTOCOL, "tls", {}, WORTH),
    Act.EXPIRED: (FailureKind.CERT_EXPIRED, "tls", {}, WORTH),
    Act.EXPIRING: (FailureKind.CERT_EXPIRING, "tls", {}, WORTH),
    Act.WRONG_NAME: (FailureKind.CERT_HOSTNAME, "tls", {}, WORTH),
    Act.UNTRUSTED: (FailureKind.CERT_UNTRUSTED, "tls", {}, WORTH),
    Act.BAD_GATEWAY: (FailureKind.BAD_GATEWAY, "chat", {}, WORTH),
    Act.SERVER_ERROR: (FailureKind.SERVER_ERROR, "responses", {}, WORTH),
    Act.GATEWAY_TIMEOUT: (FailureKind.UPSTREAM_TIMEOUT, "messages", {}, WORTH),
    Act.NO_CHANNEL: (FailureKind.NO_CHANNEL, "chat", {}, WORTH),
    Act.EDGE_ERROR: (FailureKind.EDGE_ERROR, "gemini", {}, WORTH),
    Act.EDGE_TIMEOUT: (FailureKind.EDGE_TIMEOUT, "images", {}, WORTH),
    Act.CHALLENGE: (FailureKind.EDGE_CHALLENGE, "models", {}, WORTH),
    Act.DENIED: (FailureKind.EDGE_DENIED, "models", {}, WORTH),
    Act.PANEL: (FailureKind.HTML_ANSWER, "embeddings", {}, WORTH),
    Act.REDIRECT: (FailureKind.UNEXPECTED_REDIRECT, "http", {}, WORTH),
    Act.TEAPOT: (FailureKind.UNEXPECTED_STATUS, "http", {}, WORTH),
    Act.NONSENSE: (FailureKind.UNEXPECTED_BODY, "moderations", {}, WORTH),
    Act.GONE: (FailureKind.ROUTE_GONE, "completions", {}, WORTH),
    Act.SILENT: (FailureKind.HEADERS_TIMEOUT, "models", SHORT, WORTH),
    Act.HANGS_UP: (FailureKind.HTTP_DISCONNECT, "models", {}, WORTH),
    Act.GARBAGE: (FailureKind.HTTP_GARBAGE, "models", {}, WORTH),
    Act.HALF: (FailureKind.BODY_TIMEOUT, "models", SHORT, WORTH),
    Act.ENDLESS: (FailureKind.BODY_TOO_LARGE, "models", {}, WORTH),
    Act.RATE_LIMITED: (FailureKind.RATE_LIMITED, "speech", {}, WORTH),
    Act.OVERLOADED: (FailureKind.OVERLOADED, "messages", {}, WORTH),
    Act.KEY_REJECTED: (FailureKind.AUTH_INVALID, "gemini", {}, WORTH),
    Act.OUT_OF_MONEY: (FailureKind.QUOTA_EXHAUSTED, "transcriptions", {}, WORTH),
    Act.FORBIDDEN: (FailureKind.PERMISSION_DENIED, "vision", {}, WORTH),
    Act.MODEL_GONE: (FailureKind.MODEL_NOT_FOUND, "chat", {}, WORTH),
    Act.REGION: (FailureKind.REGION_BLOCKED, "responses", {}, WORTH),
    Act.REFUSED_REQUEST: (FailureKind.REQUEST_REJECTED, "chat", {}, WORTH),
    Act.SLOW: (FailureKind.SLOW, "messages", {"slow": "ttft > 5s"}, WORTH),
    Act.NO_TOKEN: (FailureKind.NO_FIRST_TOKEN, "messages", SHORT, WORTH),
    Act.EMPTY: (FailureKind.EMPTY_COMPLETION, "messages", {}, WORTH),
    Act.BROKEN: (FailureKind.STREAM_ERROR, "chat", {}, WORTH),
    Act.STALLED: (FailureKind.STALLED, "chat", {"timeout": "12s"}, WORTH),
    Act.CUT: (FailureKind.TRUNCATED, "gemini", {}, WORTH),
    Act.POLITE_CUT: (FailureKind.TRUNCATED, "chat", {}, WORTH),
    Act.BUFFERED: (FailureKind.FAKE_STREAMING, "responses", {}, Habit(bursts=2)),
    Act.PLAIN: (FailureKind.STREAM_NOT_SUPPORTED, "completions", {}, WORTH),
    Act.WRONG_ANSWER: (
        FailureKind.CONTENT_MISMATCH,
        "vision",
        {"stream": False},
        Habit(mismatches=2),
    ),
    Act.OTHER_MODEL: (FailureKind.MODEL_MISMATCH, "gemini", {}, WORTH),
    Act.FILTERED: (FailureKind.CONTENT_FILTERED, "messages", {}, WORTH),
    Act.MISLABELLED: (FailureKind.WRONG_CONTENT_TYPE, "responses", {}, WORTH),
    Act.OVERBILLED: (FailureKind.OVER_BILLING, "messages", {}, WORTH),
    Act.UNCOUNTED: (FailureKind.MISSING_USAGE, "chat", {}, WORTH),
    Act.THINKS_TOO_LONG: (FailureKind.BUDGET_TOO_SMALL, "gemini", {"max_tokens": 200}, WORTH),
}
TAKE_LONG = {Act.SLOW, Act.STALLED}
ACTS = [pytest.param(act, marks=pytest.mark.slow if act in TAKE_LONG else ()) for act in FAULTS]
ELSEWHERE = {
    FailureKind.DNS_NXDOMAIN, FailureKind.DNS_SERVFAIL, FailureKind.TCP_UNREACHABLE, FailureKind.CONNECT_TIMEOUT,
    FailureKind.PATH_NOT_FOUND, FailureKind.NO_KEY, FailureKind.BUDGET_PAUSED, FailureKind.INTERNAL, FailureKind.OVERRUN,
    FailureKind.DNS_POISONED, FailureKind.SNI_BLOCKED, FailureKind.OFFLINE, FailureKind.RESOLVER_FAILED, FailureKind.CLOCK_WRONG,
}  # fmt: skip
"""What no server can act: names, routes, our own configuration and our own trouble."""


def test_every_act_has_its_kind_and_every_kind_that_a_server_causes_its_act() -> None:
    assert set(FAULTS) == set(Act)
    assert {kind for kind, *_ in FAULTS.values()} | ELSEWHERE == set(FailureKind)


@pytest.mark.parametrize(
    ("kind", "stream"),
    [*((kind, True) for kind in sorted(PROBES)), *((kind, False) for kind in STREAMS)],
)
async def test_every_kind_of_probe_is_up_while_nothing_is_wrong(
    demo: Demo, kind: str, stream: bool
) -> None:
    settings = {"model": MODELS[kind]} if kind in MODELS else {}
    result = await demo.ask(
        "us-direct", kind, **settings, **({"stream": stream} if kind in STREAMS else {})
    )
    assert (result.failure, result.outcome) == (None, Outcome.UP)
    assert demo.habits[f"demo/us-direct/{kind}"].mismatches == 0


async def test_every_word_by_word_answer_is_counted_timed_and_whole(demo: Demo) -> None:
    kinds = ("chat", "responses", "messages", "gemini")
    results = await asyncio.gather(*(demo.ask("us-direct", kind) for kind in kinds))
    for result in results:
        assert result.stream is not None
        assert result.usage is not None
        assert result.stream.complete
        assert result.stream.finish_reason in {"stop", "completed", "end_turn", "STOP"}
        assert result.stream.tokens_out == result.usage.tokens_out == 64
        assert result.stream.content_chunks == 64
        assert 45 < (result.stream.tokens_per_s or 0) < 130
        assert 120 < (result.timings.ttft or 0) < 10_000
        assert result.timings.ttft == result.timings.ttft_visible
        assert result.model == "demo-mini"


@pytest.mark.parametrize("act", ACTS)
async def test_every_fault_is_told_by_its_name(demo: Demo, act: Act) -> None:
    kind, probe, settings, habit = FAULTS[act]
    if probe in MODELS:
        settings = settings | {"model": MODELS[probe]}
    demo.habits[f"demo/cf-cdn/{probe}"] = habit
    demo.forced.acts["cf-cdn"] = act
    await asyncio.sleep(2.5 * LOOK_AGAIN_S)
    result = await demo.ask("cf-cdn", probe, **settings)
    assert result.failure is not None
    assert result.failure.kind is kind, result.failure.message
    assert result.outcome is kind.outcome
    neighbour = await demo.ask("us-direct", "models")
    assert neighbour.failure is None
