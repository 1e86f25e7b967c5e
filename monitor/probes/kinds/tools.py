"""Probes tool calls: whether a model can call a tool through this base URL, and is given what the tool says.

A run has two turns. In the first the model must call a tool with a random word; in the second the call and the tool's
result go back, and the answer must hold the random number that only the tool knew.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend
from monitor.probes.answer.challenges import Challenge, ToolQuestion, ToolResult, tool_question
from monitor.probes.answer.check_answer import judge_mismatch
from monitor.probes.answer.error_text import judge_error_text
from monitor.probes.answer.stream_verdict import is_cut_by_cap
from monitor.probes.kinds.chosen_api import ChosenApi
from monitor.probes.kinds.conversation import (
    WORTH_ASKING,
    judge_too_late,
    time_left,
    with_spent_before,
)
from monitor.probes.kinds.conversation_protocol import Tool
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.probe import Duration, Finding, Run, RunCost
from monitor.probes.readers.base import ToolCall
from monitor.probes.verdict.error_body import read_json

TOOL = Tool(
    name="look_up",
    description="Returns the number that belongs to a word.",
    parameters={
        "type": "object",
        "properties": {"word": {"type": "string", "description": "the word"}},
        "required": ["word"],
    },
)
_ABOUT_TOOLS = re.compile(r"\btools?(?:\b|_)|\bfunction[ _-]?(?:call|declaration)", re.IGNORECASE)
_REFUSALS = frozenset({FailureKind.REQUEST_REJECTED, FailureKind.MODEL_NOT_FOUND})
_TOOL_TOKENS = 150
"""What the description of the tool, its call and its result count in a turn at most."""
_USED_UP = 0.9
_SHOWN = 80


class ToolsProbe(ChosenApi):
    kind: ClassVar[str] = "tools"
    title: ClassVar[str] = "Tool calls"
    main_rank: ClassVar[int] = 28
    audited_through_each: ClassVar[bool] = True
    broken_by: ClassVar[frozenset[FailureKind]] = frozenset(
        {FailureKind.TOOL_CALL_MISSING, FailureKind.TOOL_CALL_BROKEN}
    )
    controlled: ClassVar[Mapping[str, str]] = {
        **ChosenApi.controlled,
        "tools": "",
        "tool_choice": "",
        "toolConfig": "",
    }

    every: Duration = Field(default=timedelta(minutes=30), description="how often it runs")

    def usual_cap(self) -> int:
        return 128

    def asked_cost(self) -> RunCost:
        return RunCost(
            questions=2, tokens_in=210 + 2 * self.protocol.tool_prompt_tokens, tokens_out=30
        )

    def worst_case(self, habit: Habit) -> Spend:
        turn = super().worst_case(habit)
        hidden = 2 * (_TOOL_TOKENS + self.protocol.tool_prompt_tokens)
        return turn + turn + Spend(tokens=hidden)

    def reserve(self, habit: Habit) -> Spend:
        return super().reserve(habit) + Spend(tokens=self.own_tokens())

    def challenge(self, rng: Random) -> ToolQuestion:
        return tool_question(rng)

    def body(self, model: str, challenge: Challenge, habit: Habit) -> Body:
        body = self.protocol.with_tool(super().body(model, challenge, habit), TOOL)
        if isinstance(challenge, ToolResult):
            body = self.protocol.with_result(body, challenge.turn, challenge.result)
            body.pop(self.protocol.tool_choice)  # else it would have to call it again
        return without(body, habit.refused)

    async def run(self, run: Run) -> Finding:
        question = self.challenge(run.rng)
        first = await self.ask(run, question)
        if first.failure is not None or first.reader is None:
            return first
        if not question.is_asked_by(first.reader.call):
            return first
        left = time_left(self.timeout, first)
        if left < WORTH_ASKING:
            return judge_too_late(first, left)
        habit = replace(first.habit, mismatches=run.habit.mismatches)
        second = await self.ask(replace(run, habit=habit), ToolResult(question, first.reader), left)
        return with_spent_before(second, first)

    def judge_further(self, finding: Finding, challenge: Challenge, run: Run) -> Finding:
        if isinstance(challenge, ToolResult):
            return replace(finding, failure=_judge_second_turn(finding.failure))
        # A good call alone says nothing of the answers that were wrong before: the second turn does.
        finding = replace(finding, habit=replace(finding.habit, mismatches=run.habit.mismatches))
        if finding.failure is not None:
            return replace(finding, failure=_judge_first_turn(finding.failure))
        failure, habit = self._judge_call(finding, challenge)
        return replace(finding, failure=failure, habit=habit)

    def _judge_call(self, finding: Finding, challenge: Challenge) -> tuple[Failure | None, Habit]:
        habit, reader = finding.habit, finding.reader
        if reader is None or not isinstance(challenge, ToolQuestion):
            raise TypeError("got no answer to a question for a tool, want one to judge")
        call = reader.call
        if call is None:
            return self._judge_words(reader.text, habit)
        used_up = is_cut_by_cap(reader) and self._is_used_up(finding)
        if used_up and challenge.word not in call.arguments:
            why = (
                f"got a tool call until max_tokens = {self.cap(habit)} ended it, want a higher one"
            )
            return Failure(FailureKind.BUDGET_TOO_SMALL, why), habit
        damage = self._damage(call)
        if damage:
            return Failure(FailureKind.TOOL_CALL_BROKEN, damage), habit
        if challenge.is_asked_by(call):
            return None, habit
        shown = _cut(call.arguments)
        return judge_mismatch(
            habit,
            lambda times: (
                f'got the arguments "{shown}" for a tool, want {challenge.want()}; wrong {times} times in a row'
            ),
            FailureKind.TOOL_CALL_BROKEN,
        )

    def _judge_words(self, text: str, habit: Habit) -> tuple[Failure | None, Habit]:
        """Judge words in place of a call; a model that could not be forced may do so now and then."""
        error = judge_error_text(text, wrong=True)
        if error is not None:
            return error, habit
        shown = _cut(text)
        if self.protocol.tool_choice not in habit.refused:
            why = f'got "{shown}" and no tool call, want one'
            return Failure(FailureKind.TOOL_CALL_MISSING, why), habit
        return judge_mismatch(
            habit,
            lambda times: f'got "{shown}" and no tool call {times} times in a row, want one',
            FailureKind.TOOL_CALL_MISSING,
        )

    def _damage(self, call: ToolCall) -> str:
        """Say what no client can do with a call; empty where nothing is wrong with its form."""
        if call.name != TOOL.name:
            return f'got a call of a tool "{_cut(call.name)}", want one of "{TOOL.name}"'
        if not call.arguments:
            return "got a tool call without a text of arguments, want a JSON object"
        if not isinstance(read_json(call.arguments.encode("utf-8", "replace")), dict):
            return f'got the arguments "{_cut(call.arguments)}" for a tool, want a JSON object'
        if self.protocol.needs_call_id and not call.id:
            return "got a tool call without an id, want one that its result can name"
        return ""

    def _is_used_up(self, finding: Finding) -> bool:
        counted = finding.usage.tokens_out if finding.usage else None
        return counted is None or counted >= _USED_UP * self.cap(finding.habit)


def _judge_first_turn(failure: Failure) -> Failure:
    """Name what is wrong with tools: a refusal that speaks of them, or nothing where a call should be."""
    if failure.kind in _REFUSALS and _ABOUT_TOOLS.search(failure.message):
        return Failure(FailureKind.TOOL_CALL_MISSING, f"{failure.message}: tools are refused")
    if failure.kind is FailureKind.EMPTY_COMPLETION:
        why = "got an answer without text and without a tool call, want a tool call"
        return Failure(FailureKind.TOOL_CALL_MISSING, why)
    return failure


def _judge_second_turn(failure: Failure | None) -> Failure | None:
    """Name what is wrong with a tool's result, after a first turn that was good."""
    if failure is None:
        return None
    match failure.kind:
        case FailureKind.REQUEST_REJECTED:
            why = f"{failure.message}: the tool's result is refused"
        case FailureKind.EMPTY_COMPLETION:
            why = "got an answer without text to a tool's result, want some"
        case FailureKind.CONTENT_MISMATCH:
            why = f"{failure.message}: the tool's result is not heeded"
        case _:
            return failure
    return Failure(FailureKind.TOOL_CALL_BROKEN, why)


def _cut(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
