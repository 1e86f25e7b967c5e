"""One endpoint's flood costs its neighbours nothing: it is read slowly, and ends as the endpoint's doing."""

import asyncio
import sys
import time
from datetime import timedelta

import pytest
from servers import endless, saying, serving

from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import ErrorType, Exchange, HttpRequest, StreamWatcher
from monitor.probes.readers import ChatReader
from monitor.probes.wire.client import Client
from monitor.probes.wire.work_budget import WorkBudget

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
FLOODS = {
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 400),
    "empty events": (STREAM + b"\r\n", b"data:\n\n" * 2000),
    "empty deltas": (STREAM + b"\r\n", b'data: {"choices":[{"delta":{}}]}\n\n' * 400),
    "empty lines": (STREAM + b"\r\n", b"\n" * 16_384),
    "one-byte chunks": (STREAM + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 3000),
}
S = timedelta(seconds=1)


async def ask(client: Client, port: int, watch: StreamWatcher | None = None) -> Exchange:
    request = HttpRequest(method="GET", url=f"http://127.0.0.1:{port}/", timeout=2 * S)
    return await client.send(request, watch)


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_takes_a_small_share_of_the_loop_and_ends_in_time(name: str) -> None:
    head, piece = FLOODS[name]
    async with Client() as client, serving(saying(b"HTTP/1.1 200 OK\r\n\r\nok")) as quiet:
        await ask(client, quiet.port)  # what is set up once costs this test nothing
        process = await asyncio.create_subprocess_exec(
            *flooder(head, piece), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        cpu, began = time.thread_time(), time.monotonic()
        try:
            exchange = await ask(client, port, StreamRecorder(ChatReader()))
        finally:
            process.kill()
            await process.wait()
        spent, took = time.thread_time() - cpu, time.monotonic() - began
    assert exchange.error is not None
    assert exchange.error.what in {ErrorType.TIMEOUT, ErrorType.TOO_LARGE}
    assert took < 3.5
    assert spent < 0.5, "of two seconds; without a budget all of it"


def flooder(head: bytes, piece: bytes) -> list[str]:
    """A server in a process of its own, so that its work is not taken for the client's."""
    code = f"""
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        connection, _ = server.accept()
        connection.recv(65536)
        try:
            connection.sendall({head!r})
            while True:
                connection.sendall({piece!r})
        except OSError:
            pass
"""
    return [sys.executable, "-c", code]


async def test_before_the_answer_no_more_is_read_than_an_honest_server_sends() -> None:
    flood = endless(b"", b"HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n" * 50)
    async with Client() as client, serving(flood) as server:
        exchange = await ask(client, server.port)
    assert exchange.error is not None
    assert (exchange.status, exchange.error.what) == (None, ErrorType.TIMEOUT)


async def test_some_interim_responses_are_no_flood() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" * 20
    async with (
        Client() as client,
        serving(saying(early, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as server,
    ):
        exchange = await ask(client, server.port)
    assert (exchange.error, exchange.body) == (None, b"ok")


async def test_an_honest_stream_is_read_as_fast_as_it_comes() -> None:
    events = b"".join(
        b'data: {"choices":[{"index":0,"delta":{"content":"word %d "}}]}\n\n' % number
        for number in range(400)
    )
    async with Client() as client, serving(saying(STREAM + b"\r\n", events)) as server:
        began = time.monotonic()
        exchange = await ask(client, server.port, StreamRecorder(ChatReader()))
        took = time.monotonic() - began
    assert (exchange.error, len(exchange.body)) == (None, len(events))
    assert took < 1


async def test_a_body_that_was_paused_between_two_reads_is_read_to_its_end() -> None:
    """The pause comes with the last byte of a read, so that aiohttp's parser keeps a rest of the next one."""
    pieces = b"1\r\nx\r\n" * (1024 // 16 + 1)
    last = b"1\r\ny\r\n0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with Client() as client, serving(saying(head + pieces, 0.1, last, 9.0)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        request = HttpRequest(method="GET", url=url, timeout=2 * S, max_body=1024)
        exchange = await client.send(request)
    assert (exchange.error, exchange.body) == (None, b"x" * 65 + b"y")


def test_a_burst_is_free_and_then_work_must_wait() -> None:
    budget = WorkBudget()
    assert budget.spend(20_000_000) == 0
    assert not budget.is_spent
    assert budget.spend(40_000_000) > 0.5
    assert budget.is_spent
    assert budget.successor().spend(0) > 0.5, "a new run there gets no new burst at once"
    assert WorkBudget().spend(0) == 0


def test_what_other_processes_took_meanwhile_delays_nobody() -> None:
    budget = WorkBudget()
    for _ in range(3):  # by the plain clock each is a burst and more
        began = budget.clock()
        time.sleep(0.05)
        assert budget.spend(budget.clock() - began) == 0
