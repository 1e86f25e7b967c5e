"""Through a proxy: every probe takes it, phases stay true, and whose the fault is is told apart."""

import asyncio
import socket
import time
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from proxies import Fake, proxying
from relay import plain, relaying
from run_check import run_check
from servers import Authority, Script, saying, serving

from monitor.model import Check, Endpoint, FailureKind, Proxy, Result, Secret
from monitor.probes import PROBES
from monitor.probes.wire.client import Client

OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
KINDS = [pytest.param(socks, id="socks5" if socks else "http") for socks in (False, True)]
BOTH = pytest.mark.parametrize("socks", KINDS)


def nobody(host: str, port: int) -> list[tuple[object, ...]]:
    raise socket.gaierror(socket.EAI_NONAME, f"we must not look up {host}")


async def look(
    proxy: Proxy, url: str, kind: str = "http", ca_file: Path | None = None, **settings: object
) -> Result:
    endpoint = Endpoint(
        id="e", service="s", url=url, name="E", ca_file=ca_file, proxy=proxy, key=Secret("the-key")
    )
    check = Check(service="s", endpoint=endpoint, probe=PROBES[kind](**settings), model="model-x")
    async with Client(nobody) as client:
        attempted = await run_check(check, client, clock=HandClock())
    return attempted.result


def told(result: Result) -> tuple[FailureKind | None, str]:
    return (result.failure.kind, result.failure.message) if result.failure else (None, "")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.ca.cert_pem.write_to_path(str(path))
    return path


@BOTH
@pytest.mark.parametrize("kind", PROBES)
async def test_every_probe_goes_through_the_proxy_that_looks_the_name_up(
    kind: str, socks: bool
) -> None:
    fake = Fake(socks=socks)
    async with proxying(fake), relaying() as relay:
        relay.answering = plain({"hello": "world"})
        port = relay.url.rpartition(":")[2]
        result = await look(fake.as_proxy(), f"http://far.test:{port}", kind)
    assert fake.seen
    assert all(f"far.test:{port}" in request for request in fake.seen)
    assert (result.failure and result.failure.fault) != "monitor"
    assert result.remote_ip is None


@BOTH
async def test_encrypted_calls_are_timed_phase_by_phase(
    authority: Authority, ca: Path, socks: bool
) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    context = authority.context()
    context.sni_callback = lambda *_: time.sleep(0.1)
    fake = Fake(socks=socks)
    async with proxying(fake), serving(slow, context) as server:
        result = await look(fake.as_proxy(), f"https://relay.test:{server.port}", ca_file=ca)
    timings = result.timings
    assert told(result) == (None, "")
    assert timings.dns is None  # the proxy's name is an address, the endpoint's is not ours to ask
    assert timings.connect is not None
    assert timings.tls is not None
    assert timings.ttfb is not None
    assert 0 < timings.connect < 100 <= timings.tls
    assert timings.tls + 200 <= timings.ttfb <= (timings.total or 0)
    assert result.cert_expires is not None


@BOTH
@pytest.mark.parametrize("kind", ["tcp", "tls"])
async def test_a_connection_alone_goes_through_it_too(
    authority: Authority, ca: Path, socks: bool, kind: str
) -> None:
    fake = Fake(socks=socks, login="somebody:open sesame")
    async with proxying(fake), serving(OK, authority.context()) as server:
        url = f"https://relay.test:{server.port}"
        result = await look(fake.as_proxy(fake.login), url, kind, ca)
    assert told(result) == (None, "")
    assert fake.seen == [f"{'' if socks else 'CONNECT '}relay.test:{server.port}"]


@BOTH
async def test_a_login_is_given_where_one_is_wanted(
    authority: Authority, ca: Path, socks: bool
) -> None:
    fake = Fake(socks=socks, login="somebody:open sesame")
    async with proxying(fake), serving(OK, authority.context()) as server:
        url = f"https://relay.test:{server.port}"
        good = await look(fake.as_proxy(fake.login), url, ca_file=ca)
        bad = [
            await look(fake.as_proxy(login), url, kind, ca)
            for login in ("somebody:else", None)
            for kind in ("http", "tls")
        ]
    assert told(good) == (None, "")
    assert {told(result)[0] for result in bad} == {FailureKind.OFFLINE}
    assert "sesame" not in repr(bad)


async def test_plain_http_is_passed_on_and_407_is_still_the_proxys() -> None:
    fake = Fake(login="somebody:open sesame")
    async with proxying(fake), serving(OK) as server:
        url = f"http://relay.test:{server.port}"
        good = await look(fake.as_proxy(fake.login), url)
        bad = await look(fake.as_proxy(), url)
    assert told(good) == (None, "")
    assert fake.seen == [f"GET {url}/"] * 2
    assert told(bad)[0] is FailureKind.OFFLINE
    assert told(bad)[1].endswith("(it wants a user and a password that it knows: HTTP 407)")


@BOTH
@pytest.mark.parametrize("kind", ["http", "tls"])
async def test_a_proxy_that_is_away_says_nothing_of_the_endpoint(socks: bool, kind: str) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        away = Proxy(socks=socks, host="127.0.0.1", port=unheard.getsockname()[1])
        unknown = Proxy(socks=socks, host="proxy.test", port=9)
        results = [await look(proxy, "https://relay.test", kind) for proxy in (away, unknown)]
    assert [told(result)[0] for result in results] == [FailureKind.OFFLINE] * 2
    assert [result.outcome for result in results] == ["unknown"] * 2


HTTP_SAYS = {
    403: FailureKind.OFFLINE,
    500: FailureKind.OFFLINE,
    502: FailureKind.TCP_UNREACHABLE,
    503: FailureKind.TCP_UNREACHABLE,
    504: FailureKind.CONNECT_TIMEOUT,
}
SOCKS_SAYS = {
    1: FailureKind.OFFLINE,
    2: FailureKind.OFFLINE,
    3: FailureKind.TCP_UNREACHABLE,
    4: FailureKind.TCP_UNREACHABLE,
    5: FailureKind.TCP_REFUSED,
    6: FailureKind.CONNECT_TIMEOUT,
    7: FailureKind.OFFLINE,
    8: FailureKind.OFFLINE,
    99: FailureKind.OFFLINE,
}


@pytest.mark.parametrize("kind", ["http", "tls"])
@pytest.mark.parametrize("status", HTTP_SAYS)
async def test_what_an_http_proxy_says_of_the_endpoint_is_believed(status: int, kind: str) -> None:
    answer = f"HTTP/1.1 {status} Because\r\nContent-Length: 0\r\n\r\n".encode()
    async with proxying(Fake(answer=answer)) as fake:
        result = await look(fake.as_proxy(), "https://relay.test", kind)
    assert told(result)[0] is HTTP_SAYS[status], told(result)
    assert f"HTTP {status}" in told(result)[1]


@pytest.mark.parametrize("kind", ["http", "tls"])
@pytest.mark.parametrize("code", SOCKS_SAYS)
async def test_what_a_socks_proxy_says_of_the_endpoint_is_believed(code: int, kind: str) -> None:
    async with proxying(Fake(socks=True, answer=bytes([code]))) as fake:
        result = await look(fake.as_proxy(), "https://relay.test", kind)
    assert told(result)[0] is SOCKS_SAYS[code], told(result)


@BOTH
@pytest.mark.parametrize("kind", ["http", "tls"])
async def test_a_proxy_that_hangs_up_has_said_so_only_where_it_has_no_word_for_it(
    socks: bool, kind: str
) -> None:
    async with proxying(Fake(socks=socks, hangs_up=True)) as fake:
        result = await look(fake.as_proxy(), "https://relay.test", kind)
    assert told(result)[0] is (FailureKind.TCP_REFUSED if socks else FailureKind.OFFLINE), told(
        result
    )


@BOTH
@pytest.mark.parametrize("kind", ["http", "tls"])
async def test_silence_after_the_proxy_was_told_where_to_is_the_endpoints(
    socks: bool, kind: str
) -> None:
    async with proxying(Fake(socks=socks, mute=True)) as fake:
        result = await look(fake.as_proxy(), "https://relay.test", kind, timeout="2s")
    assert told(result)[0] is FailureKind.CONNECT_TIMEOUT
    assert result.timings.total is not None
    assert timedelta(milliseconds=result.timings.total) < timedelta(seconds=5)


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


NO_PROXY = {
    "silent": (mute, True),
    "babbling": (saying(), True),
    "prose": (saying(b"220 mail.test ESMTP\r\n\r\n"), False),
    "endless": (saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000), False),
}


@pytest.mark.parametrize("kind", ["http", "tls"])
@pytest.mark.parametrize("name", NO_PROXY)
async def test_what_is_no_proxy_is_ours_to_mend(name: str, kind: str) -> None:
    script: Script
    script, socks = NO_PROXY[name]
    async with serving(script) as server:
        proxy = Proxy(socks=socks, host="127.0.0.1", port=server.port)
        result = await look(proxy, "https://relay.test", kind, timeout="500ms")
    assert told(result)[0] is FailureKind.OFFLINE, told(result)


@BOTH
async def test_past_the_proxy_the_fault_is_the_endpoints_again(
    authority: Authority, ca: Path, socks: bool
) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"no TLS\r\n")
        await asyncio.sleep(1)

    async with proxying(Fake(socks=socks)) as fake, serving(OK, authority.context()) as server:
        proxy, url = fake.as_proxy(), f"https://other.test:{server.port}"
        wrong_name = await look(proxy, url, ca_file=ca)
        async with serving(garbage) as no_tls, serving(mute) as silent:
            found = [
                await look(proxy, f"https://relay.test:{port}", timeout="700ms")
                for port in (no_tls.port, silent.port)
            ]
    assert [told(result)[0] for result in (wrong_name, *found)] == [
        FailureKind.CERT_HOSTNAME,
        FailureKind.TLS_PROTOCOL,
        FailureKind.TLS_TIMEOUT,
    ]
