"""Asks the simulated service with the official clients; run by a Python that has them.

    FOREIGN_PYTHON official_clients.py BASE_URL PICTURE SOUND

The key is in KEY, the authority in SSL_CERT_FILE. Prints one JSON object: what each call gave.
Knows nothing of monitor.
"""

import base64
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import errors, types

MODEL = "demo-mini"
USER: Any = [{"role": "user", "content": "Count from 11 to 90, please."}]
KEY = os.environ["KEY"]
Seen = dict[str, Any]


def openai_client(base: str, key: str = KEY) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)


def anthropic_client(base: str, key: str = KEY) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)


def google_client(base: str, key: str = KEY) -> genai.Client:
    return genai.Client(api_key=key, vertexai=False, http_options=types.HttpOptions(base_url=base))


def spoken(api: openai.OpenAI) -> Seen:
    whole = api.chat.completions.create(model=MODEL, messages=USER)
    chunks = list(
        api.chat.completions.create(
            model=MODEL, messages=USER, stream=True, stream_options={"include_usage": True}
        )
    )
    parts = api.completions.create(model=MODEL, prompt="1 2 3 4", stream=True)
    with api.responses.stream(model=MODEL, input=USER[0]["content"]) as stream:
        events = sorted({event.type for event in stream})
        final = stream.get_final_response()
    return {
        "chat": whole.choices[0].message.content,
        "chat usage": whole.usage.total_tokens,
        "chat stream": "".join(
            chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices
        ),
        "chat stream usage": chunks[-1].usage.total_tokens,
        "completions": api.completions.create(model=MODEL, prompt="1 2 3 4").choices[0].text,
        "completions stream": "".join(part.choices[0].text for part in parts if part.choices),
        "responses": api.responses.create(model=MODEL, input=USER[0]["content"]).output_text,
        "responses stream": final.output_text,
        "responses stream events": events,
        "responses stream usage": final.usage.total_tokens,
    }


def plain(api: openai.OpenAI, picture: Path, sound: Path) -> Seen:
    url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
    parts = [
        {"type": "text", "text": "What colour?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    look: Any = [{"role": "user", "content": parts}]
    judged = (
        api.moderations.create(model="demo-moderation", input=text).results[0].flagged
        for text in ("hello", "how to build a bomb")
    )
    drawn = api.images.generate(model="demo-image", prompt="a dot", size="256x256")
    vector = api.embeddings.create(model="demo-embedding", input="ping", dimensions=8)
    speech = api.audio.speech.create(model="demo-speech", input="Hi", voice="alloy")
    sounding = api.audio.speech.with_streaming_response.create(
        model="demo-speech", input="Hi", voice="alloy", stream_format="sse"
    )
    with sounding as response:
        pieces = [json.loads(line[6:]) for line in response.iter_lines() if line[:6] == "data: "]
    painting = list(api.images.generate(model="demo-image", prompt="a dot", stream=True))
    written = api.audio.transcriptions.create(model="demo-transcribe", file=sound)
    events = list(api.audio.transcriptions.create(model="demo-transcribe", file=sound, stream=True))
    return {
        "models": [each.id for each in api.models.list()],
        "vision": api.chat.completions.create(model=MODEL, messages=look)
        .choices[0]
        .message.content,
        "moderations": list(judged),
        "images": base64.b64decode(drawn.data[0].b64_json)[:8].hex(),
        "embeddings": len(vector.data[0].embedding),
        "images stream": base64.b64decode(painting[-1].b64_json)[:8].hex(),
        "images stream usage": painting[-1].usage.total_tokens,
        "speech stream": base64.b64decode(pieces[0]["audio"])[:2].hex(),
        "speech stream end": pieces[-1]["type"],
        "speech": speech.content[:2].hex(),
        "transcriptions": written.text,
        "transcriptions stream": events[-1].text,
    }


def claude(api: anthropic.Anthropic) -> Seen:
    whole = api.messages.create(model=MODEL, max_tokens=200, messages=USER)
    with api.messages.stream(model=MODEL, max_tokens=200, messages=USER) as told:
        text = "".join(told.text_stream)
        last = told.get_final_message()
    return {
        "messages": whole.content[0].text,
        "messages end": whole.stop_reason,
        "messages stream": text,
        "messages stream usage": last.usage.output_tokens,
    }


def gemini(api: genai.Client) -> Seen:
    question = USER[0]["content"]
    pieces = list(api.models.generate_content_stream(model=MODEL, contents=question))
    return {
        "gemini": api.models.generate_content(model=MODEL, contents=question).text,
        "gemini stream": "".join(piece.text or "" for piece in pieces),
        "gemini stream end": pieces[-1].candidates[0].finish_reason.name,
    }


TOOL = "look_up"
WORD: Any = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
ASKED: Any = [{"role": "user", "content": 'Look up the word "kwxbz" with the tool.'}]
RESULT = '{"number": 4711}'


def openai_tools(api: openai.OpenAI) -> Seen:
    """A call and its result in chat completions and responses, whole and streamed."""
    function: Any = {"name": TOOL, "parameters": WORD}
    tools: Any = [{"type": "function", "function": function}]
    forced: Any = {"type": "function", "function": {"name": TOOL}}
    made = api.chat.completions.create(
        model=MODEL, messages=ASKED, tools=tools, tool_choice=forced
    ).choices[0]
    call = made.message.tool_calls[0]
    with api.chat.completions.stream(
        model=MODEL, messages=ASKED, tools=tools, tool_choice=forced
    ) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
    given: Any = [made.message, {"role": "tool", "tool_call_id": call.id, "content": RESULT}]
    said = api.chat.completions.create(model=MODEL, messages=ASKED + given, tools=tools)
    flat: Any = [{"type": "function", "strict": False, **function}]
    named: Any = {"type": "function", "name": TOOL}
    response = api.responses.create(model=MODEL, input=ASKED, tools=flat, tool_choice=named)
    with api.responses.stream(model=MODEL, input=ASKED, tools=flat, tool_choice=named) as events:
        for _ in events:
            pass
        (last,) = events.get_final_response().output
    item: Any = response.output[0]
    output: Any = {"type": "function_call_output", "call_id": item.call_id, "output": RESULT}
    heard = api.responses.create(model=MODEL, input=[*ASKED, item, output], tools=flat)
    return {
        "chat tool": [call.function.name, json.loads(call.function.arguments), made.finish_reason],
        "chat tool stream": [streamed.function.name, json.loads(streamed.function.arguments)],
        "chat tool result": said.choices[0].message.content,
        "responses tool": [item.name, json.loads(item.arguments)],
        "responses tool stream": [last.name, json.loads(last.arguments)],
        "responses tool result": heard.output_text,
    }


def claude_tools(api: anthropic.Anthropic) -> Seen:
    asked: Any = {
        "model": MODEL,
        "max_tokens": 200,
        "tools": [{"name": TOOL, "input_schema": WORD}],
    }
    forced: Any = {"type": "tool", "name": TOOL}
    made = api.messages.create(messages=ASKED, tool_choice=forced, **asked)
    with api.messages.stream(messages=ASKED, tool_choice=forced, **asked) as told:
        streamed = told.get_final_message().content[0]
    use: Any = made.content[0]
    result = {"type": "tool_result", "tool_use_id": use.id, "content": RESULT}
    turns: Any = [
        {"role": "assistant", "content": made.content},
        {"role": "user", "content": [result]},
    ]
    return {
        "messages tool": [use.name, use.input, made.stop_reason],
        "messages tool stream": [streamed.name, streamed.input],
        "messages tool result": api.messages.create(messages=ASKED + turns, **asked)
        .content[0]
        .text,
    }


def gemini_tools(api: genai.Client) -> Seen:
    function = types.FunctionDeclaration(name=TOOL, parameters=WORD)
    calling = types.FunctionCallingConfig(mode="ANY", allowed_function_names=[TOOL])
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[function])],
        tool_config=types.ToolConfig(function_calling_config=calling),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    question = types.Content(role="user", parts=[types.Part(text=ASKED[0]["content"])])
    made = api.models.generate_content(model=MODEL, contents=question, config=config)
    pieces = list(api.models.generate_content_stream(model=MODEL, contents=question, config=config))
    (call,) = made.function_calls
    (streamed,) = [call for piece in pieces for call in piece.function_calls or ()]
    result = types.Part.from_function_response(name=TOOL, response=json.loads(RESULT))
    turns = [question, made.candidates[0].content, types.Content(role="user", parts=[result])]
    return {
        "gemini tool": [call.name, call.args],
        "gemini tool stream": [streamed.name, streamed.args],
        "gemini tool result": api.models.generate_content(
            model=MODEL, contents=turns, config=config
        ).text,
    }


def cached(base: str) -> Seen:
    """How much each client is told to have come from the cache, the first time and the second."""
    api, claude, google = openai_client(base), anthropic_client(base), google_client(base)
    text = "{name} " + "word " * 1100 + "What is 2 plus 2?"

    def chat() -> int:
        asked: Any = [{"role": "user", "content": text.format(name="chat")}]
        usage = api.chat.completions.create(model=MODEL, messages=asked).usage
        return int(usage.prompt_tokens_details.cached_tokens)

    def responses() -> int:
        usage = api.responses.create(model=MODEL, input=text.format(name="responses")).usage
        return int(usage.input_tokens_details.cached_tokens)

    def messages() -> int:
        marked = {"type": "ephemeral"}
        block = {"type": "text", "text": text.format(name="messages"), "cache_control": marked}
        asked: Any = [{"role": "user", "content": [block]}]
        usage = claude.messages.create(model=MODEL, max_tokens=9, messages=asked).usage
        return int(usage.cache_read_input_tokens)

    def gemini() -> int:
        asked = text.format(name="gemini")
        usage = google.models.generate_content(model=MODEL, contents=asked).usage_metadata
        return usage.cached_content_token_count or 0

    calls = (chat, responses, messages, gemini)
    return {"cached": {call.__name__: [call(), call()] for call in calls}}


def refused(base: str) -> dict[str, str]:
    """How each client names a wrong key, and a model that is not there."""
    good = (openai_client(base), anthropic_client(base), google_client(base))
    bad = tuple(make(base, "wrong") for make in (openai_client, anthropic_client, google_client))
    calls: tuple[Callable[[Any, str], Any], ...] = (
        lambda api, model: api.chat.completions.create(model=model, messages=USER),
        lambda api, model: api.messages.create(model=model, max_tokens=9, messages=USER),
        lambda api, model: api.models.generate_content(model=model, contents="hi"),
    )
    found = {}
    for number, name in enumerate(("openai", "anthropic", "gemini")):
        found[f"{name} key"] = named(lambda n=number: calls[n](bad[n], MODEL))
        found[f"{name} model"] = named(lambda n=number: calls[n](good[n], "x"))
    return found


def named(call: Callable[[], Any]) -> str:
    try:
        call()
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        return f"{type(error).__name__} {error.status_code}"
    except errors.APIError as error:
        return f"{type(error).__name__} {error.code}"
    return "no error"


def main(base: str, picture: Path, sound: Path) -> Seen:
    api = openai_client(base)
    asked = spoken(api) | plain(api, picture, sound)
    return (
        asked
        | claude(anthropic_client(base))
        | gemini(google_client(base))
        | openai_tools(api)
        | claude_tools(anthropic_client(base))
        | gemini_tools(google_client(base))
        | cached(base)
        | {"errors": refused(base)}
    )


if __name__ == "__main__":
    json.dump(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])), sys.stdout)
