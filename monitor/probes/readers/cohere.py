"""Cohere's chat, version 2."""

from monitor.model import Usage
from monitor.probes.readers.base import NO_PIECE, Piece, Reader, Table, count, string, table


class CohereReader(Reader):
    def _piece(self, value: Table) -> Piece:
        delta = table(value.get("delta"))
        match value.get("type"):
            case "content-delta":
                content = table(table(delta.get("message")).get("content"))
                return Piece(
                    text=string(content.get("text")), reasoning=string(content.get("thinking"))
                )
            case "message-end":
                self.ended = True
                self._note_finish(delta.get("finish_reason"))
                if isinstance(delta.get("usage"), dict):
                    self.usage_table = delta["usage"]
            case _:
                pass  # starts, ends and citations carry nothing that we measure
        return NO_PIECE

    @property
    def usage(self) -> Usage | None:
        """`tokens` are all that were used; `billed_units` leave out the wrapper."""
        if self.usage_table is None:
            return None
        tokens = table(self.usage_table.get("tokens"))
        return Usage(
            tokens_in=count(tokens.get("input_tokens")),
            tokens_out=count(tokens.get("output_tokens")),
        )
