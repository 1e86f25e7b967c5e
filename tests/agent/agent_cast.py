"""A hub's ingest over a real socket and store, and an agent's requests, signed by hand."""

import gzip
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from cast import HandClock

from monitor.agent.ingest import CONFIG, RESULTS, AgentApi, Heard, HubSettings
from monitor.agent.signature import PrivateKey, SignedHead, digest
from monitor.agent.wire import Batch, SentRun, encode_batch, encode_run
from monitor.config import Config, parse
from monitor.config.agent_document import agent_document
from monitor.model import Failure, FailureKind, Outcome, Redactor, Result, Secret
from monitor.store import Store
from monitor.store.run_rows import millis
from monitor.web import WebServer

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HUB_KEY, CN_KEY, HK_KEY = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
TOML = f"""
[monitor]
vantage = "fra"
[service.relay]
key = "${{RELAY_KEY}}"
endpoints = {{ direct = "https://a.example", edge = "https://b.example" }}
probes = {{ http = "1m" }}
[service.other]
endpoints = {{ x = "https://c.example" }}
probes = {{ http = "1m" }}
[vantage.cn]
name = "Shanghai"
key = "{CN_KEY.public}"
services = ["relay"]
[vantage.hk]
key = "{HK_KEY.public}"
"""
STREAM = "11111111-1111-4111-8111-111111111111"


def run(seconds: float = 0, check: str = "relay/direct/http", **changes: Any) -> SentRun:
    at = NOON + timedelta(seconds=seconds)
    fields = {"check": check, "vantage": "cn", "at": at, "outcome": Outcome.UP, **changes}
    return SentRun(result=Result(**fields))


def failed(
    seconds: float = 0, kind: FailureKind = FailureKind.DNS_POISONED, why: str = "no way"
) -> SentRun:
    return run(seconds, outcome=kind.outcome, failure=Failure(kind, why))


@dataclass
class Answer:
    status: int
    document: dict[str, Any]
    headers: Any


@dataclass
class AgentHub:
    """A hub that hears agents, and what it made of them."""

    config: Config
    store: Store
    clock: HandClock
    web: WebServer
    api: AgentApi
    heard: list[Heard] = field(default_factory=list)
    session: aiohttp.ClientSession = field(init=False)
    recorded: tuple[Mapping[str, str], bytes] = field(init=False, repr=False)
    """The last push, as it was sent."""
    through: str = ""
    """The address of what stands before the hub, if something does."""

    @property
    def url(self) -> str:
        return self.through or f"http://127.0.0.1:{self.web.port}"

    async def push(
        self,
        runs: Sequence[tuple[int, SentRun]],
        *,
        first: int | None = None,
        last: int | None = None,
        agent: str = "cn",
        key: PrivateKey = CN_KEY,
        stream: str = STREAM,
        body: bytes | None = None,
        batch: Batch | None = None,
        **changes: str,
    ) -> Answer:
        """Send a batch; `changes` are headers that are not what was signed."""
        first = first if first is not None else runs[0][0]
        last = last if last is not None else runs[-1][0]
        if body is None:
            plain = encode_batch(
                batch or Batch(), [(number, encode_run(each)) for number, each in runs]
            )
            body = gzip.compress(plain)
        head = SignedHead(
            method="POST",
            path=f"/{RESULTS}",
            agent=agent,
            stream=stream,
            first=str(first),
            last=str(last),
            time=str(millis(self.clock.now())),
            body_digest=digest(body),
        )
        headers = {**headers_of(head, key), "Content-Encoding": "gzip"}
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        self.recorded = headers, body
        return await self.replay(*self.recorded)

    async def replay(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send to the byte what was sent before, as who has recorded it may."""
        self.clock.mono += 1
        async with self.session.post(
            f"{self.url}/{RESULTS}", data=body, headers=headers
        ) as response:
            text = await response.text()
            return Answer(response.status, json.loads(text), response.headers)

    async def config_of(
        self, agent: str = "cn", key: PrivateKey = CN_KEY, **headers: str
    ) -> tuple[int, bytes, Any, str]:
        """Return status, body, headers and the signature of the request."""
        self.clock.mono += 1
        head = SignedHead(
            method="GET", path=f"/{CONFIG}", agent=agent, time="1", body_digest=digest(b"")
        )
        sent = {
            **headers_of(head, key),
            **{name.replace("_", "-"): each for name, each in headers.items()},
        }
        async with self.session.get(f"{self.url}/{CONFIG}", headers=sent) as response:
            return (
                response.status,
                await response.read(),
                response.headers,
                sent["Monitor-Signature"],
            )

    async def stored(self, vantage: str = "cn") -> list[Result]:
        """Return the runs of a vantage that are in the file, oldest first."""
        reader = Store.read_only(self.config.store, vantage=vantage)
        try:
            return list(reader.each_result(since=NOON - timedelta(days=365)))
        finally:
            reader.close()


def headers_of(head: SignedHead, key: PrivateKey) -> dict[str, str]:
    headers = {
        "Monitor-Agent": head.agent,
        "Monitor-Stream": head.stream,
        "Monitor-First": head.first,
        "Monitor-Last": head.last,
        "Monitor-Time": head.time,
        "Monitor-Digest": head.body_digest,
        "Monitor-Signature": key.sign(head.message),
    }
    return {name: value for name, value in headers.items() if value}


@asynccontextmanager
async def hubbing(folder: Path, toml: str = TOML) -> AsyncIterator[AgentHub]:
    folder.mkdir(parents=True, exist_ok=True)
    config = parse(toml, path=folder / "monitor.toml", env={})
    clock = HandClock(NOON + timedelta(minutes=1))
    store = Store(
        config.store,
        clock=clock,
        vantage=config.vantage,
        others=[vantage.id for vantage in config.vantages],
    )
    store.open()
    store.recall()
    heard: list[Heard] = []
    settings = HubSettings(
        vantages={vantage.id: vantage for vantage in config.vantages},
        documents={each.id: agent_document(config, each) for each in config.vantages},
        checks={check.key: check for check in config.checks},
        kept=config.history.raw,
        redact=Redactor([Secret("hub-secret-word")]),
        in_maintenance=lambda _check, _at: False,
    )
    api = AgentApi(store, key=HUB_KEY, clock=clock, settings=settings, on_heard=heard.append)
    web = WebServer(folder / "page", "127.0.0.1", 0, lambda: None)
    web.answer_agents(api.respond)
    await web.start()
    hub = AgentHub(config, store, clock, web, api, heard)
    try:
        async with aiohttp.ClientSession() as hub.session:
            yield hub
    finally:
        await web.close()
        await hub.store.close()
