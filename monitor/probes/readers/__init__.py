"""One reader for each protocol: it turns events of a stream, or a whole answer, into what the model said."""

from monitor.probes.readers.anthropic import AnthropicReader
from monitor.probes.readers.base import Piece, ProtocolReader
from monitor.probes.readers.chat import ChatReader
from monitor.probes.readers.gemini import GeminiReader
from monitor.probes.readers.media import ImageReader, MediaReader, SpeechReader, TranscriptReader
from monitor.probes.readers.responses import ResponsesReader
