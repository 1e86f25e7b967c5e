"""An agent's requests: each is signed, is sent to one hub address after another until one answers."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from monitor.agent.clock_offset import ClockOffset
from monitor.agent.ingest import CONFIG, RESULTS
from monitor.agent.invitation import Invitation
from monitor.agent.signature import SignedHead, config_message, digest, is_signed
from monitor.clock import Clock
from monitor.model import MonitorError, Proxy
from monitor.store.run_rows import millis

log = logging.getLogger(__name__)
_TIMEOUT = aiohttp.ClientTimeout(total=40, sock_connect=10)
_ANSWER_S = 20.0
"""How long a hub may take to answer where there is another to ask: one that hangs takes connections all the same."""
_MOST_ANSWER = 4 << 20
"""Bytes of a configuration."""
_HURRIED = aiohttp.ClientTimeout(total=40, sock_connect=10, sock_read=_ANSWER_S)
_PASSED_ON = {502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 530}
"""Statuses of what stands before a hub that is away, or of one that is not the leader."""

_Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""


_ADD_ANEW = (
    "stop this agent, or run `monitor agent add` at the hub, delete agent.key here and give the new line;"
    " results wait here meanwhile"
)


class HubAwayError(MonitorError):
    """Raised where no address of the hub gives an answer that can be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushAnswer:
    """The hub's answer to a batch; numbers that it did not give are -1."""

    status: int
    upto: int = -1
    before: int = -1
    config: str = ""
    doubted: frozenset[str] = frozenset()
    """Checks to look at although it is the turn of another vantage."""
    other_stream: bool = False
    speaks: int = 0
    """The version of the wire that the hub speaks, where it refuses ours."""
    retry_after_s: float = 10.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class FetchedConfig:
    tag: str
    body: bytes


class HubClient:
    """Speaks to one hub. `offset` is what its answers say of our clock."""

    def __init__(
        self,
        invitation: Invitation,
        *,
        hubs: Sequence[str] = (),
        proxy: Proxy | None = None,
        clock: Clock,
    ) -> None:
        """`hubs` are the hub's addresses, where there are others than that of the invitation."""
        self._invitation, self._clock = invitation, clock
        self._hubs = [*(hubs or [invitation.hub])]
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self.offset = ClockOffset()

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def config(self, tag: str) -> FetchedConfig | None:
        """Return what to probe; None where it is still what `tag` names. Raises HubAwayError."""
        head = self._head("GET", CONFIG, b"")
        request = self._invitation.key.sign(head.message)

        def is_config(answer: _Answer) -> bool:
            return self._is_config(answer, request)

        answer = await self._ask(head, b"", {"If-None-Match": f'"{tag}"'}, is_config)
        status, headers, body = answer
        if status not in {200, 304}:
            raise HubAwayError(_why(status, body))
        if not is_config(answer):
            raise HubAwayError("the configuration is not signed by the hub")
        self._learn(headers.get("Monitor-Time", ""))
        return None if status == 304 else FetchedConfig(_tag(headers), body)

    def _is_config(self, answer: _Answer, request: str) -> bool:
        """Say whether the hub has signed this answer to the request with this signature."""
        status, headers, body = answer
        if status not in {200, 304}:
            return False
        body = b"" if status == 304 else body
        time = headers.get("Monitor-Time", "")
        message = config_message(self._invitation.vantage, request, _tag(headers), time, body)
        return is_signed(self._invitation.hub_key, headers.get("Monitor-Signature", ""), message)

    async def push(self, body: bytes, *, stream: str, first: int, last: int) -> PushAnswer:
        """Send a zipped batch. Raises HubAwayError."""
        head = self._head("POST", RESULTS, body, stream=stream, first=str(first), last=str(last))
        more = {"Content-Encoding": "gzip"}
        status, headers, answer = await self._ask(head, body, more, _is_receipt)
        document = _object(answer)
        if status == 200:
            if not _is_receipt((status, headers, answer)):
                raise HubAwayError("what answered is no hub")
            self._learn(str(document["time"]))
        return PushAnswer(
            status=status,
            upto=_number(document, "upto"),
            before=_number(document, "before"),
            config=str(document.get("config", "")),
            doubted=_texts(document, "doubted"),
            other_stream=document.get("other_stream") is True,
            speaks=max(_number(document, "speaks"), 0),
            retry_after_s=_seconds(headers.get("Retry-After", "")),
            why=_why(status, answer),
        )

    def _head(self, method: str, path: str, body: bytes, **more: str) -> SignedHead:
        return SignedHead(
            method=method,
            path=f"/{path}",
            agent=self._invitation.vantage,
            time=str(millis(self._clock.now())),
            body_digest=digest(body),
            **more,
        )

    async def _ask(
        self,
        head: SignedHead,
        body: bytes,
        more: Mapping[str, str],
        is_expected: Callable[[_Answer], bool],
    ) -> _Answer:
        """Ask the addresses in turn, the one first whose hub answered last. Where none did, return what came instead."""
        headers = {
            "Monitor-Agent": head.agent,
            "Monitor-Stream": head.stream,
            "Monitor-First": head.first,
            "Monitor-Last": head.last,
            "Monitor-Time": head.time,
            "Monitor-Digest": head.body_digest,
            "Monitor-Signature": self._invitation.key.sign(head.message),
        }
        headers = {name: value for name, value in headers.items() if value} | dict(more)
        whys: list[str] = []
        others: list[_Answer] = []
        for hub in [*self._hubs]:
            try:
                answer = await self._ask_one(hub, head, body, headers)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                whys.append(f"{hub}: {_describe(error)}")
                continue
            if is_expected(answer) or _is_refusal(answer):
                self._hubs.remove(hub)
                self._hubs.insert(0, hub)
                return answer
            others.append(answer)
        if others:
            # A hub that cannot answer now knows more than whatever stands where another one was.
            return next((each for each in reversed(others) if _has_reason(each[2])), others[-1])
        raise HubAwayError("; ".join(whys))

    async def _ask_one(
        self, hub: str, head: SignedHead, body: bytes, headers: Mapping[str, str]
    ) -> _Answer:
        self._sent_ms, self._began = millis(self._clock.now()), self._clock.monotonic()
        url = URL(f"{hub}{head.path}")
        request = self._open().request(
            head.method, url, data=body or None, headers=headers, allow_redirects=False, **self._way
        )
        async with request as response:
            received = await response.content.read(_MOST_ANSWER)
            while piece := await response.content.read(_MOST_ANSWER - len(received) + 1):
                received += piece
                if len(received) > _MOST_ANSWER:
                    raise ValueError("the answer is too large")
            return response.status, response.headers, received

    def _open(self) -> aiohttp.ClientSession:
        """Open a session whose connections last for one request: the network may be another one by then."""
        if self._session is None:
            connector: aiohttp.BaseConnector = aiohttp.TCPConnector(force_close=True)
            if self._proxy and self._proxy.socks:
                from monitor.probes.wire.socks import socks_connector  # noqa: PLC0415  # an extra

                connector = socks_connector(self._proxy)
            timeout = _TIMEOUT if len(self._hubs) == 1 else _HURRIED
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self._session

    @property
    def _way(self) -> dict[str, Any]:
        proxy = self._proxy
        if proxy is None or proxy.socks:
            return {}
        user, _, password = proxy.login.reveal().partition(":") if proxy.login else ("", "", "")
        address = URL.build(
            scheme="http",
            user=user or None,
            password=password or None,
            host=proxy.host,
            port=proxy.port,
        )
        return {"proxy": address}

    def _learn(self, hub_ms: str) -> None:
        round_trip_ms = (self._clock.monotonic() - self._began) * 1000
        if hub_ms.isascii() and hub_ms.isdigit():
            self.offset = self.offset.answered(self._sent_ms, float(hub_ms), round_trip_ms)


def _is_receipt(answer: _Answer) -> bool:
    """Say whether a hub has taken what was pushed."""
    document = _object(answer[2])
    numbers = (document.get(name) for name in ("upto", "before", "time"))
    return answer[0] == 200 and all(isinstance(number, int) for number in numbers)


def _is_refusal(answer: _Answer) -> bool:
    """Say whether this is a hub's own refusal, which another hub of the same store would repeat."""
    status, _, body = answer
    return status >= 400 and status not in _PASSED_ON and _has_reason(body)


def _has_reason(body: bytes) -> bool:
    return isinstance(_object(body).get("why"), str)


def _tag(headers: Mapping[str, str]) -> str:
    return headers.get("ETag", "").strip('"')


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _number(document: Mapping[str, Any], name: str) -> int:
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _texts(document: Mapping[str, Any], name: str) -> frozenset[str]:
    value = document.get(name)
    texts = value if isinstance(value, list) else []
    return frozenset(text for text in texts if isinstance(text, str))


def _why(status: int, body: bytes) -> str:
    """Say what a refusal means, and what to do where only a person can mend it."""
    why = _object(body).get("why")
    if isinstance(why, str):
        return f"HTTP {status}: {why[:200]}" + (f"; {_ADD_ANEW}" if status == 401 else "")
    if status in {404, 405}:
        return f"HTTP {status}: no agent may push there any more (no [vantage.ID] is left), or the address leads elsewhere; {_ADD_ANEW}"
    return f"HTTP {status}, and not from a hub; does the address lead there, through all that stands before it?"


def _seconds(text: str) -> float:
    """Return a pause within reason."""
    return min(max(float(text), 1.0), 300.0) if text.isascii() and text.isdigit() else 10.0


def _describe(error: Exception) -> str:
    """Say what failed in words of ours: the text of the error may hold the login of a proxy."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "no connection" if isinstance(error, OSError) else type(error).__name__
