"""OpenAI's chat and its older completions: what may be asked, and how it is answered. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo import reply
from monitor.demo.events import DONE, event
from monitor.demo.models import CREATED
from monitor.demo.refusals import Json, bad_request
from monitor.demo.reply import Reply, cap_in, question_in

_ENDS = {"stop": "stop", "length": "length", "filter": "content_filter"}


def chat(body: Mapping[str, Any], rng: Random) -> Reply:
    cap = cap_in(body, "max_completion_tokens", "max_tokens")
    return reply.make(body.get("model"), question_in(body.get("messages")), cap, rng)


def completion(body: Mapping[str, Any], rng: Random) -> Reply:
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise bad_request("prompt must be a text", "prompt")
    return reply.make(body.get("model"), prompt, cap_in(body, "max_tokens"), rng)


def usage(said: Reply) -> Json:
    return {
        "prompt_tokens": said.tokens_in,
        "completion_tokens": said.tokens_out,
        "total_tokens": said.tokens_in + said.tokens_out,
        **(
            {"completion_tokens_details": {"reasoning_tokens": said.reasoning}}
            if said.reasoning
            else {}
        ),
    }


class ChatVoice:
    """`include_usage`: the stream ends with what it used, as `stream_options` asks."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def whole(self, said: Reply) -> Json:
        message = {"role": "assistant", "content": said.text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": _ENDS.get(said.end or "")}
        counted = {"usage": usage(said)} if said.counted else {}
        return {**_head(said, "chat.completion"), "choices": [choice], **counted}

    def opening(self, said: Reply) -> bytes:
        return self._chunk(said, {"role": "assistant", "content": ""})

    def piece(self, said: Reply, number: int) -> bytes:
        return self._chunk(said, {"content": said.pieces[number]})

    def ending(self, said: Reply) -> bytes:
        last = self._chunk(said, {}, _ENDS[said.end]) if said.end else b""
        if not (self._include_usage and said.counted):
            return last + DONE
        head = _head(said, "chat.completion.chunk")
        return last + event({**head, "choices": [], "usage": usage(said)}) + DONE

    def broken(self, said: Reply) -> bytes:  # noqa: ARG002
        return event({"error": {"message": "the model stopped", "type": "upstream", "code": None}})

    def _chunk(self, said: Reply, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        counts = {"usage": None} if self._include_usage else {}
        return event({**_head(said, "chat.completion.chunk"), "choices": [choice], **counts})


class CompletionVoice:
    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def whole(self, said: Reply) -> Json:
        counted = {"usage": usage(said)} if said.counted else {}
        return {**self._head(said), "choices": [self._choice(said.text, said.end)], **counted}

    def opening(self, said: Reply) -> bytes:  # noqa: ARG002
        return b""

    def piece(self, said: Reply, number: int) -> bytes:
        return event({**self._head(said), "choices": [self._choice(said.pieces[number])]})

    def ending(self, said: Reply) -> bytes:
        last = event({**self._head(said), "choices": [self._choice("", said.end)]})
        counted = {**self._head(said), "choices": [], "usage": usage(said)}
        wanted = self._include_usage and said.counted
        return (last if said.end else b"") + (event(counted) if wanted else b"") + DONE

    def broken(self, said: Reply) -> bytes:  # noqa: ARG002
        return event({"error": {"message": "the model stopped", "type": "upstream", "code": None}})

    def _choice(self, text: str, end: str | None = None) -> Json:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": _ENDS.get(end or "")}

    def _head(self, said: Reply) -> Json:
        return {**_head(said, "text_completion"), "id": f"cmpl-{said.id}"}


def _head(said: Reply, what: str) -> Json:
    return {"id": f"chatcmpl-{said.id}", "object": what, "created": CREATED, "model": said.model}


def includes_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True
