"""The simulated service speaks every API, and plays every fault that a server can have."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from demo_cast import Demo
from every_kind import ONE_MODEL_THEN_ANOTHER, USUAL
from token_cast import changed, learned

from monitor.demo.api_common import (
    CHAT_MODEL,
    CHAT_MODELS,
    EMBEDDING_MODEL,
    IMAGE_MODEL,
    MODERATION_MODEL,
    REALTIME_MODEL,
    RERANK_MODEL,
    SPEECH_MODEL,
    TRANSCRIPTION_MODEL,
)
from monitor.demo.faults import CYCLE, SimulatedFault
from monitor.demo.faulty_listener import POLL_S
from monitor.demo.token_rules import ADDED_PROMPT, RULES, tokens_in
from monitor.model import FailureKind, Habit, Outcome
from monitor.probes import PROBES
from monitor.probes.answer.token_counts import counts_of, prompts
from monitor.probes.kinds.chosen_api import PROTOCOLS

MODELS = {
    "embeddings": EMBEDDING_MODEL,
    "images": IMAGE_MODEL,
    "moderations": MODERATION_MODEL,
    "realtime": REALTIME_MODEL,
    "rerank": RERANK_MODEL,
    "speech": SPEECH_MODEL,
    "transcriptions": TRANSCRIPTION_MODEL,
}
STREAMS = sorted(kind for kind, probe in PROBES.items() if "stream" in probe.model_fields)
SHORT = {"timeout": "1s"}


def demo_counts(count: Callable[[str], int]) -> tuple[int, ...]:
    """Return what one run of the tokenizer probe counts by a rule."""
    return counts_of([count(prompt) for prompt in prompts(Random(1))])


ADDED = RULES[CHAT_MODEL].count(ADDED_PROMPT)
MINI, LARGE = (
    demo_counts(lambda prompt, model=model: tokens_in(prompt, model))  # type: ignore[misc]
    for model in CHAT_MODELS
)
LONGER = (MINI[0] + ADDED, *MINI[1:])
DEAR = demo_counts(lambda prompt: tokens_in(prompt, CHAT_MODEL) * 13 // 10)
QUICK = {"pause": "1ms"}
FAULTS: dict[SimulatedFault, tuple[FailureKind, str, dict[str, Any], Habit]] = {
    SimulatedFault.REFUSED: (FailureKind.TCP_REFUSED, "tcp", {}, USUAL),
    SimulatedFault.RESET: (FailureKind.TLS_RESET, "tls", {}, USUAL),
    SimulatedFault.MUTE: (FailureKind.TLS_TIMEOUT, "tls", SHORT, USUAL),
    SimulatedFault.NO_TLS: (FailureKind.TLS_PROTOCOL, "tls", {}, USUAL),
    SimulatedFault.EXPIRED: (FailureKind.CERT_EXPIRED, "tls", {}, USUAL),
    SimulatedFault.EXPIRING: (FailureKind.CERT_EXPIRING, "tls", {}, USUAL),
    SimulatedFault.WRONG_NAME: (FailureKind.CERT_HOSTNAME, "tls", {}, USUAL),
    SimulatedFault.UNTRUSTED: (FailureKind.CERT_UNTRUSTED, "tls", {}, USUAL),
    SimulatedFault.BAD_GATEWAY: (FailureKind.BAD_GATEWAY, "chat", {}, USUAL),
    SimulatedFault.SERVER_ERROR: (FailureKind.SERVER_ERROR, "responses", {}, USUAL),
    SimulatedFault.GATEWAY_TIMEOUT: (FailureKind.UPSTREAM_TIMEOUT, "messages", {}, USUAL),
    SimulatedFault.NO_CHANNEL: (FailureKind.NO_CHANNEL, "chat", {}, USUAL),
    SimulatedFault.EDGE_ERROR: (FailureKind.EDGE_ERROR, "gemini", {}, USUAL),
    SimulatedFault.EDGE_TIMEOUT: (FailureKind.EDGE_TIMEOUT, "images", {}, USUAL),
    SimulatedFault.CHALLENGE: (FailureKind.EDGE_CHALLENGE, "models", {}, USUAL),
    SimulatedFault.DENIED: (FailureKind.EDGE_DENIED, "models", {}, USUAL),
    SimulatedFault.PANEL: (FailureKind.HTML_ANSWER, "embeddings", {}, USUAL),
    SimulatedFault.REDIRECT: (FailureKind.UNEXPECTED_REDIRECT, "http", {}, USUAL),
    SimulatedFault.TEAPOT: (FailureKind.UNEXPECTED_STATUS, "http", {}, USUAL),
    SimulatedFault.NONSENSE: (FailureKind.UNEXPECTED_BODY, "moderations", {}, USUAL),
    SimulatedFault.GONE: (FailureKind.ROUTE_GONE, "completions", {}, USUAL),
    SimulatedFault.SILENT: (FailureKind.HEADERS_TIMEOUT, "models", SHORT, USUAL),
    SimulatedFault.HANGS_UP: (FailureKind.HTTP_DISCONNECT, "models", {}, USUAL),
    SimulatedFault.GARBAGE: (FailureKind.HTTP_GARBAGE, "models", {}, USUAL),
    SimulatedFault.HALF: (FailureKind.BODY_TIMEOUT, "models", SHORT, USUAL),
    SimulatedFault.ENDLESS: (FailureKind.BODY_TOO_LARGE, "models", {}, USUAL),
    SimulatedFault.RATE_LIMITED: (FailureKind.RATE_LIMITED, "speech", {}, USUAL),
    SimulatedFault.OVERLOADED: (FailureKind.OVERLOADED, "messages", {}, USUAL),
    SimulatedFault.KEY_REJECTED: (FailureKind.AUTH_INVALID, "gemini", {}, USUAL),
    SimulatedFault.OUT_OF_MONEY: (FailureKind.QUOTA_EXHAUSTED, "transcriptions", {}, USUAL),
    SimulatedFault.FORBIDDEN: (FailureKind.PERMISSION_DENIED, "vision", {}, USUAL),
    SimulatedFault.OTHER_CLIENTS: (FailureKind.CLIENT_REFUSED, "messages", {}, USUAL),
    SimulatedFault.MODEL_GONE: (FailureKind.MODEL_NOT_FOUND, "chat", {}, USUAL),
    SimulatedFault.REGION: (FailureKind.REGION_BLOCKED, "responses", {}, USUAL),
    SimulatedFault.REFUSED_REQUEST: (FailureKind.REQUEST_REJECTED, "chat", {}, USUAL),
    SimulatedFault.SLOW: (FailureKind.SLOW, "messages", {"slow": "ttft > 5s"}, USUAL),
    SimulatedFault.NO_TOKEN: (FailureKind.NO_FIRST_TOKEN, "messages", SHORT, USUAL),
    SimulatedFault.EMPTY: (FailureKind.EMPTY_COMPLETION, "messages", {}, USUAL),
    SimulatedFault.BROKEN: (FailureKind.STREAM_ERROR, "chat", {}, USUAL),
    SimulatedFault.STALLED: (FailureKind.STALLED, "chat", {"timeout": "12s"}, USUAL),
    SimulatedFault.CUT: (FailureKind.TRUNCATED, "gemini", {}, USUAL),
    SimulatedFault.POLITE_CUT: (FailureKind.TRUNCATED, "chat", {}, USUAL),
    SimulatedFault.BUFFERED: (FailureKind.FAKE_STREAMING, "responses", {}, Habit(bursts=2)),
    SimulatedFault.PLAIN: (FailureKind.STREAM_NOT_SUPPORTED, "completions", {}, USUAL),
    SimulatedFault.WRONG_ANSWER: (
        FailureKind.CONTENT_MISMATCH,
        "vision",
        {"stream": False},
        Habit(mismatches=2),
    ),
    SimulatedFault.OTHER_MODEL: (FailureKind.MODEL_MISMATCH, "gemini", {}, USUAL),
    SimulatedFault.SUBSTITUTED: (FailureKind.MODEL_SUSPECT, "identity", {}, ONE_MODEL_THEN_ANOTHER),
    SimulatedFault.SUBSTITUTED_IN_TURN: (
        FailureKind.MODEL_SUSPECT,
        "identity",
        {},
        ONE_MODEL_THEN_ANOTHER,
    ),
    SimulatedFault.SCHEMALESS: (FailureKind.SCHEMA_IGNORED, "structured", {}, USUAL),
    SimulatedFault.TOOLLESS: (FailureKind.TOOL_CALL_MISSING, "tools", {}, USUAL),
    SimulatedFault.TOOL_CALL_CUT: (FailureKind.TOOL_CALL_BROKEN, "tools", {}, USUAL),
    SimulatedFault.TOOL_CALL_CHANGED: (
        FailureKind.TOOL_CALL_BROKEN,
        "tools",
        {},
        Habit(mismatches=2),
    ),
    SimulatedFault.TOOL_RESULT_REFUSED: (FailureKind.TOOL_CALL_BROKEN, "tools", {}, USUAL),
    SimulatedFault.UNCACHED: (FailureKind.CACHE_MISSING, "cache", QUICK, Habit(mismatches=2)),
    SimulatedFault.CACHE_HIDDEN: (
        FailureKind.CACHE_UNREPORTED,
        "cache",
        QUICK,
        Habit(mismatches=2),
    ),
    SimulatedFault.OTHER_TOKENIZER: (
        FailureKind.TOKENIZER_CHANGED,
        "tokenizer",
        {},
        Habit(tokens=changed(MINI, LARGE)),
    ),
    SimulatedFault.PROMPT_ADDED: (
        FailureKind.PROMPT_INJECTED,
        "tokenizer",
        {},
        Habit(tokens=changed(MINI, LONGER)),
    ),
    SimulatedFault.BILLED_MORE: (
        FailureKind.OVER_BILLING,
        "tokenizer",
        {},
        Habit(tokens=changed(MINI, DEAR)),
    ),
    SimulatedFault.NO_UPGRADE: (FailureKind.WEBSOCKET_BROKEN, "realtime", {}, USUAL),
    SimulatedFault.WRONG_ACCEPT: (FailureKind.WEBSOCKET_BROKEN, "realtime", {}, USUAL),
    SimulatedFault.ERROR_EVENT: (FailureKind.SERVER_ERROR, "realtime", {}, USUAL),
    SimulatedFault.MALFORMED: (FailureKind.MALFORMED_STREAM, "messages", {}, USUAL),
    SimulatedFault.FILTERED: (FailureKind.CONTENT_FILTERED, "messages", {}, USUAL),
    SimulatedFault.MISLABELLED: (FailureKind.WRONG_CONTENT_TYPE, "responses", {}, USUAL),
    SimulatedFault.OVERBILLED: (FailureKind.OVER_BILLING, "messages", {}, USUAL),
    SimulatedFault.UNCOUNTED: (FailureKind.MISSING_USAGE, "chat", {}, USUAL),
    SimulatedFault.THINKS_TOO_LONG: (
        FailureKind.BUDGET_TOO_SMALL,
        "gemini",
        {"max_tokens": 200},
        USUAL,
    ),
}
TAKE_LONG = {SimulatedFault.SLOW, SimulatedFault.STALLED}
PARAMETERS = [
    pytest.param(fault, marks=pytest.mark.slow if fault in TAKE_LONG else ()) for fault in FAULTS
]
UNSEEN = {SimulatedFault.SUBSTITUTED_SOMETIMES}
"""What no probe tells: so `docs/methodology.md` says."""
ELSEWHERE = {
    FailureKind.DNS_NXDOMAIN,
    FailureKind.DNS_SERVFAIL,
    FailureKind.TCP_UNREACHABLE,
    FailureKind.CONNECT_TIMEOUT,
    FailureKind.PATH_NOT_FOUND,
    FailureKind.NO_KEY,
    FailureKind.NOT_OFFERED,
    FailureKind.BUDGET_PAUSED,
    FailureKind.BALANCE_LOW,
    FailureKind.INTERNAL,
    FailureKind.OVERRUN,
    FailureKind.DNS_POISONED,
    FailureKind.SNI_BLOCKED,
    FailureKind.OFFLINE,
    FailureKind.RESOLVER_FAILED,
    FailureKind.CLOCK_WRONG,
}
"""What no server can play: names, routes, our own configuration and our own trouble."""


def test_every_act_has_its_kind_and_every_kind_that_a_server_causes_its_act() -> None:
    assert set(FAULTS) | UNSEEN | {SimulatedFault.POISONED} == set(SimulatedFault)
    known = {kind for kind, *_ in FAULTS.values()} | ELSEWHERE
    remedy = "want a SimulatedFault that causes it and its row in FAULTS, or its place in ELSEWHERE"
    assert known == set(FailureKind), remedy


@pytest.mark.parametrize(
    ("kind", "stream"),
    [*((kind, True) for kind in sorted(PROBES)), *((kind, False) for kind in STREAMS)],
)
async def test_every_kind_of_probe_is_up_while_nothing_is_wrong(
    demo: Demo, kind: str, stream: bool
) -> None:
    settings = {"model": MODELS[kind]} if kind in MODELS else {}
    settings |= QUICK if kind == "cache" else {}
    result = await demo.ask(
        "us-direct", kind, **settings, **({"stream": stream} if kind in STREAMS else {})
    )
    remedy = f"want an answer to `{kind}` in monitor/demo/endpoint_app.py"
    assert (result.failure, result.outcome) == (None, Outcome.UP), remedy
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


@pytest.mark.parametrize("stream", [True, False])
async def test_every_api_calls_tools_and_shows_what_happens_to_them(
    demo: Demo, stream: bool
) -> None:
    async def asked(fault: SimulatedFault | None) -> list[FailureKind | None]:
        demo.forced.faults = {"us-direct": fault} if fault else {}
        results = await asyncio.gather(
            *(demo.ask("us-direct", "tools", api=api, stream=stream) for api in PROTOCOLS)
        )
        return [result.failure and result.failure.kind for result in results]

    assert await asked(None) == [None] * 4
    for fault in (SimulatedFault.TOOLLESS, SimulatedFault.TOOL_RESULT_REFUSED):
        assert await asked(fault) == [FAULTS[fault][0]] * 4


async def test_every_api_reads_a_long_prompt_from_its_cache(demo: Demo) -> None:
    async def asked() -> list[FailureKind | None]:
        demo.habits["demo/us-direct/cache"] = Habit(mismatches=2)
        results = await asyncio.gather(
            *(demo.ask("us-direct", "cache", api=api, **QUICK) for api in PROTOCOLS)
        )
        return [result.failure and result.failure.kind for result in results]

    assert await asked() == [None] * 4
    demo.forced.faults["us-direct"] = SimulatedFault.CACHE_HIDDEN
    # Google leaves the count out where it is none.
    assert await asked() == [FailureKind.CACHE_UNREPORTED] * 3 + [FailureKind.CACHE_MISSING]


async def test_every_api_counts_the_same_tokens_and_shows_what_counts_otherwise(demo: Demo) -> None:
    async def asked(fault: SimulatedFault | None) -> list[FailureKind | None]:
        demo.forced.faults = {"us-direct": fault} if fault else {}
        history = changed(MINI, habits[fault]) if fault else learned(MINI)
        demo.habits["demo/us-direct/tokenizer"] = Habit(tokens=history)
        results = await asyncio.gather(
            *(demo.ask("us-direct", "tokenizer", api=api) for api in PROTOCOLS)
        )
        return [result.failure and result.failure.kind for result in results]

    assert await asked(None) == [None] * 4
    assert demo.habits["demo/us-direct/tokenizer"].tokens.is_as_learned
    habits = {SimulatedFault.PROMPT_ADDED: LONGER, SimulatedFault.OTHER_TOKENIZER: LARGE}
    for fault in habits:
        assert await asked(fault) == [FAULTS[fault][0]] * 4


async def test_another_model_answers_always_or_every_other_hour_or_a_fifth_of_the_requests(
    demo: Demo,
) -> None:
    """Which of them answers is seen by how it counts the same question."""
    asked: dict[str, Any] = {"text": "What is 1000 + 1000?", "answer": "2000", "stream": False}
    by_mini, by_large = (tokens_in(asked["text"], model) for model in CHAT_MODELS)

    async def counts(fault: SimulatedFault, hour: float, requests: int) -> Counter[int | None]:
        demo.forced.faults, demo.forced.now = {"us-direct": fault}, hour * 3600
        runs = (demo.ask("us-direct", "chat", **asked) for _ in range(requests))
        results = await asyncio.gather(*runs)
        assert {(result.failure, result.model) for result in results} == {(None, CHAT_MODEL)}
        return Counter(result.usage and result.usage.tokens_in for result in results)

    assert await counts(SimulatedFault.SUBSTITUTED, 0, 2) == {by_large: 2}
    in_turn = [await counts(SimulatedFault.SUBSTITUTED_IN_TURN, hour, 2) for hour in (0, 1, 2.9)]
    assert in_turn == [{by_mini: 2}, {by_large: 2}, {by_mini: 2}]
    mixed = await counts(SimulatedFault.SUBSTITUTED_SOMETIMES, 0, 100)
    assert set(mixed) == {by_mini, by_large}
    assert 8 <= mixed[by_large] <= 33  # 20 expected, more than three standard deviations around it


async def test_prices_change_with_the_script(demo: Demo) -> None:
    demo.habits.pop("demo/us-direct/prices", None)
    for seconds in (0.0, 0.0, CYCLE, CYCLE):
        demo.forced.now = seconds
        assert (await demo.ask("us-direct", "prices")).failure is None
    changes = demo.habits["demo/us-direct/prices"].catalogue.changes
    dearer = ("ratio 1.25, completion_ratio 4", "ratio 2.5, completion_ratio 4")
    assert [(change.name, change.before, change.after) for change in changes] == [
        (CHAT_MODELS[1], *dearer)
    ]


@pytest.mark.parametrize("fault", PARAMETERS)
async def test_every_fault_is_told_by_its_name(demo: Demo, fault: SimulatedFault) -> None:
    kind, probe, settings, habit = FAULTS[fault]
    if probe in MODELS:
        settings = settings | {"model": MODELS[probe]}
    demo.habits[f"demo/cf-cdn/{probe}"] = habit
    demo.forced.faults["cf-cdn"] = fault
    await asyncio.sleep(2.5 * POLL_S)
    result = await demo.ask("cf-cdn", probe, **settings)
    assert result.failure is not None
    assert result.failure.kind is kind, result.failure.message
    assert result.outcome is kind.outcome
    neighbour = await demo.ask("us-direct", "models")
    assert neighbour.failure is None
