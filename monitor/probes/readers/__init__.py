"""One reader per protocol: an event of the stream, or a whole answer -> what the model said."""

from monitor.probes.readers.base import Piece, Reader
from monitor.probes.readers.chat import ChatReader, CompletionsReader

__all__ = ["ChatReader", "CompletionsReader", "Piece", "Reader"]
