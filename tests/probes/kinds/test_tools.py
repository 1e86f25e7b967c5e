"""Tool calls through a relay on a real socket: what comes of one that spoils, refuses or forgets them."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from relay import Asked, Relay, kind_of, plain, relaying

from monitor.model import Check, Endpoint, FailureKind, Habit, Spend, Timings, Usage
from monitor.probes import PROBES
from monitor.probes.answer.challenges import ToolQuestion
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.chosen_api import PROTOCOLS
from monitor.probes.kinds.tools import ToolsProbe
from monitor.probes.probe import Finding, Run
from monitor.probes.readers import ChatReader
from monitor.probes.readers.base import ToolCall
from monitor.probes.wire.client import Client

USAGE = {"prompt_tokens": 60, "completion_tokens": 9}
MISSING, BROKEN = FailureKind.TOOL_CALL_MISSING, FailureKind.TOOL_CALL_BROKEN


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        yield relay


def whole(message: Any, finish: str = "stop") -> dict[str, Any]:
    return {
        "model": "model-x",
        "choices": [{"message": message, "finish_reason": finish}],
        "usage": USAGE,
    }


def called(**changes: Any) -> dict[str, Any]:
    call_id = changes.pop("id", "c1")
    function = {"name": "look_up", "arguments": '{"word": "WORD"}'} | changes
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def word_in(asked: Asked) -> str:
    prompt: str = asked.json["messages"][0]["content"]
    return prompt.split('"')[1]


def turns(
    first: Any, second: Callable[[str], Any] = lambda said: whole({"content": f"It is {said}."})
) -> Callable[[web.Request, Asked], Any]:
    """A relay whose model calls the tool as `first` has it, and answers what the tool said."""

    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        last = asked.json["messages"][-1]
        if last["role"] == "tool":
            return await plain(second(last["content"]))(request, asked)
        text = json.dumps(first).replace("WORD", word_in(asked))
        return await plain(text.encode())(request, asked)

    return answering


async def test_a_call_and_what_the_tool_said_go_back_in_a_second_turn(relay: Relay) -> None:
    message = called() | {"content": "Let me see.", "reasoning_content": "I need the tool."}
    message["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "s"}}
    relay.answering = turns(whole(message, "tool_calls"))
    finding = await relay.ask("tools", Habit(mismatches=2), stream=False)
    assert (finding.failure, finding.habit.mismatches) == (None, 0)
    assert finding.usage == Usage(tokens_in=120, tokens_out=18)
    first, second = (asked.json for asked in relay.asked)
    assert first["tool_choice"] == {"type": "function", "function": {"name": "look_up"}}
    assert "tool_choice" not in second
    assert second["tools"] == first["tools"]
    question, call, result = second["messages"]
    assert [question] == first["messages"]
    assert call == json.loads(json.dumps(message).replace("WORD", word_in(relay.asked[0])))
    assert (result["role"], result["tool_call_id"]) == ("tool", "c1")
    assert 1000 <= json.loads(result["content"])["number"] <= 9999


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        ({"content": "It is 42."}, MISSING, 'got "It is 42." and no tool call, want one'),
        (
            {"content": None, "tool_calls": []},
            MISSING,
            "got an answer without text and without a tool call, want a tool call",
        ),
        ({"content": "Error: upstream error"}, FailureKind.SERVER_ERROR, "got an error as"),
        (
            called(arguments='{"word": "b'),
            BROKEN,
            'got the arguments "{"word": "b" for a tool, want a JSON object',
        ),
        (
            called(arguments='"{}"'),
            BROKEN,
            'got the arguments ""{}"" for a tool, want a JSON object',
        ),
        (
            called(arguments={"word": "WORD"}),
            BROKEN,
            "got a tool call without a text of arguments, want a JSON object",
        ),
        (
            called(name="lookup\ud800"),
            BROKEN,
            'got a call of a tool "lookup\ud800", want one of "look_up"',
        ),
        (
            called(id=None),
            BROKEN,
            "got a tool call without an id, want one that its result can name",
        ),
    ],
)
async def test_a_call_that_no_client_can_use_is_told_at_once(
    relay: Relay, message: Any, kind: FailureKind, words: str
) -> None:
    relay.answering = turns(whole(message))
    finding = await relay.ask("tools", stream=False)
    assert finding.failure is not None
    assert (finding.failure.kind, len(relay.asked)) == (kind, 1)
    assert finding.failure.message.startswith(words)


@pytest.mark.parametrize(
    ("first", "second", "words", "asked"),
    [
        (called(arguments='{"word": 7}'), "", 'got the arguments "{"word": 7}" for a tool', 1),
        (called(), "No idea.", 'got "No idea.", want ', 2),
    ],
)
async def test_a_slip_of_the_model_is_told_the_third_time_in_a_row(
    relay: Relay, first: Any, second: str, words: str, asked: int
) -> None:
    relay.answering = turns(whole(first), lambda _: whole({"content": second}))
    habit, found = Habit(), []
    for _ in range(3):
        finding = await relay.ask("tools", habit, stream=False)
        habit = finding.habit
        found.append(finding.failure)
    assert found[:2] == [None, None]
    assert found[2] is not None
    assert (found[2].kind, len(relay.asked)) == (BROKEN, 3 * asked)
    assert found[2].message.startswith(words)
    assert "wrong 3 times in a row" in found[2].message


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_of_tools_is_told_as_that(relay: Relay, status: int) -> None:
    relay.answering = plain({"error": {"message": "Unknown parameter: 'tools'."}}, status)
    finding = await relay.ask("tools")
    assert finding.failure is not None
    assert (finding.failure.kind, len(relay.asked)) == (MISSING, 1)
    assert finding.failure.message == (
        f"got HTTP {status}: \"Unknown parameter: 'tools'.\", want 200: tools are refused"
    )
    relay.answering = plain({"error": {"message": "Unknown parameter: 'metadata'."}}, status)
    assert kind_of(await relay.ask("tools")) is FailureKind.REQUEST_REJECTED


async def test_a_model_that_cannot_be_forced_is_asked_and_may_talk_now_and_then(
    relay: Relay,
) -> None:
    good = turns(whole({"content": "I would look it up."}))

    async def unforced(request: web.Request, asked: Asked) -> web.StreamResponse:
        if "tool_choice" in asked.json:
            error = {"error": {"message": "this model does not support tool_choice"}}
            return await plain(error, 400)(request, asked)
        response: web.StreamResponse = await good(request, asked)
        return response

    relay.answering = unforced
    habit, kinds = Habit(), []
    for _ in range(3):
        finding = await relay.ask("tools", habit, stream=False)
        habit = finding.habit
        kinds.append(kind_of(finding))
    assert (kinds, len(relay.asked)) == ([None, None, MISSING], 4)
    good = turns(whole(called()))
    assert kind_of(await relay.ask("tools", habit, stream=False)) is None


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            plain({"error": {"message": "messages.2.role: invalid"}}, 400),
            BROKEN,
            'got HTTP 400: "messages.2.role: invalid", want 200: the tool\'s result is refused',
        ),
        (
            plain(whole({"content": ""})),
            BROKEN,
            "got an answer without text to a tool's result, want some",
        ),
        (plain({"error": {"message": "no"}}, 503), FailureKind.SERVER_ERROR, "got HTTP 503"),
    ],
)
async def test_what_becomes_of_the_second_turn_is_told_apart(
    relay: Relay, answer: Any, kind: FailureKind, words: str
) -> None:
    good = turns(whole(called()))

    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        is_second = asked.json["messages"][-1]["role"] == "tool"
        response: web.StreamResponse = await (answer if is_second else good)(request, asked)
        return response

    relay.answering = answering
    finding = await relay.ask("tools", stream=False)
    assert finding.failure is not None
    assert (finding.failure.kind, len(relay.asked)) == (kind, 2)
    assert finding.failure.message.startswith(words)


async def test_a_call_that_our_cap_cut_off_in_thoughts_is_asked_for_again(relay: Relay) -> None:
    async def thoughtful(request: web.Request, asked: Asked) -> web.StreamResponse:
        if asked.json["max_tokens"] >= 1000:
            return await turns(whole(called()))(request, asked)  # type: ignore[no-any-return]
        usage = {"prompt_tokens": 60, "completion_tokens": asked.json["max_tokens"]}
        answer = whole(called(arguments='{"wo'), "length") | {"usage": usage}
        return await plain(answer)(request, asked)

    relay.answering = thoughtful
    capped = await relay.ask("tools", stream=False, max_tokens=100)
    assert (kind_of(capped), len(relay.asked)) == (FailureKind.BUDGET_TOO_SMALL, 1)
    finding = await relay.ask("tools", stream=False)
    assert (kind_of(finding), finding.habit.reasons, len(relay.asked)) == (None, True, 4)
    assert finding.usage == Usage(tokens_in=180, tokens_out=146)


async def test_a_first_turn_that_leaves_no_time_for_the_second_is_slow(relay: Relay) -> None:
    relay.answering = turns(whole(called()))
    finding = await relay.ask("tools", stream=False, timeout="900ms")
    assert (kind_of(finding), len(relay.asked)) == (FailureKind.SLOW, 1)


NAMES = st.sampled_from(["look_up", "look", ""])
WORDS = st.sampled_from(["kwxbz", "other", "\ud800", ""])
ARGUMENTS = st.text(max_size=9) | st.builds(
    lambda key, value: json.dumps({key: value}),
    st.sampled_from(["word", "Word"]),
    WORDS | st.none() | st.lists(WORDS, max_size=1),
)


@given(
    call=st.builds(ToolCall, st.sampled_from(["c1", ""]), NAMES, ARGUMENTS),
    api=st.sampled_from([*PROTOCOLS]),
)
def test_a_call_is_good_if_and_only_if_a_client_can_use_it_and_it_asks_for_the_word(
    call: ToolCall, api: str
) -> None:
    reader = ChatReader()
    reader.tools[0] = call
    question, habit = ToolQuestion("kwxbz", 4711), Habit(mismatches=2)
    probe = ToolsProbe(api=api)
    endpoint = Endpoint(id="e", service="s", url="http://127.0.0.1:9", name="E")
    run = Run(
        check=Check(service="s", endpoint=endpoint, probe=probe),
        habit=habit,
        client=Client(),
        rng=Random(1),
        now=datetime(2026, 11, 24, tzinfo=UTC),
    )
    exchange = Exchange(timings=Timings())
    finding = Finding(exchange=exchange, failure=None, habit=Habit(), reader=reader)
    failure = probe.judge_further(finding, question, run).failure
    try:
        asked = json.loads(call.arguments) == {"word": "kwxbz"}
    except ValueError:
        asked = False
    is_good = call.name == "look_up" and asked and (call.id != "" or api == "gemini")
    assert (failure is None) is is_good
    assert failure is None or failure.kind is BROKEN


def test_a_run_costs_two_turns_at_most() -> None:
    chat, claude = PROBES["tools"](), PROBES["tools"](api="messages", system="four tokens more")
    assert chat.reserve(Habit()) == Spend(tokens=676)
    assert claude.reserve(Habit()) == Spend(tokens=676 + 2 * 346 + 2 * 16)
    assert [probe.usual_cost().tokens for probe in (chat, claude)] == [240, 240 + 2 * (346 + 4)]


def test_an_unknown_api_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValidationError, match='got "claude", want one of "chat", "responses"'):
        PROBES["tools"](api="claude")
