"""Ask: a check -> a result. One file per kind of probe; a new kind is one file and a name here."""

from collections.abc import Mapping
from types import MappingProxyType

from monitor.probes.attempt import Attempted, attempt
from monitor.probes.kinds.chat import ChatProbe
from monitor.probes.kinds.completions import CompletionsProbe
from monitor.probes.kinds.embeddings import EmbeddingsProbe
from monitor.probes.kinds.gemini import GeminiProbe
from monitor.probes.kinds.http import HttpProbe
from monitor.probes.kinds.images import ImagesProbe
from monitor.probes.kinds.messages import MessagesProbe
from monitor.probes.kinds.models import ModelsProbe
from monitor.probes.kinds.moderations import ModerationsProbe
from monitor.probes.kinds.responses import ResponsesProbe
from monitor.probes.kinds.speech import SpeechProbe
from monitor.probes.kinds.tcp import TcpProbe, TlsProbe
from monitor.probes.kinds.transcriptions import TranscriptionsProbe
from monitor.probes.kinds.vision import VisionProbe
from monitor.probes.probe import ProbeSettings
from monitor.probes.wire.client import Client

_KINDS: tuple[type[ProbeSettings], ...] = (
    HttpProbe,
    TcpProbe,
    TlsProbe,
    ModelsProbe,
    ChatProbe,
    CompletionsProbe,
    ResponsesProbe,
    MessagesProbe,
    GeminiProbe,
    VisionProbe,
    EmbeddingsProbe,
    ModerationsProbe,
    ImagesProbe,
    SpeechProbe,
    TranscriptionsProbe,
)

PROBES: Mapping[str, type[ProbeSettings]] = MappingProxyType({kind.kind: kind for kind in _KINDS})

__all__ = ["PROBES", "Attempted", "Client", "ProbeSettings", "attempt"]
