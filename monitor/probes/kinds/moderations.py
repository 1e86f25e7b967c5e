"""Probes the moderation of a harmless text, which is free at its source and proves that key and route work."""

from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit
from monitor.probes.answer.check_answer import judge_mismatch
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import TextCall
from monitor.probes.probe import Finding
from monitor.probes.readers.base import as_object, as_text, objects_in
from monitor.probes.verdict.error_body import read_json


class ModerationsProbe(TextCall):
    """Counts as paid: free at its source, but relays may bill it."""

    kind: ClassVar[str] = "moderations"
    title: ClassVar[str] = "Moderation"
    main_rank: ClassVar[int] = 21
    audited: ClassVar[bool] = False
    route: ClassVar[str] = "/v1/moderations"

    model: str = Field(default="omni-moderation-latest", description="the moderation model")
    text: str | None = Field(default=None, description="judged instead of a short random text")

    def judge(self, exchange: Exchange, habit: Habit) -> Finding:
        answer = as_object(read_json(exchange.body))
        failure, habit = judge_flag(answer, habit, harmless=self.text is None)
        model = as_text(answer.get("model")) or None
        return Finding(exchange=exchange, failure=failure, habit=habit, model=model)


def judge_flag(answer: Any, habit: Habit, *, harmless: bool) -> tuple[Failure | None, Habit]:
    """Require a verdict, and the right one where it is known; three wrong ones in a row are a fault."""
    first = next(iter(objects_in(as_object(answer).get("results"))), None)
    flagged = as_object(first).get("flagged")
    if not isinstance(flagged, bool):
        why = "got an answer without a verdict, want `results[0].flagged`"
        return Failure(FailureKind.UNEXPECTED_BODY, why), habit
    if not (flagged and harmless):
        return None, replace(habit.worked(), mismatches=0)
    return judge_mismatch(
        habit,
        lambda times: (
            f"got a few random letters flagged as harmful {times} times in a row, want them passed"
        ),
    )
