"""The server that the benchmarks ask, in a process of its own: it counts, and knows when it wrote what.

`GET` anything: a short list of models; below `/150ms/` so long after the request. `POST /20x10ms/...`: a stream that counts as it was asked to, in
20 pieces 10 ms apart, the first 80 ms after the request. Its last event tells between which two moments
each piece was written, in nanoseconds of the monotonic clock: the piece is encrypted before, so that these
are the ends of the system call. Ends with its standard input.
"""

import asyncio
import contextlib
import json
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from monitor.clock import SystemClock
from monitor.demo.faulty_listener import context_for, issue

T = TypeVar("T")
HEADERS_S, FIRST_S = 0.03, 0.08
_MANNER = re.compile(r"/(\d+)x(\d+)ms/")
_WAITING = re.compile(r"/(\d+)ms/")
_COUNTING = re.compile(rb"numbers (\d+) to (\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MODELS = json.dumps(
    {"object": "list", "data": [{"id": f"model-{n}", "object": "model"} for n in range(10)]}
).encode()


class Line:
    """One connection; TLS by hand."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._sock, self._loop = sock, asyncio.get_running_loop()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)

    async def shake_hands(self) -> None:
        await self._step(self._tls.do_handshake)

    async def request(self) -> tuple[str, bytes]:
        """First line and body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += await self._step(lambda: self._tls.read(65536))
        head, _, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        while length and len(body) < int(length[1]):
            body += await self._step(lambda: self._tls.read(65536))
        return head.decode().partition("\r\n")[0], body

    async def _step(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
                data = await self._loop.sock_recv(self._sock, 65536)
                if not data:
                    raise ConnectionError from None
                self._in.write(data)
            finally:
                self._flush()

    def _flush(self) -> None:
        if self._out.pending:
            self._sock.send(self._out.read())

    def write(self, data: bytes) -> tuple[int, int]:
        """Between which two moments, in nanoseconds."""
        self._tls.write(data)
        sealed = self._out.read()
        before = time.monotonic_ns()
        self._sock.send(sealed)
        return before, time.monotonic_ns()


async def answer(sock: socket.socket, context: ssl.SSLContext) -> None:
    with sock, contextlib.suppress(OSError):
        line = Line(sock, context)
        await line.shake_hands()
        first, body = await line.request()
        manner = _MANNER.search(first)
        if manner and first.startswith("POST"):
            await stream(line, int(manner[1]), int(manner[2]) / 1000, body)
        else:
            waiting = _WAITING.search(first)
            await asyncio.sleep(int(waiting[1]) / 1000 if waiting else 0)
            line.write(_head("application/json", f"Content-Length: {len(_MODELS)}") + _MODELS)
        sock.shutdown(socket.SHUT_WR)


async def stream(line: Line, pieces: int, gap_s: float, asked: bytes) -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    counting = _COUNTING.search(asked)
    first, last = (int(counting[1]), int(counting[2])) if counting else (1, 64)
    numbers = [f"{number} " for number in range(first, last + 1)]
    await asyncio.sleep(HEADERS_S)
    line.write(
        _head("text/event-stream", "Transfer-Encoding: chunked") + _event({"role": "assistant"})
    )
    written = []
    for place in range(pieces):
        await asyncio.sleep(max(0.0, begin + FIRST_S + place * gap_s - loop.time()))
        part = numbers[place * len(numbers) // pieces : (place + 1) * len(numbers) // pieces]
        written.append(line.write(_event({"content": "".join(part)})))
    usage = {"prompt_tokens": 30, "completion_tokens": 2 * len(numbers)}
    line.write(
        _event({}, finish_reason="stop")
        + _sse({"choices": [], "usage": usage, "written": written})
        + _chunk(b"data: [DONE]\n\n")
        + b"0\r\n\r\n"
    )


def _head(media: str, more: str) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nConnection: close\r\n{more}\r\n\r\n".encode()
    )


def _event(delta: dict[str, str], **more: str) -> bytes:
    return _sse(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "model-1",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None, **more}],
        }
    )


def _sse(value: object) -> bytes:
    return _chunk(b"data: " + json.dumps(value).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def main(folder: Path) -> None:
    context = context_for(issue(folder / "ca.pem", SystemClock().now()).good)
    loop = asyncio.get_running_loop()
    talks: set[asyncio.Task[None]] = set()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        server.setblocking(False)
        gone = loop.run_in_executor(None, sys.stdin.read)
        print(server.getsockname()[1], flush=True)
        while not gone.done():
            sock, _ = await loop.sock_accept(server)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            talk = asyncio.create_task(answer(sock, context))
            talks.add(talk)
            talk.add_done_callback(talks.discard)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
