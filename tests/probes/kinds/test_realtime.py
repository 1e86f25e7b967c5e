"""The realtime probe against servers on real sockets that open WebSockets, or do something else."""

import asyncio
import contextlib
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web
from listening import listening
from proxies import Fake, proxying
from servers import Authority, serving

from monitor.model import Check, Endpoint, FailureKind, Habit, Proxy, Secret
from monitor.probes import PROBES
from monitor.probes.probe import FREE, Finding, Run
from monitor.probes.wire.client import Client

CREATED = {"type": "session.created", "event_id": "e", "session": {"id": "s"}}
Greeting = Callable[[web.WebSocketResponse], Awaitable[object]]


async def ask(
    url: str, client: Client, proxy: Proxy | None = None, ca: Path | None = None, **settings: Any
) -> Finding:
    probe = PROBES["realtime"](**settings)
    endpoint = Endpoint(
        id="e", service="s", url=url, name="E", key=Secret("the-key"), proxy=proxy, ca_file=ca
    )
    check = Check(service="s", endpoint=endpoint, probe=probe, model=None)
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    run = Run(check=check, habit=Habit(), client=client, rng=Random(7), now=now)
    return await probe.run(run)


@contextlib.asynccontextmanager
async def opening(
    greet: Greeting, asked: list[web.Request], goodbyes: list[int]
) -> AsyncIterator[str]:
    """A server that greets whoever opens a WebSocket, and notes with which code they leave."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        asked.append(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await greet(socket)
        async for _ in socket:
            pass
        goodbyes.append(socket.close_code or 0)
        return socket

    app = web.Application()
    app.router.add_get("/v1/realtime", handle)
    async with listening(app) as url:
        yield url


async def greeted(greet: Greeting, **settings: Any) -> tuple[Finding, list[web.Request], list[int]]:
    asked: list[web.Request] = []
    goodbyes: list[int] = []
    async with opening(greet, asked, goodbyes) as url, Client() as client:
        finding = await ask(url, client, **settings)
    return finding, asked, goodbyes


def answering(status: int, body: str, **headers: str) -> web.Application:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    return app


async def answered(status: int, body: str, **headers: str) -> Finding:
    async with listening(answering(status, body, **headers)) as url, Client() as client:
        return await ask(url, client)


def told(finding: Finding) -> tuple[FailureKind | None, str]:
    return (finding.failure.kind, finding.failure.message) if finding.failure else (None, "")


async def test_a_websocket_is_opened_with_the_key_greeted_and_politely_closed() -> None:
    finding, (request,), goodbyes = await greeted(lambda socket: socket.send_json(CREATED))

    assert finding.failure is None
    assert (request.path_qs, request.headers["Authorization"]) == (
        "/v1/realtime?model=gpt-realtime",
        "Bearer the-key",
    )
    assert goodbyes == [1000]
    assert (finding.exchange.status, finding.habit.good) == (101, 1)
    assert finding.evidence.note == "first event: session.created"
    timings = finding.exchange.timings
    assert 0 < (timings.ttfb or 0) <= (timings.total or 0)
    assert PROBES["realtime"]().usual_cost() == FREE


async def test_a_server_that_does_not_greet_is_up_all_the_same() -> None:
    finding, _, goodbyes = await greeted(lambda _: asyncio.sleep(0), timeout="1.3s")
    assert (told(finding), goodbyes) == ((None, ""), [1000])
    assert finding.evidence.note == "no event came"


async def test_another_model_or_path_is_asked_for_as_it_is_written() -> None:
    async with Client() as client:
        asked: list[web.Request] = []
        async with opening(lambda socket: socket.send_json(CREATED), asked, []) as url:
            await ask(url, client, model="a b&c")
            await ask(url, client, path="/v1/realtime?model=x")
    assert [request.path_qs for request in asked] == [
        "/v1/realtime?model=a%20b%26c",
        "/v1/realtime?model=x",
    ]


def error(**fields: str) -> Mapping[str, Any]:
    return {"type": "error", "event_id": "e", "error": {"message": "no", **fields}}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (error(code="invalid_api_key"), FailureKind.AUTH_INVALID),
        (error(code="insufficient_quota"), FailureKind.QUOTA_EXHAUSTED),
        (error(code="model_not_found"), FailureKind.MODEL_NOT_FOUND),
        (error(type="server_error"), FailureKind.SERVER_ERROR),
        (["no object"], FailureKind.UNEXPECTED_BODY),
    ],
)
async def test_an_error_event_is_judged_as_errors_are_elsewhere(
    event: Any, kind: FailureKind
) -> None:
    finding, _, goodbyes = await greeted(lambda socket: socket.send_json(event))
    assert (told(finding)[0], goodbyes) == (kind, [1000])


@pytest.mark.parametrize(
    ("code", "reason", "kind", "words"),
    [
        (3000, b"invalid_request_error.invalid_api_key", FailureKind.AUTH_INVALID, "HTTP 101"),
        (1011, b"upstream failed", FailureKind.SERVER_ERROR, '"upstream failed"'),
        (1001, b"", FailureKind.HTTP_DISCONNECT, "closed at once with code 1001"),
    ],
)
async def test_a_server_that_says_goodbye_first_is_judged_by_its_reason(
    code: int, reason: bytes, kind: FailureKind, words: str
) -> None:
    finding, *_ = await greeted(lambda socket: socket.close(code=code, message=reason))
    found, message = told(finding)
    assert found is kind
    assert words in message


async def test_a_connection_that_drops_after_the_handshake_is_called_that() -> None:
    async def drop(socket: web.WebSocketResponse) -> None:
        transport = socket._req.transport if socket._req else None
        assert transport is not None
        transport.abort()

    finding, *_ = await greeted(drop)
    assert told(finding)[0] is FailureKind.HTTP_DISCONNECT


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, '{"object": "list"}', FailureKind.WEBSOCKET_BROKEN),
        (200, "", FailureKind.WEBSOCKET_BROKEN),
        (426, "Upgrade Required", FailureKind.WEBSOCKET_BROKEN),
        (400, "Bad Request: websocket: 'upgrade' token not found", FailureKind.WEBSOCKET_BROKEN),
        (
            400,
            '{"error": {"message": "no", "code": "model_not_found"}}',
            FailureKind.MODEL_NOT_FOUND,
        ),
        (401, '{"error": {"message": "no"}}', FailureKind.AUTH_INVALID),
        (403, '{"error": {"message": "no"}}', FailureKind.PERMISSION_DENIED),
        (404, "404 page not found", FailureKind.PATH_NOT_FOUND),
        (502, "<html><h1>502 Bad Gateway</h1></html>", FailureKind.BAD_GATEWAY),
        (200, "<!doctype html><title>Panel</title>", FailureKind.HTML_ANSWER),
        (
            200,
            '{"error": {"message": "no", "code": "insufficient_quota"}}',
            FailureKind.QUOTA_EXHAUSTED,
        ),
    ],
)
async def test_another_answer_than_a_websocket_is_told_by_its_name(
    status: int, body: str, kind: FailureKind
) -> None:
    finding = await answered(status, body)
    assert told(finding)[0] is kind
    assert finding.exchange.body == body.encode()
    if status >= 400:
        assert ", want 101" in told(finding)[1]


async def test_a_redirect_is_never_followed_with_the_key() -> None:
    asked: list[web.Request] = []
    async with opening(lambda socket: socket.send_json(CREATED), asked, []) as url:
        finding = await answered(302, "", Location=f"{url}/v1/realtime")
    assert (told(finding)[0], asked) == (FailureKind.UNEXPECTED_REDIRECT, [])


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x",
            "Sec-WebSocket-Accept",
        ),
        ("Upgrade: h2c\r\nConnection: Upgrade", "another Upgrade"),
    ],
)
async def test_a_101_that_is_not_for_us_is_no_websocket(head: str, words: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n\r\n".encode())
        await writer.drain()

    async with serving(script) as server, Client() as client:
        kind, message = told(await ask(f"http://127.0.0.1:{server.port}", client))
    assert kind is FailureKind.WEBSOCKET_BROKEN
    assert words in message


@pytest.mark.parametrize("connection", ["keep-alive, Upgrade", "upgrade,Keep-Alive"])
async def test_a_server_that_names_more_than_the_upgrade_opens_one(connection: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        (key,) = re.findall("sec-websocket-key: (.*)\r\n", head, re.IGNORECASE)
        accept = b64encode(sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        event = json.dumps(CREATED).encode()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            + f"Connection: {connection}\r\nSec-WebSocket-Accept: {accept.decode()}\r\n\r\n".encode()
            + bytes([0x81, len(event)])
            + event
        )
        await reader.read()

    async with serving(script) as server, Client() as client:
        finding = await ask(f"http://127.0.0.1:{server.port}", client)
    assert told(finding) == (None, "")
    assert finding.evidence.note == "first event: session.created"


async def test_a_message_that_is_far_too_long_is_called_that() -> None:
    finding, *_ = await greeted(lambda socket: socket.send_str("x" * (2 << 20)))
    assert told(finding)[0] is FailureKind.BODY_TOO_LARGE


@pytest.mark.slow
async def test_a_flood_of_messages_ends_with_the_first() -> None:
    async def flood(socket: web.WebSocketResponse) -> None:
        with contextlib.suppress(ConnectionError):
            while not socket.closed:
                await socket.send_json(CREATED)

    finding, *_ = await greeted(flood)
    assert told(finding) == (None, "")


@pytest.mark.parametrize("socks", [False, True])
async def test_an_encrypted_websocket_goes_through_a_proxy(socks: bool, tmp_path: Path) -> None:
    authority, fake = Authority(), Fake(socks=socks)
    authority.ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(CREATED)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/v1/realtime", handle)
    async with proxying(fake), listening(app, authority.context()) as url, Client() as client:
        port = url.rpartition(":")[2]
        far = f"https://relay.test:{port}"
        finding = await ask(far, client, fake.as_proxy(), tmp_path / "ca.pem")
    assert (told(finding), finding.evidence.note) == ((None, ""), "first event: session.created")
    assert fake.seen == [f"{'' if socks else 'CONNECT '}relay.test:{port}"]
    assert (finding.exchange.timings.tls or 0) > 0
