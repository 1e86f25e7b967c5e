"""For every failure kind a server that causes it, over a real socket."""

import asyncio
import contextlib
import datetime as dt
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web
from drawn_words import drawn
from relay import Answering, Asked, event, plain, relaying
from servers import Authority, Script, Server, endless, loopback, reset, saying, serving
from token_cast import changed

from monitor.demo.replies import answer
from monitor.model import FailureKind, Habit, WordHistory
from monitor.model.result import WORDS_OF_BASELINE, WORDS_OF_WINDOW
from monitor.probes.answer.token_counts import counts_of, prompts
from monitor.probes.wire.resolver import Resolve, system_resolve

USUAL = Habit(
    good=20,
    has_finish_reason=20,
    ends_with_done=20,
    has_usage=20,
    right_content_type=20,
    prompt_tokens=20,
)
ONE_MODEL_THEN_ANOTHER = replace(
    USUAL,
    words=WordHistory(
        baseline=drawn("gpt-4o-mini", WORDS_OF_BASELINE, 1),
        since=dt.datetime(2026, 11, 2, tzinfo=dt.UTC),
        recent=drawn("gpt-4o", 2 * WORDS_OF_WINDOW, 2),
    ),
)
USAGE = {"prompt_tokens": 20, "completion_tokens": 128}
CHAT_ANSWER = {
    "model": "model-x",
    "choices": [{"message": {"content": "141"}, "finish_reason": "stop"}],
}
NOT_CACHED = {"cached_tokens": 0}
OK = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Where:
    """What a server makes a probe use: its URL, whom to trust, how names resolve."""

    url: str
    ca_file: Path | None = None
    resolve: Resolve = system_resolve
    server: Server | None = None


Opening = Callable[[Path], AbstractAsyncContextManager[Where]]


@dataclass(frozen=True)
class Case:
    opening: Opening
    probe: str = "http"
    settings: Mapping[str, Any] = field(default_factory=dict)
    habit: Habit = USUAL
    key: str | None = "the-key"
    asked: frozenset[str] = frozenset()
    slow: bool = False


# --- servers --------------------------------------------------------------------------------------


def raw(script: Script) -> Opening:
    @contextlib.asynccontextmanager
    async def opening(_: Path) -> AsyncIterator[Where]:
        async with serving(script) as server:
            yield Where(f"http://127.0.0.1:{server.port}", server=server)

    return opening


def relay(answering: Answering) -> Opening:
    @contextlib.asynccontextmanager
    async def opening(_: Path) -> AsyncIterator[Where]:
        async with relaying() as found:
            found.answering = answering
            yield Where(found.url)

    return opening


def encrypted(
    name: str = "relay.test", expires: dt.datetime | None = None, *, known: bool = True
) -> Opening:
    @contextlib.asynccontextmanager
    async def opening(folder: Path) -> AsyncIterator[Where]:
        authority = Authority()
        (authority if known else Authority()).ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        context = authority.context(name, expires)
        async with serving(saying(OK + b"Content-Length: 2\r\n\r\nok"), context) as server:
            yield Where(f"https://relay.test:{server.port}", folder / "ca.pem", loopback)

    return opening


def handshake(script: Script) -> Opening:
    @contextlib.asynccontextmanager
    async def opening(_: Path) -> AsyncIterator[Where]:
        async with serving(script) as server:
            yield Where(f"https://127.0.0.1:{server.port}")

    return opening


def resolving(error: int) -> Opening:
    def resolve(host: str, port: int) -> list[tuple[object, ...]]:
        raise socket.gaierror(error, "no")

    @contextlib.asynccontextmanager
    async def opening(_: Path) -> AsyncIterator[Where]:
        yield Where("http://nowhere.test", resolve=resolve)

    return opening


@contextlib.asynccontextmanager
async def refusing(_: Path) -> AsyncIterator[Where]:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield Where(f"http://127.0.0.1:{unheard.getsockname()[1]}")


@contextlib.asynccontextmanager
async def unreachable(_: Path) -> AsyncIterator[Where]:
    """A multicast address: the kernel finds no route to it for TCP."""
    yield Where("http://224.0.0.1:9")


@contextlib.asynccontextmanager
async def full(_: Path) -> AsyncIterator[Where]:
    """Listens, and its queue of connections has no place left: the kernel answers no more SYN."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield Where(f"http://127.0.0.1:{listener.getsockname()[1]}")


@contextlib.asynccontextmanager
async def hanging(_: Path) -> AsyncIterator[Where]:
    """Not the server hangs but we do: the whole event loop."""
    async with serving(stall) as server:
        asyncio.get_running_loop().call_later(0.1, time.sleep, 0.8)
        yield Where(f"http://127.0.0.1:{server.port}")


# --- scripts --------------------------------------------------------------------------------------


async def stall(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.close()


async def rst(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    reset(writer)


async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await asyncio.sleep(1)


def status(number: int, **error: Any) -> Opening:
    return relay(plain({"error": {"message": "no", **error}}, number))


def text(body: bytes, code: int = 200, kind: str = "text/html", **headers: str) -> Opening:
    async def answering(_request: web.Request, _asked: Asked) -> web.StreamResponse:
        return web.Response(body=body, status=code, headers={"Content-Type": kind, **headers})

    return relay(answering)


@dataclass(frozen=True)
class Says:
    """A chat stream that answers the question; every field is one way to spoil it."""

    words: list[str] | None = None
    model: str = "model-x"
    usage: Mapping[str, Any] | None = field(default_factory=lambda: USAGE)
    finish: str | None = "stop"
    done: bool = True
    gap: float = 0.002
    think: float = 0.0
    head: bytes = b""
    silence: float = 0.0
    tail: bytes = b""
    kind: str = "text/event-stream"

    def __call__(self) -> Opening:
        return relay(self._answer)

    async def _answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        words = self.words
        if words is None:
            words = answer(asked.json["messages"][0]["content"]).split(" ")
        response = web.StreamResponse(headers={"Content-Type": self.kind})
        await response.prepare(request)
        await response.write(self.head)
        await asyncio.sleep(self.think)
        pieces = [self._chunk({"content": f"{word} "}) for word in words]
        for piece in pieces if self.gap else [b"".join(pieces)]:
            await response.write(piece)
            await asyncio.sleep(self.gap)
        await asyncio.sleep(self.silence)
        await response.write(self._end() + self.tail)
        return response

    def _chunk(self, delta: Any, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event({"model": self.model, "choices": [choice]})

    def _end(self) -> bytes:
        end = self._chunk({}, self.finish) if self.finish else b""
        usage = event({"choices": [], "usage": self.usage}) if self.usage else b""
        return end + usage + (b"data: [DONE]\n\n" if self.done else b"")


def counting(count: Callable[[str], int]) -> Case:
    """Ask a relay that counted a token for each letter, and now counts by another rule for the second time."""
    before, now = (
        counts_of([rule(prompt) for prompt in prompts(Random(1))]) for rule in (len, count)
    )

    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        usage = {"prompt_tokens": count(asked.json["messages"][0]["content"])}
        answer = CHAT_ANSWER | {"usage": usage | {"completion_tokens": 1}}
        return await plain(answer)(request, asked)

    return Case(relay(answering), "tokenizer", {}, Habit(tokens=changed(before, now)))


CHAT = {"timeout": "15s"}
SHORT = {"timeout": "1s"}
CASES: dict[FailureKind, Case] = {
    FailureKind.DNS_NXDOMAIN: Case(resolving(socket.EAI_NONAME)),
    FailureKind.DNS_SERVFAIL: Case(resolving(socket.EAI_AGAIN)),
    FailureKind.TCP_REFUSED: Case(refusing),
    FailureKind.TCP_UNREACHABLE: Case(unreachable),
    FailureKind.CONNECT_TIMEOUT: Case(full, settings=SHORT),
    FailureKind.TLS_TIMEOUT: Case(handshake(stall), settings=SHORT),
    FailureKind.TLS_PROTOCOL: Case(handshake(no_tls)),
    FailureKind.TLS_RESET: Case(handshake(rst)),
    FailureKind.CERT_EXPIRED: Case(encrypted(expires=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))),
    FailureKind.CERT_HOSTNAME: Case(encrypted("other.test")),
    FailureKind.CERT_UNTRUSTED: Case(encrypted(known=False)),
    FailureKind.CERT_EXPIRING: Case(
        encrypted(expires=dt.datetime.now(dt.UTC) + dt.timedelta(days=9))  # noqa: TID251
    ),
    FailureKind.HTTP_DISCONNECT: Case(raw(drop)),
    FailureKind.HEADERS_TIMEOUT: Case(raw(stall), settings=SHORT),
    FailureKind.HTTP_GARBAGE: Case(raw(saying(b"SSH-2.0-OpenSSH_9\r\n\r\n"))),
    FailureKind.SERVER_ERROR: Case(status(500, type="api_error"), "chat"),
    FailureKind.BAD_GATEWAY: Case(text(b"<html><h1>502 Bad Gateway</h1></html>", 502), "chat"),
    FailureKind.UPSTREAM_TIMEOUT: Case(status(504, type="timeout_error"), "chat"),
    FailureKind.NO_CHANNEL: Case(status(503, code="model_not_found"), "chat"),
    FailureKind.EDGE_ERROR: Case(text(b"<html>521</html>", 521), "chat"),
    FailureKind.EDGE_TIMEOUT: Case(text(b"error code: 524", 524, "text/plain"), "chat"),
    FailureKind.HTML_ANSWER: Case(text(b"<!doctype html><title>Panel</title>"), "chat"),
    FailureKind.UNEXPECTED_STATUS: Case(text(b"I am a teapot", 418)),
    FailureKind.UNEXPECTED_REDIRECT: Case(text(b"", 302, Location="http://login.test/"), "models"),
    FailureKind.UNEXPECTED_BODY: Case(relay(plain({"hello": "world"})), "models"),
    FailureKind.WEBSOCKET_BROKEN: Case(text(b"Upgrade Required", 426, "text/plain"), "realtime"),
    FailureKind.BODY_TIMEOUT: Case(
        raw(saying(OK + b"Content-Length: 9\r\n\r\nx", 60.0)), settings=SHORT
    ),
    FailureKind.ROUTE_GONE: Case(status(404, message="Invalid URL (GET /v1/models)"), "models"),
    FailureKind.NO_FIRST_TOKEN: Case(
        Says(words=[], head=b": ping\n\n" * 3, silence=60)(), "chat", SHORT
    ),
    FailureKind.EMPTY_COMPLETION: Case(Says(words=[])(), "chat", CHAT),
    FailureKind.STREAM_ERROR: Case(
        Says(
            tail=b'data: {"error": {"message": "oops"}}\n\n', finish=None, done=False, usage=None
        )(),
        "chat",
        CHAT,
    ),
    FailureKind.BODY_TOO_LARGE: Case(raw(endless(OK + b"\r\n", b"x" * 65536))),
    FailureKind.SLOW: Case(
        raw(saying(0.1, OK + b"Content-Length: 2\r\n\r\nok")), settings={"slow": "total > 50ms"}
    ),
    FailureKind.STALLED: Case(
        Says(words=["200", "201"], silence=60)(), "chat", {"timeout": "11s"}, slow=True
    ),
    FailureKind.TRUNCATED: Case(
        Says(words=["200", "201"], finish=None, usage=None)(), "chat", CHAT
    ),
    FailureKind.MALFORMED_STREAM: Case(Says(head=b'data: {"choices": [{"del\n\n')(), "chat", CHAT),
    FailureKind.NOT_OFFERED: Case(
        status(404), "models", asked=frozenset({"model-x"}), habit=Habit()
    ),
    FailureKind.STREAM_NOT_SUPPORTED: Case(
        relay(
            plain(
                {
                    "model": "model-x",
                    "choices": [{"message": {"content": "200"}, "finish_reason": "stop"}],
                }
            )
        ),
        "chat",
        {"text": "Say 200.", "answer": "200"},
    ),
    FailureKind.FAKE_STREAMING: Case(Says(think=0.6, gap=0.0)(), "chat", CHAT, Habit(bursts=2)),
    FailureKind.CONTENT_MISMATCH: Case(
        Says(words=["no"] * 80)(), "chat", CHAT, Habit(mismatches=2)
    ),
    FailureKind.MODEL_MISMATCH: Case(Says(model="tiny-model")(), "chat", CHAT),
    FailureKind.MODEL_SUSPECT: Case(
        Says(words=["42"], usage=USAGE | {"completion_tokens": 1})(),
        "identity",
        {"stream": True},
        ONE_MODEL_THEN_ANOTHER,
    ),
    FailureKind.SCHEMA_IGNORED: Case(
        Says(words=["It is 141."], usage=USAGE | {"completion_tokens": 6})(),
        "structured",
    ),
    FailureKind.TOOL_CALL_MISSING: Case(
        Says(words=["It is 141."], usage=USAGE | {"completion_tokens": 6})(), "tools"
    ),
    FailureKind.TOOL_CALL_BROKEN: Case(
        relay(
            plain(
                {
                    "model": "model-x",
                    "choices": [
                        {"message": {"tool_calls": [{"id": "c", "function": {"name": "f"}}]}}
                    ],
                    "usage": USAGE | {"completion_tokens": 6},
                }
            )
        ),
        "tools",
        {"stream": False},
    ),
    FailureKind.TOKENIZER_CHANGED: counting(lambda prompt: len(prompt.encode())),
    FailureKind.PROMPT_INJECTED: counting(lambda prompt: 500 + len(prompt)),
    FailureKind.CACHE_MISSING: Case(
        relay(
            plain(
                CHAT_ANSWER
                | {"usage": USAGE | {"completion_tokens": 3, "prompt_tokens_details": NOT_CACHED}}
            )
        ),
        "cache",
        {"pause": "1ms"},
        Habit(mismatches=2),
    ),
    FailureKind.CACHE_UNREPORTED: Case(
        relay(plain(CHAT_ANSWER | {"usage": USAGE | {"completion_tokens": 3}})),
        "cache",
        {"pause": "1ms"},
        Habit(mismatches=2),
    ),
    FailureKind.CONTENT_FILTERED: Case(Says(finish="content_filter")(), "chat", CHAT),
    FailureKind.WRONG_CONTENT_TYPE: Case(Says(kind="text/plain")(), "chat", CHAT),
    FailureKind.OVER_BILLING: Case(Says(usage=USAGE | {"prompt_tokens": 900})(), "chat", CHAT),
    FailureKind.MISSING_USAGE: Case(Says(usage=None)(), "chat", CHAT),
    FailureKind.RATE_LIMITED: Case(status(429, code="rate_limit_exceeded"), "chat"),
    FailureKind.OVERLOADED: Case(status(529, type="overloaded_error"), "messages"),
    FailureKind.AUTH_INVALID: Case(status(401, code="invalid_api_key"), "chat"),
    FailureKind.QUOTA_EXHAUSTED: Case(
        status(403, message="用户额度不足, 剩余额度: 0", code="insufficient_user_quota"), "chat"
    ),
    FailureKind.PERMISSION_DENIED: Case(status(403, code="access_denied"), "chat"),
    FailureKind.CLIENT_REFUSED: Case(
        status(403, message="this group only allows Claude Code clients"), "messages"
    ),
    FailureKind.MODEL_NOT_FOUND: Case(status(404, code="model_not_found"), "chat"),
    FailureKind.REGION_BLOCKED: Case(
        status(403, code="unsupported_country_region_territory"), "chat"
    ),
    FailureKind.REQUEST_REJECTED: Case(status(422, message="messages: field required"), "chat"),
    FailureKind.BUDGET_TOO_SMALL: Case(
        Says(
            words=[],
            finish="length",
            usage=USAGE | {"completion_tokens_details": {"reasoning_tokens": 9}},
        )(),
        "chat",
        {"max_tokens": 200},
    ),
    FailureKind.PATH_NOT_FOUND: Case(
        status(404, message="Invalid URL (POST /v1/chat)"), "chat", habit=Habit()
    ),
    FailureKind.NO_KEY: Case(refusing, "chat", key=None),
    FailureKind.EDGE_CHALLENGE: Case(
        text(b"<title>Just a moment...</title>", 403, **{"cf-mitigated": "challenge"}), "chat"
    ),
    FailureKind.EDGE_DENIED: Case(
        text(json.dumps({"error_code": 1020}).encode(), 403, "application/json"), "chat"
    ),
    FailureKind.OVERRUN: Case(hanging, settings=SHORT),
}
