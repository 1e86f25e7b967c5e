"""The APIs that talk to a model: what may be asked, and the format of each answer. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from monitor.demo.api_common import CREATED, DONE, Json, bad_request, event
from monitor.demo.replies import (
    CACHED_TOKENS,
    ApiFormat,
    Reply,
    make_reply,
    question_in,
    structured,
    token_limit,
)
from monitor.demo.tool_calls import chat_tools, gemini_tools, messages_tools, responses_tools

# --- OpenAI's chat, and its older completions -----------------------------------------------------


_FINISH_REASONS = {"stop": "stop", "length": "length", "filter": "content_filter"}


def chat(body: Mapping[str, Any], rng: Random) -> Reply:
    limit = token_limit(body, "max_completion_tokens", "max_tokens")
    question = question_in(body.get("messages"))
    reply = make_reply(body.get("model"), question, limit, rng, chat_tools(dict(body)))
    form = body.get("response_format")
    return (
        structured(reply) if isinstance(form, dict) and form.get("type") == "json_schema" else reply
    )


def completion(body: Mapping[str, Any], rng: Random) -> Reply:
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise bad_request("prompt must be a text", "prompt")
    return make_reply(body.get("model"), prompt, token_limit(body, "max_tokens"), rng)


def _optional_usage(reply: Reply) -> Json:
    return {"usage": _usage(reply)} if reply.has_usage else {}


def _usage(reply: Reply) -> Json:
    return {
        "prompt_tokens": reply.tokens_in,
        "completion_tokens": reply.tokens_out,
        "total_tokens": reply.tokens_in + reply.tokens_out,
        **(
            {}
            if reply.cached is None
            else {"prompt_tokens_details": {"cached_tokens": reply.cached}}
        ),
        **(
            {"completion_tokens_details": {"reasoning_tokens": reply.reasoning}}
            if reply.reasoning
            else {}
        ),
    }


class ChatFormat(ApiFormat):
    """The format of `/v1/chat/completions`. `include_usage`: a stream ends with its usage, as `stream_options` asks."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def document(self, reply: Reply) -> Json:
        message: Json = {"role": "assistant", "content": reply.text, "refusal": None}
        if reply.tool:
            message |= {"content": None, "tool_calls": [_tool_call(reply, reply.text)]}
        choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply)}
        return {**_head(reply, "chat.completion"), "choices": [choice], **_optional_usage(reply)}

    def opening(self, reply: Reply) -> bytes:
        if reply.tool:
            calls = [{"index": 0, **_tool_call(reply, "")}]
            return self._chunk(reply, {"role": "assistant", "content": None, "tool_calls": calls})
        return self._chunk(reply, {"role": "assistant", "content": ""})

    def chunk(self, reply: Reply, number: int) -> bytes:
        piece = reply.pieces[number]
        if reply.tool:
            calls = [{"index": 0, "function": {"arguments": piece}}]
            return self._chunk(reply, {"tool_calls": calls})
        return self._chunk(reply, {"content": piece})

    def ending(self, reply: Reply) -> bytes:
        last = self._chunk(reply, {}, _finish_reason(reply)) if reply.end else b""
        if not (self._include_usage and reply.has_usage):
            return last + DONE
        head = _head(reply, "chat.completion.chunk")
        return last + event({**head, "choices": [], "usage": _usage(reply)}) + DONE

    def _chunk(self, reply: Reply, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        usage_field = {"usage": None} if self._include_usage else {}
        return event({**_head(reply, "chat.completion.chunk"), "choices": [choice], **usage_field})


def _tool_call(reply: Reply, arguments: str) -> Json:
    function = {"name": reply.tool, "arguments": arguments}
    return {"id": f"call_{reply.id}", "type": "function", "function": function}


def _finish_reason(reply: Reply) -> str | None:
    if reply.tool and reply.end == "stop":
        return "tool_calls"
    return _FINISH_REASONS.get(reply.end or "")


class CompletionFormat(ApiFormat):
    """The format of `/v1/completions`, OpenAI's older API."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def document(self, reply: Reply) -> Json:
        choice = self._choice(reply.text, reply.end)
        return {**self._head(reply), "choices": [choice], **_optional_usage(reply)}

    def chunk(self, reply: Reply, number: int) -> bytes:
        return event({**self._head(reply), "choices": [self._choice(reply.pieces[number])]})

    def ending(self, reply: Reply) -> bytes:
        last = event({**self._head(reply), "choices": [self._choice("", reply.end)]})
        usage_event = event({**self._head(reply), "choices": [], "usage": _usage(reply)})
        sends_usage = self._include_usage and reply.has_usage
        return (last if reply.end else b"") + (usage_event if sends_usage else b"") + DONE

    def _choice(self, text: str, end: str | None = None) -> Json:
        return {
            "index": 0,
            "text": text,
            "logprobs": None,
            "finish_reason": _FINISH_REASONS.get(end or ""),
        }

    def _head(self, reply: Reply) -> Json:
        return {**_head(reply, "text_completion"), "id": f"cmpl-{reply.id}"}


def _head(reply: Reply, kind: str) -> Json:
    return {"id": f"chatcmpl-{reply.id}", "object": kind, "created": CREATED, "model": reply.model}


def includes_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


# --- OpenAI's Responses: typed events, numbered from the first to the last ------------------------


_MIN_TOKENS = 16


def response(body: Mapping[str, Any], rng: Random) -> Reply:
    messages = body.get("input")
    if not isinstance(messages, str | list) or not messages:
        raise bad_request("input must be a text or a list of messages", "input")
    limit = token_limit(body, "max_output_tokens")
    if limit is not None and limit < _MIN_TOKENS:
        raise bad_request(f"max_output_tokens must be at least {_MIN_TOKENS}", "max_output_tokens")
    question = messages if isinstance(messages, str) else question_in(messages, "input")
    return make_reply(body.get("model"), question, limit, rng, responses_tools(dict(body)))


class ResponsesFormat(ApiFormat):
    """The format of `/v1/responses`. An object serves one reply, because its events are numbered."""

    def __init__(self) -> None:
        self._sequence_number = -1

    def document(self, reply: Reply) -> Json:
        status = {"length": "incomplete", "filter": "incomplete"}.get(reply.end or "", "completed")
        return self._response(
            reply, status, [self._item(reply, reply.text)] if reply.pieces else []
        )

    def opening(self, reply: Reply) -> bytes:
        response = self._response(reply, "in_progress", [])
        item = {**self._item(reply, ""), "status": "in_progress"}
        if not reply.tool:
            item["content"] = []
        events = [
            self._event("response.created", response=response),
            self._event("response.in_progress", response=response),
            self._event("response.output_item.added", output_index=0, item=item),
        ]
        if not reply.tool:
            place = self._place(reply)
            events.append(
                self._event("response.content_part.added", **place, part=_output_text(""))
            )
        return b"".join(events)

    def chunk(self, reply: Reply, number: int) -> bytes:
        delta = reply.pieces[number]
        if reply.tool:
            name = "response.function_call_arguments.delta"
            return self._event(name, item_id=f"fc_{reply.id}", output_index=0, delta=delta)
        place = self._place(reply)
        return self._event("response.output_text.delta", **place, delta=delta, logprobs=[])

    def ending(self, reply: Reply) -> bytes:
        """Return the last events; a stream that was cut upstream lacks the very last one."""
        place, item = self._place(reply), self._item(reply, reply.text)
        if reply.tool:
            name = "response.function_call_arguments.done"
            called = {"item_id": item["id"], "name": reply.tool, "arguments": reply.text}
            events = [self._event(name, output_index=0, **called)]
        else:
            events = [
                self._event("response.output_text.done", **place, text=reply.text, logprobs=[]),
                self._event("response.content_part.done", **place, part=_output_text(reply.text)),
            ]
        events.append(self._event("response.output_item.done", output_index=0, item=item))
        if reply.end is not None:
            response = self.document(reply)
            events.append(self._event(f"response.{response['status']}", response=response))
        return b"".join(events)

    def error(self, reply: Reply) -> bytes:
        error = {"code": "server_error", "message": "the model stopped"}
        failed = {**self._response(reply, "failed", []), "error": error}
        return self._event("response.failed", response=failed)

    def _event(self, name: str, /, **fields: Any) -> bytes:
        self._sequence_number += 1
        return event({"type": name, "sequence_number": self._sequence_number, **fields}, name)

    def _place(self, reply: Reply) -> Json:
        return {"item_id": f"msg_{reply.id}", "output_index": 0, "content_index": 0}

    def _item(self, reply: Reply, text: str) -> Json:
        if reply.tool:
            return {
                "id": f"fc_{reply.id}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"call_{reply.id}",
                "name": reply.tool,
                "arguments": text,
            }
        return {
            "id": f"msg_{reply.id}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [_output_text(text)],
        }

    def _response(self, reply: Reply, status: str, output: list[Json]) -> Json:
        reasons = {"length": "max_output_tokens", "filter": "content_filter"}
        is_incomplete = status == "incomplete"
        has_usage = reply.has_usage and status in {"completed", "incomplete"}
        return {
            "id": f"resp_{reply.id}",
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "error": None,
            "model": reply.model,
            "output": output,
            "instructions": None,
            "incomplete_details": {"reason": reasons[reply.end or ""]} if is_incomplete else None,
            "metadata": {},
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "temperature": 1.0,
            "top_p": 1.0,
            "usage": _responses_usage(reply) if has_usage else None,
        }


def _output_text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _responses_usage(reply: Reply) -> Json:
    details = {"cached_tokens": reply.cached, "cache_write_tokens": 0}
    return {
        "input_tokens": reply.tokens_in,
        **({} if reply.cached is None else {"input_tokens_details": details}),
        "output_tokens": reply.tokens_out,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning},
        "total_tokens": reply.tokens_in + reply.tokens_out,
    }


# --- Anthropic's messages: blocks that start and stop, usage at both ends -------------------------


_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "filter": "refusal"}


def message(body: Mapping[str, Any], rng: Random) -> Reply:
    limit = token_limit(body, "max_tokens")
    if limit is None:
        raise bad_request("max_tokens: field required", "max_tokens")
    question = question_in(body.get("messages"))
    reply = make_reply(body.get("model"), question, limit, rng, messages_tools(dict(body)))
    return reply if _marks_for_cache(body.get("messages")) else replace(reply, prefix="")


def _marks_for_cache(messages: Any) -> bool:
    """Say whether a part of the conversation is marked: this API caches nothing else."""
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    return any(isinstance(block, dict) and block.get("cache_control") for block in blocks)


class MessagesFormat(ApiFormat):
    """The format of `/v1/messages`."""

    def document(self, reply: Reply) -> Json:
        content: list[Json] = [{"type": "text", "text": reply.text}] if reply.pieces else []
        if reply.tool:
            content = [_tool_use(reply, reply.arguments)]
        usage = {"usage": _messages_usage(reply, reply.tokens_out)} if reply.has_usage else {}
        return {
            **_message_head(reply),
            "content": content,
            "stop_reason": _stop_reason(reply),
            **usage,
        }

    def opening(self, reply: Reply) -> bytes:
        usage = {"usage": _messages_usage(reply, 1)} if reply.has_usage else {}
        message = {**_message_head(reply), "content": [], "stop_reason": None, **usage}
        block = _tool_use(reply, {}) if reply.tool else {"type": "text", "text": ""}
        return (
            _typed_event("message_start", message=message)
            + _typed_event("content_block_start", index=0, content_block=block)
            + _typed_event("ping")
        )

    def chunk(self, reply: Reply, number: int) -> bytes:
        piece = reply.pieces[number]
        delta = {"type": "text_delta", "text": piece}
        if reply.tool:
            delta = {"type": "input_json_delta", "partial_json": piece}
        return _typed_event("content_block_delta", index=0, delta=delta)

    def ending(self, reply: Reply) -> bytes:
        """Return the last events; a stream that was cut upstream has no `message_stop`."""
        stopped = _typed_event("content_block_stop", index=0)
        if reply.end is None:
            return stopped
        delta = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
        usage = {"usage": {"output_tokens": reply.tokens_out}} if reply.has_usage else {}
        return (
            stopped
            + _typed_event("message_delta", delta=delta, **usage)
            + _typed_event("message_stop")
        )

    def error(self, reply: Reply) -> bytes:  # noqa: ARG002  # ApiFormat's signature
        error = {"type": "api_error", "message": "the model stopped"}
        return _typed_event("error", error=error)


def _tool_use(reply: Reply, arguments: Json) -> Json:
    return {"type": "tool_use", "id": f"toolu_{reply.id}", "name": reply.tool, "input": arguments}


def _stop_reason(reply: Reply) -> str | None:
    if reply.tool and reply.end == "stop":
        return "tool_use"
    return _STOP_REASONS.get(reply.end or "")


def _typed_event(name: str, **fields: Any) -> bytes:
    return event({"type": name, **fields}, name)


def _message_head(reply: Reply) -> Json:
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "stop_sequence": None,
    }


def _messages_usage(reply: Reply, tokens_out: int) -> Json:
    if reply.cached is None:
        return {"input_tokens": reply.tokens_in, "output_tokens": tokens_out}
    written = CACHED_TOKENS if reply.prefix and not reply.cached else 0
    return {
        "input_tokens": reply.tokens_in - reply.cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": reply.cached,
        "output_tokens": tokens_out,
    }


# --- Google's generateContent: each event a whole response, its lines ended by CRLF ---------------


_GEMINI_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}


def content(body: Mapping[str, Any], rng: Random) -> Reply:
    """Return the reply to a question; `body` holds the model of the path too."""
    config = body.get("generationConfig", {})
    if not isinstance(config, dict):
        raise bad_request("generationConfig must be an object", "generationConfig")
    limit = token_limit(config, "maxOutputTokens")
    question = question_in(body.get("contents"), "contents")
    return make_reply(body.get("model"), question, limit, rng, gemini_tools(dict(body)))


class GeminiFormat(ApiFormat):
    """The format of `generateContent` and `streamGenerateContent`."""

    def document(self, reply: Reply) -> Json:
        return self._response(reply, _part(reply, reply.text) if reply.pieces else None, reply.end)

    def chunk(self, reply: Reply, number: int) -> bytes:
        """Return one event; the last one carries the finish reason, and a tool's call, which comes whole."""
        last = number == len(reply.pieces) - 1
        if reply.tool and not last:
            return b""
        part = _part(reply, reply.pieces[number])
        return _crlf_event(self._response(reply, part, reply.end if last else None))

    def ending(self, reply: Reply) -> bytes:
        return b"" if reply.pieces else _crlf_event(self._response(reply, None, reply.end))

    def error(self, reply: Reply) -> bytes:  # noqa: ARG002  # ApiFormat's signature
        """Return the error as Google sends it: as plain JSON, not as an event."""
        return b'{\r\n  "error": {"code": 500, "message": "the model stopped", "status": "INTERNAL"}\r\n}\r\n'

    def _response(self, reply: Reply, part: Json | None, end: str | None) -> Json:
        parts = {} if part is None else {"parts": [part]}
        finish = {"finishReason": _GEMINI_REASONS[end]} if end else {}
        usage = {"usageMetadata": _gemini_usage(reply)} if reply.has_usage else {}
        return {
            "candidates": [{"content": {"role": "model", **parts}, "index": 0, **finish}],
            "modelVersion": reply.model,
            "responseId": reply.id,
            **usage,
        }


def _part(reply: Reply, text: str) -> Json:
    if reply.tool:
        call = {"name": reply.tool, "args": reply.arguments}
        return {"functionCall": call, "thoughtSignature": reply.id}
    return {"text": text}


def _crlf_event(value: Json) -> bytes:
    return event(value, end=b"\r\n")


def _gemini_usage(reply: Reply) -> Json:
    thoughts = {"thoughtsTokenCount": reply.reasoning} if reply.reasoning else {}
    cached = {"cachedContentTokenCount": reply.cached} if reply.cached else {}
    return {
        "promptTokenCount": reply.tokens_in,
        "candidatesTokenCount": len(reply.pieces),
        "totalTokenCount": reply.tokens_in + reply.tokens_out,
        **thoughts,
        **cached,
    }
