"""IBM watsonx text generation: each event holds the next piece of one result."""

from monitor.model import Usage
from monitor.probes.readers.base import Piece, Reader, Table, count, string, tables


class WatsonxReader(Reader):
    """Counts come piece by piece: the prompt's in the first event, the answer's growing."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens_in = 0
        self._tokens_out: int | None = None

    def _piece(self, value: Table) -> Piece:
        text = ""
        for result in tables(value.get("results")):
            text += string(result.get("generated_text"))
            self._tokens_in += count(result.get("input_token_count")) or 0
            self._tokens_out = count(result.get("generated_token_count"))
            if result.get("stop_reason") != "not_finished":
                self._note_finish(result.get("stop_reason"))
        return Piece(text=text)

    @property
    def usage(self) -> Usage | None:
        if self._tokens_out is None:
            return None
        return Usage(tokens_in=self._tokens_in, tokens_out=self._tokens_out)
