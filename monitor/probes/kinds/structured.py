"""Probes structured output: whether an answer keeps to the JSON schema that was asked for."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

from monitor.model import Failure, FailureKind, Habit
from monitor.probes.answer.challenges import Challenge, StructuredSum, structured_sum
from monitor.probes.kinds.chat import ChatShape
from monitor.probes.parameter_fallback import Body
from monitor.probes.probe import Finding, Run, RunCost
from monitor.probes.verdict.error_body import read_json

_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"sum": {"type": "integer"}},
    "required": ["sum"],
    "additionalProperties": False,
}
_SHOWN = 80


class StructuredProbe(ChatShape):
    kind: ClassVar[str] = "structured"
    title: ClassVar[str] = "Structured output"
    main_rank: ClassVar[int] = 26
    broken_by: ClassVar[frozenset[FailureKind]] = frozenset({FailureKind.SCHEMA_IGNORED})
    controlled: ClassVar[Mapping[str, str]] = {**ChatShape.controlled, "response_format": ""}

    def asked_cost(self) -> RunCost:
        return RunCost(tokens_in=52, tokens_out=8)

    def usual_cap(self) -> int:
        return 64

    def challenge(self, rng: Random) -> StructuredSum:
        return structured_sum(rng)

    def body(self, model: str, challenge: Challenge, habit: Habit) -> Body:
        form = {"name": "sum", "strict": True, "schema": _SCHEMA}
        body = super().body(model, challenge, habit)
        return {**body, "response_format": {"type": "json_schema", "json_schema": form}}

    def judge_further(self, finding: Finding, challenge: Challenge, run: Run) -> Finding:  # noqa: ARG002  # Conversation's signature
        if finding.failure is not None or _value(finding.answer) == _value(challenge.want()):
            return finding
        text = " ".join(finding.answer.split())[:_SHOWN]
        why = f'got "{text}", want the JSON {challenge.want()}'
        return replace(finding, failure=Failure(FailureKind.SCHEMA_IGNORED, why))


def _value(text: str) -> Any:
    """Return a JSON value; None for anything else."""
    return read_json(text.encode("utf-8", "replace"))
