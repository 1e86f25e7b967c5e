"""Recordings that nobody here wrote; skipped, visibly, where they are absent."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Timings
from monitor.probes.exchange import Chunk, Exchange
from monitor.probes.readers import (
    AnthropicReader,
    ChatReader,
    GeminiReader,
    ProtocolReader,
    ResponsesReader,
    TranscriptReader,
)
from monitor.probes.readers.sse import Event, SseParser
from monitor.probes.verdict.classify import judge_http

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"

OUR_NAMES = {"context_too_long": "request_rejected", "forbidden": "permission_denied"}


def test_every_recorded_error_is_told_for_what_it_is(corpus: Path) -> None:
    rows = [json.loads(line) for line in (corpus / "errors/errors.jsonl").read_text().splitlines()]
    want = {row["n"]: OUR_NAMES.get(row["expected_class"], row["expected_class"]) for row in rows}
    got = {}
    for row in rows:
        exchange = Exchange(
            timings=Timings(),
            status=row["status"],
            headers={"server": row["server"] or ""},
            chunks=(Chunk(0.0, row["body"].encode()),),
        )
        failure = judge_http(exchange, had_key=True)
        got[row["n"]] = failure and failure.kind.value
    assert got == want
    assert len(got) == 53


READERS: dict[str, type[ProtocolReader]] = {
    "openai.chat": ChatReader,
    "openai.completions": ChatReader,
    "anthropic.messages": AnthropicReader,
    "openai.responses": ResponsesReader,
    "gemini": GeminiReader,
    "openai.transcription": TranscriptReader,
}
STREAMS = sorted(CORPUS.glob("*.sse"))


def protocol_of(path: Path) -> str:
    return str(json.loads(path.with_suffix(".json").read_text())["expected"]["protocol"])


@pytest.mark.parametrize("path", STREAMS, ids=[path.stem[:2] for path in STREAMS])
def test_every_recorded_stream_is_split_as_its_sidecar_says(path: Path) -> None:
    want = json.loads(path.with_suffix(".json").read_text())["expected"]
    parser = SseParser()
    events = parser.feed(path.read_bytes())
    tail = parser.close()
    assert {
        "n_data_events": len(events),
        "n_comments": parser.comments,
        "unknown_fields": sorted({line.split(":")[0] for line in parser.unknown.splitlines()}),
        "event_names": list(dict.fromkeys(event.name for event in events)),
        "done_marker": any(event.data == "[DONE]" for event in events),
        "pending_event_at_eof": tail is not None,
    } == {
        key: want[key]
        for key in (
            "n_data_events",
            "n_comments",
            "unknown_fields",
            "event_names",
            "done_marker",
            "pending_event_at_eof",
        )
    }


READABLE = [path for path in STREAMS if protocol_of(path) in READERS]
"""Some recordings are of protocols that no probe speaks."""


@pytest.mark.parametrize("path", READABLE, ids=[path.stem[:2] for path in READABLE])
def test_every_recorded_stream_is_read_as_its_sidecar_says(path: Path) -> None:
    want = json.loads(path.with_suffix(".json").read_text())["expected"]
    reader = READERS[want["protocol"]]()
    pieces = [reader.read(event) for event in SseParser().feed(path.read_bytes())]
    assert {
        "text": alike(reader.text, want["text"]),
        "reasoning": alike(reader.reasoning, want["reasoning"]),
        "tool_calls": [
            {"name": call.name, "arguments": call.arguments} for call in reader.tools.values()
        ],
        "finish_reasons": reader.finish_reasons,
        "usage": reader.usage_table,
        "models": reader.models,
        "n_content_deltas": sum(bool(piece.text) for piece in pieces),
        "n_reasoning_deltas": sum(bool(piece.reasoning) for piece in pieces),
        "errors": [] if reader.error is None else [reader.error],
        "done": reader.done,
    } == {
        key: want[key]
        for key in (
            "text",
            "reasoning",
            "tool_calls",
            "finish_reasons",
            "usage",
            "models",
            "n_content_deltas",
            "n_reasoning_deltas",
            "errors",
        )
    } | {"done": want["done_marker"]}


def alike(text: str, want: Any) -> Any:
    """Long texts are recorded as length and digest."""
    if not isinstance(want, dict):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return want if (len(text), digest) == (want["len"], want["sha256"]) else text


def parsed(parts: list[bytes]) -> tuple[list[Event], Event | None, int, str]:
    parser = SseParser()
    events = [event for part in parts for event in parser.feed(part)]
    return events, parser.close(), parser.comments, parser.unknown


@pytest.mark.parametrize("path", STREAMS, ids=[path.stem[:2] for path in STREAMS])
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_no_cut_of_the_bytes_changes_a_recorded_stream(path: Path, data: st.DataObject) -> None:
    whole = path.read_bytes()
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=60).map(sorted), label="cuts")
    parts = [whole[a:b] for a, b in pairwise([0, *cuts, len(whole)])]
    assert parsed(parts) == parsed([whole])


@pytest.mark.parametrize("path", STREAMS, ids=[path.stem[:2] for path in STREAMS])
def test_byte_by_byte_a_recorded_stream_says_the_same(path: Path) -> None:
    whole = path.read_bytes()[:60_000]
    assert parsed([whole[i : i + 1] for i in range(len(whole))]) == parsed([whole])
