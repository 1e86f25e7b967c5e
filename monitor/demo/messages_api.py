"""Anthropic's messages: blocks that start and stop, usage at both ends, no `[DONE]`. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo import reply
from monitor.demo.events import event
from monitor.demo.refusals import Json, bad_request
from monitor.demo.reply import Reply, cap_in, question_in

_ENDS = {"stop": "end_turn", "length": "max_tokens", "filter": "refusal"}


def message(body: Mapping[str, Any], rng: Random) -> Reply:
    cap = cap_in(body, "max_tokens")
    if cap is None:
        raise bad_request("max_tokens: field required", "max_tokens")
    return reply.make(body.get("model"), question_in(body.get("messages")), cap, rng)


class MessagesVoice:
    def whole(self, said: Reply) -> Json:
        content = [{"type": "text", "text": said.text}] if said.pieces else []
        counted = {"usage": _usage(said, said.tokens_out)} if said.counted else {}
        return {
            **_head(said),
            "content": content,
            "stop_reason": _ENDS.get(said.end or ""),
            **counted,
        }

    def opening(self, said: Reply) -> bytes:
        counted = {"usage": _usage(said, 1)} if said.counted else {}
        begun = {**_head(said), "content": [], "stop_reason": None, **counted}
        block = {"type": "text", "text": ""}
        return (
            _event("message_start", message=begun)
            + _event("content_block_start", index=0, content_block=block)
            + _event("ping")
        )

    def piece(self, said: Reply, number: int) -> bytes:
        delta = {"type": "text_delta", "text": said.pieces[number]}
        return _event("content_block_delta", index=0, delta=delta)

    def ending(self, said: Reply) -> bytes:
        """A stream that was cut upstream ends without saying so."""
        stopped = _event("content_block_stop", index=0)
        if said.end is None:
            return stopped
        delta = {"stop_reason": _ENDS[said.end], "stop_sequence": None}
        counted = {"usage": {"output_tokens": said.tokens_out}} if said.counted else {}
        return stopped + _event("message_delta", delta=delta, **counted) + _event("message_stop")

    def broken(self, said: Reply) -> bytes:  # noqa: ARG002
        error = {"type": "api_error", "message": "the model stopped"}
        return _event("error", error=error)


def _event(name: str, **fields: Any) -> bytes:
    return event({"type": name, **fields}, name)


def _head(said: Reply) -> Json:
    return {
        "id": f"msg_{said.id}", "type": "message", "role": "assistant", "model": said.model,
        "stop_sequence": None,
    }  # fmt: skip


def _usage(said: Reply, out: int) -> Json:
    return {"input_tokens": said.tokens_in, "output_tokens": out}
