"""Probes the prompt cache: whether a long text that was sent a moment ago is read from it, and billed as that.

A run asks two questions behind one text that is new in each run. The second answer must count more cached tokens than the
first. Caching is best effort with honest providers too, so that one miss says nothing and three in a row do.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from monitor.model import Evidence, Failure, FailureKind, Habit, Spend
from monitor.model.duration import format_duration
from monitor.probes.answer.challenges import Challenge, PrefixedQuestion, behind, long_prefix
from monitor.probes.answer.check_answer import judge_mismatch
from monitor.probes.kinds.chosen_api import ChosenApi
from monitor.probes.kinds.conversation import (
    WORTH_ASKING,
    judge_too_late,
    time_left,
    with_spent_before,
)
from monitor.probes.probe import Duration, Finding, Run, RunCost
from monitor.probes.readers import ProtocolReader

_LONGEST_PAUSE = timedelta(minutes=1)
"""Some caches forget after five minutes; after one, all should still know."""


def _within_a_minute(pause: timedelta) -> timedelta:
    if pause > _LONGEST_PAUSE:
        raise ValueError(f'got "{format_duration(pause)}", want at most "1m": caches forget')
    return pause


class CacheProbe(ChosenApi):
    kind: ClassVar[str] = "cache"
    title: ClassVar[str] = "Prompt cache"
    main_rank: ClassVar[int] = 29
    broken_by: ClassVar[frozenset[FailureKind]] = frozenset(
        {FailureKind.CACHE_MISSING, FailureKind.CACHE_UNREPORTED}
    )
    counts_runs: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(days=1), description="how often it runs")
    stream: bool = Field(default=False, description="ask for a stream")
    prefix_tokens: int = Field(
        default=1100,
        ge=100,
        le=20_000,
        description="length of the text that should be cached; more than the least that the model's cache keeps",
    )
    pause: Annotated[Duration, AfterValidator(_within_a_minute)] = Field(
        default=timedelta(seconds=5), description="between the two calls; a cache needs a moment"
    )

    def usual_cap(self) -> int:
        return 16

    def asked_cost(self) -> RunCost:
        return RunCost(questions=2, tokens_in=2 * (self.prefix_tokens + 50), tokens_out=6)

    def worst_case(self, habit: Habit) -> Spend:
        return Spend(tokens=2 * (super().worst_case(habit).tokens + 2 * self.prefix_tokens))

    def reserve(self, habit: Habit) -> Spend:
        return super().reserve(habit) + Spend(tokens=self.own_tokens())

    def content(self, challenge: Challenge) -> Any:
        if not isinstance(challenge, PrefixedQuestion):
            return super().content(challenge)
        return self.protocol.behind(challenge.prefix, challenge.prompt)

    async def run(self, run: Run) -> Finding:
        prefix = long_prefix(run.rng, self.prefix_tokens)
        first = await self._ask_behind(prefix, run, run.habit, self.timeout)
        if first.failure is not None or first.reader is None:
            return first
        left = time_left(self.timeout, first) - self.pause
        if left < WORTH_ASKING:
            return judge_too_late(first, left)
        await asyncio.sleep(self.pause.total_seconds())
        second = await self._ask_behind(prefix, run, first.habit, left)
        second = with_spent_before(second, first)
        if second.failure is not None or second.reader is None:
            return second
        failure, habit = judge_cache(first.reader, second.reader, second.habit)
        note = Evidence(note="" if failure else share_of(second.reader))
        hit = failure is None and habit.mismatches == 0
        return replace(second, failure=failure, habit=habit, evidence=note, is_judged=hit)

    async def _ask_behind(self, prefix: str, run: Run, habit: Habit, timeout: timedelta) -> Finding:
        """Ask one question. The size of the prompt is the operator's, and no news; the misses so far stay counted."""
        asked = replace(run, habit=replace(habit, prompt_tokens=None))
        finding = await self.ask(asked, behind(prefix, run.rng), timeout)
        return replace(finding, habit=replace(finding.habit, mismatches=run.habit.mismatches))


def judge_cache(
    first: ProtocolReader, second: ProtocolReader, habit: Habit
) -> tuple[Failure | None, Habit]:
    """Require that the second of two answers counts more cached tokens than the first; three without are a fault."""
    before, cached = first.cached_tokens or 0, second.cached_tokens
    if cached is None:
        return judge_mismatch(
            habit,
            lambda times: (
                f"got no count of cached tokens, no hit told {times} times in a row, want a count"
            ),
            FailureKind.CACHE_UNREPORTED,
        )
    if cached > before:
        whole = second.usage.tokens_in if second.usage else None
        share = min(cached / whole, 1.0) if whole else None
        return None, replace(habit, mismatches=0, cached_share=share)
    return judge_mismatch(
        habit,
        lambda times: (
            f"got {share_of(second)}, no hit {times} times in a row, want more than {before}"
        ),
        FailureKind.CACHE_MISSING,
    )


def share_of(reader: ProtocolReader) -> str:
    """Say how much of a prompt came from a cache."""
    cached, usage = reader.cached_tokens or 0, reader.usage
    if usage is None or not usage.tokens_in:
        return f"{cached} prompt tokens from the cache"
    return f"{cached} of {usage.tokens_in} prompt tokens from the cache"
