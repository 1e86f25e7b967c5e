"""Whatever an endpoint does, the client says where and how it broke, in time and in bounds."""

import asyncio
import datetime as dt
import logging
import socket
import ssl
import time
import zlib
from datetime import timedelta
from pathlib import Path

import pytest
from servers import Authority, Script, endless, loopback, reset, resetting, saying, serving

from monitor.probes.client import Client
from monitor.probes.facts import Arrival, Ask, Break, Exchange, Stage

OK = b"HTTP/1.1 200 OK\r\n"
LIMIT = timedelta(seconds=1)
CAP = 64 * 1024


def bomb(bits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return packer.compress(bytes(20 * 1024 * 1024)) + packer.flush()


def encoded(name: bytes, body: bytes) -> bytes:
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (name, len(body)) + body


async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.close()


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = OK + b"Content-Length: 100\r\n\r\n"
TOO_LARGE = (Stage.BODY, Break.TOO_LARGE)
GARBAGE = (Stage.HEADERS, Break.PROTOCOL)
SILENT = (Stage.HEADERS, Break.TIMEOUT)
GONE = (Stage.HEADERS, Break.CLOSED)
LATE_BODY = (Stage.BODY, Break.TIMEOUT)
CUT_BODY = (Stage.BODY, Break.CLOSED)

HOSTILE: dict[str, tuple[Script, tuple[Stage, Break] | None]] = {
    "gzip bomb": (saying(encoded(b"gzip", bomb(31))), TOO_LARGE),
    "deflate bomb": (saying(encoded(b"deflate", bomb(15))), TOO_LARGE),
    "large brotli left as it is": (saying(encoded(b"br", b"x" * 99)), None),
    "gzip that is none": (saying(encoded(b"gzip", b"x" * 99)), None),
    "endless body": (endless(OK + b"\r\n", b"x" * 65536), TOO_LARGE),
    "endless chunks": (endless(CHUNKED, b"4000\r\n" + b"x" * 0x4000 + b"\r\n"), TOO_LARGE),
    "endless header": (endless(OK + b"X: ", b"x" * 4096), GARBAGE),
    "endless headers": (endless(OK, b"X: y\r\n"), GARBAGE),
    "header of 64 kB": (saying(OK + b"X: " + b"x" * 65536 + b"\r\n\r\n"), GARBAGE),
    "drip of headers": (endless(OK, b"X: y\r\n", 0.1), SILENT),
    "drip of body": (endless(SIZED, b"x", 0.1), LATE_BODY),
    "drip of status line": (endless(b"HTTP/1.1 200 ", b"O", 0.2), SILENT),
    "silence after the request": (stall, SILENT),
    "silence after the headers": (saying(SIZED, 60.0), LATE_BODY),
    "close at once": (drop, GONE),
    "close after the request": (saying(), GONE),
    "close amid headers": (saying(OK + b"X-Secret: "), GONE),
    "close amid a sized body": (saying(SIZED + b"x"), CUT_BODY),
    "close amid chunks": (saying(CHUNKED + b"5\r\nab"), CUT_BODY),
    "reset after the request": (resetting(), (Stage.HEADERS, Break.RESET)),
    "reset amid the body": (resetting(SIZED + b"x"), CUT_BODY),
    "SSH": (saying(b"SSH-2.0-OpenSSH_9\r\n\r\n"), GARBAGE),
    "HTTP/0.9": (saying(b"<html>hello</html>\r\n\r\n"), GARBAGE),
    "h2 preface": (saying(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), GARBAGE),
    "TLS where plain was asked": (saying(b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"), GARBAGE),
    "NUL in a header": (saying(OK + b"X: a\0b\r\n\r\n"), GARBAGE),
    "negative length": (saying(OK + b"Content-Length: -5\r\n\r\n"), GARBAGE),
    "two lengths": (saying(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), GARBAGE),
    "nonsense as chunk size": (saying(CHUNKED + b"zz\r\nab\r\n0\r\n\r\n"), GARBAGE),
    "nonsense amid chunks": (saying(CHUNKED, 0.05, b"zz\r\nab\r\n"), LATE_BODY),
    "flood of 100 Continue": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), SILENT),
    "redirect to elsewhere": (
        saying(b"HTTP/1.1 307 X\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n"),
        None,
    ),
    "status 999": (saying(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), None),
}


async def ask(client: Client, url: str, **more: object) -> tuple[Exchange, float]:
    began = time.monotonic()
    exchange = await client.send(
        Ask(method="GET", url=url, timeout=LIMIT, max_body=CAP, **more)  # type: ignore[arg-type]
    )
    return exchange, time.monotonic() - began


def broke(exchange: Exchange) -> tuple[Stage, Break] | None:
    return exchange.trouble and (exchange.trouble.stage, exchange.trouble.what)


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_what_a_hostile_server_did_in_time_and_in_bounds(name: str) -> None:
    script, expected = HOSTILE[name]
    async with Client() as client, serving(script) as server:
        exchange, took = await ask(client, f"http://127.0.0.1:{server.port}/")
    print(f"{name:32} {took:5.2f} s {len(exchange.body):7} B  {broke(exchange)}")
    assert broke(exchange) == expected
    assert took < LIMIT.total_seconds() + 2
    assert len(exchange.body) <= CAP
    assert server.connections == 1
    assert "X-Secret" not in repr(exchange.trouble)


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
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


async def test_each_certificate_fault_has_its_own_name(authority: Authority, ca: Path) -> None:
    cases = {
        Break.CERT_HOSTNAME: (authority.context(), "other.test"),
        Break.CERT_EXPIRED: (authority.context(expires=PAST), "relay.test"),
        Break.CERT_UNTRUSTED: (Authority().context(), "relay.test"),
    }
    found = {
        broke(await tls(GOOD, context, ca, host)): what for what, (context, host) in cases.items()
    }
    assert found == {(Stage.TLS, what): what for what in cases}


async def test_a_good_handshake_tells_when_the_certificate_ends(
    authority: Authority, ca: Path
) -> None:
    ends = dt.datetime(2099, 1, 2, tzinfo=dt.UTC)
    exchange = await tls(GOOD, authority.context(expires=ends), ca, "relay.test")
    assert (exchange.trouble, exchange.status, exchange.body) == (None, 200, b"ok")
    assert (exchange.cert_expires, exchange.remote_ip) == (ends, "127.0.0.1")


async def rst(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    reset(writer)


@pytest.mark.parametrize(
    ("script", "what"),
    [
        (stall, Break.TIMEOUT),
        (drop, Break.CLOSED),
        (rst, Break.RESET),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), None),
    ],
)
async def test_tells_how_a_handshake_broke(script: Script, what: Break | None, ca: Path) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await asyncio.sleep(1)

    exchange = await tls(script if what else plain, None, ca, "relay.test")
    assert broke(exchange) == (Stage.TLS, what or Break.PROTOCOL)


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (socket.EAI_NONAME, Break.NXDOMAIN),
        (socket.EAI_AGAIN, Break.SERVFAIL),
        (socket.EAI_FAIL, Break.SERVFAIL),
    ],
)
async def test_tells_how_a_look_up_failed(number: int, what: Break) -> None:
    def resolve(host: str, port: int) -> list[tuple[object, ...]]:
        raise socket.gaierror(number, "no")

    async with Client(resolve) as client:
        exchange, _ = await ask(client, "http://nowhere.test/")
    assert broke(exchange) == (Stage.DNS, what)


async def test_a_name_that_hangs_times_out_and_holds_up_no_other() -> None:
    def resolve(host: str, port: int) -> list[tuple[object, ...]]:
        if host == "hung.test":
            time.sleep(1.5)
        return loopback(host, port)

    async with Client(resolve) as client, serving(GOOD) as server:
        hung = [asyncio.create_task(ask(client, "http://hung.test:9/")) for _ in range(80)]
        await asyncio.sleep(0.05)
        good, took = await ask(client, f"http://good.test:{server.port}/")
        found = {broke(exchange) for exchange, _ in await asyncio.gather(*hung)}
    assert (good.status, took < 0.5, found) == (200, True, {(Stage.DNS, Break.TIMEOUT)})


async def test_a_refused_connection_is_not_a_handshake_that_failed() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        async with Client() as client:
            exchange, _ = await ask(client, f"https://127.0.0.1:{port}/")
    assert broke(exchange) == (Stage.CONNECT, Break.REFUSED)


class Impatient:
    def feed(self, arrival: Arrival) -> None:
        pass

    def deadline_ms(self) -> float:
        return 200.0


async def test_a_watch_ends_a_stream_before_the_timeout() -> None:
    async with Client() as client, serving(endless(OK + b"\r\n", b": ping\n\n", 0.05)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        exchange = await client.send(Ask(method="GET", url=url), Impatient())
    assert broke(exchange) == (Stage.BODY, Break.GAVE_UP)
    assert (exchange.timings.total or 0) < 1000


async def test_an_encoded_body_is_unpacked() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packer.compress(b'{"data": []}') + packer.flush()
    async with Client() as client, serving(saying(encoded(b"gzip", body))) as server:
        exchange, _ = await ask(client, f"http://127.0.0.1:{server.port}/")
    assert (exchange.trouble, exchange.body) == (None, b'{"data": []}')


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
    assert exchange.trouble is not None
    assert key not in caplog.text + repr(exchange.trouble)
