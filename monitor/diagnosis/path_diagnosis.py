"""Examines the path of a failed run, and shares what it found. It is the shell around `plan_connections` and `explain`.

Bounded and side by side with everything else: a run waits for it at most half its interval, runs of
one endpoint share one examination, all share one look at the controls.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from monitor.clock import Clock
from monitor.diagnosis.bogon_ranges import describe_bogon, network_of
from monitor.diagnosis.connection_plan import CUT_KINDS, PATH_KINDS, Chain, plan_connections
from monitor.diagnosis.control_hosts import ControlHosts, has_route, is_address, target_of
from monitor.diagnosis.dns_query import query
from monitor.diagnosis.handshake import try_connection, unverified_context
from monitor.diagnosis.observations import (
    NEUTRAL,
    ConnectionTrial,
    DnsAnswer,
    DnsFailure,
    NetworkState,
    NetworkStatus,
    Observations,
    Target,
)
from monitor.diagnosis.own_network import domain_of, judge_network
from monitor.diagnosis.path_verdict import explain
from monitor.diagnosis.report import report_line
from monitor.diagnosis.resolver_setting import DiagnosisSettings, Resolver
from monitor.diagnosis.system_resolver import (
    HERE,
    AiohttpResolver,
    Resolve,
    SystemResolver,
    system_resolve,
)
from monitor.model import Check, Endpoint, Failure, FailureKind, Outcome, Result, clean_text

log = logging.getLogger(__name__)

LIMIT_S = 12.0
"""Seconds after which an examination is given up; what the run measured stands then."""
SHARED_S = 30.0
"""Seconds for which an examination speaks for further runs of the endpoint that fail alike."""
LOOK_UP_S = 3.0
CONNECT_S = 3.0
NAMES_AGAIN_S = 3600.0
"""Seconds before a test of names is repeated: it may itself keep the block alive, which lasts minutes."""
_NOTE = 1000
_DNS_FAILURES = {
    FailureKind.DNS_NXDOMAIN: DnsFailure.NO_NAME,
    FailureKind.DNS_SERVFAIL: DnsFailure.FAILED,
}
_ROUTELESS = {None, FailureKind.DNS_SERVFAIL, FailureKind.TCP_UNREACHABLE}
"""Kinds that a machine without any route sees."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Holds the better failure, None where what the run measured stands; `note` says what was looked at."""

    failure: Failure | None
    note: str


@dataclass(slots=True)
class _Examination:
    task: asyncio.Task[Explained]
    ended: float | None = None


def _hosts(endpoints: Iterable[Endpoint]) -> tuple[Target, ...]:
    return tuple(target_of(endpoint.url) for endpoint in endpoints if endpoint.proxy is None)


def _is_out_there(resolver: Resolver, answer: DnsAnswer) -> bool:
    """Say whether a resolver outside our own network answered."""
    host = urlsplit(resolver.url).hostname if resolver.url else resolver.address
    near = host is None or (is_address(host) and describe_bogon(host) is not None)
    return not near and answer.failure not in {DnsFailure.SILENT, DnsFailure.FAILED}


def _target(check: Check) -> Target:
    """Return where a check connects: `tcp` and `tls` may have a port of their own."""
    kind, port = check.probe.kind, getattr(check.probe, "port", None)
    target = target_of(check.endpoint.url)
    if kind in {"tcp", "tls"}:
        usual = 443 if kind == "tls" and target.port == 80 else target.port
        target = replace(target, port=port or usual, encrypted=kind == "tls")
    return replace(target, ca_file=check.endpoint.ca_file)


class PathDiagnosis:
    """Explains failures of the path. `resolve` replaces `getaddrinfo`, `ca_file` the CAs of DoH servers."""

    def __init__(
        self,
        settings: DiagnosisSettings,
        endpoints: Iterable[Endpoint],
        *,
        clock: Clock,
        redact: Callable[[str], str],
        resolve: Resolve = system_resolve,
        ca_file: Path | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._redact = redact
        self._names = SystemResolver(resolve)
        self._control_names = SystemResolver(resolve)
        """Has threads of its own: names that hang must not silence the controls."""
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None
        self._controls = ControlHosts(
            self._control_names,
            clock,
            self._http,
            settings.controls,
            _hosts(endpoints),
        )
        self._cases: dict[tuple[Target, FailureKind], _Examination] = {}
        self._old: list[asyncio.Task[Explained]] = []
        self._names_tested: dict[str, float] = {}
        self._blocked: dict[str, tuple[float, Failure]] = {}

    def change(
        self,
        settings: DiagnosisSettings,
        endpoints: Iterable[Endpoint],
        redact: Callable[[str], str],
    ) -> None:
        """Take new settings; last contacts and tests of names are kept."""
        self._settings, self._redact = settings, redact
        self._controls.declared = settings.controls
        self._controls.others = _hosts(endpoints)
        self._old += [case.task for case in self._cases.values() if not case.task.done()]
        self._cases.clear()

    async def __call__(self, check: Check, result: Result) -> Explained | None:
        """Explain a failed run; None where there is nothing to explain, or not in time. Never raises.

        Behind a proxy nothing is examined: names and ways are the proxy's there.
        """
        if check.endpoint.proxy is not None:
            return None
        target = _target(check)
        if result.http_status is not None or result.outcome is Outcome.UP:
            self._controls.met(target.host, result.remote_ip)
        kind = result.failure.kind if result.failure else None
        if kind not in PATH_KINDS:
            return None
        case = self._case(target, kind, result)
        patience = min(LIMIT_S, check.probe.every.total_seconds() / 2)
        done, _ = await asyncio.wait({case.task}, timeout=patience)
        return case.task.result() if done else None

    def _case(self, target: Target, kind: FailureKind, result: Result) -> _Examination:
        now = self._clock.monotonic()
        case = self._cases.get((target, kind))
        if case is None or (case.ended is not None and now - case.ended > SHARED_S):
            began = now - (result.timings.total or 0.0) / 1000
            work = self._examine_safely(target, kind, result.remote_ip, began)
            case = self._cases[target, kind] = _Examination(asyncio.create_task(work))
            case.task.add_done_callback(lambda _: self._ended(case))
        return case

    def _ended(self, case: _Examination) -> None:
        case.ended = self._clock.monotonic()

    async def _examine_safely(
        self, target: Target, kind: FailureKind, hit: str | None, began: float
    ) -> Explained:
        """Examine; on a fault of ours or without time left, what the run measured stands."""
        try:
            async with asyncio.timeout(LIMIT_S):
                observations = await self.examine(target, kind, hit=hit, since=began)
        except TimeoutError:
            return Explained(None, f"the examination did not end within {LIMIT_S:.0f} s")
        except Exception:
            log.exception("event=internal diagnosis=%s", target.host)
            return Explained(None, "")
        return self._explained(observations)

    def _explained(self, observations: Observations) -> Explained:
        proven = explain(observations)
        if proven and proven.kind is FailureKind.SNI_BLOCKED:
            self._blocked[observations.target.host] = (self._clock.monotonic(), proven)
        failure = proven or self._remembered(observations)
        safe = failure and Failure(failure.kind, clean_text(self._redact(failure.message)))
        return Explained(safe, clean_text(self._redact(report_line(observations)), _NOTE))

    def _remembered(self, observations: Observations) -> Failure | None:
        """Return a proven block of the name for as long as it is not tested again."""
        at, failure = self._blocked.get(observations.target.host, (0.0, None))
        recent = self._clock.monotonic() - at <= NAMES_AGAIN_S
        return failure if recent and observations.kind in CUT_KINDS else None

    async def examine(
        self,
        target: Target,
        kind: FailureKind | None,
        *,
        hit: str | None = None,
        since: float | None = None,
    ) -> Observations:
        """Look at names, own network and connections.

        `hit` is the address that the run spoke to, `since` when it began (monotonic seconds).

        Without a kind everything is looked at; what to make of it is known once a run has failed.
        """
        began = self._clock.monotonic() if since is None else since
        here, there = await self._look_up(target, kind)
        if here is not None and hit is not None:
            addresses = tuple(dict.fromkeys((hit, *here.addresses)))
            here = replace(here, addresses=addresses, failure=None)
        network = await self._own_network(target, kind, here, there, began)
        observations = Observations(
            target=target, kind=kind, now=self._clock.now(), network=network, here=here, there=there
        )
        if kind is not None and network.status in {
            NetworkStatus.OFFLINE,
            NetworkStatus.RESOLVER_FAILED,
        }:
            return observations
        addresses = here.addresses if here else (target.host,)
        chains = plan_connections(
            target, kind, addresses, there, names_may_be_tested=self._may_test_names(target, kind)
        )
        return replace(observations, trials=await self._try(target, chains))

    async def _look_up(
        self, target: Target, kind: FailureKind | None
    ) -> tuple[DnsAnswer | None, tuple[DnsAnswer, ...]]:
        """Ask all resolvers; the system's own not again where it has just failed, which may take long."""
        if is_address(target.host):
            return None, ()
        asked = [
            query(resolver, target.host, session=self._http(), timeout_s=LOOK_UP_S)
            for resolver in self._settings.resolvers
        ]
        if kind in _DNS_FAILURES:
            return DnsAnswer(resolver=HERE, failure=_DNS_FAILURES[kind]), tuple(
                await asyncio.gather(*asked)
            )
        here, *there = await asyncio.gather(self._names.ask(target.host, LOOK_UP_S), *asked)
        return here, tuple(there)

    async def _own_network(
        self,
        target: Target,
        kind: FailureKind | None,
        here: DnsAnswer | None,
        there: Sequence[DnsAnswer],
        since: float,
    ) -> NetworkState:
        controls = await self._controls.look(
            target, since, wants_time=kind in {None, FailureKind.CERT_EXPIRED}
        )
        address = here.addresses[0] if here and here.addresses else None
        if self._settings.controls is None:
            return NetworkState(status=NetworkStatus.UNKNOWN, words="the controls are off")
        return judge_network(
            controls,
            failing=network_of(address) if address else domain_of(target.host),
            declared=bool(self._settings.controls),
            resolver_answered=any(answer.addresses for answer in there),
            resolver_reached=any(map(_is_out_there, self._settings.resolvers, there)),
            routed=kind not in _ROUTELESS or has_route(),
        )

    def _may_test_names(self, target: Target, kind: FailureKind | None) -> bool:
        """Say whether names may be tested: on demand always, in the daemon once an hour per host."""
        if is_address(target.host) or not target.encrypted:
            return False
        if kind is None:
            return True
        if kind not in CUT_KINDS:
            return False
        now, before = self._clock.monotonic(), self._names_tested.get(target.host)
        if before is not None and now - before < NAMES_AGAIN_S:
            return False
        self._names_tested[target.host] = now
        return True

    async def _try(self, target: Target, chains: Sequence[Chain]) -> tuple[ConnectionTrial, ...]:
        context = await asyncio.to_thread(self._context, target) if target.encrypted else None

        async def walk(chain: Sequence[tuple[str, str]]) -> list[ConnectionTrial]:
            return [await self._dial(address, target, name, context) for address, name in chain]

        return tuple(trial for chain in await asyncio.gather(*map(walk, chains)) for trial in chain)

    async def _dial(
        self, address: str, target: Target, name: str, context: ssl.SSLContext | None
    ) -> ConnectionTrial:
        used = (
            unverified_context()
            if context is not None and name == NEUTRAL != target.host
            else context
        )
        return await try_connection(address, target.port, name, used, CONNECT_S)

    def _context(self, target: Target) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=target.ca_file)
        context.hostname_checks_common_name = False
        return context

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            trust = self._ca_file
            connector = aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cafile=trust) if trust else True,
                resolver=AiohttpResolver(self._names),
                use_dns_cache=False,
                force_close=True,
                limit=0,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                max_line_size=16_384,
                max_field_size=16_384,
            )
        return self._session

    async def close(self) -> None:
        await self._controls.close()
        tasks = [*self._old, *(case.task for case in self._cases.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._names.close()
        self._control_names.close()
