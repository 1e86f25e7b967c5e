"""Thoughts that a server leaves in the text: `<think>…</think>` before what the model says."""

import re

MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<thoughts>": "</thoughts>",
    "<reasoning>": "</reasoning>",
    "<reason>": "</reason>",
    "<reflection>": "</reflection>",
    "<scratchpad>": "</scratchpad>",
    "<analysis>": "</analysis>",
    "<seed:think>": "</seed:think>",
    "<mm:think>": "</mm:think>",
    "<longcat_think>": "</longcat_think>",
    '<details type="reasoning"': "</details>",
    "[unused16]": "[unused17]",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|think|>": "<|/think|>",
    "<|thinking|>": "<|/thinking|>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<|channel>thought": "<channel|>",
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",
}
"""How models begin their thoughts, in lower case -> how they end them. From the chat templates of
DeepSeek, Qwen, GLM, Gemini, Nova, Seed, MiniMax, LongCat, Mistral, Kimi, OpenThinker, Command, openPangu, Apertus, Gemma and gpt-oss,
and as Open WebUI writes them.
"""
_MAY_END = re.compile(f"[{re.escape(''.join({end[0] for end in MARKS.values()}))}]")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
"""ASCII alone: no text becomes longer."""


class ThinkTagSplitter:
    """Parts text that comes in pieces into what is visible and what is thought.

    A model begins to think only before its first word, or right after other thoughts.
    """

    def __init__(self) -> None:
        self.held = ""
        """Text that may yet turn out to be a mark."""
        self._end = ""
        """What ends the present thoughts; empty outside of them."""
        self._may_begin = True
        self.has_ended = False

    @property
    def inside(self) -> bool:
        return bool(self._end)

    def part(self, text: str) -> tuple[str, str]:
        """Return what of the next piece is visible, and what is thought."""
        if not (self._end or self._may_begin):
            return text, ""
        visible, thought = "", ""
        text, self.held = self.held + text, ""
        while text and (self._end or self._may_begin):
            if self._end:
                more, text = self._take_thought(text)
                thought += more
                continue
            head = text.lstrip()
            begin = next((mark for mark in MARKS if head.translate(_LOWER).startswith(mark)), None)
            if begin is not None:
                self._end, text = MARKS[begin], head[len(begin) :]
            elif _may_become_mark(head):
                self.held, text = text, ""
            elif head:
                self._may_begin = False
                visible = head if self.has_ended else text
                text = ""
            else:
                visible, text = ("" if self.has_ended else text), ""
        return visible, thought

    def _take_thought(self, text: str) -> tuple[str, str]:
        """Return the thoughts in a text, and what follows their end."""
        at = text.translate(_LOWER).find(self._end)
        if at >= 0:
            rest = text[at + len(self._end) :]
            self._end, self.has_ended = "", True
            return text[:at], rest
        kept = len(text) - _begun(text.translate(_LOWER), self._end)
        self.held = text[kept:]
        return text[:kept], ""


def _may_become_mark(head: str) -> bool:
    return bool(head) and any(mark.startswith(head.translate(_LOWER)) for mark in MARKS)


def _begun(thought: str, end: str) -> int:
    """Return how much of the end's mark stands at the end: no more is held back, it is a first token."""
    sizes = range(len(end) - 1, 0, -1)
    return next((size for size in sizes if thought.endswith(end[:size])), 0)


def split_unopened(text: str) -> tuple[str, str]:
    """Part a whole text whose beginning mark the server's template swallowed."""
    if _MAY_END.search(text) is None:
        return text, ""
    low = text.translate(_LOWER)
    ends = [(at, end) for end in MARKS.values() if (at := low.find(end)) >= 0]
    if not ends or any(mark in low[: min(ends)[0]] for mark in MARKS):
        return text, ""
    at, end = min(ends)
    return text[at + len(end) :].lstrip(), text[:at]
