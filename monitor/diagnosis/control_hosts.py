"""Is it us? Hosts that have nothing to do with the failure are asked whether they can be reached."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp

from monitor.clock import Clock
from monitor.diagnosis.handshake import try_connection, unverified_context
from monitor.diagnosis.observations import ConnectionEnd, Target
from monitor.diagnosis.own_network import ControlResult
from monitor.diagnosis.system_resolver import SystemResolver

FRESH_S = 3.0
"""One look at a control serves everybody for so long; so does an answer to a run of ours."""
LOOK_S = 3.0
"""How long a look-up, and then a connection, may take."""
_ASKED = 4
"""So many of the config's own hosts are asked; of declared controls all."""
_NOWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))
"""Documentation addresses: a datagram socket that is connected to one sends nothing."""


@dataclass(slots=True)
class _Look:
    began: float
    task: asyncio.Task[ControlResult]


@dataclass(slots=True)
class _Contact:
    at: float
    address: str | None


@dataclass
class ControlHosts:
    """`declared`: URLs; empty: the `others` serve; None: nobody is asked."""

    names: SystemResolver
    clock: Clock
    session: Callable[[], aiohttp.ClientSession]
    declared: tuple[str, ...] | None
    others: tuple[Target, ...] = ()
    _looks: dict[tuple[str, int, bool], _Look] = field(default_factory=dict)
    _contacts: dict[str, _Contact] = field(default_factory=dict)

    def met(self, host: str, address: str | None) -> None:
        """A run of ours got an answer from this host."""
        known = self._contacts.get(host)
        kept = address or (known.address if known else None)
        self._contacts[host] = _Contact(self.clock.monotonic(), kept)

    async def look(
        self, failing: Target, since: float, *, wants_time: bool
    ) -> Sequence[ControlResult]:
        """What each control showed, no longer than `FRESH_S` before `since` (monotonic seconds)."""
        return await asyncio.gather(
            *(self._seen(target, since, wants_time=wants_time) for target in self._chosen(failing))
        )

    def _chosen(self, failing: Target) -> Iterable[Target]:
        if self.declared is None:
            return ()
        if self.declared:
            return map(target_of, self.declared)
        others = {each.host: each for each in self.others if each.host != failing.host}
        latest = sorted(others, key=lambda host: -self._met_at(host))
        return [others[host] for host in latest[:_ASKED]]

    def _met_at(self, host: str) -> float:
        contact = self._contacts.get(host)
        return contact.at if contact else 0.0

    async def _seen(self, target: Target, since: float, *, wants_time: bool) -> ControlResult:
        contact = self._contacts.get(target.host)
        limit = min(since, self.clock.monotonic() - FRESH_S)
        if contact and contact.at >= limit and not wants_time:
            return ControlResult(
                host=target.host, resolved=None, reached=True, address=contact.address, before=True
            )
        key = (target.host, target.port, wants_time)
        look = self._looks.get(key)
        if look is None or (look.began < limit and look.task.done()):
            task = asyncio.create_task(self._ask(target, wants_time=wants_time))
            look = self._looks[key] = _Look(self.clock.monotonic(), task)
        return await asyncio.shield(look.task)

    async def _ask(self, target: Target, *, wants_time: bool) -> ControlResult:
        resolved, address = await self._resolve(target)
        reached = False
        if address is not None:
            trial = await try_connection(address, target.port, "", None, LOOK_S)
            reached = trial.end in {ConnectionEnd.OPEN, ConnectionEnd.REFUSED}
        if reached:
            self.met(target.host, address)
        seen = ControlResult(host=target.host, resolved=resolved, reached=reached, address=address)
        return replace(seen, skew_s=await self._skew(target)) if reached and wants_time else seen

    async def _resolve(self, target: Target) -> tuple[bool | None, str | None]:
        """Its address now, else the one that we last knew."""
        if is_address(target.host):
            return None, target.host
        answer = await self.names.ask(target.host, LOOK_S)
        if answer.addresses:
            return True, answer.addresses[0]
        known = self._contacts.get(target.host)
        return False, known.address if known else None

    async def _skew(self, target: Target) -> float | None:
        """Its clock minus ours. With our clock wrong no certificate would do, so none is asked for."""
        scheme = "https" if target.encrypted else "http"
        host = f"[{target.host}]" if ":" in target.host else target.host
        try:
            async with asyncio.timeout(LOOK_S):
                sent = time.monotonic()
                async with self.session().head(
                    f"{scheme}://{host}:{target.port}/",
                    ssl=unverified_context(),
                    allow_redirects=False,
                    headers={"User-Agent": "monitor"},
                ) as response:
                    took = time.monotonic() - sent
                    return _skew(response.headers, self.clock.now(), took)
        except (TimeoutError, OSError, aiohttp.ClientError, ValueError):
            return None

    async def close(self) -> None:
        tasks = [look.task for look in self._looks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _skew(headers: Mapping[str, str], now: datetime, took_s: float) -> float | None:
    text = headers.get("Date")
    if text is None:
        return None
    told = parsedate_to_datetime(text)
    told = told.replace(tzinfo=UTC) if told.tzinfo is None else told
    return (told - now).total_seconds() + took_s / 2


def is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def target_of(url: str) -> Target:
    parts = urlsplit(url)
    encrypted = parts.scheme == "https"
    return Target(
        host=(parts.hostname or "").lower(),
        port=parts.port or (443 if encrypted else 80),
        encrypted=encrypted,
    )


def has_route() -> bool:
    """Whether the system knows a way out of this machine, for either kind of address."""
    return any(_routes(address, family) for address, family in _NOWHERE)


def _routes(address: str, family: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True
