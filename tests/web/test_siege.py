"""A daemon under attack from its port: it goes on to answer everybody else, and to probe."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from web_cast import House, get, raw, web_house

MONITOR = Path(sys.executable).parent / "monitor"
__all__ = ["web_house"]

SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
ODD_FRAMES = [
    b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
    b"Content-Length: +0\r\n\r\n",
    b"Content-Length: 0, 0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: %d\r\n\r\n" % len(SMUGGLED),
]


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("frame", ODD_FRAMES, ids=range(len(ODD_FRAMES)))
async def test_no_second_question_hides_behind_an_odd_frame(
    house: House, method: bytes, frame: bytes
) -> None:
    answer = await raw(house, method + b" / HTTP/1.1\r\nHost: x\r\n" + frame + SMUGGLED, 0.5)
    assert b"m 1\n" not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1


async def test_a_question_of_before_http_1_gets_no_page(house: House) -> None:
    for sent in (b"GET /\r\n\r\n", b"GET / HTTP/0.9\r\n\r\n", b"GET\r\n\r\n"):
        assert b"home" not in await raw(house, sent, 1)


@pytest.mark.parametrize(
    "wanted", ["bytes=99999-", "bytes=-1", "bytes=5-2", "bytes=" + "0-0," * 900 + "0-0", "x=1", ""]
)
async def test_a_range_is_answered_with_the_whole(house: House, wanted: str) -> None:
    status, text, headers = await get(f"{house.base}/", headers={"Range": wanted})
    assert (status, text, headers.get("Content-Range")) == (200, "<h1>home</h1>", None)


async def test_it_is_nobodys_proxy(house: House) -> None:
    for target in (b"http://127.0.0.1:9/", b"http://elsewhere.example/", b"http://a@b:1/"):
        answer = await raw(house, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n", 0.5)
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400")), answer
        assert b"home" in answer or answer.startswith(b"HTTP/1.1 400")


async def test_questions_in_a_row_are_answered_in_order(house: House) -> None:
    paths = [b"/", b"/nothing", b"/status.json"] * 15
    asked = b"".join(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths)
    answer = await raw(house, asked, 2)
    found = [each.split(b" ", 1)[0] for each in answer.split(b"HTTP/1.1 ")[1:]]
    assert found == [b"200", b"404", b"200"] * 15


@dataclass
class Relay:
    """What the daemon probes; counts how often it was asked."""

    port: int = 0
    asked: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[tuple[Relay, int]]:
    """A real one, in a process of its own; and its port."""
    relay = Relay()
    server = await asyncio.start_server(relay.answer, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    (folder / "monitor.toml").write_text(
        '[monitor]\nlisten = "127.0.0.1:0"\n[service.relay]\n'
        f'endpoints = {{ x = "http://127.0.0.1:{relay.port}" }}\nprobes = {{ http = "1s" }}\n'
    )
    process = await asyncio.create_subprocess_exec(
        MONITOR, "run", cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield relay, await _port(process)
    finally:
        process.terminate()
        _, said = await asyncio.wait_for(process.communicate(), 60)
        server.close()
    assert (process.returncode, b"Traceback" in said) == (0, False), said[-2000:]


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            if b"event=listen" in line:
                return int(line.rsplit(b":", 1)[1].strip(b"/\n"))
    raise AssertionError("it has ended")


async def _page(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer.split(b"\r\n", 1)[0]


async def _besiege(port: int, which: int) -> None:
    """Two hundred from four addresses: slow ones, some that hang up half, some that reset."""
    first = b"GET / HTTP/1.1\r\nHost: x\r\n"
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.bind((f"127.0.0.{2 + which % 4}", 0))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            await loop.sock_connect(sock, ("127.0.0.1", port))
            await loop.sock_sendall(sock, first)
            if which % 5 == 1:
                sock.shutdown(socket.SHUT_WR)
            if which % 5 == 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                return
            for _ in range(60):
                await asyncio.sleep(0.2)
                await loop.sock_sendall(sock, b"X-A: b\r\n")


@pytest.mark.slow
async def test_under_siege_it_answers_others_and_goes_on_probing(tmp_path: Path) -> None:
    async with daemon(tmp_path) as (relay, port):
        siege = [asyncio.create_task(_besiege(port, which)) for which in range(200)]
        await asyncio.sleep(1)
        before = relay.asked
        for _ in range(5):
            assert await _page(port) == b"HTTP/1.1 200 OK"
            await asyncio.sleep(1)
        assert relay.asked - before >= 3
        for each in siege:
            each.cancel()
        await asyncio.gather(*siege, return_exceptions=True)
        assert await _page(port) == b"HTTP/1.1 200 OK"
