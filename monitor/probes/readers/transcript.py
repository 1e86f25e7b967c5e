"""OpenAI's transcriptions, streamed or whole."""

from monitor.model import Usage
from monitor.probes.readers.base import NO_PIECE, Piece, Reader, Table, count, string


class TokensReader(Reader):
    """Usage as the newer APIs count it: `input_tokens` and `output_tokens`."""

    def _note_usage(self, value: Table) -> None:
        usage = value.get("usage")
        if isinstance(usage, dict):
            self.usage_table = usage

    @property
    def usage(self) -> Usage | None:
        if self.usage_table is None or "input_tokens" not in self.usage_table:
            return None
        return Usage(
            tokens_in=count(self.usage_table.get("input_tokens")),
            tokens_out=count(self.usage_table.get("output_tokens")),
        )


class TranscriptReader(TokensReader):
    """Usage in tokens from the newer models, in seconds from the oldest: those count as none."""

    def _piece(self, value: Table) -> Piece:
        match value.get("type"):
            case "transcript.text.delta":
                return Piece(text=string(value.get("delta")))
            case "transcript.text.done":
                self.ended = True
                self._note_finish("done")
                self._note_usage(value)
            case None:
                self._note_usage(value)
                return Piece(text=string(value.get("text")))
            case _:
                pass  # segments repeat what the deltas said
        return NO_PIECE

    @property
    def spoke(self) -> bool:
        """What has no words is written down as nothing: the end alone is an answer."""
        return self.ended or bool(self.text)
