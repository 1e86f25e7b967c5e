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
from monitor.model import Habit, Kind, Outcome
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
FAULTS: dict[Act, tuple[Kind, str, dict[str, Any], Habit]] = {
    Act.REFUSED: (Kind.TCP_REFUSED, "tcp", {}, WORTH),
    Act.RESET: (Kind.TLS_RESET, "tls", {}, WORTH),
    Act.MUTE: (Kind.TLS_TIMEOUT, "tls", SHORT, WORTH),
    Act.NO_TLS: (Kind.TLS_PROTOCOL, "tls", {}, WORTH),
    Act.EXPIRED: (Kind.CERT_EXPIRED, "tls", {}, WORTH),
    Act.EXPIRING: (Kind.CERT_EXPIRING, "tls", {}, WORTH),
    Act.WRONG_NAME: (Kind.CERT_HOSTNAME, "tls", {}, WORTH),
    Act.UNTRUSTED: (Kind.CERT_UNTRUSTED, "tls", {}, WORTH),
    Act.BAD_GATEWAY: (Kind.BAD_GATEWAY, "chat", {}, WORTH),
    Act.SERVER_ERROR: (Kind.SERVER_ERROR, "responses", {}, WORTH),
    Act.GATEWAY_TIMEOUT: (Kind.UPSTREAM_TIMEOUT, "messages", {}, WORTH),
    Act.NO_CHANNEL: (Kind.NO_CHANNEL, "chat", {}, WORTH),
    Act.EDGE_ERROR: (Kind.EDGE_ERROR, "gemini", {}, WORTH),
    Act.EDGE_TIMEOUT: (Kind.EDGE_TIMEOUT, "images", {}, WORTH),
    Act.CHALLENGE: (Kind.EDGE_CHALLENGE, "models", {}, WORTH),
    Act.DENIED: (Kind.EDGE_DENIED, "models", {}, WORTH),
    Act.PANEL: (Kind.HTML_ANSWER, "embeddings", {}, WORTH),
    Act.REDIRECT: (Kind.UNEXPECTED_REDIRECT, "http", {}, WORTH),
    Act.TEAPOT: (Kind.UNEXPECTED_STATUS, "http", {}, WORTH),
    Act.NONSENSE: (Kind.UNEXPECTED_BODY, "moderations", {}, WORTH),
    Act.GONE: (Kind.ROUTE_GONE, "completions", {}, WORTH),
    Act.SILENT: (Kind.HEADERS_TIMEOUT, "models", SHORT, WORTH),
    Act.HANGS_UP: (Kind.HTTP_DISCONNECT, "models", {}, WORTH),
    Act.GARBAGE: (Kind.HTTP_GARBAGE, "models", {}, WORTH),
    Act.HALF: (Kind.BODY_TIMEOUT, "models", SHORT, WORTH),
    Act.ENDLESS: (Kind.BODY_TOO_LARGE, "models", {}, WORTH),
    Act.RATE_LIMITED: (Kind.RATE_LIMITED, "speech", {}, WORTH),
    Act.OVERLOADED: (Kind.OVERLOADED, "messages", {}, WORTH),
    Act.KEY_REJECTED: (Kind.AUTH_INVALID, "gemini", {}, WORTH),
    Act.OUT_OF_MONEY: (Kind.QUOTA_EXHAUSTED, "transcriptions", {}, WORTH),
    Act.FORBIDDEN: (Kind.PERMISSION_DENIED, "vision", {}, WORTH),
    Act.MODEL_GONE: (Kind.MODEL_NOT_FOUND, "chat", {}, WORTH),
    Act.REGION: (Kind.REGION_BLOCKED, "responses", {}, WORTH),
    Act.REFUSED_REQUEST: (Kind.REQUEST_REJECTED, "chat", {}, WORTH),
    Act.SLOW: (Kind.SLOW, "messages", {"slow": "ttft > 5s"}, WORTH),
    Act.NO_TOKEN: (Kind.NO_FIRST_TOKEN, "messages", SHORT, WORTH),
    Act.EMPTY: (Kind.EMPTY_COMPLETION, "messages", {}, WORTH),
    Act.BROKEN: (Kind.STREAM_ERROR, "chat", {}, WORTH),
    Act.STALLED: (Kind.STALLED, "chat", {"timeout": "12s"}, WORTH),
    Act.CUT: (Kind.TRUNCATED, "gemini", {}, WORTH),
    Act.POLITE_CUT: (Kind.TRUNCATED, "chat", {}, WORTH),
    Act.BUFFERED: (Kind.FAKE_STREAMING, "responses", {}, Habit(bursts=2)),
    Act.PLAIN: (Kind.STREAM_NOT_SUPPORTED, "completions", {}, WORTH),
    Act.WRONG_ANSWER: (Kind.CONTENT_MISMATCH, "vision", {"stream": False}, Habit(mismatches=2)),
    Act.OTHER_MODEL: (Kind.MODEL_MISMATCH, "gemini", {}, WORTH),
    Act.FILTERED: (Kind.CONTENT_FILTERED, "messages", {}, WORTH),
    Act.MISLABELLED: (Kind.WRONG_CONTENT_TYPE, "responses", {}, WORTH),
    Act.OVERBILLED: (Kind.OVER_BILLING, "messages", {}, WORTH),
    Act.UNCOUNTED: (Kind.MISSING_USAGE, "chat", {}, WORTH),
    Act.THINKS_TOO_LONG: (Kind.BUDGET_TOO_SMALL, "gemini", {"max_tokens": 200}, WORTH),
}
TAKE_LONG = {Act.SLOW, Act.STALLED}
ACTS = [pytest.param(act, marks=pytest.mark.slow if act in TAKE_LONG else ()) for act in FAULTS]
ELSEWHERE = {
    Kind.DNS_NXDOMAIN, Kind.DNS_SERVFAIL, Kind.TCP_UNREACHABLE, Kind.CONNECT_TIMEOUT,
    Kind.PATH_NOT_FOUND, Kind.NO_KEY, Kind.BUDGET_PAUSED, Kind.INTERNAL, Kind.OVERRUN,
    Kind.DNS_POISONED, Kind.SNI_BLOCKED, Kind.OFFLINE, Kind.RESOLVER_FAILED, Kind.CLOCK_WRONG,
}  # fmt: skip
"""What no server can act: names, routes, our own configuration and our own trouble."""


def test_every_act_has_its_kind_and_every_kind_that_a_server_causes_its_act() -> None:
    assert set(FAULTS) == set(Act)
    assert {kind for kind, *_ in FAULTS.values()} | ELSEWHERE == set(Kind)


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
