"""Runs one check once, and turns the finding into a result that is safe to keep and to show."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from monitor.clock import Clock
from monitor.logs import RepeatFilter
from monitor.model import (
    Check,
    Evidence,
    Failure,
    FailureKind,
    Habit,
    Outcome,
    Result,
    Stream,
    Timings,
    clean_text,
)
from monitor.model.failure import Patience
from monitor.model.result import DAYS, ends_soon
from monitor.probes.answer.stream_recorder import FIRST_TOKEN_MS
from monitor.probes.answer.stream_verdict import STALLED_MS
from monitor.probes.exchange import ConnectRequest, Exchange, HttpRequest, StreamWatcher
from monitor.probes.kinds.api_call import ApiProbe
from monitor.probes.probe import Finding, ProbeSettings, Run, Sender
from monitor.probes.upstream_key import judge_refused_key
from monitor.probes.verdict.edge import judge_edge_timeout
from monitor.probes.verdict.retry_after import retry_after

log = logging.getLogger(__name__)
_unjudged = RepeatFilter()
"""Which checks gave answers that crashed their judges; the log has each once."""

Redact = Callable[[str], str]

_GRACE_S = 2.0
_LAG_MS = 50.0
_BODY_SHOWN = 4096
_HEADERS_SHOWN = 50
_NOTE_SHOWN = 1000
_TEXT_READ = 4096
"""Characters read of one foreign text: more than is shown, so that a cut leaves no half of a secret."""
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "set-cookie", "set-cookie2", "cookie"})
_CONNECTING_MS = 10_000.0
"""The client gives up a connection after so long, whatever the probe's timeout."""
_PATIENCE_MS: Mapping[Patience | None, float] = {
    None: 0.0,
    Patience.CONNECTING: _CONNECTING_MS,
    Patience.WHOLE_RUN: math.inf,
    Patience.FIRST_TOKEN: FIRST_TOKEN_MS,
    Patience.STALL: STALLED_MS,
}
"""How long a run listens in vain before it says so; never longer than the probe's timeout."""


@dataclass(frozen=True, slots=True)
class Attempted:
    result: Result
    habit: Habit
    evidence: Evidence | None


async def attempt(
    check: Check,
    *,
    habit: Habit,
    peers: tuple[tuple[str, Habit], ...] = (),
    client: Sender,
    clock: Clock,
    rng: Random,
    vantage: str,
    redact: Redact,
    late_ms: float = 0.0,
    cert_days: int = DAYS,
) -> Attempted:
    """Run a check once. Raises nothing but CancelledError; whatever goes wrong is in the result.

    `cert_days` is how long before its end a certificate is degraded, unless it is a short-lived one.
    """
    at = clock.now()
    probe = check.probe
    if not isinstance(probe, ProbeSettings):
        raise TypeError(f"got a {type(probe).__name__} as probe, want settings that can run")
    heard = _LastAnswer(client)
    run = Run(check=check, habit=habit, client=heard, rng=rng, now=at, peers=peers, redact=redact)
    finding = _without_key(check, probe, habit) or await _ask(probe, run, heard)
    timings = _timings(finding)
    failure = _judge(finding, timings, probe, at, cert_days)
    failure = judge_edge_timeout(failure, finding.exchange, check.endpoint.cut_after)
    if failure is not None:
        failure = Failure(failure.kind, clean_text(redact(failure.message)))
    exchange = finding.exchange
    result = Result(
        check=check.key,
        vantage=vantage,
        at=at,
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
        timings=timings,
        http_status=exchange.status,
        remote_ip=exchange.remote_ip,
        model=clean_text(redact(finding.model[:_TEXT_READ]), 100) if finding.model else None,
        stream=_stream(finding.stream, redact),
        usage=finding.usage,
        cert_expires=exchange.cert_expires,
        cert_lifetime=exchange.cert_lifetime,
        retry_after=retry_after(exchange, at),
        late_ms=late_ms,
        trusted_timings=exchange.lag_ms <= _LAG_MS,
        balance=finding.balance,
        promise_kept=_promise_kept(probe, finding, failure),
    )
    return Attempted(
        result, _habit(finding.habit, habit, redact), _evidence(finding, failure, redact)
    )


def _without_key(check: Check, probe: ProbeSettings, habit: Habit) -> Finding | None:
    if not probe.needs_key or check.endpoint.key is not None:
        return None
    why = f"got no key for {check.endpoint.path}, want one to run `{probe.id}`"
    return _nothing_heard(Failure(FailureKind.NO_KEY, why), habit)


async def _ask(probe: ProbeSettings, run: Run, heard: "_LastAnswer") -> Finding:
    limit = probe.timeout.total_seconds() + _GRACE_S
    guard = asyncio.timeout(limit)
    try:
        async with guard:
            finding = await probe.run(run)
        _unjudged.is_news(run.check.key, None)
        if not isinstance(probe, ApiProbe):
            return finding
        return await judge_refused_key(finding, run, probe)
    except Exception as exc:  # the one place where a fault of ours becomes a value
        if guard.expired():
            why = f"got no end of the run within {limit:.0f} s, want one"
            return _nothing_heard(Failure(FailureKind.OVERRUN, why), run.habit)
        if heard.exchange is not None and heard.exchange.chunks:
            return _unjudgeable(exc, heard.exchange, run)
        log.exception("event=probe_crashed check=%s", run.check.key)
        why = f"got a crash in the probe ({type(exc).__name__}), want a verdict"
        return _nothing_heard(Failure(FailureKind.INTERNAL, why), run.habit)


class _LastAnswer:
    """Passes requests on and remembers the last answer, so that a crash in judging it is told as that."""

    def __init__(self, client: Sender) -> None:
        self._client = client
        self.exchange: Exchange | None = None

    async def send(self, request: HttpRequest, watch: StreamWatcher | None = None) -> Exchange:
        self.exchange = None
        self.exchange = await self._client.send(request, watch)
        return self.exchange

    async def connect(self, request: ConnectRequest) -> Exchange:
        return await self._client.connect(request)


def _unjudgeable(error: Exception, exchange: Exchange, run: Run) -> Finding:
    """Make a verdict of an answer that the judges did not expect. The log has the first of its kind."""
    name = type(error).__name__
    level = _unjudged.level(run.check.key, name, logging.DEBUG)
    log.log(level, "event=answer_unjudged check=%s", run.check.key, exc_info=error)
    why = f"got an answer that cannot be judged ({name}), want what this call returns"
    return Finding(
        exchange=exchange, failure=Failure(FailureKind.UNEXPECTED_BODY, why), habit=run.habit
    )


def _nothing_heard(failure: Failure, habit: Habit) -> Finding:
    return Finding(exchange=Exchange(timings=Timings()), failure=failure, habit=habit)


def _timings(finding: Finding) -> Timings:
    timings = finding.exchange.timings
    if finding.ttft is None and finding.ttft_visible is None:
        return timings
    return replace(timings, ttft=finding.ttft, ttft_visible=finding.ttft_visible)


def _judge(
    finding: Finding, timings: Timings, probe: ProbeSettings, now: datetime, cert_days: int
) -> Failure | None:
    """Add to the probe's verdict what holds for every kind: our own lag, limits, certificates."""
    failure = finding.failure
    if failure is None:
        return _slow(finding, timings, probe) or _expiring(finding.exchange, now, cert_days)
    lag_ms = finding.exchange.lag_total_ms
    patience_ms = min(_PATIENCE_MS[failure.kind.row.patience], probe.timeout.total_seconds() * 1000)
    return _overrun(lag_ms) if lag_ms > patience_ms / 2 > 0 else failure


def _promise_kept(probe: ProbeSettings, finding: Finding, failure: Failure | None) -> bool | None:
    """Return what several runs say of the promise that a probe tests; None for a probe that counts none."""
    if not probe.counts_runs:
        return None
    if failure is None:
        return True if finding.is_judged else None
    return False if failure.kind in probe.broken_by else None


def _overrun(lag_ms: float) -> Failure:
    why = f"got our own event loop stuck for {lag_ms / 1000:.1f} s, want it free to listen"
    return Failure(FailureKind.OVERRUN, why)


def _slow(finding: Finding, timings: Timings, probe: ProbeSettings) -> Failure | None:
    """Compare timings with the limits; one that is only exceeded through our own lag is `overrun`."""
    lag_ms = finding.exchange.lag_total_ms
    for slow in probe.slow:
        took_ms = getattr(timings, slow.timing)
        limit_s = slow.limit.total_seconds()
        if took_ms is None or took_ms <= limit_s * 1000:
            continue
        if took_ms - lag_ms <= limit_s * 1000:
            return _overrun(lag_ms)
        why = f"{slow.timing} {took_ms / 1000:.3g} s, want at most {limit_s:g} s"
        return Failure(FailureKind.SLOW, why)
    return None


def _expiring(exchange: Exchange, now: datetime, cert_days: int) -> Failure | None:
    if exchange.cert_expires is None:
        return None
    why = ends_soon(exchange.cert_expires, exchange.cert_lifetime, now, cert_days)
    return Failure(FailureKind.CERT_EXPIRING, why) if why else None


def _stream(stream: Stream | None, redact: Redact) -> Stream | None:
    """Redact and cut the finish reason, which is the server's own text."""
    if stream is None or stream.finish_reason is None:
        return stream
    return replace(
        stream, finish_reason=clean_text(redact(stream.finish_reason[:_TEXT_READ]), 40) or None
    )


def _habit(learned: Habit, before: Habit, redact: Redact) -> Habit:
    """Redact the names that an endpoint gave, since a habit is kept for long."""
    if learned == before:
        return before
    return replace(
        learned,
        aliases=frozenset(map(redact, learned.aliases)),
        listed=frozenset(map(redact, learned.listed))
        if learned.listed != before.listed
        else before.listed,
        words=learned.words
        if learned.words == before.words
        else replace(
            learned.words,
            baseline=tuple(map(redact, learned.words.baseline)),
            recent=tuple(map(redact, learned.words.recent)),
        ),
    )


def _evidence(finding: Finding, failure: Failure | None, redact: Redact) -> Evidence | None:
    """Collect what a person may want to see of a failing run; a good one leaves its note, if it has one."""
    note = clean_text(redact(finding.evidence.note), _NOTE_SHOWN)
    if failure is None:
        return Evidence(note=note, is_change=finding.evidence.is_change) if note else None
    exchange = finding.exchange
    shown = [name for name in exchange.headers if name not in _SECRET_HEADERS][:_HEADERS_SHOWN]
    headers = tuple(
        (clean_text(redact(name), 100), clean_text(redact(exchange.headers[name][:_TEXT_READ])))
        for name in shown
    )
    # Redacted before it is cut, so that a cut cannot spare half a secret.
    text = redact(exchange.body[: 2 * _BODY_SHOWN].decode("utf-8", "replace"))
    return Evidence(
        headers=headers,
        body=clean_text(text, _BODY_SHOWN),
        events=finding.evidence.events,
        note=note,
    )
