"""Holds what all probes that talk to a model share.

A run asks one question, follows the stream and checks the answer. A protocol says where it is asked, with
which headers and body, and which reader understands the answer; a kind says what is asked, and in which protocol.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from random import Random
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from monitor.model import Endpoint, Evidence, Failure, FailureKind, Habit, Spend, Usage
from monitor.probes.answer.answer_marks import LEARNING_ANSWERS, after_answer, marks_in
from monitor.probes.answer.challenges import COUNT, Challenge, OwnQuestion, addition, counting
from monitor.probes.answer.check_answer import CompletedAnswer, judge_answer
from monitor.probes.answer.error_text import judge_error_text
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.answer.stream_verdict import (
    StreamStats,
    judge_empty,
    judge_stream,
    stream_stats,
)
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import (
    EVENT_STREAM,
    JSON,
    PaidCall,
    is_document,
    judge_status,
    stream_finding,
    until_the_end,
)
from monitor.probes.kinds.conversation_protocol import ConversationProtocol, ModelRequest
from monitor.probes.parameter_fallback import Body, adapting
from monitor.probes.probe import Duration, Finding, Run, RunCost, tokens_in_text
from monitor.probes.readers import ProtocolReader
from monitor.probes.verdict.classify import is_error_object, judge_api_body, judge_error_object
from monitor.probes.verdict.error_body import read_json
from monitor.probes.verdict.transport import judge_body_transport

_LEAST_BYTES, _MOST_BYTES = 2 << 20, 16 << 20
_BYTES_PER_TOKEN = 1024
"""An event of a stream, with room for the wrapper that servers put around a token."""
_REASONING_CAP = 1024
"""Enough for the thoughts that a model has about counting or adding, at low effort."""
_COUNTING_CAP = 5 * COUNT
_QUOTED = 200
"""Bytes of a body that is no answer which its message quotes."""
WORTH_ASKING = timedelta(seconds=1)
_SYSTEM = frozenset({"system", "instructions", "systemInstruction", "system_instruction"})
"""Where a body may hold a system text, by protocol."""
_WRAPPER_TOKENS = 8
"""What servers count beside the text of a short question."""
_PROMPT_TOKENS = 60
"""A generous guess for a short question with the wrapper that servers put around it."""


Aliases = Annotated[
    frozenset[str],
    BeforeValidator(lambda names: [names] if isinstance(names, str) else names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Conversation(PaidCall):
    """One question to a model, in the protocol that a subclass names."""

    every: Duration = Field(default=timedelta(minutes=5), description="how often it runs")
    model: str | None = Field(default=None, description="asked for instead of the service's model")
    stream: bool = Field(default=True, description="ask for a stream")
    max_tokens: int | None = Field(default=None, ge=1, description="cap of the answer")
    aliases: Aliases = Field(
        default=frozenset(),
        description='other names that the model may answer with, or "any"; else learned',
    )

    system: str | None = Field(
        default=None, min_length=1, description="a system text before the question"
    )

    @model_validator(mode="after")
    def _one_system(self) -> Self:
        given = self.own_body.table.keys() & _SYSTEM
        if self.system is not None and given:
            raise ValueError(f"got `system` and `{min(given)}` in `body`, want one of the two")
        return self

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """Fill in time limits: a stream may take long and is slow when its first token is; a plain call is neither."""
        if not isinstance(data, dict):
            return data
        streams = data.get("stream", True) is not False
        timeout, slow = ("2m", "ttft > 5s") if streams else ("30s", "total > 10s")
        return {"timeout": timeout, "slow": slow, **data}

    @property
    def streams(self) -> bool:
        return self.stream

    def cap(self, habit: Habit) -> int:
        """Return how many tokens the answer may have, thoughts included."""
        if self.max_tokens is not None:
            return self.max_tokens
        return max(_REASONING_CAP, self.usual_cap()) if habit.reasons else self.usual_cap()

    def usual_cap(self) -> int:
        return 200 if self.stream else 16

    def own_tokens(self) -> int:
        return super().own_tokens() + len((self.system or "").encode())

    def worst_case(self, habit: Habit) -> Spend:
        return Spend(tokens=max(_PROMPT_TOKENS, habit.prompt_tokens or 0) + self.cap(habit))

    # --- what is asked, and how -------------------------------------------------------------------

    @property
    def protocol(self) -> ConversationProtocol:
        raise NotImplementedError

    def challenge(self, rng: Random) -> Challenge:
        """Return a question, and how its answer is checked."""
        raise NotImplementedError

    def content(self, challenge: Challenge) -> Any:
        """Return the question as its protocol words it: a text, or parts."""
        return challenge.prompt

    def system_text(self, challenge: Challenge) -> str | None:  # noqa: ARG002  # for subclasses
        """Return what stands before the question."""
        return self.system

    def model_request(self, model: str, challenge: Challenge, habit: Habit) -> ModelRequest:
        """Return what is asked of a model in one call."""
        return ModelRequest(
            model=model,
            content=self.content(challenge),
            cap=self.cap(habit),
            stream=self.stream,
            system=self.system_text(challenge),
        )

    def body(self, model: str, challenge: Challenge, habit: Habit) -> Body:
        """Return the request's parameters, without those that this server refuses."""
        return self.protocol.body(self.model_request(model, challenge, habit), habit)

    def route_to(self, model: str) -> str:
        return self.protocol.route_to(model, stream=self.stream)

    def auth(self, endpoint: Endpoint) -> Mapping[str, str]:
        return self.protocol.auth(endpoint)

    # --- the run ----------------------------------------------------------------------------------

    async def run(self, run: Run) -> Finding:
        return with_marks(await self.ask(run, self.challenge(run.rng)), run)

    def judge_further(self, finding: Finding, challenge: Challenge, run: Run) -> Finding:  # noqa: ARG002  # for subclasses
        """Judge what only this kind asks of an answer. The default is content."""
        return finding

    async def ask(
        self, run: Run, challenge: Challenge, timeout: timedelta | None = None
    ) -> Finding:
        """Ask; a model that thinks away our usual cap is asked once more with a larger one, for good."""
        left = self.timeout if timeout is None else timeout
        finding = await self._ask_and_judge(run, challenge, left)
        if not self._thought_too_long(finding):
            return finding
        habit = replace(finding.habit, reasons=True)
        left = time_left(left, finding)
        if left < WORTH_ASKING:
            return replace(finding, habit=habit)
        again = await self._ask_and_judge(replace(run, habit=habit), challenge, left)
        before_ms = finding.exchange.timings.total or 0.0
        return with_spent_before(replace(again, before_ms=before_ms), finding)

    def _thought_too_long(self, finding: Finding) -> bool:
        too_small = (
            finding.failure is not None and finding.failure.kind is FailureKind.BUDGET_TOO_SMALL
        )
        return too_small and self.max_tokens is None and not finding.habit.reasons

    async def _ask_and_judge(self, run: Run, challenge: Challenge, left: timedelta) -> Finding:
        exchange, habit, recorder = await self._converse(run, challenge, left)
        failure = judge_status(exchange, run)
        if failure is not None:
            finding = Finding(exchange=exchange, failure=failure, habit=habit)
        elif recorder is not None and not is_document(exchange):
            recorder.close()
            finding = self._judge_stream(run, exchange, habit, challenge, recorder)
        else:
            finding = self._judge_document(run, exchange, habit, challenge)
        return self.judge_further(finding, challenge, run)

    async def _converse(
        self, run: Run, challenge: Challenge, left: timedelta
    ) -> tuple[Exchange, Habit, StreamRecorder | None]:
        """Ask, and return the answer with the recorder that followed it; None for a plain call."""
        model = run.check.model or ""
        accept = EVENT_STREAM if self.stream else JSON
        most_bytes = min(max(_LEAST_BYTES, self.cap(run.habit) * _BYTES_PER_TOKEN), _MOST_BYTES)
        recorder: StreamRecorder | None = None

        async def send(body: Body, left: timedelta) -> Exchange:
            nonlocal recorder
            recorder = StreamRecorder(self.protocol.reader()) if self.stream else None
            content = json.dumps(body).encode()
            request = self.request(run, content, left, accept=accept, max_body=most_bytes)
            return await run.client.send(request, recorder)

        def body_for(habit: Habit) -> Body:
            return self.complete(self.body(model, challenge, habit))

        droppable = self.not_own(self.protocol.droppable)
        exchange, habit = await adapting(send, body_for, droppable, run.habit, left)
        return exchange, habit, recorder

    def _judge_stream(
        self,
        run: Run,
        exchange: Exchange,
        habit: Habit,
        challenge: Challenge,
        recorder: StreamRecorder,
    ) -> Finding:
        exchange = until_the_end(exchange, recorder)
        proven = challenge.is_whole(recorder.reader.text)
        stats = stream_stats(recorder, exchange, habit, proven=proven)
        failure = judge_stream(recorder, exchange, stats)
        if failure is None:
            answer = self._answer(run, exchange, habit, challenge, recorder.reader, stats)
            failure, habit = judge_answer(answer, habit)
        return stream_finding(recorder, exchange, stats, failure, habit)

    def _judge_document(
        self, run: Run, exchange: Exchange, habit: Habit, challenge: Challenge
    ) -> Finding:
        reader = self.protocol.reader()
        failure = (
            judge_body_transport(exchange)
            or judge_api_body(exchange)
            or _read(exchange, reader, self.protocol.signs)
        )
        if failure is None:
            answer = self._answer(run, exchange, habit, challenge, reader)
            failure, habit = judge_answer(answer, habit)
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=habit,
            model=reader.model,
            usage=reader.usage,
            reader=reader,
        )

    def _answer(
        self,
        run: Run,
        exchange: Exchange,
        habit: Habit,
        challenge: Challenge,
        reader: ProtocolReader,
        stats: StreamStats | None = None,
    ) -> CompletedAnswer:
        label = exchange.headers.get("content-type", "")
        media_type = label.partition(";")[0].strip().lower()
        return CompletedAnswer(
            reader=reader,
            challenge=challenge,
            model=run.check.model or "",
            aliases=self.aliases,
            cap=None if self.protocol.caps <= habit.refused else self.cap(habit),
            right_content_type=media_type == (EVENT_STREAM if self.stream else JSON),
            content_type=label,
            burst=None if stats is None else stats.burst,
            stream=None if stats is None else stats.stream,
            as_plain=stats is None and self.stream,
        )


class ReasoningConversation(Conversation):
    """A conversation whose protocol can ask a model to think less or more."""

    effort: str | None = Field(
        default=None, description="reasoning effort to ask for, where the model reasons"
    )

    def model_request(self, model: str, challenge: Challenge, habit: Habit) -> ModelRequest:
        return replace(super().model_request(model, challenge, habit), effort=self.effort)


class TextPrompt(Conversation):
    """A conversation about a text: ours, or the operator's own."""

    text: str | None = Field(default=None, description="your own question")
    answer: str | None = Field(default=None, description="what the answer to `text` must contain")

    @model_validator(mode="after")
    def _answer_has_question(self) -> Self:
        if self.answer is not None and self.text is None:
            raise ValueError("got `answer` without `text`, want the question that it answers")
        return self

    def worst_case(self, habit: Habit) -> Spend:
        return super().worst_case(habit) + Spend(tokens=len((self.text or "").encode()))

    def asked_cost(self) -> RunCost:
        """Take the cap for the answer to the operator's own question: nothing else says how long it may be."""
        tokens_in = _WRAPPER_TOKENS + tokens_in_text(self.text or "")
        return RunCost(tokens_in=tokens_in, tokens_out=self.cap(Habit()))

    def challenge(self, rng: Random) -> Challenge:
        if self.text is not None:
            return OwnQuestion(self.text, self.answer)
        return self.usual_challenge(rng)

    def usual_challenge(self, rng: Random) -> Challenge:
        """Return what is asked where the operator asks nothing."""
        raise NotImplementedError


class CountingPrompt(TextPrompt):
    """Counting where the answer streams, long enough to tell a burst; else the cheapest, a sum."""

    numbers: int | None = Field(
        default=None, ge=COUNT, le=20_000, description="how many to count, for a long answer"
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.numbers is not None and self.text is not None:
            raise ValueError("got `numbers` beside `text`, want one of the two")
        return self

    def usual_challenge(self, rng: Random) -> Challenge:
        if self.stream or self.numbers:
            return counting(rng, self.numbers or COUNT)
        return addition(rng)

    def usual_cap(self) -> int:
        """Allow for tokenizers that take a token for every digit and for every space."""
        counts = self.stream and self.text is None
        return max(_COUNTING_CAP if counts else super().usual_cap(), 3 * (self.numbers or 0))

    def asked_cost(self) -> RunCost:
        """Return the usual cost: a number takes a token, and so does the space behind it."""
        if self.text is not None:
            return super().asked_cost()
        if self.stream or self.numbers:
            return RunCost(tokens_in=30, tokens_out=2 * (self.numbers or COUNT))
        return RunCost(tokens_in=26, tokens_out=2)

    @property
    def long(self) -> bool:
        """Say that one answer takes its time: where an edge cuts such calls, this finds it."""
        return not self.stream and (self.numbers or 0) > COUNT


def with_marks(finding: Finding, run: Run) -> Finding:
    """Return a run with the marks of its answer learned, and with a note of those that are new or gone."""
    if finding.failure is not None or finding.reader is None:
        return finding
    reader = finding.reader
    seen = marks_in(finding.exchange.body, reader.usage_table, reader.cached_tokens)
    marks, news = after_answer(
        run.habit.marks,
        set(map(run.redact, seen)),
        is_learning=run.habit.good < LEARNING_ANSWERS,
    )
    if marks == finding.habit.marks:
        return finding
    finding = replace(finding, habit=replace(finding.habit, marks=marks))
    return replace(finding, evidence=Evidence(note=news, is_change=True)) if news else finding


def time_left(left: timedelta, finding: Finding) -> timedelta:
    """Return how much of a time-out is left after a call."""
    return left - timedelta(milliseconds=_took_ms(finding))


def judge_too_late(finding: Finding, left: timedelta) -> Finding:
    """Say that a good call took so long that no other one fits into the time-out."""
    took_s = _took_ms(finding) / 1000
    most_s = took_s + (left - WORTH_ASKING).total_seconds()
    why = f"total {took_s:.3g} s, want at most {most_s:.3g} s"
    return replace(finding, failure=Failure(FailureKind.SLOW, why))


def _took_ms(finding: Finding) -> float:
    return (finding.exchange.timings.total or 0.0) + finding.before_ms


def with_spent_before(last: Finding, earlier: Finding) -> Finding:
    """Return the last of two calls with the tokens of both; `earlier` was answered.

    A last call that failed before it was answered costs nothing. Where an answer does not say what it cost, all
    that is known is that something was spent: a usage without counts.
    """
    status, spent = last.exchange.status, earlier.usage or Usage()
    if status is None or status >= HTTPStatus.BAD_REQUEST:
        return replace(last, usage=spent)
    more = last.usage or Usage()
    if spent.tokens_in is None or more.tokens_in is None:
        return replace(last, usage=Usage())
    usage = Usage(
        tokens_in=spent.tokens_in + more.tokens_in,
        tokens_out=(spent.tokens_out or 0) + (more.tokens_out or 0),
    )
    return replace(last, usage=usage)


def _read(exchange: Exchange, reader: ProtocolReader, signs: tuple[str, ...]) -> Failure | None:
    """Read one object, or Gemini's list of them, which is its stream for those who do not ask for SSE."""
    value = read_json(exchange.body)
    answers = value if isinstance(value, list) else [value]
    if not answers or not all(isinstance(answer, dict) for answer in answers):
        return _judge_no_object(exchange.body, value)
    for answer in answers:
        error = answer if is_error_object(answer) else None
        if error is None:
            reader.take(answer)
            error = reader.error
        if error is not None:
            return judge_error_object(error, exchange.status, otherwise=FailureKind.SERVER_ERROR)
    if not any(isinstance(answer.get(sign), list | dict) for answer in answers for sign in signs):
        return Failure(
            FailureKind.UNEXPECTED_BODY, f"got JSON without `{signs[0]}`, want an answer"
        )
    return None if reader.spoke else judge_empty(reader)


def _judge_no_object(body: bytes, value: Any) -> Failure:
    """Judge a body that is no JSON object: half of one, an error in plain words, anything else."""
    if value is None and body.lstrip().startswith((b"{", b"[")):
        return Failure(FailureKind.UNEXPECTED_BODY, "got JSON that breaks off, want an answer")
    words = value if isinstance(value, str) else body[:_QUOTED].decode("utf-8", "replace")
    error = judge_error_text(words, wrong=True)
    if error is not None:
        return error
    quote = " ".join(words.split())
    why = f'got something else than a JSON object, "{quote}", want an answer'
    return Failure(FailureKind.UNEXPECTED_BODY, why)
