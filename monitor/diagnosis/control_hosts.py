"""Asks hosts that have nothing to do with a failure whether they can be reached, to see if it is us."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from monitor.clock import Clock
from monitor.diagnosis.handshake import try_connection, unverified_context
from monitor.diagnosis.observations import ConnectionEnd, Target
from monitor.diagnosis.own_network import ControlResult
from monitor.diagnosis.system_resolver import SystemResolver

FRESH_S = 3.0
"""Seconds for which one test of a control, or an answer to a run of ours, serves every run that began before it."""
LOOK_S = 3.0
"""Seconds that a look-up, and then a connection, may take."""
_ASKED = 4
"""So many of the config's own hosts are asked; declared controls are all asked."""
_NOWHERE = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))
"""Documentation addresses: a datagram socket that is connected to one sends nothing."""


@dataclass(slots=True)
class _ControlTest:
    """Holds a running or finished test of one control."""

    began: float
    task: asyncio.Task[ControlResult]


@dataclass(slots=True)
class _LastContact:
    """Says when a host last answered, and at which address."""

    at: float
    address: str | None


@dataclass
class ControlHosts:
    """Tests control hosts: the `declared` URLs, else the `others`; with `declared=None` none is asked."""

    names: SystemResolver
    clock: Clock
    session: Callable[[], aiohttp.ClientSession]
    declared: tuple[str, ...] | None
    others: tuple[Target, ...] = ()
    _tests: dict[tuple[str, int, bool], _ControlTest] = field(default_factory=dict)
    _contacts: dict[str, _LastContact] = field(default_factory=dict)

    def met(self, host: str, address: str | None) -> None:
        """Note that a run of ours got an answer from this host."""
        known = self._contacts.get(host)
        kept = address or (known.address if known else None)
        self._contacts[host] = _LastContact(self.clock.monotonic(), kept)

    async def look(
        self, failing: Target, since: float, *, wants_time: bool
    ) -> Sequence[ControlResult]:
        """Return what each control showed after `since` (monotonic seconds), when the failing run began.

        What answered before it is no witness: our own network may have gone in between.
        """
        return await asyncio.gather(
            *(
                self._result(target, since, wants_time=wants_time)
                for target in self._chosen(failing)
            )
        )

    def _chosen(self, failing: Target) -> Iterable[Target]:
        if self.declared is None:
            return ()
        if self.declared:
            return map(target_of, self.declared)
        others = {other.host: other for other in self.others if other.host != failing.host}
        latest = sorted(others, key=lambda host: -self._met_at(host))
        return [others[host] for host in latest[:_ASKED]]

    def _met_at(self, host: str) -> float:
        contact = self._contacts.get(host)
        return contact.at if contact else 0.0

    async def _result(self, target: Target, since: float, *, wants_time: bool) -> ControlResult:
        contact = self._contacts.get(target.host)
        limit = max(since, self.clock.monotonic() - FRESH_S)
        if contact and contact.at >= limit and not wants_time:
            return ControlResult(
                host=target.host, resolved=None, reached=True, address=contact.address, before=True
            )
        key = (target.host, target.port, wants_time)
        test = self._tests.get(key)
        if test is None or (test.began < limit and test.task.done()):
            task = asyncio.create_task(self._ask(target, wants_time=wants_time))
            test = self._tests[key] = _ControlTest(self.clock.monotonic(), task)
        return await asyncio.shield(test.task)

    async def _ask(self, target: Target, *, wants_time: bool) -> ControlResult:
        resolved, address = await self._resolve(target)
        reached = False
        if address is not None:
            trial = await try_connection(address, target.port, "", None, LOOK_S)
            reached = trial.end in {ConnectionEnd.OPEN, ConnectionEnd.REFUSED}
        if reached:
            self.met(target.host, address)
        result = ControlResult(
            host=target.host, resolved=resolved, reached=reached, address=address
        )
        return (
            replace(result, skew_s=await self._skew(target)) if reached and wants_time else result
        )

    async def _resolve(self, target: Target) -> tuple[bool | None, str | None]:
        """Resolve a control to its address now, else to the one that we last knew."""
        if is_address(target.host):
            return None, target.host
        answer = await self.names.ask(target.host, LOOK_S)
        if answer.addresses:
            return True, answer.addresses[0]
        known = self._contacts.get(target.host)
        return False, known.address if known else None

    async def _skew(self, target: Target) -> float | None:
        """Return its clock minus ours. No certificate is verified: with our clock wrong none would do."""
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
        tasks = [test.task for test in self._tests.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _skew(headers: Mapping[str, str], now: datetime, took_s: float) -> float | None:
    text = headers.get("Date")
    if text is None:
        return None
    date = parsedate_to_datetime(text)
    date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
    return (date - now).total_seconds() + took_s / 2


def is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def target_of(url: str) -> Target:
    """Read a base URL as aiohttp does, so that the same name is asked for (IDNA 2008)."""
    address = URL(url)
    encrypted = address.scheme == "https"
    return Target(
        host=address.raw_host or "",
        port=address.explicit_port or (443 if encrypted else 80),
        encrypted=encrypted,
    )


def has_route() -> bool:
    """Say whether the system has a route out of this machine, for IPv4 or IPv6."""
    return any(_routes(address, family) for address, family in _NOWHERE)


def _routes(address: str, family: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True
