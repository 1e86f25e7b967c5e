"""Probes speech with a few digits: audio must come back, known by its first bytes and not by its label."""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import StreamableCall, is_document
from monitor.probes.parameter_fallback import Body
from monitor.probes.probe import Duration, Finding, RunCost
from monitor.probes.readers import MediaReader, ProtocolReader, SpeechReader
from monitor.probes.readers.base import as_object
from monitor.probes.readers.media import decoded, is_audio
from monitor.probes.verdict.error_body import read_json

_LEAST_BYTES = 500
_WORST_TOKENS = 200


class SpeechProbe(StreamableCall):
    kind: ClassVar[str] = "speech"
    title: ClassVar[str] = "Speech"
    main_rank: ClassVar[int] = 23
    audited: ClassVar[bool] = False
    route: ClassVar[str] = "/v1/audio/speech"
    accept: ClassVar[str] = "audio/*, application/json"
    max_body: ClassVar[int] = 4 * 1024 * 1024
    droppable: ClassVar[Mapping[str, str]] = {"response_format": "response_format"}
    stream_reader: ClassVar[type[ProtocolReader]] = SpeechReader
    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "input": "text",
        "voice": "voice",
        "stream_format": "stream",
    }

    every: Duration = Field(default=timedelta(hours=1), description="how often it runs")
    model: str = Field(default="tts-1", description="the speech model")
    voice: str = Field(default="alloy", description="one of the model's voices")
    text: str | None = Field(default=None, description="spoken instead of three random digits")

    def asked_cost(self) -> RunCost:
        return RunCost(tokens_in=5, tokens_out=30)

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002  # the same for every endpoint
        return Spend(tokens=_WORST_TOKENS + 10 * len((self.text or "").encode()))

    def parameters(self, rng: Random) -> Body:
        text = self.text or str(rng.randrange(100, 1000))
        body = {"model": self.model, "input": text, "voice": self.voice, "response_format": "mp3"}
        return body | ({"stream_format": "sse"} if self.stream else {})

    def is_whole(self, exchange: Exchange) -> bool:
        return is_audio(exchange.body) or is_document(exchange)

    def judge_content(self, recorder: StreamRecorder) -> Failure | None:
        reader = recorder.reader
        return judge_audio(bytes(reader.data)) if isinstance(reader, MediaReader) else None

    def judge(self, exchange: Exchange, habit: Habit) -> Finding:
        failure = judge_audio(exchange.body)
        return Finding(exchange=exchange, failure=failure, habit=habit.after(failure))


def judge_audio(body: bytes) -> Failure | None:
    """Require sound as bytes, or as Mistral sends it: base64 in JSON."""
    data = decoded(as_object(read_json(body)).get("audio_data")) or body
    if not is_audio(data):
        why = f"got {len(data)} bytes that are no audio, want some"
        return Failure(FailureKind.UNEXPECTED_BODY, why)
    if len(data) < _LEAST_BYTES:
        why = f"got {len(data)} bytes of audio, want {_LEAST_BYTES} or more"
        return Failure(FailureKind.UNEXPECTED_BODY, why)
    return None
