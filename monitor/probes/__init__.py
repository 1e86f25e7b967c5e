"""Ask: a check -> a result. One file per kind of probe; a new kind is one file and a name here."""

from collections.abc import Mapping
from types import MappingProxyType

from monitor.probes.attempt import Attempted, attempt
from monitor.probes.chat import ChatProbe
from monitor.probes.client import Client
from monitor.probes.completions import CompletionsProbe
from monitor.probes.embeddings import EmbeddingsProbe
from monitor.probes.gemini import GeminiProbe
from monitor.probes.http import HttpProbe
from monitor.probes.images import ImagesProbe
from monitor.probes.messages import MessagesProbe
from monitor.probes.models import ModelsProbe
from monitor.probes.moderations import ModerationsProbe
from monitor.probes.probe import ProbeSettings
from monitor.probes.responses import ResponsesProbe
from monitor.probes.speech import SpeechProbe
from monitor.probes.tcp import TcpProbe
from monitor.probes.tls import TlsProbe
from monitor.probes.transcriptions import TranscriptionsProbe
from monitor.probes.vision import VisionProbe

_KINDS: tuple[type[ProbeSettings], ...] = (
    HttpProbe, TcpProbe, TlsProbe, ModelsProbe, ChatProbe, CompletionsProbe, ResponsesProbe,
    MessagesProbe, GeminiProbe, VisionProbe, EmbeddingsProbe, ModerationsProbe, ImagesProbe,
    SpeechProbe, TranscriptionsProbe,
)  # fmt: skip

PROBES: Mapping[str, type[ProbeSettings]] = MappingProxyType({kind.kind: kind for kind in _KINDS})

__all__ = ["PROBES", "Attempted", "Client", "ProbeSettings", "attempt"]
