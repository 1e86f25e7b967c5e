"""The six simulated endpoints and the places that they are seen from, how each is when it is well, and their addresses."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedEndpoint:
    """An endpoint's look and pace; `first_token_s` and `tokens_per_s` vary around these values."""

    id: str
    name: str
    server: str
    first_token_s: float
    tokens_per_s: float
    cloudflare: bool = False
    headers: tuple[tuple[str, str], ...] = ()

    def response_headers(self, rng: Random) -> Mapping[str, str]:
        """Return the headers that its edge adds to every answer."""
        headers = {"Server": self.server, **dict(self.headers)}
        if self.cloudflare:
            headers["CF-RAY"] = f"{rng.getrandbits(64):016x}-FRA"
        return headers

    def token_times(self, count: int, rng: Random) -> list[float]:
        """Return the seconds from the request to each of `count` tokens."""
        at = self.first_token_s * rng.uniform(0.85, 1.2)
        times = []
        for _ in range(count):
            times.append(at)
            at += rng.uniform(0.6, 1.4) / self.tokens_per_s
        return times


ENDPOINTS: tuple[SimulatedEndpoint, ...] = (
    SimulatedEndpoint(
        id="us-direct",
        name="US direct",
        server="uvicorn",
        first_token_s=0.18,
        tokens_per_s=84,
    ),
    SimulatedEndpoint(
        id="cf-cdn",
        name="Cloudflare CDN",
        server="cloudflare",
        first_token_s=0.24,
        tokens_per_s=78,
        cloudflare=True,
        headers=(("CF-Cache-Status", "DYNAMIC"),),
    ),
    SimulatedEndpoint(
        id="cf-worker",
        name="Cloudflare Worker",
        server="cloudflare",
        first_token_s=0.28,
        tokens_per_s=74,
        cloudflare=True,
    ),
    SimulatedEndpoint(
        id="fast-cdn",
        name="Optimised CDN",
        server="Tengine",
        first_token_s=0.21,
        tokens_per_s=81,
        headers=(("Via", "edge2.l1, edge7.l2"), ("X-Cache", "MISS")),
    ),
    SimulatedEndpoint(
        id="proxy-1",
        name="Reverse proxy 1",
        server="nginx",
        first_token_s=0.33,
        tokens_per_s=69,
        headers=(("X-Accel-Buffering", "no"),),
    ),
    SimulatedEndpoint(
        id="proxy-2",
        name="Reverse proxy 2",
        server="nginx/1.26.2",
        first_token_s=0.40,
        tokens_per_s=64,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPlace:
    """A place that the service is seen from; each has ports of its own, so that the service can tell them apart."""

    id: str
    name: str
    chinese: str
    further_s: Mapping[str, float] = field(default_factory=dict)
    """By endpoint: so many seconds later comes a first token here."""


HUB = SimulatedPlace(id="fra", name="Frankfurt", chinese="法兰克福")
SHANGHAI = SimulatedPlace(
    id="cn",
    name="Shanghai",
    chinese="上海",
    further_s={
        "us-direct": 0.27,
        "cf-cdn": 0.31,
        "cf-worker": 0.33,
        "fast-cdn": 0.04,
        "proxy-1": 0.12,
        "proxy-2": 0.10,
    },
)
HONG_KONG = SimulatedPlace(
    id="hk",
    name="Hong Kong",
    chinese="香港",
    further_s={
        "us-direct": 0.21,
        "cf-cdn": 0.03,
        "cf-worker": 0.04,
        "fast-cdn": 0.12,
        "proxy-1": 0.15,
        "proxy-2": 0.02,
    },
)
PLACES = (HUB, SHANGHAI, HONG_KONG)


CA_FILE = "ca.pem"
READY_FILE = "service.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The content of `service.json`. `key` is made up at the start and worth nothing."""

    by_place: dict[str, dict[str, str]]
    """Place -> endpoint -> base URL, with an address for a host."""
    name_servers: dict[str, int]
    """Place -> port of the DNS server that it asks."""
    resolver: str
    """Address and port of a DNS server that never gives a false address."""
    channel: str
    key: str

    @property
    def endpoints(self) -> dict[str, str]:
        """Return the base URLs of the hub's place, by endpoint."""
        return self.by_place[HUB.id]

    def write(self, path: Path) -> None:
        """Write the file atomically: a reader sees all of it or none."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Addresses":
        return cls(**json.loads(path.read_text(encoding="utf-8")))
