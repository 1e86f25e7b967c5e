"""One hostile behaviour: a server that shows it, the check that meets it, and what we document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from every_kind import Opening, raw
from servers import Script, endless, saying

from monitor.model import FailureKind, Habit
from monitor.probes.attempt import Attempted
from monitor.probes.wire.resolver import Resolve

KEY = "canary-in-the-request"
OK = b"HTTP/1.1 200 OK\r\n"
SHORT = "700ms"
"""For rows that end by their timeout only."""
LONG = "8s"
"""For rows that must end long before it."""


@dataclass(frozen=True)
class Behaviour:
    group: str
    name: str
    opening: Opening
    wants: FailureKind | None
    """None: nothing is wrong with what a client needs, and no failure is made of it."""
    probe: str = "http"
    settings: Mapping[str, Any] = field(default_factory=lambda: {"timeout": LONG})
    habit: Habit = field(default_factory=Habit)
    resolve: Resolve | None = None
    connections: int | None = 1
    """How often the server may be asked; None where nothing counts."""


@dataclass(frozen=True)
class Felt:
    attempted: Attempted
    took_s: float
    memory_mb: float
    """How far the resident memory rose above what it was before."""
    stall_ms: float
    """The longest time in which the event loop did nothing else."""
    neighbour: Mapping[str, int]
    """How often it was which outcome."""
    elsewhere: tuple[str, ...]
    """Addresses that were connected to and that nobody had asked for."""


def behaviour(
    group: str,
    name: str,
    script: Script | bytes,
    wants: FailureKind | None,
    probe: str = "http",
    timeout: str = LONG,
    **settings: Any,
) -> Behaviour:
    script = saying(script) if isinstance(script, bytes) else script
    return Behaviour(group, name, raw(script), wants, probe, {"timeout": timeout, **settings})


def sized(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer whose framing is right."""
    more = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, more, len(body)) + body


def chunked(*chunks: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + framed


__all__ = [
    "KEY",
    "LONG",
    "OK",
    "SHORT",
    "Behaviour",
    "Felt",
    "behaviour",
    "chunked",
    "endless",
    "saying",
    "sized",
]
