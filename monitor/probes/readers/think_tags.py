"""Thoughts that a server leaves in the text: `<think>…</think>` before what the model says."""

_BEGIN = "<think>"
_END = "</think>"


class ThinkTagSplitter:
    """Parts text that comes in pieces; only at its very beginning can it begin to think."""

    def __init__(self) -> None:
        self.held = ""
        """May yet turn out to be the mark, or text."""
        self._thinks: bool | None = None

    @property
    def inside(self) -> bool:
        return self._thinks is True

    def part(self, text: str) -> tuple[str, str]:
        """What is said, and what is thought."""
        if self._thinks is None:
            return self._first(self.held + text)
        return self._inside(text) if self._thinks else (text, "")

    def _first(self, text: str) -> tuple[str, str]:
        head = text.lstrip()
        if not head:
            return text, ""
        if len(head) < len(_BEGIN) and _BEGIN.startswith(head):
            self.held = text
            return "", ""
        self.held, self._thinks = "", head.startswith(_BEGIN)
        return self._inside(head.removeprefix(_BEGIN)) if self._thinks else (text, "")

    def _inside(self, text: str) -> tuple[str, str]:
        thought, mark, said = (self.held + text).partition(_END)
        if mark:
            self.held, self._thinks = "", False
            return said.lstrip(), thought
        kept = len(thought) - _begun(thought)
        self.held = thought[kept:]
        return "", thought[:kept]


def _begun(thought: str) -> int:
    """How much of the end's mark stands at the end already: no more is held back, it is a first token."""
    sizes = range(len(_END) - 1, 0, -1)
    return next((size for size in sizes if thought.endswith(_END[:size])), 0)


def split_unopened(text: str) -> tuple[str, str]:
    """The same of a whole text whose beginning mark the server's template swallowed."""
    thought, mark, said = text.partition(_END)
    return (said.lstrip(), thought) if mark else (text, "")
