"""Probes whether the same model answers as before and as at the other base URLs, by one-word answers."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, PrivateAttr

from monitor.model import Evidence, FailureKind, Habit
from monitor.probes.answer.challenges import Challenge, OneWord
from monitor.probes.answer.identity_reference import IdentityReference, read_reference
from monitor.probes.answer.one_word import judge_words, next_question, why_not_judged, with_answer
from monitor.probes.kinds.chat import ChatShape
from monitor.probes.parameter_fallback import Body
from monitor.probes.probe import Duration, Finding, ProbeFileError, Run, RunCost

WITHOUT_TEXT = frozenset({FailureKind.EMPTY_COMPLETION, FailureKind.BUDGET_TOO_SMALL})


class IdentityProbe(ChatShape):
    kind: ClassVar[str] = "identity"
    title: ClassVar[str] = "Model identity"
    main_rank: ClassVar[int] = 95
    broken_by: ClassVar[frozenset[FailureKind]] = frozenset({FailureKind.MODEL_SUSPECT})
    counts_runs: ClassVar[bool] = True
    compares_peers: ClassVar[bool] = True
    controlled: ClassVar[Mapping[str, str]] = {**ChatShape.controlled, "temperature": ""}

    every: Duration = Field(default=timedelta(minutes=30), description="how often it runs")
    stream: bool = Field(default=False, description="ask for a stream")
    reference: Path | None = Field(
        default=None, description="a file of `monitor identity record` to compare with too"
    )

    _known: IdentityReference | None = PrivateAttr(default=None)

    def with_files(self, folder: Path) -> Self:
        if self.reference is None:
            return self
        path = folder / self.reference
        try:
            known = read_reference(path.read_bytes())
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ProbeFileError("reference", f"{path} cannot be read: {why}") from None
        except ValueError as error:
            raise ProbeFileError("reference", f"{path} {error}") from None
        copy = self.model_copy()
        copy._known = known  # noqa: SLF001  # of a copy of itself
        return copy

    def asked_cost(self) -> RunCost:
        return RunCost(tokens_in=33, tokens_out=2)

    def usual_cap(self) -> int:
        return 16

    def system_text(self, challenge: Challenge) -> str | None:
        """Return the operator's text, then ours: a relay may want its own first, and one message alone."""
        ours = challenge.system if isinstance(challenge, OneWord) else None
        return "\n\n".join(filter(None, (self.system, ours))) or None

    def body(self, model: str, challenge: Challenge, habit: Habit) -> Body:
        body = dict(super().body(model, challenge, habit))
        return body if "temperature" in habit.refused else {**body, "temperature": 1}

    async def run(self, run: Run) -> Finding:
        question = next_question(run.habit.words, run.rng)
        finding = await self.ask(run, question)
        if finding.failure is not None and finding.failure.kind not in WITHOUT_TEXT:
            return finding
        words = with_answer(finding.habit.words, question.cell, finding.answer, run.now)
        if finding.failure is not None:
            return replace(finding, habit=replace(finding.habit, words=words))
        peers = [(name, habit.words) for name, habit in run.peers]
        reference = (self._known.title, self._known.sample) if self._known else None
        is_measured = bool(words.since or reference or any(peer.is_compared for _, peer in peers))
        failure = await asyncio.to_thread(judge_words, words, peers, run.rng, reference)
        return replace(
            finding,
            failure=failure,
            habit=replace(finding.habit, words=words),
            evidence=Evidence(note=why_not_judged(words)),
            is_judged=words.is_compared and is_measured,
        )
