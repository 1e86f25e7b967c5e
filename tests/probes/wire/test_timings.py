"""Phases measured against delays that we put there ourselves."""

import asyncio
import statistics
import time
from pathlib import Path

import pytest
from servers import Authority, asked, loopback, serving

from monitor.probes.exchange import HttpRequest
from monitor.probes.wire.client import Client

DNS, TLS, HEADERS, BODY = 25.0, 30.0, 35.0, 40.0
RUNS = 11


async def test_each_phase_is_measured_as_it_was(tmp_path: Path) -> None:
    authority, ca = Authority(), tmp_path / "ca.pem"
    authority.ca.cert_pem.write_to_path(str(ca))
    context = authority.context()
    context.sni_callback = lambda *_: time.sleep(TLS / 1000)

    def resolve(host: str, port: int) -> list[tuple[object, ...]]:
        time.sleep(DNS / 1000)
        return loopback(host, port)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        await asyncio.sleep(HEADERS / 1000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        await asyncio.sleep(BODY / 1000)
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)

    errors: dict[str, list[float]] = {"dns": [], "tls": [], "headers": [], "body": []}
    async with Client(resolve) as client, serving(script, context) as server:
        url = f"https://relay.test:{server.port}/"
        for _ in range(RUNS):
            exchange = await client.send(HttpRequest(method="GET", url=url, ca_file=ca))
            assert exchange.error is None
            timings = exchange.timings
            assert timings.dns and timings.tls and timings.ttfb  # noqa: PT018
            setup = timings.dns + (timings.connect or 0.0) + timings.tls
            errors["dns"].append(timings.dns - DNS)
            errors["tls"].append(timings.tls - TLS)
            errors["headers"].append(timings.ttfb - setup - HEADERS)
            errors["body"].append(exchange.chunks[-1].at_ms - timings.ttfb - BODY)
    for phase, values in errors.items():
        p50, worst = statistics.median(values), max(values, key=abs)
        print(f"{phase:8} error p50 {p50:+7.3f} ms   worst {worst:+7.3f} ms")
    assert all(abs(statistics.median(values)) < 20 for values in errors.values()), errors


@pytest.mark.parametrize("host", ["127.0.0.1"])
async def test_an_address_has_no_look_up_and_plain_http_no_handshake(host: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 204 No\r\n\r\n")

    async with Client() as client, serving(script) as server:
        exchange = await client.send(HttpRequest(method="GET", url=f"http://{host}:{server.port}/"))
    assert (exchange.timings.dns, exchange.timings.tls) == (None, None)
    assert exchange.timings.connect is not None
