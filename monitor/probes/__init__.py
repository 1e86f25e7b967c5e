"""Ask: a check -> a result. One file per kind of probe; a new kind is one file and a name here."""

from collections.abc import Mapping
from types import MappingProxyType

from monitor.probes.attempt import Attempted, attempt
from monitor.probes.chat import ChatProbe
from monitor.probes.client import Client
from monitor.probes.embeddings import EmbeddingsProbe
from monitor.probes.http import HttpProbe
from monitor.probes.models import ModelsProbe
from monitor.probes.probe import ProbeSettings

_KINDS: tuple[type[ProbeSettings], ...] = (HttpProbe, ModelsProbe, ChatProbe, EmbeddingsProbe)

PROBES: Mapping[str, type[ProbeSettings]] = MappingProxyType({kind.kind: kind for kind in _KINDS})

__all__ = ["PROBES", "Attempted", "Client", "ProbeSettings", "attempt"]
