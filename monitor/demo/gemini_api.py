"""Google's generateContent: each event a whole response, its lines ended by CRLF. Pure."""

from collections.abc import Mapping
from random import Random
from typing import Any

from monitor.demo import reply
from monitor.demo.events import event
from monitor.demo.refusals import Json, bad_request
from monitor.demo.reply import Reply, cap_in, question_in

_ENDS = {"stop": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}


def content(model: str, body: Mapping[str, Any], rng: Random) -> Reply:
    config = body.get("generationConfig", {})
    if not isinstance(config, dict):
        raise bad_request("generationConfig must be an object", "generationConfig")
    cap = cap_in(config, "maxOutputTokens")
    return reply.make(model, question_in(body.get("contents"), "contents"), cap, rng)


class GeminiVoice:
    def whole(self, said: Reply) -> Json:
        return self._response(said, said.text if said.pieces else None, said.end)

    def opening(self, said: Reply) -> bytes:  # noqa: ARG002
        return b""

    def piece(self, said: Reply, number: int) -> bytes:
        """The last piece says that it is the last."""
        last = number == len(said.pieces) - 1
        return _event(self._response(said, said.pieces[number], said.end if last else None))

    def ending(self, said: Reply) -> bytes:
        return b"" if said.pieces else _event(self._response(said, None, said.end))

    def broken(self, said: Reply) -> bytes:  # noqa: ARG002
        """As it comes from Google: no event at all."""
        return b'{\r\n  "error": {"code": 500, "message": "the model stopped", "status": "INTERNAL"}\r\n}\r\n'

    def _response(self, said: Reply, text: str | None, end: str | None) -> Json:
        parts = {} if text is None else {"parts": [{"text": text}]}
        finish = {"finishReason": _ENDS[end]} if end else {}
        counted = {"usageMetadata": _usage(said)} if said.counted else {}
        return {
            "candidates": [{"content": {"role": "model", **parts}, "index": 0, **finish}],
            "modelVersion": said.model,
            "responseId": said.id,
            **counted,
        }


def _event(value: Json) -> bytes:
    return event(value, end=b"\r\n")


def _usage(said: Reply) -> Json:
    thought = {"thoughtsTokenCount": said.reasoning} if said.reasoning else {}
    return {
        "promptTokenCount": said.tokens_in,
        "candidatesTokenCount": len(said.pieces),
        "totalTokenCount": said.tokens_in + said.tokens_out,
        **thought,
    }
