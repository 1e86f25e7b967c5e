"""Proxies of endpoints and channels: `http://` or `socks5://`, a port, and a login where it wants one."""

import importlib
from urllib.parse import SplitResult, unquote, urlsplit

from monitor.model import Proxy, Secret

_SOCKS = {"socks5", "socks5h"}
_LONGEST = 255
"""Bytes that SOCKS has for a user, and for a password (RFC 1929)."""


def read_proxy(text: str) -> Proxy:
    """Read the proxy of an endpoint. Raises ValueError, which quotes nothing: the address may be secret."""
    parts = _split(text)
    port = _port(parts)
    if parts.scheme not in {"http", *_SOCKS} or not parts.hostname or not port:
        raise ValueError(_WANT)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"has something behind the port; {_WANT}")
    user, sign, password = _login(parts).partition(":")
    if "@" in parts.netloc and not user:
        raise ValueError(f"has a password without a user; {_WANT}")
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
        _must_have("socks")
    return Secret(text)


_WANT = 'want an address such as "http://127.0.0.1:3128" or "socks5://user:password@10.0.0.1:1080"'


def _check_socks(user: str, password: str, *, login: bool) -> None:
    if login and not (_fits(user) and _fits(password)):
        raise ValueError("wants a user and a password of 1 to 255 ASCII characters for SOCKS")
    _must_have("aiohttp_socks")


def _must_have(module: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError:
        raise ValueError('needs an extra for SOCKS; run: pip install "monitor[socks]"') from None


def _fits(word: str) -> bool:
    return 0 < len(word) <= _LONGEST and word.isascii()


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError(_WANT) from None


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise ValueError(_WANT) from None


def _login(parts: SplitResult) -> str:
    """Return `user:password`, or nothing where there is no login."""
    if "@" not in parts.netloc:
        return ""
    return f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
