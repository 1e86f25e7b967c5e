"""OpenAI's chat and its older completions: what may be asked, and how it is answered. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo.api_errors import Json, bad_request
from monitor.demo.events import DONE, event
from monitor.demo.models import CREATED
from monitor.demo.replies import Reply, make_reply, question_in, token_limit

_FINISH_REASONS = {"stop": "stop", "length": "length", "filter": "content_filter"}
_STREAM_ERROR = event({"error": {"message": "the model stopped", "type": "upstream", "code": None}})


def chat(body: Mapping[str, Any], rng: Random) -> Reply:
    limit = token_limit(body, "max_completion_tokens", "max_tokens")
    return make_reply(body.get("model"), question_in(body.get("messages")), limit, rng)


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
            {"completion_tokens_details": {"reasoning_tokens": reply.reasoning}}
            if reply.reasoning
            else {}
        ),
    }


class ChatFormat:
    """The format of `/v1/chat/completions`. `include_usage`: a stream ends with its usage, as `stream_options` asks."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def document(self, reply: Reply) -> Json:
        message = {"role": "assistant", "content": reply.text, "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": _FINISH_REASONS.get(reply.end or ""),
        }
        return {**_head(reply, "chat.completion"), "choices": [choice], **_optional_usage(reply)}

    def opening(self, reply: Reply) -> bytes:
        return self._chunk(reply, {"role": "assistant", "content": ""})

    def chunk(self, reply: Reply, number: int) -> bytes:
        return self._chunk(reply, {"content": reply.pieces[number]})

    def ending(self, reply: Reply) -> bytes:
        last = self._chunk(reply, {}, _FINISH_REASONS[reply.end]) if reply.end else b""
        if not (self._include_usage and reply.has_usage):
            return last + DONE
        head = _head(reply, "chat.completion.chunk")
        return last + event({**head, "choices": [], "usage": _usage(reply)}) + DONE

    def error(self, reply: Reply) -> bytes:  # noqa: ARG002  # ApiFormat's signature
        return _STREAM_ERROR

    def _chunk(self, reply: Reply, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        usage_field = {"usage": None} if self._include_usage else {}
        return event({**_head(reply, "chat.completion.chunk"), "choices": [choice], **usage_field})


class CompletionFormat:
    """The format of `/v1/completions`, OpenAI's older API."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def document(self, reply: Reply) -> Json:
        choice = self._choice(reply.text, reply.end)
        return {**self._head(reply), "choices": [choice], **_optional_usage(reply)}

    def opening(self, reply: Reply) -> bytes:  # noqa: ARG002  # ApiFormat's signature
        return b""

    def chunk(self, reply: Reply, number: int) -> bytes:
        return event({**self._head(reply), "choices": [self._choice(reply.pieces[number])]})

    def ending(self, reply: Reply) -> bytes:
        last = event({**self._head(reply), "choices": [self._choice("", reply.end)]})
        usage_event = event({**self._head(reply), "choices": [], "usage": _usage(reply)})
        sends_usage = self._include_usage and reply.has_usage
        return (last if reply.end else b"") + (usage_event if sends_usage else b"") + DONE

    def error(self, reply: Reply) -> bytes:  # noqa: ARG002  # ApiFormat's signature
        return _STREAM_ERROR

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
