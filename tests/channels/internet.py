"""The internet of channels on this machine: every host is one handler, in clear and under TLS.

Real Apprise reaches it through the channel's own proxy, as it would reach the services; certificates
are made for the name that is asked for, by a certificate authority that `requests` is told to trust.
"""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiohttp import web
from listening import listening
from proxies import Fake, proxying

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Internet:
    proxy: str
    authority: Path
    """The certificate to trust, as a PEM file."""


@asynccontextmanager
async def internet(handler: Handler, folder: Path) -> AsyncIterator[Internet]:
    """Answer whatever is sent to any host through the proxy; the request's `host` says to whom."""
    authority = trustme.CA()
    pem = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(pem))
    app = web.Application(client_max_size=2**22)
    app.router.add_route("*", "/{path:.*}", handler)
    tls = web.Application(client_max_size=2**22)
    tls.router.add_route("*", "/{path:.*}", handler)
    async with (
        listening(app) as clear,
        listening(tls, _any_name(authority)) as hidden,
        proxying(Fake(internet=(_port(clear), _port(hidden)))) as proxy,
    ):
        yield Internet(proxy.url, pem)


def _any_name(authority: trustme.CA) -> ssl.SSLContext:
    made: dict[str, ssl.SSLContext] = {}

    def present(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        name = name or "127.0.0.1"
        if name not in made:
            made[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(name).configure_cert(made[name])
        connection.context = made[name]

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.sni_callback = present  # type: ignore[assignment]  # it is given an SSLObject here
    return context


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
