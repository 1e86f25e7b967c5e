"""Holds what calls of an API share: where a probe asks, with which headers, and the run of plain calls.

`ApiProbe` is the base of every kind that calls an API. A kind that asks for one document or file
derives from `ApiCall` and inherits its `run`; chat-like kinds derive from `conversation`.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import ClassVar, cast
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from monitor.model import Endpoint, Evidence, Failure, FailureKind, Habit, Secret, Spend
from monitor.model.check import names_version
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.answer.stream_verdict import StreamStats, judge_stream, stream_stats
from monitor.probes.exchange import ErrorType, Exchange, HttpRequest
from monitor.probes.own_request import Body as OwnBodyTable
from monitor.probes.own_request import Headers, OwnBody
from monitor.probes.parameter_fallback import Body, adapting, without
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run, RunCost, tokens_in_text
from monitor.probes.readers import ProtocolReader
from monitor.probes.verdict.classify import judge_api_body, judge_http
from monitor.probes.verdict.error_body import looks_html, read_json
from monitor.probes.verdict.transport import judge_body_transport, judge_transport

EVENT_STREAM = "text/event-stream"
JSON = "application/json"


def bearer(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the key as most APIs want it; nothing without a key."""
    return {} if endpoint.key is None else {"Authorization": f"Bearer {endpoint.key.reveal()}"}


def api_url(endpoint: Endpoint, route: str) -> str:
    """Join a base URL and an API's route, which begins with the API's usual version.

    The version is left out where the base URL names one itself, or is complete as it stands.
    """
    if endpoint.is_complete or names_version(urlsplit(endpoint.url).path):
        version, _, rest = route.removeprefix("/").partition("/")
        route = f"/{rest}" if names_version(version) else route
    return endpoint.url + route


def judge_status(exchange: Exchange, run: Run) -> Failure | None:
    """Judge transport and status: what must be right before a body is worth reading."""
    return judge_transport(exchange) or judge_http(
        exchange,
        had_key=run.check.endpoint.key is not None,
        known_good=run.habit.good > 0,
    )


def is_document(exchange: Exchange) -> bool:
    """Say whether a page or one JSON document came where a stream was asked for, whatever its label."""
    return looks_html(exchange.body) or isinstance(read_json(exchange.body), dict | list)


def until_the_end(exchange: Exchange, recorder: StreamRecorder) -> Exchange:
    """Set the total time to the stream's end where the server kept the connection open after it."""
    error, reader = exchange.error, recorder.reader
    if error is None or error.what is not ErrorType.GAVE_UP or not (reader.done or reader.ended):
        return exchange
    return replace(exchange, timings=replace(exchange.timings, total=recorder.ended_at))


def stream_finding(
    recorder: StreamRecorder,
    exchange: Exchange,
    stats: StreamStats,
    failure: Failure | None,
    habit: Habit,
) -> Finding:
    """Return what a judged stream has shown."""
    return Finding(
        exchange=exchange,
        failure=failure,
        habit=habit,
        ttft=stats.ttft,
        ttft_visible=stats.ttft_visible,
        model=recorder.reader.model,
        stream=stats.stream,
        usage=recorder.reader.usage,
        reader=recorder.reader,
        evidence=Evidence(events=recorder.offsets if failure else ()),
    )


class ApiProbe(ProbeSettings):
    """A probe that calls an API below the base URL, with the endpoint's key and headers."""

    route: ClassVar[str]
    """The usual path, from the API's version on."""
    max_body: ClassVar[int] = 1024 * 1024

    path: str | None = Field(
        default=None,
        pattern=r"^/",
        description="asked below the base URL instead of the usual path",
    )

    def route_to(self, model: str) -> str:  # noqa: ARG002  # Gemini's route names the model
        """Return the usual path for a model, from the API's version on."""
        return self.route

    def auth(self, endpoint: Endpoint) -> Mapping[str, str]:
        """Return the headers that carry the key."""
        return bearer(endpoint)

    def own_headers(self) -> tuple[tuple[str, Secret], ...]:
        """Return the headers that the operator gave this probe alone."""
        return ()

    def request(
        self,
        run: Run,
        body: bytes | None,
        timeout: timedelta,
        *,
        accept: str = JSON,
        content_type: str = JSON,
        max_body: int | None = None,
    ) -> HttpRequest:
        """Build the request: a GET without a body, else a POST. The operator's own headers win, the probe's most."""
        endpoint = run.check.endpoint
        headers = {"Accept": accept, **self.auth(endpoint)}
        if body is not None:
            headers["Content-Type"] = content_type
        for name, value in (*endpoint.headers, *self.own_headers()):
            headers = {other: headers[other] for other in headers if other.lower() != name.lower()}
            headers[name] = value.reveal()
        if self.path is None:
            url = api_url(endpoint, self.route_to(run.check.model or ""))
        else:
            url = endpoint.url + self.path
        return HttpRequest(
            method="GET" if body is None else "POST",
            url=url,
            headers=headers,
            body=body,
            timeout=timeout,
            max_body=max_body or self.max_body,
            ca_file=endpoint.ca_file,
            proxy=endpoint.proxy,
        )


class PaidCall(ApiProbe):
    """A call that costs tokens. Its operator may have it ask as a certain client does."""

    paid: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True
    controlled: ClassVar[Mapping[str, str]] = {"model": "model"}
    """The parameters that the probe itself must set, as dotted paths -> the probe's key for it; "" for none."""

    headers: Headers = Field(
        default_factory=dict,
        description="sent with each of its requests; they win over the endpoint's",
    )
    own_body: OwnBodyTable = Field(
        default=OwnBody(), alias="body", description="merged into the body of each of its requests"
    )

    @field_validator("own_body")
    @classmethod
    def _leaves_ours(cls, value: OwnBody) -> OwnBody:
        path = next(value.overwritten(cls.controlled), None)
        if path is None:
            return value
        key = cls.controlled[path]
        remedy = f"write `{key}` beside it" if key in cls.model_fields else "leave it out"
        raise ValueError(f"sets `{path}`, which the probe itself must control; {remedy}")

    def own_headers(self) -> tuple[tuple[str, Secret], ...]:
        return cast("tuple[tuple[str, Secret], ...]", self.headers)

    def own_secrets(self) -> tuple[Secret, ...]:
        return tuple(value for _, value in self.own_headers())

    def asked_cost(self) -> RunCost:
        """Return what a run usually costs without the operator's additions; at worst, where a kind does not say."""
        return RunCost(tokens_in=self.worst_case(Habit()).tokens)

    def usual_cost(self) -> RunCost:
        asked = self.asked_cost()
        added = asked.questions * -(-self.own_tokens() // 4)
        return replace(asked, tokens_in=asked.tokens_in + added)

    def own_tokens(self) -> int:
        """Return how many tokens the operator's additions may cost at most in one request."""
        return self.own_body.tokens

    def reserve(self, habit: Habit) -> Spend:
        return self.worst_case(habit) + Spend(tokens=self.own_tokens())

    def complete(self, body: Body) -> Body:
        """Return the body with the operator's table in it."""
        return self.own_body.merged_into(body)

    def not_own(self, droppable: Mapping[str, str]) -> Mapping[str, str]:
        """Return what may be left out where it is refused: nothing that the operator asks for."""
        own = self.own_body.names()
        return {word: name for word, name in droppable.items() if name not in own}


class ApiCall(PaidCall):
    """A paid call that is answered by one document or file; a kind fills in what it asks and judges."""

    accept: ClassVar[str] = JSON
    droppable: ClassVar[Mapping[str, str]] = {}
    """What a server may call a parameter that it refuses -> its name in our body."""

    def parameters(self, rng: Random) -> Body:
        """Return what is asked in one run, with every parameter."""
        raise NotImplementedError

    def encode(self, parameters: Body, rng: Random) -> tuple[bytes, str]:  # noqa: ARG002  # for subclasses
        """Return the request's body and its content type."""
        return json.dumps(parameters).encode(), JSON

    def judge(self, exchange: Exchange, habit: Habit) -> Finding:
        """Judge an answer that came whole, under 2xx and without an error in it."""
        raise NotImplementedError

    def recorder(self) -> StreamRecorder | None:
        """Return what follows the answer where a stream is asked for."""
        return None

    def judge_content(self, recorder: StreamRecorder) -> Failure | None:  # noqa: ARG002  # for subclasses
        """Judge what a stream that ended well has brought."""
        return None

    def is_whole(self, exchange: Exchange) -> bool:
        """Say whether an answer came in one piece where a stream was asked for."""
        return is_document(exchange)

    async def run(self, run: Run) -> Finding:
        parameters = self.parameters(run.rng)
        recorder: StreamRecorder | None = None

        async def send(body: Body, left: timedelta) -> Exchange:
            nonlocal recorder
            recorder = self.recorder()
            content, content_type = self.encode(body, run.rng)
            accept = self.accept if recorder is None else EVENT_STREAM
            request = self.request(run, content, left, accept=accept, content_type=content_type)
            return await run.client.send(request, recorder)

        def body_for(habit: Habit) -> Body:
            return self.complete(without(parameters, habit.refused))

        droppable = self.not_own(self.droppable)
        exchange, habit = await adapting(send, body_for, droppable, run.habit, self.timeout)
        failure = judge_status(exchange, run)
        if failure is None and recorder is not None and not self.is_whole(exchange):
            return self._judge_stream(exchange, habit, recorder)
        failure = failure or judge_body_transport(exchange) or judge_api_body(exchange)
        if failure is not None:
            return Finding(exchange=exchange, failure=failure, habit=habit)
        finding = self.judge(exchange, habit)
        if finding.failure is None and recorder is not None:
            why = "got the whole answer at once, want a stream"
            failure = Failure(FailureKind.STREAM_NOT_SUPPORTED, why)
            return replace(finding, failure=failure, habit=habit)
        return finding

    def _judge_stream(self, exchange: Exchange, habit: Habit, recorder: StreamRecorder) -> Finding:
        recorder.close()
        exchange = until_the_end(exchange, recorder)
        stats = stream_stats(recorder, exchange, habit)
        failure = judge_stream(recorder, exchange, stats) or self.judge_content(recorder)
        return stream_finding(recorder, exchange, stats, failure, habit.after(failure))


class TextCall(ApiCall):
    """A plain call about a short text: a random one, or the operator's own."""

    every: Duration = Field(default=timedelta(minutes=5), description="how often it runs")
    model: str
    text: str | None
    controlled: ClassVar[Mapping[str, str]] = {"model": "model", "input": "text"}

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002  # the same for every endpoint
        return Spend(tokens=16 + len((self.text or "").encode()))

    def asked_cost(self) -> RunCost:
        return RunCost(tokens_in=5 if self.text is None else tokens_in_text(self.text))

    def parameters(self, rng: Random) -> Body:
        return {"model": self.model, "input": self.text or f"ping {rng.randrange(16**6):06x}"}


class StreamableCall(ApiCall):
    """A plain call that the operator may ask for as a stream."""

    stream_reader: ClassVar[type[ProtocolReader]]

    stream: bool = Field(default=False, description="ask for a stream; the oldest models have none")

    @property
    def streams(self) -> bool:
        return self.stream

    def recorder(self) -> StreamRecorder | None:
        return StreamRecorder(self.stream_reader()) if self.stream else None
