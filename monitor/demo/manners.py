"""How each of the six endpoints behaves when it is well, and the pages of what stands before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """`first_token_s` and `tokens_per_s` are the middle of what varies from call to call."""

    id: str
    name: str
    server: str
    first_token_s: float
    tokens_per_s: float
    cloudflare: bool = False
    headers: tuple[tuple[str, str], ...] = ()

    def heads(self, rng: Random) -> Mapping[str, str]:
        """The headers that this edge adds to every answer."""
        found = {"Server": self.server, **dict(self.headers)}
        if self.cloudflare:
            found["CF-RAY"] = f"{rng.getrandbits(64):016x}-FRA"
        return found

    def beats(self, count: int, rng: Random) -> list[float]:
        """Seconds from the request to each of `count` tokens."""
        at = self.first_token_s * rng.uniform(0.85, 1.2)
        found = []
        for _ in range(count):
            found.append(at)
            at += rng.uniform(0.6, 1.4) / self.tokens_per_s
        return found


MANNERS: tuple[Manner, ...] = (
    Manner(
        id="us-direct",
        name="US direct",
        server="uvicorn",
        first_token_s=0.18,
        tokens_per_s=84,
    ),
    Manner(
        id="cf-cdn",
        name="Cloudflare CDN",
        server="cloudflare",
        first_token_s=0.24,
        tokens_per_s=78,
        cloudflare=True,
        headers=(("CF-Cache-Status", "DYNAMIC"),),
    ),
    Manner(
        id="cf-worker",
        name="Cloudflare Worker",
        server="cloudflare",
        first_token_s=0.28,
        tokens_per_s=74,
        cloudflare=True,
    ),
    Manner(
        id="fast-cdn",
        name="Optimised CDN",
        server="Tengine",
        first_token_s=0.21,
        tokens_per_s=81,
        headers=(("Via", "edge2.l1, edge7.l2"), ("X-Cache", "MISS")),
    ),
    Manner(
        id="proxy-1",
        name="Reverse proxy 1",
        server="nginx",
        first_token_s=0.33,
        tokens_per_s=69,
        headers=(("X-Accel-Buffering", "no"),),
    ),
    Manner(
        id="proxy-2",
        name="Reverse proxy 2",
        server="nginx/1.26.2",
        first_token_s=0.40,
        tokens_per_s=64,
    ),
)


def bad_gateway_page(server: str) -> str:
    """What a reverse proxy says when the service behind it does not answer."""
    return (
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
        f"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>{server}</center>\r\n"
        "</body>\r\n</html>\r\n"
    )


def home_page(name: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Demo LLM</title>\n'
        f"<h1>Demo LLM</h1>\n<p>A simulated service, reached through: {name}.</p></html>\n"
    )
