"""Probes transcription with one second of a tone, which has no words: any text will do."""

import io
import json
import math
import struct
import wave
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import StreamableCall
from monitor.probes.parameter_fallback import Body
from monitor.probes.probe import Duration, Finding, RunCost
from monitor.probes.readers import ProtocolReader, TranscriptReader
from monitor.probes.verdict.error_body import read_json

_WORST_TOKENS = 200
_RATE = 8000
_LOUDNESS = 8000
_SAMPLE = struct.Struct("<h")


class TranscriptionsProbe(StreamableCall):
    kind: ClassVar[str] = "transcriptions"
    title: ClassVar[str] = "Transcription"
    main_rank: ClassVar[int] = 24
    audited: ClassVar[bool] = False
    route: ClassVar[str] = "/v1/audio/transcriptions"
    stream_reader: ClassVar[type[ProtocolReader]] = TranscriptReader
    controlled: ClassVar[Mapping[str, str]] = {"model": "model", "file": "", "stream": "stream"}

    every: Duration = Field(default=timedelta(hours=1), description="how often it runs")
    model: str = Field(default="whisper-1", description="the transcription model")

    def asked_cost(self) -> RunCost:
        return RunCost(tokens_in=12, tokens_out=4)

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002  # the same for every endpoint
        return Spend(tokens=_WORST_TOKENS)

    def parameters(self, rng: Random) -> Body:  # noqa: ARG002  # the sound is what is random
        return {"model": self.model} | ({"stream": "true"} if self.stream else {})

    def encode(self, parameters: Body, rng: Random) -> tuple[bytes, str]:
        boundary = f"border-{rng.randrange(16**16):016x}"
        content_type = f"multipart/form-data; boundary={boundary}"
        return multipart(boundary, parameters, tone(rng)), content_type

    def judge(self, exchange: Exchange, habit: Habit) -> Finding:
        reader = TranscriptReader()
        failure = _read(exchange, reader)
        return Finding(
            exchange=exchange, failure=failure, habit=habit.after(failure), usage=reader.usage
        )


def tone(rng: Random) -> bytes:
    """Return one second of a random pitch as WAV: 8 kHz, one channel, 16 bits."""
    step = 2 * math.pi * rng.randrange(220, 880) / _RATE
    samples = (round(_LOUDNESS * math.sin(step * number)) for number in range(_RATE))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(_SAMPLE.size)
        sound.setframerate(_RATE)
        sound.writeframes(b"".join(map(_SAMPLE.pack, samples)))
    return file.getvalue()


def multipart(boundary: str, fields: Mapping[str, Any], wav: bytes) -> bytes:
    """Encode the fields, then the file, as multipart/form-data (RFC 7578)."""
    parts = [
        f'form-data; name="{_field_name(name)}"\r\n\r\n{_field_text(value)}'.encode()
        for name, value in fields.items()
    ]
    file = b'form-data; name="file"; filename="tone.wav"\r\nContent-Type: audio/wav\r\n\r\n' + wav
    line = f"--{boundary}".encode()
    bodies = (line + b"\r\nContent-Disposition: " + part for part in (*parts, file))
    return b"\r\n".join((*bodies, line + b"--\r\n"))


def _field_name(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _field_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read(exchange: Exchange, reader: TranscriptReader) -> Failure | None:
    value: Any = read_json(exchange.body)
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        why = "got an answer without `text`, want a transcript"
        return Failure(FailureKind.UNEXPECTED_BODY, why)
    reader.take(value)
    return None
