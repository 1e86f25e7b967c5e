"""One reader per protocol: an event of the stream, or a whole answer -> what the model said."""

from monitor.probes.readers.anthropic import AnthropicReader
from monitor.probes.readers.base import Piece, Reader
from monitor.probes.readers.chat import ChatReader, CompletionsReader
from monitor.probes.readers.cohere import CohereReader
from monitor.probes.readers.gemini import GeminiReader
from monitor.probes.readers.media import ImageReader, MediaReader, SpeechReader
from monitor.probes.readers.responses import ResponsesReader
from monitor.probes.readers.transcript import TranscriptReader
from monitor.probes.readers.watsonx import WatsonxReader

__all__ = [
    "AnthropicReader",
    "ChatReader",
    "CohereReader",
    "CompletionsReader",
    "GeminiReader",
    "ImageReader",
    "MediaReader",
    "Piece",
    "Reader",
    "ResponsesReader",
    "SpeechReader",
    "TranscriptReader",
    "WatsonxReader",
]
