"""The hub's side of the wire: `POST /agent/v1/results` and `GET /agent/v1/config`, behind limits of their own.

Who may speak is decided by headers alone, before a byte of a body is read: they carry the digest of the body, and
the signature covers it. So a stranger can upload nothing, and nothing that a stranger sends is unpacked or parsed.
"""

import asyncio
import logging
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from aiohttp import web

from monitor.agent.dealer import Dealer, remembered
from monitor.agent.signature import (
    TAG_LENGTH,
    PrivateKey,
    SignedHead,
    config_message,
    digest,
    is_signed,
)
from monitor.agent.wire import (
    VERSION,
    Batch,
    NewerWireError,
    SentRun,
    TooManyValuesError,
    WireError,
    decode_batch,
    record,
    shifted,
    with_deal,
)
from monitor.clock import Clock
from monitor.logs import quoted
from monitor.model import AgentState, Check, Failure, RunRecord, StoreError, Vantage
from monitor.model.dealing import View, agent_id, deal_text, read_deal
from monitor.store.agents import Receipt, ReceivedBatch, receive
from monitor.store.run_rows import millis
from monitor.store.store import Store

log = logging.getLogger(__name__)
PREFIX = "agent/v1/"
RESULTS, CONFIG = f"{PREFIX}results", f"{PREFIX}config"
"""Paths below the hub's address."""
MOST_ZIPPED, MOST_UNZIPPED = 1 << 20, 8 << 20
REQUESTS_PER_S = 4.0
AHEAD = timedelta(seconds=5)
"""A result that lies further in the future began now, as far as anybody knows."""
_BODY_S = 30.0
_MOST_READING = 16
"""Bodies that are read at a time, of all agents."""
_WAIT_FOR_OTHER_S = 15
_WAIT_FOR_STORE_S = 10
_LEDGER_DAYS = timedelta(days=2)
_STREAM = re.compile(r"[0-9a-f-]{8,40}")
_NUMBER = re.compile(r"\d{1,15}")


class WhyRefused(StrEnum):
    """The reasons for which a result of an agent is not taken; a label of a metric."""

    UNKNOWN_CHECK = "unknown_check"
    """The configuration has no such check, or not for this vantage, or the hub alone asks it."""
    UNKNOWN_KIND = "unknown_kind"
    """Only a newer monitor knows the failure kind."""
    TOO_OLD = "too_old"
    """Runs are not kept for so long."""
    MALFORMED = "malformed"
    """The whole batch was no batch, or too large; the agent finds out which result it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """The part of the configuration that decides what is taken and handed out."""

    vantages: Mapping[str, Vantage]
    documents: Mapping[str, bytes]
    """What each vantage probes, as JSON; its agents may share it."""
    checks: Mapping[str, Check]
    kept: timedelta | None
    """How long runs are kept; None is forever."""
    redact: Callable[[str], str]
    in_maintenance: Callable[[str, datetime], bool]


@dataclass(slots=True)
class IngestCounts:
    """Counts since the hub began, by vantage."""

    results: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The runs of a batch that are to be stored, as the configuration and the hub's clock see them."""

    numbers: tuple[int, ...] = ()
    runs: tuple[RunRecord, ...] = ()
    moved: frozenset[int] = frozenset()
    refused: Mapping[WhyRefused, int] = field(default_factory=dict)


def judge(batch: Batch, vantage: Vantage, settings: HubSettings, now: datetime) -> Judged:
    """Decide which runs are taken, and when they began."""
    numbers: list[int] = []
    runs: list[RunRecord] = []
    moved: set[int] = set()
    refused: Counter[WhyRefused] = Counter({WhyRefused.UNKNOWN_KIND: batch.unknown})
    for number, run in batch.runs:
        check = settings.checks.get(run.result.check)
        if check is None or check.probe.hub_only or not vantage.probes(check.service):
            refused[WhyRefused.UNKNOWN_CHECK] += 1
        elif settings.kept is not None and run.result.at < now - settings.kept:
            refused[WhyRefused.TOO_OLD] += 1
        else:
            if run.result.at > now + AHEAD:
                moved.add(len(runs))
                run = shifted(run, now, trusted=False)  # noqa: PLW2901  # the same run, as we see it
            numbers.append(number)
            at = run.result.at
            maintained = settings.in_maintenance(check.key, at)
            run = _redacted(run, settings.redact)  # noqa: PLW2901  # the same run, as we keep it
            runs.append(record(run, check.probe.kind, in_maintenance=maintained))
    return Judged(
        numbers=tuple(numbers),
        runs=tuple(runs),
        moved=frozenset(moved),
        refused={why: count for why, count in refused.items() if count},
    )


def _redacted(run: SentRun, redact: Callable[[str], str]) -> SentRun:
    """Free a failing run of our own secrets too: an endpoint may echo what another place was told."""
    failure, evidence = run.result.failure, run.evidence
    if failure is not None:
        failure = Failure(failure.kind, redact(failure.message))
    if evidence is not None:
        evidence = replace(
            evidence,
            headers=tuple((name, redact(text)) for name, text in evidence.headers),
            body=redact(evidence.body),
            note=redact(evidence.note),
        )
    return replace(run, result=replace(run.result, failure=failure), evidence=evidence)


@dataclass(slots=True)
class _Line:
    """Everything that is remembered of one agent between its requests."""

    tokens: float = REQUESTS_PER_S
    at: float = 0.0
    is_busy: bool = False

    def admits(self, now: float) -> bool:
        self.tokens = min(REQUESTS_PER_S, self.tokens + (now - self.at) * REQUESTS_PER_S)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Agent:
    """Says who signed a request: an agent of a vantage, by its public key."""

    vantage: Vantage
    key: str

    @property
    def id(self) -> str:
        return agent_id(self.key)


@dataclass(frozen=True, slots=True)
class _Document:
    """The configuration of one agent."""

    deal: str | None
    tag: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """A batch that is stored, for whoever judges or tells; `fresh` are runs that were not there before."""

    state: AgentState
    fresh: tuple[RunRecord, ...]
    is_other_stream: bool = False
    """Another agent with the same key is heard; nothing of this one was stored."""


class AgentApi:
    """Answers agents. `on_heard` is called with each batch after its commit: belief is built there."""

    def __init__(
        self,
        store: Store,
        *,
        key: PrivateKey,
        clock: Clock,
        settings: HubSettings,
        on_heard: Callable[[Heard], None] = lambda _: None,
        doubted: Callable[[Vantage], list[str]] = lambda _: [],
    ) -> None:
        """`doubted` are checks that a vantage is to look at although it is not its turn."""
        self._doubted = doubted
        self._store, self._key, self._clock = store, key, clock
        self._on_heard = on_heard
        self._lines: dict[tuple[str, bool], _Line] = {}
        """By public key, and whether a request is signed later than all before: nobody can have recorded such a one."""
        self._newest_ms: dict[str, int] = {}
        """By public key."""
        self._dealers: dict[str, Dealer] = {}
        """By vantage: who shares its checks."""
        self._reading = 0
        self.counts = IngestCounts()
        self.change(settings)

    def change(self, settings: HubSettings) -> None:
        """Answer by another configuration from now on."""
        self._settings = settings
        self._documents: dict[str, _Document] = {}
        """By public key, as each was made last."""
        self._dealers = {
            vantage.id: dealer.keep({*map(agent_id, vantage.public_keys)})
            for vantage in settings.vantages.values()
            if (dealer := self._dealers.get(vantage.id)) is not None
        }

    def recall(self, agents: Iterable[AgentState]) -> None:
        """Go on by what was stored of agents before this hub began."""
        said: dict[str, list[AgentState]] = {}
        for state in agents:
            said.setdefault(state.vantage, []).append(state)
        now = self._clock.monotonic()
        self._dealers |= {vantage: remembered(states, now) for vantage, states in said.items()}

    def live(self, vantage: str) -> View:
        """Return the ids of the agents of a vantage that were heard lately, or before all of them fell silent."""
        return self._dealer(vantage).live(self._clock.monotonic())

    def _dealer(self, vantage: str) -> Dealer:
        return self._dealers.get(vantage, Dealer())

    def _document(self, agent: _Agent) -> _Document:
        """Return what an agent is to probe now."""
        body, deal = self._settings.documents[agent.vantage.id], None
        if len(agent.vantage.public_keys) > 1:
            dealer, now = self._dealer(agent.vantage.id), self._clock.monotonic()
            deal = deal_text(dealer.deal(agent.id, now))
        document = self._documents.get(agent.key)
        if document is None or document.deal != deal:
            body = body if deal is None else with_deal(body, agent.id, deal)
            document = _Document(deal, digest(body)[:TAG_LENGTH], body)
            self._documents[agent.key] = document
        return document

    async def respond(
        self, request: web.BaseRequest, path: str, allow: Callable[[int], None]
    ) -> web.StreamResponse:
        """Answer one request. `allow` lets its connection send so many bytes more."""
        want = {RESULTS: "POST", CONFIG: "GET"}.get(path)
        if want is None:
            return _refusal(404, "not found")
        if request.method != want:
            return _refusal(405, f"want {want}", {"Allow": want})
        head = _head(request, path)
        signature = request.headers.get("Monitor-Signature", "")
        agent = self._who_signed(head, signature)
        if agent is None:
            return _refusal(401, "not signed by an agent of this hub")
        line = self._line(agent, head)
        if not line.admits(self._clock.monotonic()):
            return _refusal(429, "too many requests", {"Retry-After": "1"})
        if path == CONFIG:
            return self._config(request, agent, signature)
        if line.is_busy or self._reading >= _MOST_READING:
            return _refusal(429, "a request of this agent is in work", {"Retry-After": "1"})
        if self._store.trouble:
            return self._store_trouble()
        line.is_busy = True
        self._reading += 1
        try:
            allow(MOST_ZIPPED)
            return await self._take(request, head, agent, await _read(request))
        finally:
            self._reading -= 1
            line.is_busy = False

    def _line(self, agent: _Agent, head: SignedHead) -> _Line:
        """Return what limits a request. What may be recorded has limits of its own, and locks no agent out."""
        sent_ms = int(head.time) if _NUMBER.fullmatch(head.time) else 0
        newest_ms = self._newest_ms.get(agent.key, 0)
        self._newest_ms[agent.key] = max(newest_ms, sent_ms)
        return self._lines.setdefault((agent.key, sent_ms > newest_ms), _Line())

    def _who_signed(self, head: SignedHead, signature: str) -> _Agent | None:
        vantage = self._settings.vantages.get(head.agent)
        for key in vantage.public_keys if vantage else ():
            if vantage is not None and is_signed(key, signature, head.message):
                return _Agent(vantage, key)
        return None

    def _config(
        self, request: web.BaseRequest, agent: _Agent, signature: str
    ) -> web.StreamResponse:
        vantage, document = agent.vantage, self._document(agent)
        tag, body = document.tag, document.body
        if document.deal is not None:
            dealer, now = self._dealer(vantage.id), self._clock.monotonic()
            self._dealers[vantage.id] = dealer.hand(agent.id, now)
        is_known = request.headers.get("If-None-Match", "").strip('"') == tag
        body, time = b"" if is_known else body, str(self._now_ms())
        message = config_message(vantage.id, signature, tag, time, body)
        headers = {
            "ETag": f'"{tag}"',
            "Monitor-Time": time,
            "Monitor-Signature": self._key.sign(message),
            "Cache-Control": "no-store",
        }
        if is_known:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers={**headers, "Content-Type": "application/json"})

    async def _take(
        self, request: web.BaseRequest, head: SignedHead, agent: _Agent, body: bytes | None
    ) -> web.StreamResponse:
        vantage = agent.vantage
        if body is None:
            return self._malformed(vantage, 413, "the body is too large or came too slowly")
        if digest(body) != head.body_digest:
            return _refusal(401, "the body is not the one that was signed")
        numbers = map(_NUMBER.fullmatch, (head.first, head.last, head.time))
        if not (_STREAM.fullmatch(head.stream) and all(numbers)):
            return self._malformed(vantage, 400, "want a stream and numbers in the headers")
        first, last = int(head.first), int(head.last)
        zipped = request.headers.get("Content-Encoding", "") == "gzip"
        try:
            batch = await asyncio.to_thread(
                _decode, body, vantage=vantage.id, first=first, last=last, zipped=zipped
            )
        except (_TooLargeError, TooManyValuesError) as error:
            return self._malformed(vantage, 413, str(error))
        except NewerWireError as error:
            return _json(400, {"why": str(error), "speaks": VERSION})
        except WireError as error:
            return self._malformed(vantage, 400, str(error))
        now = self._clock.now()
        received, judged = self._received(batch, head, agent, now)
        try:
            receipt = await receive(self._store, received, judged.numbers)
        except StoreError as error:
            log.warning("event=ingest_failed vantage=%s why=%s", vantage.id, quoted(error))
            return self._store_trouble()
        return self._answer(agent, received, judged, receipt)

    def _received(
        self,
        batch: Batch,
        head: SignedHead,
        agent: _Agent,
        now: datetime,
    ) -> tuple[ReceivedBatch, Judged]:
        vantage = agent.vantage
        judged = judge(batch, vantage, self._settings, now)
        state = AgentState(
            vantage=vantage.id,
            key=agent.key,
            stream=head.stream,
            upto=int(head.last),
            heard=now,
            blind=batch.blind,
            offset_ms=batch.offset_ms,
            version=batch.version,
            config=batch.config,
            deal=deal_text((frozenset({agent.id}),)) if batch.deal is None else batch.deal,
            buffered=batch.buffered,
            oldest_ms=_oldest_ms(batch, now),
            dropped=batch.dropped,
            refused=batch.refused,
        )
        services = {check.service for check in self._settings.checks.values()}
        spend = {
            (day, service): spent
            for (day, service), spent in batch.spend.items()
            if service in services and abs(day - now.date()) <= _LEDGER_DAYS
        }
        received = ReceivedBatch(
            state=state,
            first=int(head.first),
            sent_ms=int(head.time),
            runs=judged.runs,
            moved=judged.moved,
            spend=spend,
            taken_over_after=vantage.silent_after(self._settings.checks.values()),
        )
        return received, judged

    def _answer(
        self, agent: _Agent, received: ReceivedBatch, judged: Judged, receipt: Receipt
    ) -> web.StreamResponse:
        vantage = agent.vantage
        if receipt.is_other_stream:
            self._on_heard(Heard(received.state, (), is_other_stream=True))
            wait = {"Retry-After": str(_WAIT_FOR_OTHER_S)}
            why = "another agent with this key is heard"
            return _json(409, {"upto": 0, "other_stream": True, "why": why}, wait)
        if receipt.has_gap:
            return _json(409, {"upto": receipt.upto, "why": "results are missing before these"})
        self.counts.repeated[vantage.id] += receipt.repeated
        if not receipt.is_old:
            self._taken(agent, received, judged, receipt)
        known = self._now_known(agent)
        return _json(
            200,
            {
                "upto": receipt.upto,
                "before": receipt.before,
                "time": self._now_ms(),
                "config": self._document(known).tag if known else "",
                "doubted": self._doubted(vantage),
            },
        )

    def _now_known(self, agent: _Agent) -> _Agent | None:
        """Return an agent as the configuration has it by now; None where its key was taken away meanwhile."""
        vantage = self._settings.vantages.get(agent.vantage.id)
        return _Agent(vantage, agent.key) if vantage and agent.key in vantage.public_keys else None

    def _taken(
        self, agent: _Agent, received: ReceivedBatch, judged: Judged, receipt: Receipt
    ) -> None:
        """Count a batch that is new, and say who was heard."""
        vantage, now = agent.vantage, self._clock.monotonic()
        if self._now_known(agent):
            dealer, deal = self._dealer(vantage.id), read_deal(received.state.deal)
            self._dealers[vantage.id] = dealer.hear(agent.id, deal, now)
        self.counts.results[vantage.id] += len(receipt.stored)
        for why, count in judged.refused.items():
            self.counts.refused[vantage.id, why] += count
        if judged.refused:
            log.info(
                "event=ingest_refused vantage=%s %s",
                vantage.id,
                " ".join(f"{why}={count}" for why, count in judged.refused.items()),
            )
        self._on_heard(Heard(replace(received.state, upto=receipt.upto), receipt.stored))

    def _malformed(self, vantage: Vantage, status: int, why: str) -> web.StreamResponse:
        self.counts.refused[vantage.id, WhyRefused.MALFORMED] += 1
        log.warning("event=ingest_malformed vantage=%s why=%s", vantage.id, quoted(why))
        return _refusal(status, why)

    def _store_trouble(self) -> web.StreamResponse:
        wait = {"Retry-After": str(_WAIT_FOR_STORE_S)}
        return _refusal(503, "the hub cannot write its store now", wait)

    def _now_ms(self) -> int:
        return millis(self._clock.now())


def _head(request: web.BaseRequest, path: str) -> SignedHead:
    headers = request.headers
    return SignedHead(
        method=request.method,
        path=f"/{path}",
        agent=headers.get("Monitor-Agent", ""),
        stream=headers.get("Monitor-Stream", ""),
        first=headers.get("Monitor-First", ""),
        last=headers.get("Monitor-Last", ""),
        time=headers.get("Monitor-Time", ""),
        body_digest=headers.get("Monitor-Digest", ""),
    )


async def _read(request: web.BaseRequest) -> bytes | None:
    """Return a body; None where it is too large, or not complete in time."""
    if (request.content_length or 0) > MOST_ZIPPED:
        return None
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > MOST_ZIPPED:
                    return None
    except TimeoutError:
        return None
    return bytes(body)


class _TooLargeError(WireError):
    """Says that a body unpacks to more than anybody sends."""


def _decode(body: bytes, *, vantage: str, first: int, last: int, zipped: bool) -> Batch:
    return decode_batch(_inflate(body) if zipped else body, vantage=vantage, first=first, last=last)


def _inflate(body: bytes) -> bytes:
    """Unpack one gzip member, and no more of it than `MOST_UNZIPPED`."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        plain = unpacking.decompress(body, MOST_UNZIPPED)
    except zlib.error:
        raise WireError("want gzip") from None
    if unpacking.unconsumed_tail:
        raise _TooLargeError(f"want at most {MOST_UNZIPPED >> 20} MiB")
    if not unpacking.eof or unpacking.unused_data:
        raise WireError("want one whole gzip member")
    return plain


def _json(
    status: int, document: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> web.Response:
    more = {"Cache-Control": "no-store", **(headers or {})}
    return web.json_response(dict(document), status=status, headers=more)


def _oldest_ms(batch: Batch, now: datetime) -> int:
    """Return how long the first run of a batch, which is the oldest that waited, lies back."""
    if not batch.runs:
        return 0
    waited = now - batch.runs[0][1].result.at
    return max(0, waited // timedelta(milliseconds=1))


def _refusal(status: int, why: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer without having read all: the connection is closed, so that nothing of it is taken for a request."""
    response = _json(status, {"why": why}, headers)
    response.force_close()
    return response
