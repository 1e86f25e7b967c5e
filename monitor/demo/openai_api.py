"""The shapes of an OpenAI-compatible API: what may be asked, and the JSON that is answered. Pure."""

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from monitor.demo.answers import answer, pieces, tokens_in

CHAT_MODEL = "demo-mini"
EMBEDDING_MODEL = "demo-embedding"
MODELS = (CHAT_MODEL, "demo-large", EMBEDDING_MODEL)
DIMENSIONS = 64
_MOST_DIMENSIONS = 1024
_CREATED = 1_760_000_000
Json = dict[str, Any]


class RefusedError(Exception):
    """The request is answered with an error of this status and body."""

    def __init__(self, status: int, message: str, *, kind: str, code: str, param: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {
            "error": {"message": message, "type": kind, "param": param or None, "code": code}
        }


def bad_request(message: str, param: str) -> RefusedError:
    return RefusedError(
        400, message, kind="invalid_request_error", code="invalid_value", param=param
    )


def wrong_key() -> RefusedError:
    return RefusedError(
        401,
        "Incorrect API key provided. Check your key and your balance.",
        kind="invalid_request_error",
        code="invalid_api_key",
    )


def _known_model(asked: Any, models: Sequence[str]) -> str:
    if not isinstance(asked, str) or not asked:
        raise bad_request("you must provide a model parameter", "model")
    if asked not in models:
        raise RefusedError(
            404,
            f"The model `{asked[:80]}` does not exist or you do not have access to it.",
            kind="invalid_request_error",
            code="model_not_found",
            param="model",
        )
    return asked


def model_list() -> Json:
    data = [
        {"id": name, "object": "model", "created": _CREATED, "owned_by": "demo"} for name in MODELS
    ]
    return {"object": "list", "data": data}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One chat answer, before it is sent whole or in pieces."""

    id: str
    model: str
    pieces: tuple[str, ...]
    finish_reason: str
    prompt_tokens: int
    stream: bool
    include_usage: bool

    @property
    def usage(self) -> Json:
        out = len(self.pieces)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": out,
            "total_tokens": self.prompt_tokens + out,
        }

    def whole(self) -> Json:
        message = {"role": "assistant", "content": "".join(self.pieces), "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        head = self._head("chat.completion")
        return {**head, "choices": [choice], "usage": self.usage}

    def opening(self) -> Json:
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, number: int) -> Json:
        return self._chunk({"content": self.pieces[number]})

    def ending(self) -> tuple[Json, ...]:
        last = self._chunk({}, self.finish_reason)
        if not self.include_usage:
            return (last,)
        return (last, {**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage})

    def _chunk(self, delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        usage = {"usage": None} if self.include_usage else {}
        return {**self._head("chat.completion.chunk"), "choices": [choice], **usage}

    def _head(self, what: str) -> Json:
        return {"id": self.id, "object": what, "created": _CREATED, "model": self.model}


def reply_to(body: Mapping[str, Any], rng: Random) -> Reply:
    """Raises RefusedError for what an honest server would refuse."""
    model = _known_model(body.get("model"), [name for name in MODELS if name != EMBEDDING_MODEL])
    question = _question(body.get("messages"))
    said = pieces(answer(question))
    cap = _cap(body)
    options = body.get("stream_options")
    return Reply(
        id=f"chatcmpl-{rng.getrandbits(96):024x}",
        model=model,
        pieces=said[:cap],
        finish_reason="stop" if cap is None or len(said) <= cap else "length",
        prompt_tokens=tokens_in(question),
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _question(messages: Any) -> str:
    """The last thing that the user said."""
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages must be a list that is not empty", "messages")
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    raise bad_request("no message has the role user", "messages")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str))


def _cap(body: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        cap = body.get(name)
        if cap is None:
            continue
        if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
            raise bad_request(f"{name} must be a whole number of at least 1", name)
        return cap
    return None


def embeddings_of(body: Mapping[str, Any]) -> Json:
    """The same text always has the same vector, of length 1. Raises RefusedError."""
    model = _known_model(body.get("model"), (EMBEDDING_MODEL,))
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise bad_request("input must be a text or a list of texts", "input")
    size = body.get("dimensions", DIMENSIONS)
    if not isinstance(size, int) or not 1 <= size <= _MOST_DIMENSIONS:
        raise bad_request(f"dimensions must be from 1 to {_MOST_DIMENSIONS}", "dimensions")
    as_base64 = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(text, size, as_base64)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(max(1, len(text) // 4) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _vector(text: str, size: int, as_base64: bool) -> list[float] | str:  # noqa: FBT001
    dice = Random(text)  # noqa: S311  # a vector, not a secret
    raw = [dice.gauss(0, 1) for _ in range(size)]
    length = math.hypot(*raw)
    unit = [number / length for number in raw]
    return base64.b64encode(struct.pack(f"<{size}f", *unit)).decode() if as_base64 else unit
