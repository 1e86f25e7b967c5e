"""OpenAI's chat completions and their many clones, streamed or whole; and legacy completions."""

from monitor.model import Usage
from monitor.probes.readers.base import (
    NO_PIECE,
    JsonObject,
    Piece,
    ProtocolReader,
    as_count,
    as_object,
    as_text,
    objects_in,
)


class ChatReader(ProtocolReader):
    def _piece(self, value: JsonObject) -> Piece:
        self._note_model(value.get("model"))
        self._note_usage(value)
        pieces = [self._choice(choice) for choice in objects_in(value.get("choices"))]
        return pieces[0] if len(pieces) == 1 else _joined(pieces)

    def _choice(self, choice: JsonObject) -> Piece:
        self._note_finish(choice.get("finish_reason"))
        if choice.get("finish_reason") == "error":
            self._note_error({"error": choice.get("error") or "finish_reason is error"})
        delta = choice.get("delta") or choice.get("message")
        if not isinstance(delta, dict):
            return Piece(text=as_text(choice.get("text")))
        text, thought = _content(delta.get("content"))
        return Piece(
            text=text,
            reasoning=thought or _reasoning(delta),
            tool=self._tool_calls(delta),
            refusal=as_text(delta.get("refusal")),
        )

    def _tool_calls(self, delta: JsonObject) -> str:
        calls, said = delta.get("tool_calls"), ""
        if not calls:  # nearly always, and this is asked of every piece of every stream
            return said
        for position, call in enumerate(objects_in(calls)):
            function = as_object(call.get("function"))
            index = call.get("index", position)
            said += self._note_tool(index, function.get("name"), function.get("arguments"))
        return said

    def _note_usage(self, value: JsonObject) -> None:
        usage = value.get("usage")
        if isinstance(usage, dict):
            self.usage_table = usage  # on every chunk at some providers: the last one counts
            return
        groq = as_object(value.get("x_groq")).get("usage")
        if isinstance(groq, dict) and self.usage_table is None:
            self.usage_table = groq

    @property
    def usage(self) -> Usage | None:
        if self.usage_table is None:
            return None
        asked = as_count(self.usage_table.get("prompt_tokens"))
        said = as_count(self.usage_table.get("completion_tokens"))
        total = as_count(self.usage_table.get("total_tokens"))
        if asked is not None and said is not None and asked + said + self.reasoning_tokens == total:
            said += self.reasoning_tokens  # xAI counts reasoning outside, everybody else inside
        return Usage(tokens_in=asked, tokens_out=said)

    @property
    def reasoning_tokens(self) -> int:
        details = as_object(as_object(self.usage_table).get("completion_tokens_details"))
        return as_count(details.get("reasoning_tokens")) or 0


class CompletionsReader(ChatReader):
    """`choices[].text` instead of a delta: `ChatReader` reads that already."""


def _joined(pieces: list[Piece]) -> Piece:
    if not pieces:
        return NO_PIECE
    return Piece(
        text="".join(piece.text for piece in pieces),
        reasoning="".join(piece.reasoning for piece in pieces),
        tool="".join(piece.tool for piece in pieces),
        refusal="".join(piece.refusal for piece in pieces),
    )


def _content(content: object) -> tuple[str, str]:
    """Visible text and thinking. Mistral sends a list of typed parts while it thinks."""
    if not isinstance(content, list):
        return as_text(content), ""
    text = thought = ""
    for part in objects_in(content):
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            thought += "".join(as_text(inner.get("text")) for inner in objects_in(thinking))
        elif isinstance(thinking, str):
            thought += thinking
        else:
            text += as_text(part.get("text"))
    return text, thought


def _reasoning(delta: JsonObject) -> str:
    """Under one of three names; some servers send two of them with the same words."""
    plain = as_text(delta.get("reasoning_content")) or as_text(delta.get("reasoning"))
    details = delta.get("reasoning_details")
    if plain or not details:
        return plain
    return "".join(
        as_text(part.get("text")) or as_text(part.get("summary")) for part in objects_in(details)
    )
