"""Anthropic's messages: blocks that start and stop, usage at both ends, no `[DONE]`. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo.api_errors import Json, bad_request
from monitor.demo.events import event
from monitor.demo.replies import Reply, make_reply, question_in, token_limit

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "filter": "refusal"}


def message(body: Mapping[str, Any], rng: Random) -> Reply:
    limit = token_limit(body, "max_tokens")
    if limit is None:
        raise bad_request("max_tokens: field required", "max_tokens")
    return make_reply(body.get("model"), question_in(body.get("messages")), limit, rng)


class MessagesFormat:
    """The format of `/v1/messages`."""

    def document(self, reply: Reply) -> Json:
        content = [{"type": "text", "text": reply.text}] if reply.pieces else []
        usage = {"usage": _usage(reply, reply.tokens_out)} if reply.has_usage else {}
        return {
            **_head(reply),
            "content": content,
            "stop_reason": _STOP_REASONS.get(reply.end or ""),
            **usage,
        }

    def opening(self, reply: Reply) -> bytes:
        usage = {"usage": _usage(reply, 1)} if reply.has_usage else {}
        message = {**_head(reply), "content": [], "stop_reason": None, **usage}
        block = {"type": "text", "text": ""}
        return (
            _event("message_start", message=message)
            + _event("content_block_start", index=0, content_block=block)
            + _event("ping")
        )

    def chunk(self, reply: Reply, number: int) -> bytes:
        delta = {"type": "text_delta", "text": reply.pieces[number]}
        return _event("content_block_delta", index=0, delta=delta)

    def ending(self, reply: Reply) -> bytes:
        """Return the last events; a stream that was cut upstream has no `message_stop`."""
        stopped = _event("content_block_stop", index=0)
        if reply.end is None:
            return stopped
        delta = {"stop_reason": _STOP_REASONS[reply.end], "stop_sequence": None}
        usage = {"usage": {"output_tokens": reply.tokens_out}} if reply.has_usage else {}
        return stopped + _event("message_delta", delta=delta, **usage) + _event("message_stop")

    def error(self, reply: Reply) -> bytes:  # noqa: ARG002  # ApiFormat's signature
        error = {"type": "api_error", "message": "the model stopped"}
        return _event("error", error=error)


def _event(name: str, **fields: Any) -> bytes:
    return event({"type": name, **fields}, name)


def _head(reply: Reply) -> Json:
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "stop_sequence": None,
    }


def _usage(reply: Reply, tokens_out: int) -> Json:
    return {"input_tokens": reply.tokens_in, "output_tokens": tokens_out}
