"""A chat server that answers rightly, with the manners of real providers."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from relay import Asked, event

from monitor.demo.replies import answer

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A chat server that answers rightly; every field is one of its manners."""

    before: str = ""
    """Said before the answer."""
    deltas: tuple[dict[str, Any], ...] = ()
    """Sent before any text."""
    text: str | None = None
    cap: int | None = None
    """Characters at most: a tokenizer with a token for each."""
    usage: Any = field(default_factory=lambda: {"prompt_tokens": 20, "completion_tokens": 128})
    gap: float = 0.002
    think_s: float = 0.0
    finish: str | None = "stop"
    done: bool = True
    model: str = "model-x"
    keeps_open: bool = False

    async def __call__(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        text = self.before + (self.text or answer(prompt(asked)))
        cap = self.cap if self.cap is not None else asked.json.get("max_tokens", 10_000) * 10
        finish = "length" if len(text) > cap else self.finish
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(self.think_s)
        for delta in (*self.deltas, *({"content": piece} for piece in pieces(text[:cap]))):
            await response.write(self._chunk(delta))
            await asyncio.sleep(self.gap)
        usage = event({"choices": [], "usage": self.usage}) if self.usage is not None else b""
        end = self._chunk({}, finish) if finish else b""
        await response.write(end + usage + (DONE if self.done else b""))
        await asyncio.sleep(9 if self.keeps_open else 0)
        return response

    def _chunk(self, delta: Any, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event({"model": self.model, "choices": [choice]})


def prompt(asked: Asked) -> str:
    content = asked.json["messages"][0]["content"]
    return content if isinstance(content, str) else str(content[0]["text"])


def pieces(text: str) -> list[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)]
