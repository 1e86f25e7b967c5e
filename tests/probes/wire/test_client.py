"""The client: what it measures and refuses. What hostile servers do to it: tests/hostile."""

import asyncio
import datetime as dt
import logging
import socket
import ssl
import time
import tracemalloc
import zlib
from asyncio import sslproto
from datetime import timedelta
from pathlib import Path

import pytest
from servers import Authority, Script, asked, endless, loopback, saying, serving

from monitor.probes.exchange import Chunk, ErrorType, Exchange, HttpRequest, TransportPhase
from monitor.probes.wire.client import Client

OK = b"HTTP/1.1 200 OK\r\n"
LIMIT = timedelta(seconds=1)
CAP = 64 * 1024


def encoded(name: bytes, body: bytes) -> bytes:
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (name, len(body)) + body


async def ask(client: Client, url: str, **more: object) -> tuple[Exchange, float]:
    began = time.monotonic()
    exchange = await client.send(
        HttpRequest(method="GET", url=url, timeout=LIMIT, max_body=CAP, **more)  # type: ignore[arg-type]
    )
    return exchange, time.monotonic() - began


def broke(exchange: Exchange) -> tuple[TransportPhase, ErrorType] | None:
    return exchange.error and (exchange.error.phase, exchange.error.what)


async def tls(script: Script, context: ssl.SSLContext | None, ca: Path, host: str) -> Exchange:
    async with Client(loopback) as client, serving(script, context) as server:
        exchange, _ = await ask(client, f"https://{host}:{server.port}/", ca_file=ca)
    return exchange


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def quiet() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)


GOOD = saying(OK + b"Content-Length: 2\r\n\r\nok")


async def test_a_good_handshake_tells_when_the_certificate_ends(
    authority: Authority, ca: Path
) -> None:
    ends = dt.datetime(2099, 1, 2, tzinfo=dt.UTC)
    exchange = await tls(GOOD, authority.context(expires=ends), ca, "relay.test")
    assert (exchange.error, exchange.status, exchange.body) == (None, 200, b"ok")
    assert (exchange.cert_expires, exchange.remote_ip) == (ends, "127.0.0.1")
    assert exchange.cert_lifetime
    assert exchange.cert_lifetime > dt.timedelta(days=365)


async def test_an_open_connection_holds_little_memory(authority: Authority, ca: Path) -> None:
    """asyncio would take 256 KB for each, which is what a daemon whose answers are slow is made of."""
    held = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal held
        await asked(reader)
        taken = tracemalloc.take_snapshot().filter_traces(
            [tracemalloc.Filter(True, sslproto.__file__)]
        )
        held = sum(statistic.size for statistic in taken.statistics("filename"))
        writer.write(OK + b"Content-Length: 2\r\n\r\nok")

    tracemalloc.start()
    try:
        exchange = await tls(script, authority.context(), ca, "relay.test")
    finally:
        tracemalloc.stop()
    assert exchange.body == b"ok"
    assert 0 < held < 100_000, "of both ends"


async def test_a_name_that_hangs_times_out_and_holds_up_no_other() -> None:
    def resolve(host: str, port: int) -> list[tuple[object, ...]]:
        if host == "hung.test":
            time.sleep(3)
        return loopback(host, port)

    async with Client(resolve) as client, serving(GOOD) as server:
        hung = [asyncio.create_task(ask(client, "http://hung.test:9/")) for _ in range(80)]
        await asyncio.sleep(0.05)
        good, took = await ask(client, f"http://good.test:{server.port}/")
        found = {broke(exchange) for exchange, _ in await asyncio.gather(*hung)}
    assert (good.status, took < 0.5, found) == (
        200,
        True,
        {(TransportPhase.DNS, ErrorType.TIMEOUT)},
    )


async def test_a_refused_connection_is_not_a_handshake_that_failed() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        async with Client() as client:
            exchange, _ = await ask(client, f"https://127.0.0.1:{port}/")
    assert broke(exchange) == (TransportPhase.CONNECT, ErrorType.REFUSED)


class Impatient:
    def feed(self, arrival: Chunk) -> None:
        pass

    def deadline_ms(self) -> float:
        return 200.0


async def test_a_watch_ends_a_stream_before_the_timeout() -> None:
    async with Client() as client, serving(endless(OK + b"\r\n", b": ping\n\n", 0.05)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        exchange = await client.send(HttpRequest(method="GET", url=url), Impatient())
    assert broke(exchange) == (TransportPhase.BODY, ErrorType.GAVE_UP)
    assert (exchange.timings.total or 0) < 1000


class Later(Impatient):
    """Wants content soon once it has come, and nothing before."""

    def __init__(self) -> None:
        self.last_ms = 10_000.0

    def feed(self, arrival: Chunk) -> None:
        self.last_ms = arrival.at_ms

    def deadline_ms(self) -> float:
        return self.last_ms + 100.0


async def test_a_watch_that_wants_less_than_before_is_asked_again() -> None:
    async with Client() as client, serving(saying(OK + b"\r\n", 0.3, b"a", 9.0)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        exchange = await client.send(HttpRequest(method="GET", url=url), Later())
    assert broke(exchange) == (TransportPhase.BODY, ErrorType.GAVE_UP)
    assert 400 <= (exchange.timings.total or 0) < 1500


async def test_an_encoded_body_is_unpacked() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packer.compress(b'{"data": []}') + packer.flush()
    async with Client() as client, serving(saying(encoded(b"gzip", body))) as server:
        exchange, _ = await ask(client, f"http://127.0.0.1:{server.port}/")
    assert (exchange.error, exchange.body) == (None, b'{"data": []}')


async def test_a_loop_that_hung_is_noticed() -> None:
    async with Client() as client, serving(saying(0.3, OK + b"\r\n")) as server:
        task = asyncio.create_task(ask(client, f"http://127.0.0.1:{server.port}/"))
        await asyncio.sleep(0.05)
        time.sleep(0.25)  # this is the hang
        exchange, _ = await task
    assert exchange.lag_ms > 50


async def test_a_failing_run_leaves_no_key_in_log_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    key = "canary" * 4
    with caplog.at_level(logging.DEBUG):
        async with Client() as client, serving(saying(OK + key.encode())) as server:
            url = f"http://127.0.0.1:{server.port}/"
            exchange, _ = await ask(client, url, headers={"Authorization": f"Bearer {key}"})
    assert exchange.error is not None
    assert key not in caplog.text + repr(exchange.error)
