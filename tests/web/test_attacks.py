"""What the internet sends to a port: nothing gets out, nothing is learned, nobody is held up."""

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest
from web_cast import House, get, raw, serving, web_house

from monitor.web import Limits

__all__ = ["web_house"]

ESCAPES = [
    b"/../monitor.db",
    b"/%2e%2e/monitor.db",
    b"/%2e%2e%2fmonitor.db",
    b"/..%2fmonitor.db",
    b"/..%5cmonitor.db",
    b"/....//monitor.db",
    b"/incidents/../../monitor.db",
    b"/incidents/%2e%2e/%2e%2e/monitor.db",
    b"/incidents/7/..%c0%af..%c0%af..%c0%afmonitor.db",
    b"/%252e%252e/monitor.db",
    b"//etc/passwd",
    b"///etc/passwd",
    b"/%2fetc%2fpasswd",
    b"/link",
    b"/folder/monitor.db",
    b"/.hidden",
    b"/%2ehidden",
    b"/.monitor-files.json",
    b"/%00",
    b"/index.html%00.txt",
    b"/index.html/",
    b"/index.html/../../monitor.db",
    b"/" + b"a" * 4000,
    b"/" + b"a/" * 2000,
    b"/%ff%fe%ed%a0%80",
    b"http://elsewhere.example/../monitor.db",
    b"/fifo",
]


@pytest.mark.parametrize("path", ESCAPES, ids=lambda path: path[:40].decode("latin-1"))
async def test_nothing_outside_the_folder_gets_out(house: House, path: bytes) -> None:
    (house.page / "link").symlink_to(house.page.parent / "monitor.db")
    (house.page / "folder").symlink_to(house.page.parent)
    os.mkfifo(house.page / "fifo")
    answer = await raw(house, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer.split(b" ", 2)[1] in {b"404", b"400"}
    assert b"history" not in answer
    assert b"root:" not in answer


NONSENSE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET  /  HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\x00" * 1000,
]


@pytest.mark.parametrize("sent", NONSENSE, ids=range(len(NONSENSE)))
async def test_nonsense_is_refused_without_a_word_about_ourselves(
    house: House, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await raw(house, sent, 3)

    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    for word in (b"aiohttp", b"Python", b"Traceback", b"0.1.0"):
        assert word not in answer
    assert caplog.records == []
    assert (await get(f"{house.base}/"))[0] == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/healthz", "/incidents/7", "/status.json"])
async def test_no_answer_names_a_version(house: House, path: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        _, text, headers = await get(house.base + path, method)
        assert headers["Server"] == "monitor"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "aiohttp" not in f"{text}{headers}"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "GETT"])
async def test_only_get_and_head_are_answered(house: House, method: str) -> None:
    target = "x:1" if method == "CONNECT" else "/"
    answer = await raw(house, f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 1)
    assert answer.split(b" ", 2)[1] in {b"405", b"400"}
    assert b"home" not in answer


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_who_never_finishes_a_question_is_shown_out(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path, Limits(first_request_s=0.3)) as house:
        began = time.monotonic()
        assert await raw(house, sent, 20) == b""
        assert time.monotonic() - began < 10


async def test_a_slow_reader_is_shown_out_and_costs_no_memory(tmp_path: Path) -> None:
    async with serving(tmp_path, Limits(connection_s=1)) as house:
        (house.page / "big.html").write_bytes(os.urandom(20_000_000))
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, ("127.0.0.1", house.web.port))
            await loop.sock_sendall(sock, b"GET /big.html HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(2)
            got = 0
            try:
                async with asyncio.timeout(10):
                    while piece := await loop.sock_recv(sock, 65_536):
                        got += len(piece)
            except ConnectionError:
                pass
        assert got < 15_000_000
        assert (await get(f"{house.base}/"))[0] == 200


async def test_one_address_cannot_take_every_place_and_places_come_free(tmp_path: Path) -> None:
    async with serving(tmp_path, Limits(max_per_client=5)) as house:
        held = [await asyncio.open_connection("127.0.0.1", house.web.port) for _ in range(5)]
        assert await raw(house, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 2) == b""
        for _, writer in held:
            writer.transport.abort()
        await asyncio.sleep(0.2)
        assert (await get(f"{house.base}/"))[0] == 200


async def test_endless_questions_on_one_connection_come_to_an_end(tmp_path: Path) -> None:
    async with serving(tmp_path, Limits(max_received=4096)) as house:
        answers = await raw(house, b"GET /status.json HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000, 10)
        assert answers.count(b"HTTP/1.1 200") < 200
        assert (await get(f"{house.base}/"))[0] == 200


async def test_a_body_that_nobody_asked_for_is_not_waited_for(house: House) -> None:
    began = time.monotonic()
    answer = await raw(house, b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\nabc", 20)
    assert answer.startswith(b"HTTP/1.1 200")
    assert time.monotonic() - began < 15
