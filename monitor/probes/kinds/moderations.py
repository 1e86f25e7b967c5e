"""Moderation of a harmless text: free at its source, and proof that key and route work."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend
from monitor.probes.answer.check_answer import MISMATCHES_BELIEVED
from monitor.probes.kinds.api_call import judge_call, post
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.readers.base import as_object, as_text, objects_in
from monitor.probes.verdict.error_body import read_json


class ModerationsProbe(ProbeSettings):
    kind: ClassVar[str] = "moderations"
    paid: ClassVar[bool] = True  # not at its source, but relays may count it
    needs_model: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(minutes=5), description="how often it runs")
    model: str = Field(default="omni-moderation-latest", description="the moderation model")
    text: str | None = Field(default=None, description="judged instead of a short random text")

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002
        return Spend(tokens=16 + len((self.text or "").encode()))

    async def run(self, run: Run) -> Finding:
        text = self.text or f"ping {run.rng.randrange(16**6):06x}"
        body = {"model": self.model, "input": text}
        ask = post(run.check.endpoint, "/v1/moderations", body, self.timeout)
        exchange = await run.client.send(ask)
        answer = as_object(read_json(exchange.body))
        failure, habit = judge_call(exchange, run), run.habit
        if failure is None:
            failure, habit = judge_flag(answer, habit, harmless=self.text is None)
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=habit,
            model=as_text(answer.get("model")) or None,
        )


def judge_flag(answer: Any, habit: Habit, *, harmless: bool) -> tuple[Failure | None, Habit]:
    """A verdict, and the right one where we know it: three wrong ones in a row are a fault."""
    first = next(objects_in(as_object(answer).get("results")), None)
    flagged = as_object(first).get("flagged")
    if not isinstance(flagged, bool):
        why = "got an answer without a verdict, want `results[0].flagged`"
        return Failure(FailureKind.UNEXPECTED_BODY, why), habit
    if not (flagged and harmless):
        return None, replace(habit.worked(), mismatches=0)
    habit = habit.mismatched()
    if habit.mismatches < MISMATCHES_BELIEVED:
        return None, habit
    why = f"got a few random letters flagged as harmful {habit.mismatches} times in a row, want them passed"
    return Failure(FailureKind.CONTENT_MISMATCH, why), habit
