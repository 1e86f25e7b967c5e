"""The settings of diagnosis, and the parser of a resolver: an address for plain DNS, an https:// URL for DoH."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PORT = 53
_WANT = 'want a resolver such as "https://1.1.1.1/dns-query", "9.9.9.9" or "[2620:fe::fe]:53"'


@dataclass(frozen=True, slots=True)
class Resolver:
    """Names a resolver by `url` for DNS over HTTPS (RFC 8484), else by address and port (RFC 1035)."""

    name: str
    """Shown to people: the host alone of a URL, as its path may be private."""
    address: str = ""
    port: int = _PORT
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisSettings:
    """Holds `[monitor] resolvers` and `controls`; None turns controls off, empty uses other base URLs."""

    resolvers: tuple[Resolver, ...] = ()
    controls: tuple[str, ...] | None = ()


def parse_resolver(text: str) -> Resolver:
    """Parse one setting; a plain resolver is an address, never a name. Raises ValueError."""
    if text.startswith("https://"):
        return Resolver(_host_of(text), url=text)
    address, port = _split(text)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise ValueError(f'got "{text[:80]}", {_WANT}') from None
    if not 0 < port < 65_536:
        raise ValueError(f'got "{text[:80]}", want a port from 1 to 65535')
    return Resolver(text, address=address, port=port)


def _host_of(text: str) -> str:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # the property raises
    except ValueError:
        raise ValueError(_WANT) from None
    if not parts.hostname or "@" in parts.netloc or re.search(r"[\s\x00-\x1f#]", text):
        raise ValueError(_WANT)
    return parts.netloc


def _split(text: str) -> tuple[str, int]:
    """Split `1.2.3.4:53`, `[::1]:53`, and both without a port."""
    match = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?|([^:]+)(?::(\d{1,5}))?", text)
    if match is None:  # an IPv6 address without brackets, or nonsense
        return text, _PORT
    return match[1] or match[3], int(match[2] or match[4] or _PORT)
