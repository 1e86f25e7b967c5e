"""Tools in the conversations of the simulated service: which are offered, called and answered, in each API. Pure.

The model calls the first tool that is offered, with words and numbers of the question as arguments, and repeats what a
tool returned. A result for a call that was never made is refused, as the real APIs do.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.demo.api_common import Json, bad_request

_QUOTED = re.compile(r'"([^"]+)"')
_NUMBER = re.compile(r"-?\d{1,12}")


@dataclass(frozen=True, slots=True)
class ToolTurns:
    """Holds what a conversation says of tools."""

    offered: Mapping[str, Json]
    """The JSON schemas of the parameters, by the names of the tools."""
    called: frozenset[str] = frozenset()
    """What a result may name: ids of calls, or names of tools."""
    results: tuple[tuple[str, Any], ...] = ()
    """What tools returned, each with what it names."""

    @property
    def wants_call(self) -> bool:
        return bool(self.offered) and not self.results

    def call(self, question: str) -> tuple[str, str]:
        """Return the name of a tool, and the JSON of arguments for it."""
        name, schema = next(iter(self.offered.items()))
        return name, json.dumps(dict(_arguments(schema, question)))

    def answer(self) -> str:
        """Repeat what the last tool returned. Raises ApiError where it answers no call."""
        named, returned = self.results[-1]
        if named not in self.called:
            raise bad_request(f"no tool call has the id {named[:80]}", "tool_call_id")
        return f"The tool says {' '.join(_scalars(_parsed(returned)))}."


NO_TOOLS = ToolTurns({})


def chat_tools(body: Json) -> ToolTurns:
    messages = _objects(body.get("messages"))
    return ToolTurns(
        offered=_offered((_object(tool.get("function")) for tool in _tools(body)), "parameters"),
        called=frozenset(
            _text(call.get("id"))
            for message in messages
            for call in _objects(message.get("tool_calls"))
        ),
        results=tuple(
            (_text(message.get("tool_call_id")), message.get("content"))
            for message in messages
            if message.get("role") == "tool"
        ),
    )


def responses_tools(body: Json) -> ToolTurns:
    items = _objects(body.get("input"))
    return ToolTurns(
        offered=_offered(_tools(body), "parameters"),
        called=frozenset(
            _text(item.get("call_id")) for item in items if item.get("type") == "function_call"
        ),
        results=tuple(
            (_text(item.get("call_id")), item.get("output"))
            for item in items
            if item.get("type") == "function_call_output"
        ),
    )


def messages_tools(body: Json) -> ToolTurns:
    blocks = [
        block
        for message in _objects(body.get("messages"))
        for block in _objects(message.get("content"))
    ]
    return ToolTurns(
        offered=_offered(_tools(body), "input_schema"),
        called=frozenset(
            _text(block.get("id")) for block in blocks if block.get("type") == "tool_use"
        ),
        results=tuple(
            (_text(block.get("tool_use_id")), block.get("content"))
            for block in blocks
            if block.get("type") == "tool_result"
        ),
    )


def gemini_tools(body: Json) -> ToolTurns:
    parts = [
        part
        for content in _objects(body.get("contents"))
        for part in _objects(content.get("parts"))
    ]
    functions = (
        function
        for tool in _objects(body.get("tools"))
        for function in _objects(tool.get("functionDeclarations"))
    )
    answers = [_object(part["functionResponse"]) for part in parts if "functionResponse" in part]
    return ToolTurns(
        offered=_offered(functions, "parameters"),
        called=frozenset(
            _text(_object(part["functionCall"]).get("name"))
            for part in parts
            if "functionCall" in part
        ),
        results=tuple((_text(answer.get("name")), answer.get("response")) for answer in answers),
    )


def _tools(body: Json) -> list[Json]:
    """Return the tools that may be called; none where the request forbids it."""
    return [] if body.get("tool_choice") == "none" else _objects(body.get("tools"))


def _offered(functions: Iterator[Json] | list[Json], schema: str) -> Mapping[str, Json]:
    return {
        _text(function["name"]): _object(function.get(schema))
        for function in functions
        if function.get("name")
    }


def _arguments(schema: Json, question: str) -> Iterator[tuple[str, Any]]:
    words, numbers = iter(_QUOTED.findall(question)), iter(_NUMBER.findall(question))
    for name, about in _object(schema.get("properties")).items():
        kind = _text(_object(about).get("type")).lower()
        if kind in {"integer", "number"}:
            yield name, int(next(numbers, "0"))
        elif kind == "string":
            yield name, next(words, question)


def _parsed(returned: Any) -> Any:
    try:
        return json.loads(returned) if isinstance(returned, str) else returned
    except ValueError:
        return returned


def _scalars(value: Any) -> Iterator[str]:
    """Yield the words and numbers of a JSON value; of parts of a message their text alone."""
    if isinstance(value, dict):
        inner = (
            [value["text"]] if value.get("type") == "text" and "text" in value else value.values()
        )
        for item in inner:
            yield from _scalars(_parsed(item))
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    elif value is not None:
        yield str(value)


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
