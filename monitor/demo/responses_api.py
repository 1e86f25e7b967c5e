"""OpenAI's Responses: typed events, numbered from the first to the last. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo.api_errors import Json, bad_request
from monitor.demo.events import event
from monitor.demo.models import CREATED
from monitor.demo.replies import Reply, make_reply, question_in, token_limit

_MIN_TOKENS = 16


def response(body: Mapping[str, Any], rng: Random) -> Reply:
    messages = body.get("input")
    if not isinstance(messages, str | list) or not messages:
        raise bad_request("input must be a text or a list of messages", "input")
    limit = token_limit(body, "max_output_tokens")
    if limit is not None and limit < _MIN_TOKENS:
        raise bad_request(f"max_output_tokens must be at least {_MIN_TOKENS}", "max_output_tokens")
    question = messages if isinstance(messages, str) else question_in(messages, "input")
    return make_reply(body.get("model"), question, limit, rng)


class ResponsesFormat:
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
        item = {**self._item(reply, ""), "status": "in_progress", "content": []}
        events = (
            self._event("response.created", response=response),
            self._event("response.in_progress", response=response),
            self._event("response.output_item.added", output_index=0, item=item),
            self._event("response.content_part.added", **self._place(reply), part=_text("")),
        )
        return b"".join(events)

    def chunk(self, reply: Reply, number: int) -> bytes:
        delta = reply.pieces[number]
        place = self._place(reply)
        return self._event("response.output_text.delta", **place, delta=delta, logprobs=[])

    def ending(self, reply: Reply) -> bytes:
        """Return the last events; a stream that was cut upstream lacks the very last one."""
        place, item = self._place(reply), self._item(reply, reply.text)
        events = [
            self._event("response.output_text.done", **place, text=reply.text, logprobs=[]),
            self._event("response.content_part.done", **place, part=_text(reply.text)),
            self._event("response.output_item.done", output_index=0, item=item),
        ]
        if reply.end is not None:
            response = self.document(reply)
            events.append(self._event(f"response.{response['status']}", response=response))
        return b"".join(events)

    def error(self, reply: Reply) -> bytes:
        error = {"code": "server_error", "message": "the model stopped"}
        failed = {**self._response(reply, "failed", []), "error": error}
        return self._event("response.failed", response=failed)

    def _event(self, name: str, **fields: Any) -> bytes:
        self._sequence_number += 1
        return event({"type": name, "sequence_number": self._sequence_number, **fields}, name)

    def _place(self, reply: Reply) -> Json:
        return {"item_id": f"msg_{reply.id}", "output_index": 0, "content_index": 0}

    def _item(self, reply: Reply, text: str) -> Json:
        return {
            "id": f"msg_{reply.id}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [_text(text)],
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
            "usage": _usage(reply) if has_usage else None,
        }


def _text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(reply: Reply) -> Json:
    return {
        "input_tokens": reply.tokens_in,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": reply.tokens_out,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning},
        "total_tokens": reply.tokens_in + reply.tokens_out,
    }
