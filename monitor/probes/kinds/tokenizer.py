"""Probes how many tokens the same texts count: whether another tokenizer, a longer prompt or a higher bill is behind them.

A run asks eight short questions for one token each, and reads nothing but how many tokens their prompts have.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field, model_validator

from monitor.model import Evidence, FailureKind, Habit, Spend
from monitor.model.result import CALLS_OF_COUNTING
from monitor.probes.answer.challenges import Challenge, OwnQuestion
from monitor.probes.answer.token_counts import (
    REPEATS,
    TEXTS,
    counts_of,
    judge_counts,
    note_of,
    prompts,
    with_counts,
)
from monitor.probes.kinds.chosen_api import ChosenApi
from monitor.probes.kinds.conversation import (
    WORTH_ASKING,
    judge_too_late,
    time_left,
    with_spent_before,
)
from monitor.probes.kinds.identity import WITHOUT_TEXT
from monitor.probes.probe import Duration, Finding, Run, RunCost

_TEXT_BYTES = REPEATS * sum(len(text.encode()) for text in TEXTS)
_OF_ANSWER = WITHOUT_TEXT | {FailureKind.OVER_BILLING}
"""What may be wrong with an answer of one token, and says nothing of its prompt."""


class TokenizerProbe(ChosenApi):
    kind: ClassVar[str] = "tokenizer"
    title: ClassVar[str] = "Token counts"
    main_rank: ClassVar[int] = 96
    broken_by: ClassVar[frozenset[FailureKind]] = frozenset(
        {FailureKind.TOKENIZER_CHANGED, FailureKind.PROMPT_INJECTED, FailureKind.OVER_BILLING}
    )
    counts_runs: ClassVar[bool] = True
    compares_peers: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(days=1), description="how often it runs")
    stream: bool = Field(default=False, description="ask for a stream")
    max_tokens: int | None = Field(default=None, ge=1, description="cap of each answer")

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """Eight calls need their time, and how long the last of them takes is of no interest."""
        return {"timeout": "2m", **data} if isinstance(data, dict) else data

    def usual_cap(self) -> int:
        return self.protocol.least_cap

    def asked_cost(self) -> RunCost:
        tokens_out = CALLS_OF_COUNTING * self.cap(Habit())
        return RunCost(questions=CALLS_OF_COUNTING, tokens_in=470, tokens_out=tokens_out)

    def worst_case(self, habit: Habit) -> Spend:
        frame = max((counts[0] for counts in habit.tokens.recent if counts), default=0)
        call = max(super().worst_case(habit).tokens, frame + self.cap(habit))
        return Spend(tokens=CALLS_OF_COUNTING * call + _TEXT_BYTES)

    def reserve(self, habit: Habit) -> Spend:
        return super().reserve(habit) + Spend(tokens=(CALLS_OF_COUNTING - 1) * self.own_tokens())

    async def run(self, run: Run) -> Finding:
        findings: list[Finding] = []
        for prompt in prompts(run.rng):
            finding = await self._ask_after(findings, OwnQuestion(prompt), run)
            if finding.failure is not None:
                return finding
            findings.append(finding)
            if not _prompt_tokens(finding):
                break
        return self._learn(findings, run)

    async def _ask_after(
        self, earlier: Sequence[Finding], question: OwnQuestion, run: Run
    ) -> Finding:
        """Ask in the time that earlier calls left. What a prompt counts is judged here alone."""
        left, known = self.timeout, run.habit
        if earlier:
            left, known = time_left(self.timeout, earlier[-1]), earlier[-1].habit
            if left < WORTH_ASKING:
                return judge_too_late(earlier[-1], left)
        habit = replace(run.habit, refused=known.refused, reasons=known.reasons, prompt_tokens=None)
        finding = await self.ask(replace(run, habit=habit), question, left)
        finding = replace(finding, habit=replace(finding.habit, prompt_tokens=None))
        if not earlier:
            return finding
        before_ms = (earlier[-1].exchange.timings.total or 0.0) + earlier[-1].before_ms
        finding = replace(finding, before_ms=finding.before_ms + before_ms)
        return with_spent_before(finding, earlier[-1])

    def judge_further(self, finding: Finding, challenge: Challenge, run: Run) -> Finding:  # noqa: ARG002  # Conversation's signature
        """Let an answer without text pass; a request that is refused for its small cap is none."""
        if finding.failure is None or finding.reader is None:
            return finding
        if finding.failure.kind not in _OF_ANSWER:
            return finding
        return replace(finding, failure=None, habit=finding.habit.worked())

    def _learn(self, findings: Sequence[Finding], run: Run) -> Finding:
        counts = counts_of([_prompt_tokens(finding) for finding in findings])
        tokens = with_counts(run.habit.tokens, counts, run.now)
        peers = [(name, habit.tokens) for name, habit in run.peers]
        return replace(
            findings[-1],
            failure=judge_counts(tokens, peers),
            habit=replace(findings[-1].habit, tokens=tokens),
            evidence=Evidence(note=note_of(tokens)),
            is_judged=bool(tokens.latest),
        )


def _prompt_tokens(finding: Finding) -> int:
    """Return what the answer of one call says its prompt counts; 0 where it says nothing."""
    usage = finding.reader.usage if finding.reader else None
    return (usage and usage.tokens_in) or 0
