"""OpenAI-shaped chat: the smallest question whose answer proves that a model is behind the URL."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from monitor.model import Evidence, Failure, Habit, Kind, Spend
from monitor.probes.answer import Answer, judge_answer
from monitor.probes.challenge import Challenge, Own, addition, counting
from monitor.probes.classify import (
    judge_api_body,
    judge_body_trouble,
    judge_http,
    judge_transport,
)
from monitor.probes.facts import Ask, Exchange
from monitor.probes.listener import Listener, listen
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.readers import ChatReader, Reader
from monitor.probes.refusal import newly_refused
from monitor.probes.said import looks_html, read_json
from monitor.probes.stream import figures, judge_empty, judge_stream

_DROPPABLE = ("max_tokens", "max_completion_tokens", "stream_options", "temperature")
_STREAM_BYTES = 4 * 1024 * 1024
_PROMPT_TOKENS = 60
"""A generous guess for a short question with the wrapper that servers put around it."""


class ChatProbe(ProbeSettings):
    kind: ClassVar[str] = "chat"
    paid: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(minutes=5), description="how often it runs")
    model: str | None = Field(default=None, description="asked for instead of the service's model")
    stream: bool = Field(default=True, description="ask for a stream")
    text: str | None = Field(default=None, description="your own question")
    answer: str | None = Field(default=None, description="what the answer to `text` must contain")
    max_tokens: int | None = Field(default=None, ge=1, description="cap of the answer")

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """A stream may take long and is slow when its first token is; a plain call is neither."""
        if not isinstance(data, dict):
            return data
        streams = data.get("stream", True) is not False
        timeout, slow = ("2m", "ttft > 5s") if streams else ("30s", "total > 10s")
        return {"timeout": timeout, "slow": slow, **data}

    @model_validator(mode="after")
    def _answer_has_question(self) -> Self:
        if self.answer is not None and self.text is None:
            raise ValueError("got `answer` without `text`, want the question that it answers")
        return self

    @property
    def streams(self) -> bool:
        return self.stream

    @property
    def cap(self) -> int:
        if self.max_tokens is not None:
            return self.max_tokens
        return 200 if self.stream else 16

    def worst_case(self) -> Spend:
        return Spend(tokens=_PROMPT_TOKENS + len((self.text or "").encode()) + self.cap)

    async def run(self, run: Run) -> Finding:
        challenge = self._challenge(run.rng)
        exchange, habit = await self._converse(run, challenge)
        failure = judge_transport(exchange) or judge_http(
            exchange, had_key=run.check.endpoint.key is not None, known_good=habit.good > 0
        )
        if failure is not None:
            return Finding(exchange=exchange, failure=failure, habit=habit)
        reader = ChatReader()
        if self.stream and not _is_plain(exchange):
            return self._judge_stream(run, exchange, habit, challenge, listen(exchange, reader))
        return self._judge_plain(run, exchange, habit, challenge, reader)

    def _challenge(self, rng: Random) -> Challenge:
        if self.text is not None:
            return Own(self.text, self.answer)
        return counting(rng) if self.stream else addition(rng)

    async def _converse(self, run: Run, challenge: Challenge) -> tuple[Exchange, Habit]:
        """Ask; where the server refuses a parameter, once more without it, and remember that."""
        habit = run.habit
        left = self.timeout
        for _ in _DROPPABLE:
            body = self._body(run.check.model or "", challenge, habit.refused)
            watch = Listener(ChatReader()) if self.stream else None
            exchange = await run.client.send(self._ask(run, body, left), watch)
            refused = newly_refused(exchange, [name for name in _DROPPABLE if name in body])
            if refused is None:
                return exchange, habit
            habit = replace(habit, refused=habit.refused | {refused})
            left -= timedelta(milliseconds=exchange.timings.total or 0.0)
        return exchange, habit

    def _body(self, model: str, challenge: Challenge, refused: frozenset[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": challenge.prompt}],
            "temperature": 0,
            "stream": self.stream,
        }
        if self.stream:
            body["stream_options"] = {"include_usage": True}
        cap = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
        body[cap] = self.cap
        return {name: value for name, value in body.items() if name not in refused}

    def _ask(self, run: Run, body: Mapping[str, Any], left: timedelta) -> Ask:
        endpoint = run.check.endpoint
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if self.stream else "application/json",
        }
        if endpoint.key is not None:
            headers["Authorization"] = f"Bearer {endpoint.key.reveal()}"
        headers |= {name: value.reveal() for name, value in endpoint.headers}
        return Ask(
            method="POST",
            url=f"{endpoint.url}/v1/chat/completions",
            headers=headers,
            body=json.dumps(body).encode(),
            timeout=max(left, timedelta(seconds=0.1)),
            max_body=_STREAM_BYTES,
            ca_file=endpoint.ca_file,
        )

    def _judge_stream(
        self, run: Run, exchange: Exchange, habit: Habit, challenge: Challenge, listener: Listener
    ) -> Finding:
        proven = challenge.is_whole(listener.reader.text)
        heard = figures(listener, exchange, habit, proven=proven)
        failure = judge_stream(listener, exchange, habit, proven=proven)
        if failure is None:
            answer = self._answer(run, exchange, habit, challenge, listener.reader)
            answer = replace(answer, burst=heard.burst, stream=heard.stream)
            failure, habit = judge_answer(answer, habit)
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=habit,
            ttft=heard.ttft,
            ttft_visible=heard.ttft_visible,
            model=listener.reader.model,
            stream=heard.stream,
            usage=listener.reader.usage,
            evidence=Evidence(events=tuple(listener.offsets) if failure else ()),
        )

    def _judge_plain(
        self, run: Run, exchange: Exchange, habit: Habit, challenge: Challenge, reader: Reader
    ) -> Finding:
        failure = (
            judge_body_trouble(exchange) or judge_api_body(exchange) or _read(exchange, reader)
        )
        if failure is None:
            answer = self._answer(run, exchange, habit, challenge, reader)
            failure, habit = judge_answer(replace(answer, as_plain=self.stream), habit)
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=habit,
            model=reader.model,
            usage=reader.usage,
        )

    def _answer(
        self, run: Run, exchange: Exchange, habit: Habit, challenge: Challenge, reader: Reader
    ) -> Answer:
        label = exchange.headers.get("content-type", "")
        media = label.partition(";")[0].strip().lower()
        capped = not {"max_tokens", "max_completion_tokens"} <= habit.refused
        return Answer(
            reader=reader,
            challenge=challenge,
            model=run.check.model or "",
            cap=self.cap if capped else None,
            right_content_type=media
            == ("text/event-stream" if self.stream else "application/json"),
            content_type=label,
        )


def _is_plain(exchange: Exchange) -> bool:
    """A page or one JSON document where a stream was asked for, whatever its label says."""
    return looks_html(exchange.body) or isinstance(read_json(exchange.body), dict | list)


def _read(exchange: Exchange, reader: Reader) -> Failure | None:
    value = read_json(exchange.body)
    if not isinstance(value, dict):
        return Failure(
            Kind.UNEXPECTED_BODY, "got something else than a JSON object, want an answer"
        )
    reader.take(value)
    if not isinstance(value.get("choices"), list):
        return Failure(Kind.UNEXPECTED_BODY, "got JSON without `choices`, want a chat completion")
    return None if reader.text or reader.tools else judge_empty(reader)
