"""A picture, small and plain. Dear and slow, so once a day unless the operator wants more."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend, Usage
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Exchange, HttpRequest
from monitor.probes.kinds.api_call import judge_call, judge_status, post
from monitor.probes.kinds.media_stream import is_plain, judge_streamed, no_stream
from monitor.probes.parameter_fallback import Body, adapting, without
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.readers import ImageReader
from monitor.probes.readers.base import as_count, as_object, as_text, objects_in
from monitor.probes.readers.file_types import decoded, is_picture
from monitor.probes.readers.sse import SseParser
from monitor.probes.verdict.error_body import read_json

_MAX_BODY = 16 * 1024 * 1024
_MAX_LINE = 8 * 1024 * 1024
"""An event holds a whole picture, in one line."""
_WORST = 2000
_DROPPABLE: Mapping[str, str] = {"quality": "quality", "size": "size"}
_SHAPES = ("dot", "square", "ring", "star", "cross", "heart", "cloud", "leaf")


class ImagesProbe(ProbeSettings):
    kind: ClassVar[str] = "images"
    paid: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(days=1), description="how often it runs")
    timeout: Duration = Field(default=timedelta(minutes=2), description="when a run is given up")
    model: str = Field(default="gpt-image-1-mini", description="the image model")
    text: str | None = Field(default=None, description="drawn instead of a random simple shape")
    size: str = Field(default="1024x1024", description="of the picture, in pixels")
    quality: str = Field(default="low", description="the cheapest of the model's")
    stream: bool = Field(default=False, description="ask for a stream")

    @property
    def streams(self) -> bool:
        return self.stream

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002
        return Spend(tokens=_WORST + len((self.text or "").encode()))

    async def run(self, run: Run) -> Finding:
        number, shape = run.rng.randrange(1000), _SHAPES[run.rng.randrange(len(_SHAPES))]
        text = self.text or f"a {shape} and the number {number}"

        async def asking(body: Body, left: timedelta) -> Exchange:
            watch = self._listener(ImageReader()) if self.stream else None
            return await run.client.send(self._ask(run, body, left), watch)

        def make_body(habit: Habit) -> Body:
            return without(self._body(text), habit.refused)

        exchange, habit = await adapting(asking, make_body, _DROPPABLE, run.habit, self.timeout)
        if self.stream and judge_status(exchange, run) is None and not is_plain(exchange):
            reader = ImageReader()
            listener = self._listener(reader)
            return judge_streamed(
                exchange, habit, listener, lambda: _judge_bytes(bytes(reader.data))
            )
        answer = as_object(read_json(exchange.body))
        failure = judge_call(exchange, run) or judge_picture(answer)
        if failure is None and self.stream:
            failure = no_stream("one plain JSON answer")
        if failure is None:
            habit = habit.worked()
        return Finding(exchange=exchange, failure=failure, habit=habit, usage=_usage(answer))

    def _ask(self, run: Run, body: Body, left: timedelta) -> HttpRequest:
        accept = "text/event-stream" if self.stream else "application/json"
        path, endpoint = "/v1/images/generations", run.check.endpoint
        return post(endpoint, path, body, left, max_body=_MAX_BODY, accept=accept)

    def _body(self, text: str) -> Body:
        whole = {"model": self.model, "prompt": text, "n": 1, "size": self.size}
        return whole | {"quality": self.quality} | ({"stream": True} if self.stream else {})

    def _listener(self, reader: ImageReader) -> StreamRecorder:
        """Nothing comes before the picture is done, which takes as long as the run may."""
        parser = SseParser(_MAX_LINE, _MAX_LINE)
        return StreamRecorder(reader, self.timeout.total_seconds() * 1000, parser)


def judge_picture(answer: Any) -> Failure | None:
    """A picture itself, or the address of one. The address is not opened: that costs, and may lie."""
    first = as_object(next(objects_in(as_object(answer).get("data")), None))
    if first.get("url"):
        return None if _is_address(as_text(first["url"])) else _bad("an address that is none")
    if "b64_json" not in first:
        return _bad("an answer without one")
    data = decoded(first["b64_json"])
    if data is None:
        return _bad("something else than base64")
    return _judge_bytes(data)


def _judge_bytes(data: bytes) -> Failure | None:
    return None if is_picture(data) else _bad(f"{len(data)} bytes that are none")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and bool(parts.hostname)


def _bad(got: str) -> Failure:
    return Failure(FailureKind.UNEXPECTED_BODY, f"got {got}, want a picture in `data[0]`")


def _usage(answer: Any) -> Usage | None:
    usage = as_object(answer).get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(
        tokens_in=as_count(usage.get("input_tokens")),
        tokens_out=as_count(usage.get("output_tokens")),
    )
