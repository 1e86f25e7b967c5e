"""Probes reranking: of four short documents the one that answers a question must come first."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend
from monitor.probes.answer.check_answer import judge_mismatch
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import ApiCall
from monitor.probes.parameter_fallback import Body
from monitor.probes.probe import Duration, Finding, RunCost
from monitor.probes.readers.base import as_count, as_number, as_object, as_text, objects_in
from monitor.probes.verdict.error_body import read_json

ANSWERS = {
    "When does the harbour office open?": "The harbour office opens at seven in the morning.",
    "How long do cats sleep?": "Cats sleep for twelve to sixteen hours a day.",
    "What is a prime number?": "A prime number has exactly two divisors, one and itself.",
    "Where do penguins live?": "Penguins live on the coasts of the southern half of the world.",
}
"""Questions, and the document that answers each."""
_PLACE = 2
"""Where the right document stands: one that is left in its place is not first."""


class RerankProbe(ApiCall):
    """Speaks the form that Cohere, Jina and relays share: `results` with `index` and `relevance_score`."""

    kind: ClassVar[str] = "rerank"
    title: ClassVar[str] = "Reranking"
    main_rank: ClassVar[int] = 27
    audited: ClassVar[bool] = False
    route: ClassVar[str] = "/v1/rerank"
    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "query": "",
        "documents": "",
        "top_n": "",
    }

    every: Duration = Field(default=timedelta(minutes=5), description="how often it runs")
    model: str = Field(default="rerank-v3.5", description="the reranking model")

    def asked_cost(self) -> RunCost:
        return RunCost(tokens_in=90)

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002  # the same for every endpoint
        return Spend(tokens=150)

    def parameters(self, rng: Random) -> Body:
        question = rng.choice(list(ANSWERS))
        documents = [answer for other, answer in ANSWERS.items() if other != question]
        rng.shuffle(documents)
        documents.insert(_PLACE, ANSWERS[question])
        return {
            "model": self.model,
            "query": question,
            "documents": documents,
            "top_n": len(documents),
        }

    def judge(self, exchange: Exchange, habit: Habit) -> Finding:
        answer = as_object(read_json(exchange.body))
        failure, habit = judge_order(answer, habit)
        model = as_text(answer.get("model")) or None
        return Finding(exchange=exchange, failure=failure, habit=habit, model=model)


def judge_order(answer: Any, habit: Habit) -> tuple[Failure | None, Habit]:
    """Require a score for a document, and the best for the right one; three wrong orders in a row are a fault."""
    scores: dict[int, float] = {}
    for result in objects_in(as_object(answer).get("results")):
        index, score = as_count(result.get("index")), as_number(result.get("relevance_score"))
        if index is not None and score is not None:
            scores[index] = score
    if not scores:
        why = "got an answer without scores, want `results` with `index` and `relevance_score`"
        return Failure(FailureKind.UNEXPECTED_BODY, why), habit
    if max(scores, key=lambda index: scores[index]) == _PLACE:
        return None, replace(habit.worked(), mismatches=0)
    return judge_mismatch(
        habit,
        lambda times: (
            f"got another document first than the one that answers {times} times in a row, want that one"
        ),
    )
