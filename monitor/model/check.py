"""What is watched: services, endpoints, and checks (one endpoint x one probe)."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from monitor.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The way out to an endpoint that is not reached directly. `socks` is SOCKS5, else HTTP."""

    socks: bool
    host: str
    port: int
    login: Secret | None = None
    """`user:password`; no colon in the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One base URL of a service, without a trailing slash or `/v1`."""

    id: str
    service: str
    url: str
    name: str
    key: Secret | None = None
    ca_file: Path | None = None
    proxy: Proxy | None = None
    headers: tuple[tuple[str, Secret], ...] = ()
    cut_after: timedelta | None = None
    retired: bool = False
    """No longer probed; its history stays and is shown."""
    tags: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.service}/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    id: str
    name: str
    endpoints: tuple[Endpoint, ...]
    model: str | None = None
    multiplier: float = 1.0
    public: bool = True


@dataclass(frozen=True, slots=True)
class LatencyLimit:
    """A run slower than this is `slow`: the timing's name in `Timings`, and its limit."""

    timing: str
    limit: timedelta


class Probe(Protocol):
    """The settings of one probe of the config, as the other rooms see them."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def every(self) -> timedelta: ...
    @property
    def timeout(self) -> timedelta: ...
    @property
    def main(self) -> bool: ...
    @property
    def streams(self) -> bool:
        """Whether time to first token means anything for it."""
        ...

    @property
    def paid(self) -> bool:
        """Whether a run costs tokens, so that the budget may pause it."""
        ...

    @property
    def long(self) -> bool:
        """Whether a good answer takes so long that an edge may cut it off."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One endpoint x one probe, on a schedule. `model` is what this check asks for, if it does."""

    service: str
    endpoint: Endpoint
    probe: Probe
    model: str | None = None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.service}/{self.endpoint.id}/{self.probe.id}")


MAIN_ORDER = (
    "chat", "messages", "responses", "gemini", "completions", "embeddings",
    "moderations", "images", "speech", "transcriptions", "vision",
    "models", "http", "tls", "tcp",
)  # fmt: skip
"""Which probe kind speaks for an endpoint when none has `main = true`: the most demanding first."""


def rank(kind: str) -> int:
    """Its place in that order; kinds that are not in it come last."""
    return MAIN_ORDER.index(kind) if kind in MAIN_ORDER else len(MAIN_ORDER)
