"""A few spoken digits: audio must come back, by its first bytes and not by its label."""

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Exchange, HttpRequest
from monitor.probes.kinds.api_call import judge_call, judge_status, post
from monitor.probes.kinds.media_stream import is_plain, judge_streamed, no_stream
from monitor.probes.parameter_fallback import Body, adapting, without
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.readers import SpeechReader
from monitor.probes.readers.base import as_object
from monitor.probes.readers.file_types import decoded, is_audio
from monitor.probes.verdict.error_body import read_json

_LEAST_BYTES = 500
_ACCEPT = "audio/*, application/json"
_MAX_BODY = 4 * 1024 * 1024
_WORST = 200
_DROPPABLE: Mapping[str, str] = {"response_format": "response_format"}


class SpeechProbe(ProbeSettings):
    kind: ClassVar[str] = "speech"
    paid: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(hours=1), description="how often it runs")
    model: str = Field(default="tts-1", description="the speech model")
    voice: str = Field(default="alloy", description="one of the model's voices")
    text: str | None = Field(default=None, description="spoken instead of three random digits")
    stream: bool = Field(default=False, description="ask for events; the oldest models have none")

    @property
    def streams(self) -> bool:
        return self.stream

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002
        return Spend(tokens=_WORST + 10 * len((self.text or "").encode()))

    async def run(self, run: Run) -> Finding:
        text = self.text or str(run.rng.randrange(100, 1000))

        async def asking(body: Body, left: timedelta) -> Exchange:
            watch = StreamRecorder(SpeechReader()) if self.stream else None
            return await run.client.send(self._ask(run, body, left), watch)

        def make_body(habit: Habit) -> Body:
            return without(self._body(text), habit.refused)

        exchange, habit = await adapting(asking, make_body, _DROPPABLE, run.habit, self.timeout)
        if self.stream and judge_status(exchange, run) is None and not _is_whole(exchange):
            reader = SpeechReader()
            return judge_streamed(
                exchange, habit, StreamRecorder(reader), lambda: judge_audio(bytes(reader.data))
            )
        failure = judge_call(exchange, run) or judge_audio(exchange.body)
        if failure is None and self.stream:
            failure = no_stream("the whole sound at once")
        if failure is None:
            habit = habit.worked()
        return Finding(exchange=exchange, failure=failure, habit=habit)

    def _ask(self, run: Run, body: Body, left: timedelta) -> HttpRequest:
        accept = "text/event-stream" if self.stream else _ACCEPT
        endpoint = run.check.endpoint
        return post(endpoint, "/v1/audio/speech", body, left, max_body=_MAX_BODY, accept=accept)

    def _body(self, text: str) -> Body:
        body = {"model": self.model, "input": text, "voice": self.voice, "response_format": "mp3"}
        return body | ({"stream_format": "sse"} if self.stream else {})


def _is_whole(exchange: Exchange) -> bool:
    return is_audio(exchange.body) or is_plain(exchange)


def judge_audio(body: bytes) -> Failure | None:
    """Sound as bytes, or as Mistral sends it: base64 in JSON."""
    data = decoded(as_object(read_json(body)).get("audio_data")) or body
    if not is_audio(data):
        return Failure(
            FailureKind.UNEXPECTED_BODY, f"got {len(data)} bytes that are no audio, want some"
        )
    if len(data) < _LEAST_BYTES:
        return Failure(
            FailureKind.UNEXPECTED_BODY,
            f"got {len(data)} bytes of audio, want {_LEAST_BYTES} or more",
        )
    return None
