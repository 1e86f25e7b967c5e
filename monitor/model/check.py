"""Services, endpoints, and checks (one endpoint x one probe): what is watched."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from monitor.model.failure import FailureKind
from monitor.model.secret import Secret

_VERSION = re.compile(r"v\d+(?:\.\d+)*(?:[a-z]+\d*)?(?:-openai)?", re.IGNORECASE)
"""A segment of a path that names an API's version: `v1`, `v4`, `v1beta`, `v2.1`, GPUStack's `v1-openai`."""
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
MESSAGE_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "accept-encoding",
        "te",
        "trailer",
        "upgrade",
    }
)
"""Headers that say how a message is sent: another value breaks the request, or sends it elsewhere."""


def names_version(path: str) -> bool:
    """Say whether a segment of a path is the version of an API."""
    return any(map(_VERSION.fullmatch, path.split("/")))


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
    """One base URL of a service, without a trailing slash; `/v1` is left out where it is the only version.

    A field with a `help` is a key of its table, as in `monitor.model.settings`.
    """

    id: str
    service: str
    url: str = field(
        metadata={
            "help": "the base URL, with or without a trailing /v1; a # at its end: as it stands"
        }
    )
    name: str = field(metadata={"help": "shown instead of the id"})
    key: Secret | None = field(default=None, metadata={"help": '"${NAME}" or "file:PATH"'})
    ca_file: Path | None = field(
        default=None, metadata={"help": "trust this CA instead of the system's"}
    )
    proxy: Proxy | None = field(
        default=None,
        metadata={"help": "the way out: http://HOST:PORT or socks5://HOST:PORT"},
    )
    headers: tuple[tuple[str, Secret], ...] = field(
        default=(), metadata={"help": "sent with every request"}
    )
    cut_after: timedelta | None = field(
        default=None, metadata={"help": "this edge is known to cut longer calls"}
    )
    retired: bool = field(default=False, metadata={"help": "not probed any more; history stays"})
    tags: tuple[str, ...] = field(default=(), metadata={"help": "shown beside its name"})
    is_complete: bool = False
    """The operator ended `url` with `#`: nothing is put between it and the path of a call."""

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
    """The settings of one probe of the config, as the other packages see them."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def title(self) -> str:
        """Return the kind's name on the page, in English."""
        ...

    @property
    def main_rank(self) -> int:
        """Return the rank: the probe of lowest rank speaks for an endpoint where none has `main = true`."""
        ...

    @property
    def broken_by(self) -> frozenset[FailureKind]:
        """Return the failures by which the promise is broken that it tests; empty where it tests none."""
        ...

    @property
    def every(self) -> timedelta: ...
    @property
    def timeout(self) -> timedelta: ...
    @property
    def main(self) -> bool: ...
    @property
    def streams(self) -> bool:
        """Say whether time to first token means anything for it."""
        ...

    @property
    def hub_only(self) -> bool:
        """Say whether the hub alone asks, and no agent."""
        ...

    @property
    def shown(self) -> bool:
        """Say whether the page shows such a check."""
        ...

    @property
    def paid(self) -> bool:
        """Say whether a run costs tokens, so that the budget may pause it."""
        ...

    @property
    def long(self) -> bool:
        """Say whether a good answer takes so long that an edge may cut it off."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One endpoint x one probe, on a schedule. `model` is what this check asks for, if it does."""

    service: str
    endpoint: Endpoint
    probe: Probe
    model: str | None = None
    asked_models: frozenset[str] = frozenset()
    """The models that other checks of this endpoint ask a question."""
    turns: tuple[str, ...] = ()
    """The vantages that run it in turn, the hub's first, because a run costs money; none where each runs it."""
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.service}/{self.endpoint.id}/{self.probe.id}")

    @property
    def every(self) -> timedelta:
        """Return how often one vantage runs it."""
        return self.probe.every * max(len(self.turns), 1)
