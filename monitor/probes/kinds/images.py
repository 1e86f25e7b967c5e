"""Probes image generation with one small and plain picture.

It costs and takes long, so it runs once a day unless the operator wants more.
"""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import StreamableCall
from monitor.probes.parameter_fallback import Body
from monitor.probes.probe import Duration, Finding, RunCost
from monitor.probes.readers import ImageReader, MediaReader, ProtocolReader
from monitor.probes.readers.base import as_object, as_text, as_usage, objects_in
from monitor.probes.readers.media import decoded, is_picture
from monitor.probes.readers.sse import SseParser
from monitor.probes.verdict.error_body import read_json

_MAX_LINE = 8 * 1024 * 1024
"""An event holds a whole picture, in one line."""
_WORST_TOKENS = 2000
_SHAPES = ("dot", "square", "ring", "star", "cross", "heart", "cloud", "leaf")


class ImagesProbe(StreamableCall):
    kind: ClassVar[str] = "images"
    title: ClassVar[str] = "Images"
    main_rank: ClassVar[int] = 22
    audited: ClassVar[bool] = False
    route: ClassVar[str] = "/v1/images/generations"
    max_body: ClassVar[int] = 16 * 1024 * 1024
    droppable: ClassVar[Mapping[str, str]] = {"quality": "quality", "size": "size"}
    stream_reader: ClassVar[type[ProtocolReader]] = ImageReader
    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "prompt": "text",
        "n": "",
        "size": "size",
        "quality": "quality",
        "stream": "stream",
    }

    every: Duration = Field(default=timedelta(days=1), description="how often it runs")
    timeout: Duration = Field(default=timedelta(minutes=2), description="when a run is given up")
    model: str = Field(default="gpt-image-1-mini", description="the image model")
    text: str | None = Field(default=None, description="drawn instead of a random simple shape")
    size: str = Field(default="1024x1024", description="of the picture, in pixels")
    quality: str = Field(default="low", description="the cheapest of the model's")

    def asked_cost(self) -> RunCost:
        return RunCost(tokens_in=20, tokens_out=280)

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002  # the same for every endpoint
        return Spend(tokens=_WORST_TOKENS + len((self.text or "").encode()))

    def parameters(self, rng: Random) -> Body:
        number, shape = rng.randrange(1000), _SHAPES[rng.randrange(len(_SHAPES))]
        prompt = self.text or f"a {shape} and the number {number}"
        body = {"model": self.model, "prompt": prompt, "n": 1, "size": self.size}
        return body | {"quality": self.quality} | ({"stream": True} if self.stream else {})

    def recorder(self) -> StreamRecorder | None:
        """Nothing comes before the picture is done, which takes as long as the run may."""
        if not self.stream:
            return None
        parser = SseParser(_MAX_LINE, _MAX_LINE)
        return StreamRecorder(self.stream_reader(), self.timeout.total_seconds() * 1000, parser)

    def judge_content(self, recorder: StreamRecorder) -> Failure | None:
        reader = recorder.reader
        return _judge_bytes(bytes(reader.data)) if isinstance(reader, MediaReader) else None

    def judge(self, exchange: Exchange, habit: Habit) -> Finding:
        answer = as_object(read_json(exchange.body))
        failure = judge_picture(answer)
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=habit.after(failure),
            usage=as_usage(answer.get("usage")),
        )


def judge_picture(answer: Any) -> Failure | None:
    """Require a picture or the address of one. The address is not opened: that costs, and may lie."""
    first = as_object(next(iter(objects_in(as_object(answer).get("data"))), None))
    if first.get("url"):
        return None if _is_address(as_text(first["url"])) else _unusable("an address that is none")
    if "b64_json" not in first:
        return _unusable("an answer without one")
    data = decoded(first["b64_json"])
    if data is None:
        return _unusable("something else than base64")
    return _judge_bytes(data)


def _judge_bytes(data: bytes) -> Failure | None:
    return None if is_picture(data) else _unusable(f"{len(data)} bytes that are none")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and bool(parts.hostname)


def _unusable(got: str) -> Failure:
    return Failure(FailureKind.UNEXPECTED_BODY, f"got {got}, want a picture in `data[0]`")
