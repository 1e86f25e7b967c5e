"""Recorded answers, served again by a real server to the probe that asks for such: its verdict.

Skipped, visibly, where the recordings are absent.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from relay import Answering, Relay, kind_of, plain, relaying, streaming

from monitor.model import Usage

Verdict = tuple[str, str | None, Usage | None]
"""Probe, failure kind, usage."""

WHOLE: dict[str, Verdict] = {
    "anthropic_messages.body.json": ("messages", None, Usage(tokens_in=19, tokens_out=22)),
    "gemini_generate_max_tokens_empty.body.json": (
        "gemini",
        "budget_too_small",
        Usage(tokens_in=30, tokens_out=4),  # asked twice
    ),
    "gemini_generate_ok.body.json": ("gemini", None, Usage(tokens_in=14, tokens_out=1)),
    "mistral_speech_json_not_binary.body.json": ("speech", None, None),
    "openai_chat.body.json": ("chat", None, Usage(tokens_in=8, tokens_out=9)),
    "openai_completions_legacy.body.json": (
        "completions",
        "empty_completion",
        Usage(tokens_in=11, tokens_out=None),
    ),
    "openai_embeddings_base64.body.json": ("embeddings", None, Usage(tokens_in=4, tokens_out=0)),
    "openai_images_dalle2_url.body.json": ("images", None, None),
    "openai_moderation_omni.body.json": ("moderations", None, None),
    "openai_responses.body.json": ("responses", None, Usage(tokens_in=15, tokens_out=9)),
    "openai_speech_mp3.body.mp3": ("speech", None, None),
    "openai_style_models_cerebras.body.json": ("models", None, None),
    "openai_transcription_whisper.body.json": ("transcriptions", None, None),
    "openrouter_speech_mp3_id3.body.mp3": ("speech", None, None),
}
NO_STREAM_KEY = {"speech", "embeddings", "images", "moderations", "models", "transcriptions"}
GEMINI = {
    "googleai_streaming-failure-prompt-blocked-safety": "content_filtered",
    "googleai_streaming-failure-recitation-no-content": "content_filtered",
    "googleai_streaming-success-empty-parts": None,
    "vertexai_streaming-failure-empty-content": "empty_completion",
    "vertexai_streaming-failure-error-mid-stream": "upstream_timeout",
    "vertexai_streaming-failure-finish-reason-safety": "content_filtered",
    "vertexai_streaming-failure-http-error": "region_blocked",
    "vertexai_streaming-failure-invalid-json": "empty_completion",
    "vertexai_streaming-failure-unknown-model": "model_not_found",
    "vertexai_streaming-success-quotes-escaped": "truncated",  # no finish reason ever comes
    "vertexai_streaming-success-utf8": None,
}
LINES: dict[str, Verdict] = {
    "alibaba-reasoning": ("chat", None, Usage(tokens_in=24, tokens_out=1355)),
    "alibaba-text": ("chat", None, Usage(tokens_in=18, tokens_out=779)),
    "anthropic-refusal": ("messages", "content_filtered", Usage(tokens_in=18, tokens_out=5)),
    "azure-model-router.1": ("chat", None, Usage(tokens_in=15, tokens_out=78)),
    "duplicate-message-start": ("messages", None, Usage(tokens_in=17, tokens_out=227)),
    "lmstudio-basic.1": ("responses", None, Usage(tokens_in=31, tokens_out=282)),
    "mistral-reasoning": ("chat", None, Usage(tokens_in=10, tokens_out=46)),
    "openai-error.1": ("responses", "quota_exhausted", None),
    "openai-text": ("chat", None, Usage(tokens_in=16, tokens_out=300)),
    "perplexity-text": ("chat", None, Usage(tokens_in=11, tokens_out=434)),
    "spliced-message-start": ("messages", None, Usage(tokens_in=17, tokens_out=65)),
}
NO_EVENTS = (
    "cohere_v1_stream_json.jsonl",
    "ollama_native_chat.ndjson",
    "ollama_native_chat_think.ndjson",
)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        yield relay


@pytest.mark.parametrize("name", WHOLE)
async def test_a_recorded_whole_answer_is_judged(relay: Relay, corpus: Path, name: str) -> None:
    path = corpus / "json_ok" / name
    probe, *want = WHOLE[name]
    label = "audio/mpeg" if path.suffix == ".mp3" else "application/json"
    relay.answering = plain(path.read_bytes(), kind=label)
    asked = {} if probe in NO_STREAM_KEY else {"stream": False}
    model = {"model": "zai-glm-4.7"} if probe == "models" else {}
    result = await relay.ask(probe, **asked, **model)
    assert [kind_of(result), result.usage] == want


@pytest.mark.parametrize("name", GEMINI)
async def test_a_gemini_stream_by_hand_is_judged(relay: Relay, corpus: Path, name: str) -> None:
    body = (corpus / "mock_gemini" / f"{name}.txt").read_bytes()
    relay.answering = _gemini(body)
    assert kind_of(await relay.ask("gemini")) == GEMINI[name]


def _gemini(body: bytes) -> Answering:
    """Errors before the stream are plain JSON under the status that they name."""
    if body.startswith(b"{"):
        return plain(body, status=json.loads(body)["error"]["code"])
    return streaming(body)


@pytest.mark.parametrize("name", LINES)
async def test_recorded_chunks_are_judged_as_a_stream(
    relay: Relay, corpus: Path, name: str
) -> None:
    lines = (corpus / "json_lines_fixtures" / f"{name}.chunks.txt").read_bytes().splitlines()
    relay.answering = streaming(*(b"data: " + line + b"\n\n" for line in lines if line))
    probe, *want = LINES[name]
    result = await relay.ask(probe)
    assert [kind_of(result), result.usage] == want


@pytest.mark.parametrize("name", NO_EVENTS)
async def test_a_stream_of_another_protocol_is_no_stream_of_events(
    relay: Relay, corpus: Path, name: str
) -> None:
    relay.answering = streaming((corpus / "non_sse" / name).read_bytes())
    result = await relay.ask("chat")
    assert result.failure is not None
    assert (result.failure.kind, result.failure.message) == (
        "unexpected_body",
        "got one JSON object per line, want a stream of server-sent events",
    )


async def test_prose_where_a_stream_should_be_is_no_stream(relay: Relay) -> None:
    relay.answering = streaming(b"Service is being upgraded.\nPlease come back later.\n")
    result = await relay.ask("chat")
    assert result.failure is not None
    assert result.failure.message == (
        'got plain text, "Service is being upgraded. Please come back later.", '
        "want a stream of server-sent events"
    )
