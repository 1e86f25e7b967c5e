"""One second of a tone, to be written down. Nobody can say what words a tone has: any text will do."""

import io
import math
import struct
import wave
from datetime import timedelta
from random import Random
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Exchange, HttpRequest
from monitor.probes.kinds.api_call import headers, judge_call, judge_status
from monitor.probes.kinds.media_stream import is_plain, judge_streamed, no_stream
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.readers import TranscriptReader
from monitor.probes.verdict.error_body import read_json

_WORST = 200
_RATE = 8000
_LOUDNESS = 8000
_FORMAT = struct.Struct("<h")


class TranscriptionsProbe(ProbeSettings):
    kind: ClassVar[str] = "transcriptions"
    paid: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(hours=1), description="how often it runs")
    model: str = Field(default="whisper-1", description="the transcription model")
    stream: bool = Field(default=False, description="ask for a stream; the oldest model has none")

    @property
    def streams(self) -> bool:
        return self.stream

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002
        return Spend(tokens=_WORST)

    async def run(self, run: Run) -> Finding:
        watch = StreamRecorder(TranscriptReader()) if self.stream else None
        exchange = await run.client.send(self._ask(run), watch)
        if self.stream and judge_status(exchange, run) is None and not is_plain(exchange):
            return judge_streamed(exchange, run.habit, StreamRecorder(TranscriptReader()))
        reader = TranscriptReader()
        failure = judge_call(exchange, run) or _read(exchange, reader)
        if failure is None and self.stream:
            failure = no_stream("one plain JSON answer")
        habit = run.habit if failure else run.habit.worked()
        return Finding(exchange=exchange, failure=failure, habit=habit, usage=reader.usage)

    def _ask(self, run: Run) -> HttpRequest:
        endpoint = run.check.endpoint
        border = f"border-{run.rng.randrange(16**16):016x}"
        fields = {"model": self.model} | ({"stream": "true"} if self.stream else {})
        accept = "text/event-stream" if self.stream else "application/json"
        return HttpRequest(
            method="POST",
            url=f"{endpoint.url}/v1/audio/transcriptions",
            headers=headers(endpoint, accept, f"multipart/form-data; boundary={border}"),
            body=form(border, fields, tone(run.rng)),
            timeout=self.timeout,
            ca_file=endpoint.ca_file,
            proxy=endpoint.proxy,
        )


def tone(rng: Random) -> bytes:
    """One second of a random pitch as WAV: 8 kHz, one channel, 16 bits."""
    pitch = rng.randrange(220, 880)
    turn = 2 * math.pi * pitch / _RATE
    samples = (round(_LOUDNESS * math.sin(turn * step)) for step in range(_RATE))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(_FORMAT.size)
        sound.setframerate(_RATE)
        sound.writeframes(b"".join(map(_FORMAT.pack, samples)))
    return file.getvalue()


def form(border: str, fields: dict[str, str], wav: bytes) -> bytes:
    """multipart/form-data: the fields, then the file."""
    parts = [f'form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    kind = b'form-data; name="file"; filename="tone.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    line = f"--{border}".encode()
    said = (line + b"\r\nContent-Disposition: " + part for part in (*parts, kind + wav))
    return b"\r\n".join((*said, line + b"--\r\n"))


def _read(exchange: Exchange, reader: TranscriptReader) -> Failure | None:
    value: Any = read_json(exchange.body)
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return Failure(
            FailureKind.UNEXPECTED_BODY, "got an answer without `text`, want a transcript"
        )
    reader.take(value)
    return None
