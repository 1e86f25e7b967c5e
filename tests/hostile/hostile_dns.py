"""Names: every way in which a look-up fails, hangs or lies. The client's own resolver stands in for DNS."""

import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

from behaviour import SHORT, Behaviour, sized
from every_kind import Opening, Where
from servers import saying, serving

from monitor.model import FailureKind
from monitor.probes.wire.resolver import Resolve, system_resolve

Infos = list[tuple[object, ...]]


def failing(number: int) -> Resolve:
    def resolve(_host: str, _port: int) -> Infos:
        raise socket.gaierror(number, "no")

    return resolve


def answering(*addresses: str, family: int = socket.AF_INET) -> Resolve:
    def resolve(_host: str, port: int) -> Infos:
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve


def hanging(_host: str, _port: int) -> Infos:
    time.sleep(3)
    return []


def raising(_host: str, _port: int) -> Infos:
    raise OSError(5, "the resolver broke")


@contextlib.asynccontextmanager
async def _somewhere(_: Path) -> AsyncIterator[Where]:
    async with serving(saying(sized(b"ok"))) as server:
        yield Where(f"http://name.test:{server.port}", server=server)


def named(host: str) -> Opening:
    @contextlib.asynccontextmanager
    async def opening(_: Path) -> AsyncIterator[Where]:
        yield Where(f"http://{host}:9")

    return opening


def dns(name: str, resolve: Resolve, wants: FailureKind | None, connections: int = 0) -> Behaviour:
    return Behaviour(
        "DNS",
        name,
        _somewhere,
        wants,
        settings={"timeout": SHORT},
        resolve=resolve,
        connections=connections,
    )


def malformed(name: str, host: str) -> Behaviour:
    """Nothing leaves the machine for such a name: the system's own resolver refuses it."""
    return Behaviour(
        "DNS",
        name,
        named(host),
        FailureKind.DNS_NXDOMAIN,
        settings={"timeout": SHORT},
        resolve=system_resolve,
        connections=None,
    )


NODATA = getattr(socket, "EAI_NODATA", socket.EAI_NONAME)
ROWS = (
    dns("NXDOMAIN", failing(socket.EAI_NONAME), FailureKind.DNS_NXDOMAIN),
    dns("a name without an address", failing(NODATA), FailureKind.DNS_NXDOMAIN),
    dns("SERVFAIL", failing(socket.EAI_AGAIN), FailureKind.DNS_SERVFAIL),
    dns("refused by the resolver", failing(socket.EAI_FAIL), FailureKind.DNS_SERVFAIL),
    dns("system trouble amid a look-up", failing(socket.EAI_SYSTEM), FailureKind.DNS_SERVFAIL),
    dns("a resolver that breaks", raising, FailureKind.DNS_SERVFAIL),
    dns("an empty answer", answering(), FailureKind.DNS_NXDOMAIN),
    dns("a look-up that hangs", hanging, FailureKind.DNS_SERVFAIL),
    dns("the address of nobody", answering("127.0.0.2"), FailureKind.TCP_REFUSED),
    dns("a multicast address", answering("224.0.0.1"), FailureKind.TCP_UNREACHABLE),
    dns("a broadcast address", answering("255.255.255.255"), FailureKind.TCP_UNREACHABLE),
    dns("something that is no address", answering("no address"), FailureKind.TCP_UNREACHABLE),
    dns("IPv4 by the label of IPv6", answering("127.0.0.1", family=socket.AF_INET6), None, 1),
    dns(
        "a thousand addresses of nobody",
        answering(*(f"127.0.{n // 200}.{n % 200 + 2}" for n in range(1000))),
        FailureKind.TCP_REFUSED,
    ),
    dns("the right address behind dead ones", answering("127.0.0.2", "127.0.0.1"), None, 1),
    malformed("a label of 64 letters", "x" * 64 + ".test"),
    malformed("a name of 300 letters", ".".join(["x" * 50] * 6)),
    malformed("an empty label", "a..test"),
)
