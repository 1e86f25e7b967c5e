"""Google's generateContent: each event a whole response, its lines ended by CRLF. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo.api_errors import Json, bad_request
from monitor.demo.events import event
from monitor.demo.replies import Reply, make_reply, question_in, token_limit

_FINISH_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}


def content(model: str, body: Mapping[str, Any], rng: Random) -> Reply:
    config = body.get("generationConfig", {})
    if not isinstance(config, dict):
        raise bad_request("generationConfig must be an object", "generationConfig")
    limit = token_limit(config, "maxOutputTokens")
    return make_reply(model, question_in(body.get("contents"), "contents"), limit, rng)


class GeminiFormat:
    """The format of `generateContent` and `streamGenerateContent`."""

    def document(self, reply: Reply) -> Json:
        return self._response(reply, reply.text if reply.pieces else None, reply.end)

    def opening(self, reply: Reply) -> bytes:  # noqa: ARG002  # ApiFormat's signature
        return b""

    def chunk(self, reply: Reply, number: int) -> bytes:
        """Return one event; the last one carries the finish reason."""
        last = number == len(reply.pieces) - 1
        return _event(self._response(reply, reply.pieces[number], reply.end if last else None))

    def ending(self, reply: Reply) -> bytes:
        return b"" if reply.pieces else _event(self._response(reply, None, reply.end))

    def error(self, reply: Reply) -> bytes:  # noqa: ARG002  # ApiFormat's signature
        """Return the error as Google sends it: as plain JSON, not as an event."""
        return b'{\r\n  "error": {"code": 500, "message": "the model stopped", "status": "INTERNAL"}\r\n}\r\n'

    def _response(self, reply: Reply, text: str | None, end: str | None) -> Json:
        parts = {} if text is None else {"parts": [{"text": text}]}
        finish = {"finishReason": _FINISH_REASONS[end]} if end else {}
        usage = {"usageMetadata": _usage(reply)} if reply.has_usage else {}
        return {
            "candidates": [{"content": {"role": "model", **parts}, "index": 0, **finish}],
            "modelVersion": reply.model,
            "responseId": reply.id,
            **usage,
        }


def _event(value: Json) -> bytes:
    return event(value, end=b"\r\n")


def _usage(reply: Reply) -> Json:
    thoughts = {"thoughtsTokenCount": reply.reasoning} if reply.reasoning else {}
    return {
        "promptTokenCount": reply.tokens_in,
        "candidatesTokenCount": len(reply.pieces),
        "totalTokenCount": reply.tokens_in + reply.tokens_out,
        **thoughts,
    }
