"""Connections without a request: TCP and TLS, against servers that are there, silent, wrong or gone."""

import asyncio
import datetime as dt
import socket
import ssl
from pathlib import Path

import pytest
from cast import HandClock
from run_check import run_check
from servers import Authority, Script, loopback, reset, serving

from monitor.diagnosis.control_hosts import target_of
from monitor.model import Check, Endpoint, FailureKind, Result
from monitor.probes import PROBES
from monitor.probes.wire.client import Client

ENDS = dt.datetime(2090, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def ca(tmp_path: Path) -> tuple[Authority, Path]:
    authority, path = Authority(), tmp_path / "ca.pem"
    authority.ca.cert_pem.write_to_path(str(path))
    return authority, path


async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def slams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    reset(writer)


async def chats(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.test ESMTP\r\n")
    await writer.drain()
    await reader.read()


async def look(
    clock: HandClock, kind: str, url: str, ca_file: Path | None = None, **settings: object
) -> Result:
    endpoint = Endpoint(id="e", service="s", url=url, name="E", ca_file=ca_file)
    check = Check(service="s", endpoint=endpoint, probe=PROBES[kind](**settings))
    async with Client(loopback) as client:
        attempted = await run_check(check, client, clock=clock)
    return attempted.result


def kind_of(result: Result) -> FailureKind | None:
    return result.failure and result.failure.kind


async def test_a_port_that_listens_is_up_and_hears_nothing_from_us(clock: HandClock) -> None:
    heard: list[bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async with serving(listens) as server:
        result = await look(clock, "tcp", f"https://relay.test:{server.port}")
        while not heard:
            await asyncio.sleep(0.01)
    assert (result.failure, result.remote_ip, heard) == (None, "127.0.0.1", [b""])
    timings = result.timings
    assert timings.dns is not None
    assert timings.connect is not None
    assert timings.total is not None
    assert timings.total >= timings.dns + timings.connect
    assert (timings.tls, timings.ttfb, result.http_status) == (None, None, None)


async def test_an_address_is_not_looked_up(clock: HandClock) -> None:
    async with serving(waiting) as server:
        result = await look(clock, "tcp", f"http://127.0.0.1:{server.port}")
    assert (result.failure, result.timings.dns) == (None, None)


async def test_a_port_that_nobody_listens_on_is_refused(clock: HandClock) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        assert (
            kind_of(await look(clock, "tcp", "https://relay.test", port=port))
            is FailureKind.TCP_REFUSED
        )
        assert (
            kind_of(await look(clock, "tls", f"https://relay.test:{port}"))
            is FailureKind.TCP_REFUSED
        )


async def test_a_full_backlog_is_a_timeout(clock: HandClock) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        queue = [socket.socket() for _ in range(4)]
        for sock in queue:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        result = await look(clock, "tcp", f"http://127.0.0.1:{port}", timeout="300ms")
        for each in queue:
            each.close()
    assert kind_of(result) is FailureKind.CONNECT_TIMEOUT


async def test_a_name_that_does_not_exist_is_told_by_both(clock: HandClock) -> None:
    def nobody(host: str, port: int) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    for kind in ("tcp", "tls"):
        endpoint = Endpoint(id="e", service="s", url="https://gone.test", name="E")
        check = Check(service="s", endpoint=endpoint, probe=PROBES[kind]())
        async with Client(nobody) as client:
            attempted = await run_check(check, client, clock=clock)
        assert kind_of(attempted.result) is FailureKind.DNS_NXDOMAIN


async def test_a_good_certificate_is_up_and_its_last_day_is_known(
    clock: HandClock, ca: tuple[Authority, Path]
) -> None:
    authority, path = ca
    async with serving(waiting, authority.context(expires=ENDS)) as server:
        result = await look(clock, "tls", f"https://relay.test:{server.port}", path)
    assert (result.failure, result.cert_expires) == (None, ENDS)
    timings = result.timings
    assert timings.tls is not None
    assert timings.connect is not None
    assert timings.total is not None
    assert timings.total >= timings.tls + timings.connect


async def test_a_certificate_that_ends_soon_is_expiring(
    clock: HandClock, ca: tuple[Authority, Path]
) -> None:
    authority, path = ca
    clock.wall = ENDS - dt.timedelta(days=3)
    async with serving(waiting, authority.context(expires=ENDS)) as server:
        result = await look(clock, "tls", f"https://relay.test:{server.port}", path)
    assert (kind_of(result), result.cert_expires) == (FailureKind.CERT_EXPIRING, ENDS)


@pytest.mark.parametrize(
    ("sends_all", "want"),
    [
        (True, None),
        (False, "alone, which nobody we trust signed; want the intermediate certificates too"),
    ],
)
async def test_a_missing_intermediate_is_named(
    clock: HandClock, ca: tuple[Authority, Path], sends_all: bool, want: str | None
) -> None:
    authority, path = ca
    leaf = authority.ca.create_child_ca().issue_cert("relay.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = leaf.cert_chain_pems if sends_all else leaf.cert_chain_pems[:1]
    with leaf.private_key_and_cert_chain_pem.tempfile() as whole, chain[0].tempfile() as alone:
        context.load_cert_chain(whole if sends_all else alone, keyfile=whole)
    async with serving(waiting, context) as server:
        result = await look(clock, "tls", f"https://relay.test:{server.port}", path)
    assert kind_of(result) is (None if sends_all else FailureKind.CERT_UNTRUSTED)
    assert want is None or (result.failure is not None and want in result.failure.message)


async def test_a_strangers_certificate_lacks_no_intermediate(
    clock: HandClock, ca: tuple[Authority, Path]
) -> None:
    async with serving(waiting, Authority().context()) as server:
        result = await look(clock, "tls", f"https://relay.test:{server.port}", ca[1])
    assert kind_of(result) is FailureKind.CERT_UNTRUSTED


@pytest.mark.parametrize(
    ("script", "want"),
    [
        (silent, FailureKind.TLS_TIMEOUT),
        (slams, FailureKind.TLS_RESET),
        (chats, FailureKind.TLS_PROTOCOL),
    ],
)
async def test_what_is_no_tls_is_told_apart(
    clock: HandClock, script: Script, want: FailureKind
) -> None:
    async with serving(script) as server:
        result = await look(clock, "tls", f"https://relay.test:{server.port}", timeout="400ms")
    assert kind_of(result) is want


async def test_a_wrong_certificate_is_told_apart(
    clock: HandClock, ca: tuple[Authority, Path]
) -> None:
    authority, path = ca
    past = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    cases: list[tuple[ssl.SSLContext, Path | None]] = [
        (authority.context("other.test"), path),
        (authority.context(expires=past), path),
        (authority.context(), None),
    ]
    kinds = []
    for context, trusted in cases:
        async with serving(waiting, context) as server:
            result = await look(clock, "tls", f"https://relay.test:{server.port}", trusted)
            kinds.append(kind_of(result))
    assert kinds == [
        FailureKind.CERT_HOSTNAME,
        FailureKind.CERT_EXPIRED,
        FailureKind.CERT_UNTRUSTED,
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://stra\u00dfe.test", "xn--strae-oqa.test"),
        ("https://Relay.Test.", "relay.test."),
        ("https://my_relay.test", "my_relay.test"),
        ("https://\u4f8b\u3048.test", "xn--r8jz45g.test"),
    ],
)
async def test_every_probe_and_the_diagnosis_ask_for_the_same_name(
    clock: HandClock, url: str, host: str
) -> None:
    names: list[str] = []

    def resolve(name: str, port: int) -> list[tuple[object, ...]]:
        names.append(name)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    async with Client(resolve) as client:
        for kind in ("http", "tcp", "tls"):
            endpoint = Endpoint(id="e", service="s", url=url, name="E")
            await run_check(
                Check(service="s", endpoint=endpoint, probe=PROBES[kind]()), client, clock=clock
            )
    assert (names, target_of(url).host) == ([host] * 3, host)


async def test_a_dot_at_the_end_of_a_name_is_no_part_of_its_certificate(
    clock: HandClock, ca: tuple[Authority, Path]
) -> None:
    async with serving(waiting, ca[0].context("relay.test")) as server:
        result = await look(clock, "tls", f"https://relay.test.:{server.port}", ca[1])
    assert result.failure is None
