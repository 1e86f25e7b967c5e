"""Reads Gemini's generateContent: each event is a whole response with a part of the text."""

from monitor.model import Usage
from monitor.probes.readers.base import (
    JsonObject,
    Piece,
    ProtocolReader,
    as_count,
    as_json,
    as_object,
    as_text,
    objects_in,
)


class GeminiReader(ProtocolReader):
    """Knows no `[DONE]`: the end is a finish reason, and then the end of the stream."""

    def _piece(self, value: JsonObject) -> Piece:
        self._note_model(value.get("modelVersion"))
        if isinstance(value.get("usageMetadata"), dict):
            self.usage_table = value["usageMetadata"]
        self._note_finish(as_object(value.get("promptFeedback")).get("blockReason"))
        self.refused = self.refused or "blockReason" in as_object(value.get("promptFeedback"))
        text = thought = tool = ""
        for candidate in objects_in(value.get("candidates")):
            self._note_finish(candidate.get("finishReason"))
            for part in objects_in(as_object(candidate.get("content")).get("parts")):
                words = as_text(part.get("text"))
                text += "" if part.get("thought") else words
                thought += words if part.get("thought") else ""
                tool += self._call(part)
        return Piece(text=text, reasoning=thought, tool=tool)

    def _call(self, part: JsonObject) -> str:
        call = part.get("functionCall")
        if not isinstance(call, dict):
            return ""
        index = len(self.tools)
        news = self._note_tool(index, call.get("name"), as_json(call.get("args")), call.get("id"))
        if isinstance(part.get("thoughtSignature"), str):
            self._tool(index).beside = {"thoughtSignature": part["thoughtSignature"]}
        return news

    @property
    def usage(self) -> Usage | None:
        if self.usage_table is None:
            return None
        tokens_in = as_count(self.usage_table.get("promptTokenCount"))
        visible = as_count(self.usage_table.get("candidatesTokenCount"))
        if visible is None and not self.reasoning_tokens:
            return Usage(tokens_in=tokens_in)
        return Usage(tokens_in=tokens_in, tokens_out=(visible or 0) + self.reasoning_tokens)

    @property
    def reasoning_tokens(self) -> int:
        return as_count(as_object(self.usage_table).get("thoughtsTokenCount")) or 0

    @property
    def cached_tokens(self) -> int | None:
        """Google leaves the count out where nothing came from a cache."""
        if self.usage_table is None:
            return None
        return as_count(self.usage_table.get("cachedContentTokenCount", 0))
