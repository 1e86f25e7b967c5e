"""Addresses and proxies as they stand in monitor.toml: read, or refused with what is wanted instead.

What may be secret of one is never quoted.
"""

import re
import unicodedata
from difflib import get_close_matches
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from yarl import URL

from monitor.diagnosis import parse_resolver
from monitor.model import Proxy, Secret
from monitor.model.check import names_version
from monitor.model.errors import how_to_install

_HTTP = ("http", "https")
_LONGEST_LABEL = 63
"""Letters between two dots of a name (RFC 1035)."""
_HOST_NAME = re.compile(r"[\w.-]+")
_CALL = re.compile(
    r"(?P<base>.*?/v\d+(?:[a-z]+\d*)?|.*?)(?:/chat/completions|(?<=\d)/(?:completions|responses|messages|embeddings"
    r"|moderations|rerank|models|images/[a-z]+|audio/[a-z]+)|/models/[^/]+:(?:stream)?[gG]enerateContent)/?"
)
"""The address of one call. `/completions` and the like are that only behind a version: a site may have such a page."""


def _address(text: str) -> SplitResult:
    """Split an http(s) address that has no spaces, user, query or fragment. Raises ValueError."""
    if character := odd_character(text.replace(" ", "")):
        raise ValueError(f"has {character} in it; type the address anew")
    _check_scheme(text)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("want an address such as https://api.example.com") from None
    try:
        parts.port  # noqa: B018  # the property raises
    except ValueError:
        if parts.netloc.count(":") > 1 and "]" not in parts.netloc:
            raise ValueError("has an IPv6 address without [], want http://[2001:db8::1]") from None
        raise ValueError(f'got "{_hidden(text)}", want a port from 1 to 65535') from None
    if not parts.hostname or re.search(r"\s", text):
        raise ValueError(f'got "{_hidden(text)}", want one address such as https://api.example.com')
    if "@" in parts.netloc:
        raise ValueError("want no user or password in the address; put the key in `key`")
    if "?" in text or "#" in text:
        raise ValueError(f'got "{_hidden(text)}", want an address without "?" or "#"')
    if not all(0 < len(label) <= _LONGEST_LABEL for label in _ascii(parts.hostname).split(".")):
        raise ValueError(f'got "{_hidden(text)}", want the name of a host in it')
    return parts


def _check_scheme(text: str) -> None:
    scheme, sign, rest = text.partition("://")
    if not sign and re.fullmatch(r"[\w-]+(\.[\w-]+)+(:\d+)?(/.*)?|localhost(:\d+)?(/.*)?", text):
        host = _hidden(text)
        raise ValueError(f'got "{host}", want https:// (or http://) before it: "https://{host}"')
    if not sign:
        if typo := re.match(r"(https?)(?::/?|//)(?=\w)", text, re.IGNORECASE):
            right = f"{typo[1]}://{text[typo.end() :]}"
            raise ValueError(f'wants a scheme with "://", such as "{_hidden(right)}"')
        want = "want an address that begins with https:// or http://"
        raise ValueError(f'got "{_hidden(text)}", {want}')
    if scheme.lower() not in _HTTP:
        near = get_close_matches(scheme.lower(), _HTTP, n=1, cutoff=0.7)
        hint = f'; did you mean "{near[0]}://"?' if near else ""
        raise ValueError(f'got the scheme "{scheme[:20]}://", want https:// or http://{hint}')
    if re.match(r"https?:/", rest, re.IGNORECASE):
        raise ValueError(f'begins with a scheme twice; want it once, such as "{_hidden(rest)}"')
    half = len(text) // 2
    if text[:half] == text[half:]:
        raise ValueError(f'is the same address twice; want "{_hidden(text[:half])}" once')
    if re.search(r"[\s,;|]+https?://", text):
        raise ValueError("holds several addresses, want one; each base URL gets an id of its own")


def odd_character(text: str) -> str | None:
    """Name the first character that cannot be seen: a control, a zero-width one, an odd space."""
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn", "Cs", "Zs", "Zl", "Zp"}:
            return f"an invisible character (U+{ord(character):04X})"
    return None


def _hidden(text: str) -> str:
    """Return scheme and host: a path, a query or a user may be secret."""
    scheme, sign, rest = text.rpartition("://") if text.count("://") == 1 else ("", "", text)
    return f"{scheme}{sign}{re.split(r'[/?#]', rest)[0].rsplit('@', 1)[-1]}"[:80]


def _ascii(host: str) -> str:
    """Return a host's name as all probes ask for it: in IDNA 2008, as browsers do, and without a final dot."""
    host = host.removesuffix(".")
    if host.isascii():
        return host
    try:
        return URL.build(scheme="http", host=host).raw_host or ""
    except ValueError:
        return ""


def _base_url(text: str) -> str:
    """Return a base URL without a trailing slash, `#` or `/v1`: with or without `/v1` it is the same.

    Where the path names another version, `/v1` stays, if it has one. Of the address of a call its base
    URL is returned; `base_url_mistake` says so.
    """
    text = _base_of_call(text.strip()) or text.strip()
    parts = _address(text.removesuffix("#"))
    host, ascii_host = parts.hostname or "", _ascii(parts.hostname or "")
    netloc = parts.netloc if host == ascii_host else parts.netloc.lower().replace(host, ascii_host)
    path = parts.path.rstrip("/")
    if path.endswith("/v1/v1"):
        raise ValueError("ends in /v1 twice, want it once or not at all")
    shorter = path.removesuffix("/v1")
    if not text.endswith("#") and not names_version(shorter):
        path = shorter.rstrip("/")
    return f"{parts.scheme}://{netloc}{path}"


def is_complete(text: str) -> bool:
    """Say whether a base URL is to be taken as it stands, because it ends with `#`."""
    return (_base_of_call(text.strip()) or text.strip()).endswith("#")


def base_url_mistake(text: str) -> str | None:
    """Say what is wrong with an address that can be understood all the same: that of a call."""
    base = _base_of_call(text.strip())
    return base and f'is the address of a call, want the base URL: "{base}"'


def _base_of_call(text: str) -> str | None:
    """Return the base URL of a call's address; None for an address that is no call's.

    Raises ValueError for a call with a query, which no base URL leads to.
    """
    address, _, query = text.removesuffix("#").partition("?")
    scheme, sign, rest = address.partition("://")
    call = _CALL.fullmatch(rest) if sign else None
    if call is None:
        return None
    if query:
        host, _, path = rest.partition("/")
        raise ValueError(
            f'is the address of a call, want the base URL: "{scheme}://{host}",'
            f' and in the probe path = "/{path}?{query}"'
        )
    base = call["base"].rstrip("/")
    complete = "/models/" in rest or names_version(f"/{base.partition('/')[2]}")
    return f"{scheme}://{base}" + ("" if complete else "#")


def _one_address(value: Any) -> Any:
    if isinstance(value, list | tuple):
        raise ValueError(  # noqa: TRY004  # pydantic collects ValueErrors only
            "got a list, want one address; each base URL gets an id of its own"
        )
    return value


def _public_url(text: str) -> str:
    _address(text)
    return text.rstrip("/")


def _otlp_url(text: str) -> str:
    """Check the address of a receiver, to which `/v1/metrics` is added, as OTEL_EXPORTER_OTLP_ENDPOINT has it."""
    _must_have("opentelemetry.exporter.otlp.proto.http", "OpenTelemetry", "otlp")
    return _public_url(text).removesuffix("/v1/metrics")


def _link(text: str) -> str:
    if not re.fullmatch(r"(https?://|mailto:)[^\s\x00-\x1f]+", text):
        raise ValueError(f'got "{text[:80]}", want an address that begins with https:// or mailto:')
    return text


def _heartbeat(text: str) -> str:
    """Check an address to ping. It is the secret, so nothing of it is quoted; some carry a query."""
    if not _is_http(text):
        raise ValueError("want an address to ping, that begins with https:// or http://")
    return text


def _webhook_url(text: str) -> Secret:
    """Check the address of a receiver, of which nothing is quoted: it may carry a token."""
    if not _is_http(text):
        raise ValueError("want an address that takes events, beginning with https:// or http://")
    return Secret(text)


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # the property raises
    except ValueError:
        return False
    is_one = re.search(r"\s", text) is None
    return parts.scheme in _HTTP and bool(parts.hostname) and is_one


def is_listen_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and int(port[:9]) < 65_536
    return is_port and (_HOST_NAME.fullmatch(host) is not None or _is_ip(host))


def _is_ip(host: str) -> bool:
    """Say whether it is an address of IP, one of version 6 with or without its brackets."""
    try:
        ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return False
    return True


def _listen(text: str) -> str:
    if text and not is_listen_address(text):
        raise ValueError(
            f'got "{text}", want "ADDRESS:PORT" such as "127.0.0.1:8080", or "" for none'
        )
    return text


def _control(text: str) -> str:
    parts = _address(text)
    if parts.path not in {"", "/"}:
        raise ValueError(
            f'got "{_hidden(text)}" and a path, want a host such as https://example.com'
        )
    return text.rstrip("/")


def _resolver(text: str) -> str:
    parse_resolver(text)
    return text


def _controls(value: Any) -> Any:
    if isinstance(value, str) and value != "off":
        raise ValueError(f'got "{value[:60]}", want a list of URLs, or "off"')
    return value


SERVERS = ("postgresql://", "postgres://")
"""What the address of a store on a server begins with."""


def _store(text: str) -> str:
    want = (
        'want "sqlite:///PATH" such as "sqlite:///monitor.db", or "postgresql://USER@HOST/DATABASE"'
    )
    if "\0" in text:
        raise ValueError(f'got "{_hidden(text) or text[:60]}", {want}')
    if text.startswith(SERVERS):
        if not _is_server(text):
            raise ValueError(
                f"is no address of a PostgreSQL database, {want}; "
                "write @, / and % of a password as %40, %2F and %25"
            )
        _must_have("psycopg", "PostgreSQL", "postgres")
    elif not text.startswith("sqlite:///") or text == "sqlite:///":
        raise ValueError(f'got "{_hidden(text) or text[:60]}", {want}')
    return text


def _is_server(text: str) -> bool:
    try:
        parts = urlsplit(text)
        if "," not in parts.netloc:  # of several hosts each may have a port
            parts.port  # noqa: B018  # it raises for what is no port
    except ValueError:
        return False
    return (
        len(parts.path) > 1
        and "@" not in parts.path
        and not re.search(r"%(?![0-9A-Fa-f]{2})", text)
    )


# --- proxies ---------------------------------------------------------------------------------------

_SOCKS = {"socks5", "socks5h"}
_LONGEST = 255
"""Bytes that SOCKS has for a user, and for a password (RFC 1929)."""


def read_proxy(text: str) -> Proxy:
    """Read the proxy of an endpoint. Raises ValueError, which quotes nothing: the address may be secret."""
    parts = _split_proxy(text)
    port = _port(parts)
    if parts.scheme not in {"http", *_SOCKS} or not parts.hostname or not port:
        raise ValueError(_WANT_PROXY)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"has something behind the port; {_WANT_PROXY}")
    user, sign, password = _login(parts).partition(":")
    if "@" in parts.netloc and not user:
        raise ValueError(f"has a password without a user; {_WANT_PROXY}")
    if ":" in unquote(parts.username or ""):
        raise ValueError("has a colon in the user, which no proxy can be told")
    if parts.scheme in _SOCKS:
        _check_socks(user, password, login=bool(sign))
    login = _login(parts)
    return Proxy(
        socks=parts.scheme in _SOCKS,
        host=parts.hostname,
        port=port,
        login=Secret(login) if login else None,
    )


def read_channel_proxy(text: str) -> Secret:
    """Check the proxy of a channel as `read_proxy` does; messages go out through another library."""
    if read_proxy(text).socks:
        _must_have("socks", "SOCKS", "socks")
    return Secret(text)


def read_webhook_proxy(text: str) -> Secret:
    """Check the proxy of a webhook: an HTTP proxy, and no other kind."""
    if read_proxy(text).socks:
        raise ValueError('want an HTTP proxy, such as "http://127.0.0.1:3128"')
    return Secret(text)


_WANT_PROXY = (
    'want an address such as "http://127.0.0.1:3128" or "socks5://user:password@10.0.0.1:1080"'
)


def _check_socks(user: str, password: str, *, login: bool) -> None:
    if login and not (_fits(user) and _fits(password)):
        raise ValueError("wants a user and a password of 1 to 255 ASCII characters for SOCKS")
    _must_have("aiohttp_socks", "SOCKS", "socks")


def _must_have(module: str, purpose: str, extra: str) -> None:
    """Raise ValueError where a library of an extra is not there; it is not imported."""
    try:
        is_there = find_spec(module) is not None
    except (ImportError, ValueError):  # a package above it is not there, or is hidden
        is_there = False
    if not is_there:
        raise ValueError(f"needs an extra for {purpose}; run: {how_to_install(extra)}")


def _fits(word: str) -> bool:
    return 0 < len(word) <= _LONGEST and word.isascii()


def _split_proxy(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError(_WANT_PROXY) from None


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ValueError(_WANT_PROXY) from None


def _login(parts: SplitResult) -> str:
    """Return `user:password`, or nothing where there is no login."""
    if "@" not in parts.netloc:
        return ""
    return f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"


BaseUrl = Annotated[str, BeforeValidator(_one_address), AfterValidator(_base_url)]
HubUrl = Annotated[str, AfterValidator(_public_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
OtlpUrl = Annotated[str, AfterValidator(_otlp_url)]
Links = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=40)], Annotated[str, AfterValidator(_link)]],
    AfterValidator(lambda links: tuple(links.items())),
]
HeartbeatUrl = Annotated[str, AfterValidator(_heartbeat)]
Listen = Annotated[str, AfterValidator(_listen)]
Controls = Annotated[
    tuple[Annotated[str, AfterValidator(_control)], ...] | Literal["off"],
    BeforeValidator(_controls),
]
ResolverAddress = Annotated[str, AfterValidator(_resolver)]
StoreUrl = Annotated[str, AfterValidator(_store)]
EndpointProxy = Annotated[str, AfterValidator(read_proxy)]
WebhookUrl = Annotated[str, AfterValidator(_webhook_url)]
WebhookProxy = Annotated[str, AfterValidator(read_webhook_proxy)]
ChannelProxy = Annotated[str, AfterValidator(read_channel_proxy)]
