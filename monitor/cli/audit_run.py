"""Runs an audit of one base URL: the steps of its plan, one after another, by the usual wire client."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from random import Random, SystemRandom

from monitor.cli import identity_compare
from monitor.cli.audit_plan import FIRST, AuditStep, likely_model, own_model
from monitor.cli.identity_record import questions, record
from monitor.cli.once import MAX_REPEATS, is_suspicion
from monitor.clock import Clock
from monitor.cycle import Explain, with_explanation, with_listed
from monitor.model import (
    Check,
    Endpoint,
    Failure,
    FailureKind,
    Habit,
    MonitorError,
    Outcome,
    Redactor,
    Result,
)
from monitor.model.failure import Group
from monitor.model.result import DAYS, MOST_EMPTY_WORDS
from monitor.probes import Attempted, attempt
from monitor.probes.answer.identity_comparison import IdentityComparison
from monitor.probes.answer.identity_reference import IdentityReference
from monitor.probes.kinds.balance import BalanceProbe
from monitor.probes.kinds.chat import ChatShape
from monitor.probes.kinds.chosen_api import ChosenApi
from monitor.probes.kinds.conversation import Conversation
from monitor.probes.kinds.identity import IdentityProbe
from monitor.probes.probe import Sender

_NOT_THERE = frozenset({404, 405, 501})
"""What servers answer for a call that they do not have."""
_NOT_TOLD = frozenset({FailureKind.CACHE_UNREPORTED})
"""What a server does not say: whether it is good cannot be known."""


class StepFinding(StrEnum):
    """Says what a step has found."""

    WORKS = "works"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """It could not be judged."""
    NOT_OFFERED = "not_offered"
    """The base URL does not have this call, which is no fault."""
    NOT_ASKED = "not_asked"
    DESCRIBED = "described"
    """What came is shown and not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """Holds what came of a step. `result` is None where nothing was asked; `note` is for a person."""

    step: AuditStep
    finding: StepFinding
    note: str = ""
    result: Result | None = None
    suspicion: Failure | None = None
    """What is wrong with many answers together, of which none has a result."""
    took_s: float = 0.0
    runs: int = 0

    @property
    def failure(self) -> Failure | None:
        return self.suspicion if self.result is None else self.result.failure


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsAnswered:
    """Holds the one-word answers that came, and how far they are from a reference, where one was given."""

    answers: IdentityReference
    reference: IdentityReference | None = None
    comparison: IdentityComparison | None = None

    @property
    def is_too_empty(self) -> bool:
        return self.answers.empty > MOST_EMPTY_WORDS * self.answers.answers

    @property
    def verdict(self) -> str:
        """Say what so few answers can tell, and no more."""
        if self.is_too_empty:
            share = self.answers.empty / self.answers.answers
            return f"Cannot be described: {share:.0%} of the answers are empty."
        if self.comparison is not None:
            return self.comparison.verdict
        return (
            f"{self.answers.answers} one-word answers show this model's habits, and do not tell by themselves which"
            " model it is. With --reference FILE they are compared with answers of an API that you trust."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Holds all that an audit found. `stopped` says why not everything was asked."""

    url: str
    at: datetime
    took_s: float
    model: str
    """The one that was asked for; empty where none was known."""
    is_chosen: bool
    """Whether it was taken from the base URL's own list."""
    steps: tuple[StepResult, ...]
    words: WordsAnswered | None = None
    stopped: str = ""
    stopped_by: Failure | None = None
    tokens: int = 0
    """The tokens that were counted in the answers."""
    uncounted: int = 0
    """Paid runs whose tokens nobody counted."""

    @property
    def answered(self) -> tuple[str, ...]:
        """Return the names under which models answered, without the one of embeddings."""
        names = {
            step.result.model
            for step in self.steps
            if isinstance(step.step.probe, Conversation) and step.result and step.result.model
        }
        return tuple(sorted(names | set(self.words.answers.answered_as if self.words else ())))

    @property
    def broken(self) -> tuple[StepResult, ...]:
        return tuple(step for step in self.steps if step.finding is StepFinding.BROKEN)

    @property
    def is_well(self) -> bool:
        return not self.broken and not self.stopped


@dataclass(kw_only=True)
class AuditRun:
    """Asks the steps one after another. `on_step` is called after each."""

    endpoint: Endpoint
    model: str
    steps: list[AuditStep]
    client: Sender
    clock: Clock
    explain: Explain
    redact: Redactor
    reference: IdentityReference | None = None
    rng: Random = field(default_factory=SystemRandom)
    on_step: Callable[[StepResult], None] = lambda _: None
    pause_s: float = 5.0
    """How long a server that asks for fewer requests is left alone before it is asked again."""

    _results: list[StepResult] = field(default_factory=list)
    _listed: frozenset[str] = frozenset()
    _spoken: list[str] = field(default_factory=list)
    _words: WordsAnswered | None = None
    _chosen: bool = False
    _stopped: str = ""
    _stopped_by: Failure | None = None
    _tokens: int = 0
    _uncounted: int = 0

    async def run(self) -> Audit:
        began, at = self.clock.monotonic(), self.clock.now()
        apis_left = [step for step in self.steps if step.is_api]
        for step in self.steps:
            if self._stopped:
                break
            if step.is_api:
                apis_left.remove(step)
            result = await self._take(step)
            self._results.append(result)
            self.on_step(result)
            self._stopped = self._why_stop(result, more_apis=bool(apis_left))
            if not self._stopped and step.probe.kind == FIRST[-1]:
                self._choose_model()
        return Audit(
            url=self.redact(self.endpoint.url),
            at=at,
            took_s=self.clock.monotonic() - began,
            model=self.redact(self.model),
            is_chosen=self._chosen,
            steps=tuple(self._results),
            words=self._words,
            stopped=self._stopped,
            stopped_by=self._stopped_by,
            tokens=self._tokens,
            uncounted=self._uncounted,
        )

    def _choose_model(self) -> None:
        if self.model:
            return
        self.model = likely_model(self._listed)
        self._chosen = bool(self.model)
        if not self.model:
            self._stopped = "No model is known to ask; name one with --model"

    async def _take(self, step: AuditStep) -> StepResult:
        """Ask a step, if there is anything to ask."""
        began = self.clock.monotonic()
        ready = self._ready(step)
        if isinstance(ready, str):
            return StepResult(step=step, finding=StepFinding.NOT_ASKED, note=ready)
        if isinstance(ready.probe, IdentityProbe):
            result = await self._ask_for_words(ready)
        else:
            result = await self._ask(ready)
        return replace(result, took_s=self.clock.monotonic() - began)

    def _ready(self, step: AuditStep) -> AuditStep | str:
        """Return the step as it can be asked here, or say why it cannot."""
        probe = step.probe
        if isinstance(probe, ChosenApi) and step.api not in self._spoken:
            alone = sum(other.probe.kind == probe.kind for other in self.steps) == 1
            if not (alone and self._spoken):
                return f"{step.api} does not work here"
            api = self._spoken[0]
            return replace(step, probe=probe.model_copy(update={"api": api}), api=api)
        if isinstance(probe, ChatShape) and not step.is_api and "chat" not in self._spoken:
            return "chat does not work here"
        if probe.word_of_models:
            name = own_model(self._listed, probe.word_of_models)
            if not name:
                return "its list names no such model"
            return replace(step, probe=probe.model_copy(update={"model": name}))
        return step

    async def _ask(self, step: AuditStep) -> StepResult:
        """Ask once, and again where one answer proves nothing, as `monitor once` does, or the server is busy."""
        probe = step.probe
        model = getattr(probe, "model", None) or self.model or None
        check = Check(
            service="audit",
            endpoint=self.endpoint,
            probe=probe,
            model=model,
            asked_models=frozenset(filter(None, [self.model])),
        )
        attempted = await self._attempt(check, Habit())
        runs = 1
        while runs <= MAX_REPEATS and (is_suspicion(attempted) or is_busy(attempted)):
            if is_busy(attempted):
                await asyncio.sleep(self.pause_s)
            attempted = await self._attempt(check, attempted.habit)
            runs += 1
        attempted = await with_explanation(self.explain, check, attempted)
        self._listed = self._listed or attempted.habit.listed
        attempted = with_listed(check, attempted, [Habit(listed=self._listed)])
        result = attempted.result
        finding = self._finding(step, attempted)
        if step.is_api and finding is not StepFinding.NOT_OFFERED and result.outcome in _ANSWERED:
            self._spoken.append(step.probe.kind)
        note = attempted.evidence.note if attempted.evidence else ""
        return StepResult(
            step=step, finding=finding, result=result, runs=runs, note=_note(step, result, note)
        )

    async def _attempt(self, check: Check, habit: Habit) -> Attempted:
        attempted = await attempt(
            check,
            habit=habit,
            client=self.client,
            clock=self.clock,
            rng=self.rng,
            vantage="local",
            redact=self.redact,
            cert_days=DAYS if check.probe.kind == FIRST[0] else 0,  # once is enough
        )
        usage = attempted.result.usage
        if check.probe.paid and usage is None:
            self._uncounted += attempted.result.outcome is not Outcome.UNKNOWN
        elif usage is not None:
            self._tokens += (usage.tokens_in or 0) + (usage.tokens_out or 0)
        return attempted

    def _finding(self, step: AuditStep, attempted: Attempted) -> StepFinding:
        result = attempted.result
        failure = result.failure
        if failure is None:
            is_unread = isinstance(step.probe, BalanceProbe) and result.balance is None
            if step.probe.compares_peers:  # it judges by what it saw before, which is nothing
                is_counted = any(attempted.habit.tokens.recent)
                return StepFinding.DESCRIBED if is_counted else StepFinding.UNKNOWN
            return StepFinding.NOT_OFFERED if is_unread else StepFinding.WORKS
        row = failure.kind.row
        if step.probe.kind == FIRST[0] and row.shows_reached and failure.outcome is Outcome.DOWN:
            return StepFinding.WORKS  # any answer of an HTTP server says that it is reached
        if step.probe.kind != FIRST[0] and is_not_offered(result, step, beside=self._spoken):
            return StepFinding.NOT_OFFERED
        is_unknown = failure.outcome is Outcome.UNKNOWN or failure.kind in _NOT_TOLD
        return StepFinding.UNKNOWN if is_unknown else StepFinding.BROKEN

    async def _ask_for_words(self, step: AuditStep) -> StepResult:
        asked = questions(step.count, self.rng)
        try:
            answers = await record(
                self.endpoint, self.model, asked, self.clock, pause_s=self.pause_s
            )
        except MonitorError as error:
            return StepResult(step=step, finding=StepFinding.UNKNOWN, note=str(error), runs=1)
        answers = self._safe(answers)
        self._tokens += answers.tokens_in + answers.tokens_out
        words = WordsAnswered(answers=answers)
        if self.reference is not None:
            comparison = identity_compare.compared(self.reference, answers.sample)
            words = replace(words, reference=self.reference, comparison=comparison)
        self._words = words
        return StepResult(
            step=step,
            finding=_finding_of_words(words),
            note=words.verdict,
            suspicion=_suspicion(words),
            runs=answers.answers,
        )

    def _safe(self, answers: IdentityReference) -> IdentityReference:
        """Return the answers without a secret that a server may have put into them."""
        counts = {
            cell: {self.redact(word): count for word, count in words.items()}
            for cell, words in answers.counts.items()
        }
        return replace(
            answers, answered_as=tuple(map(self.redact, answers.answered_as)), counts=counts
        )

    def _why_stop(self, last: StepResult, *, more_apis: bool) -> str:
        """Say why nothing more can be learned, without the full stop; empty where there is more to ask."""
        why = self._why_hopeless(last)
        if why:
            self._stopped_by = last.failure
        elif last.step.is_api and not more_apis and not self._spoken:
            why = f"No API of this base URL answers as {self.model}"
            self._stopped_by = next(step.failure for step in self._results if step.step.is_api)
        return why

    def _why_hopeless(self, last: StepResult) -> str:
        """Say why one failure is the end of it: nothing is reached, or a person must do something first."""
        failure, result, kind = last.failure, last.result, last.step.probe.kind
        if failure is None or result is None or self._spoken:
            return ""
        if kind == FIRST[0] and result.http_status is None:
            return "It cannot be asked"
        if failure.kind is FailureKind.AUTH_INVALID:
            return "The key is refused"
        row = failure.kind.row
        ends = row.needs_person and not row.is_unoffered and kind not in FIRST
        return row.label if ends else ""


_ANSWERED = frozenset({Outcome.UP, Outcome.DEGRADED})


def _finding_of_words(words: WordsAnswered) -> StepFinding:
    compared = words.comparison
    if words.is_too_empty or (compared is not None and not compared.is_enough):
        return StepFinding.UNKNOWN
    if compared is None:
        return StepFinding.DESCRIBED
    return StepFinding.BROKEN if compared.differs else StepFinding.WORKS


def _suspicion(words: WordsAnswered) -> Failure | None:
    if words.reference is None or _finding_of_words(words) is not StepFinding.BROKEN:
        return None
    why = f"got one-word answers unlike those of {words.reference.title}, want the same"
    return Failure(FailureKind.MODEL_SUSPECT, why)


def is_busy(attempted: Attempted) -> bool:
    failure = attempted.result.failure
    return failure is not None and failure.kind.row.is_busy


def is_not_offered(result: Result, step: AuditStep, beside: Iterable[str]) -> bool:
    """Say whether a base URL does not have a call. `beside` are the APIs that work there.

    A key that is refused by one API and taken by another is not refused for being wrong.
    """
    failure = result.failure
    if failure is None or failure.kind.row.group is Group.EDGE:
        return False
    if failure.kind.row.is_unoffered or result.http_status in _NOT_THERE:
        return True
    is_other = step.is_api and bool([*beside])
    is_money = failure.kind is FailureKind.QUOTA_EXHAUSTED
    return is_other and result.http_status == 401 and not is_money


def _note(step: AuditStep, result: Result, note: str) -> str:
    """Return what a person should know beside the finding: the course of a stream, a balance, what the run noted."""
    return "; ".join(filter(None, [*_stream_words(step, result), note]))


def _stream_words(step: AuditStep, result: Result) -> Iterator[str]:
    stream, first = result.stream, result.timings.ttft
    if not step.is_api or stream is None:
        return
    if first is not None:
        yield f"first token after {first:.0f} ms"
    if result.failure is None and stream.tokens_per_s is not None:
        yield f"streams as it is written, {stream.tokens_per_s:.0f} tokens/s"
    elif result.failure is None:
        yield "too quick to tell whether streams are held back"
    if stream.complete:
        yield "complete"
