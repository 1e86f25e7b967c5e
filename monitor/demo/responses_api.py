"""OpenAI's Responses: typed events, numbered from the first to the last. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo import reply
from monitor.demo.events import event
from monitor.demo.models import CREATED
from monitor.demo.refusals import Json, bad_request
from monitor.demo.reply import Reply, cap_in, question_in

_LEAST = 16


def response(body: Mapping[str, Any], rng: Random) -> Reply:
    asked = body.get("input")
    if not isinstance(asked, str | list) or not asked:
        raise bad_request("input must be a text or a list of messages", "input")
    cap = cap_in(body, "max_output_tokens")
    if cap is not None and cap < _LEAST:
        raise bad_request(f"max_output_tokens must be at least {_LEAST}", "max_output_tokens")
    question = asked if isinstance(asked, str) else question_in(asked, "input")
    return reply.make(body.get("model"), question, cap, rng)


class ResponsesVoice:
    def __init__(self) -> None:
        self._number = -1

    def whole(self, said: Reply) -> Json:
        status = {"length": "incomplete", "filter": "incomplete"}.get(said.end or "", "completed")
        return self._response(said, status, [self._item(said, said.text)] if said.pieces else [])

    def opening(self, said: Reply) -> bytes:
        begun = self._response(said, "in_progress", [])
        item = {**self._item(said, ""), "status": "in_progress", "content": []}
        return b"".join((
            self._event("response.created", response=begun),
            self._event("response.in_progress", response=begun),
            self._event("response.output_item.added", output_index=0, item=item),
            self._event("response.content_part.added", **self._place(said), part=_text("")),
        ))  # fmt: skip

    def piece(self, said: Reply, number: int) -> bytes:
        delta = said.pieces[number]
        return self._event("response.output_text.delta", **self._place(said), delta=delta, logprobs=[])  # fmt: skip

    def ending(self, said: Reply) -> bytes:
        """A stream that was cut upstream ends without its last event."""
        done = b"".join((
            self._event("response.output_text.done", **self._place(said), text=said.text, logprobs=[]),
            self._event("response.content_part.done", **self._place(said), part=_text(said.text)),
            self._event("response.output_item.done", output_index=0, item=self._item(said, said.text)),
        ))  # fmt: skip
        if said.end is None:
            return done
        whole = self.whole(said)
        return done + self._event(f"response.{whole['status']}", response=whole)

    def broken(self, said: Reply) -> bytes:
        error = {"code": "server_error", "message": "the model stopped"}
        failed = {**self._response(said, "failed", []), "error": error}
        return self._event("response.failed", response=failed)

    def _event(self, name: str, **fields: Any) -> bytes:
        self._number += 1
        return event({"type": name, "sequence_number": self._number, **fields}, name)

    def _place(self, said: Reply) -> Json:
        return {"item_id": f"msg_{said.id}", "output_index": 0, "content_index": 0}

    def _item(self, said: Reply, text: str) -> Json:
        return {
            "id": f"msg_{said.id}", "type": "message", "role": "assistant", "status": "completed",
            "content": [_text(text)],
        }  # fmt: skip

    def _response(self, said: Reply, status: str, output: list[Json]) -> Json:
        reasons = {"length": "max_output_tokens", "filter": "content_filter"}
        ended = status in {"completed", "incomplete"}
        return {
            "id": f"resp_{said.id}", "object": "response", "created_at": CREATED, "status": status,
            "error": None, "model": said.model, "output": output, "instructions": None,
            "incomplete_details": {"reason": reasons[said.end or ""]} if status == "incomplete" else None,
            "metadata": {}, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
            "temperature": 1.0, "top_p": 1.0,
            "usage": _usage(said) if ended and said.counted else None,
        }  # fmt: skip


def _text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(said: Reply) -> Json:
    return {
        "input_tokens": said.tokens_in,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said.tokens_out,
        "output_tokens_details": {"reasoning_tokens": said.reasoning},
        "total_tokens": said.tokens_in + said.tokens_out,
    }
