"""Gives the demo a past: 90 days of made-up runs, judged as real ones are, in the store before the daemon begins.

Only what an endpoint answered is made up, from a seed. The runs of a trouble go through the alert engine, which opens and
closes the incidents, and everything reaches the file through the store, as in a daemon.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import product
from math import sin, tau
from random import Random

from monitor.alerts import AlertEngine
from monitor.alerts.alert_changes import NO_CHANGES
from monitor.alerts.voters import QuorumSettings
from monitor.clock import Clock
from monitor.config import Config
from monitor.demo.endpoints import ENDPOINTS, PLACES, SHANGHAI, SimulatedPlace
from monitor.demo.faults import ENDPOINT_IDS
from monitor.demo.faulty_listener import host_name
from monitor.model import (
    NO_SPEND,
    Check,
    Failure,
    FailureKind,
    Outcome,
    Result,
    RunRecord,
    Spend,
    Stream,
    Timings,
    Usage,
)
from monitor.store import Store

DAYS = 90
YOUNG, YOUNG_DAYS = "proxy-2", 40
"""One base URL is new: before its first day there is nothing to show."""
EVENINGS, EVENING_HOURS, EVENING_DAYS = "fast-cdn", range(11, 15), 25
"""From Shanghai this one has been slow of late when people there are at home (hours in UTC)."""
DAILY_HOURS = (4, 12)
"""When checks ran on each day (UTC): the chat in the morning and the evening of Shanghai, the rest in its evening."""
TROUBLE_EVERY = timedelta(minutes=20)
"""How often checks run around a trouble."""
_AROUND = timedelta(hours=1)
_BLIPS = 0.0015
"""Share of chats that fail alone, which nobody is told of."""
_TOKENS = 64
_EMBEDDED = Usage(tokens_in=2, tokens_out=0)
_ADDRESS = "127.0.0.1"
_ENDPOINTS = {endpoint.id: endpoint for endpoint in ENDPOINTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that was broken for a while, `days_ago` at `begin` (UTC)."""

    days_ago: int
    begin: time
    lasts: timedelta
    failure: Failure
    status: int | None = None
    endpoints: tuple[str, ...]
    probes: tuple[str, ...] = ("models", "chat", "embeddings")
    places: tuple[SimulatedPlace, ...] = PLACES

    def since(self, now: datetime) -> datetime:
        return datetime.combine(now.date() - timedelta(days=self.days_ago), self.begin, now.tzinfo)


TROUBLES = (
    Trouble(
        days_ago=71,
        begin=time(9, 10),
        lasts=timedelta(hours=3),
        endpoints=("cf-cdn",),
        probes=("chat",),
        status=404,
        failure=Failure(
            FailureKind.MODEL_NOT_FOUND,
            'got HTTP 404: "The model does not exist.", want 200; check the model\'s name',
        ),
    ),
    Trouble(
        days_ago=52,
        begin=time(17, 30),
        lasts=timedelta(hours=1, minutes=40),
        endpoints=("cf-worker",),
        status=502,
        failure=Failure(FailureKind.BAD_GATEWAY, 'got HTTP 502: "502 Bad Gateway", want 200'),
    ),
    Trouble(
        days_ago=33,
        begin=time(2, 50),
        lasts=timedelta(hours=2),
        endpoints=ENDPOINT_IDS,
        probes=("chat", "embeddings"),
        status=403,
        failure=Failure(
            FailureKind.QUOTA_EXHAUSTED,
            'got HTTP 403: "用户额度不足, 剩余额度: 0", want 200; the account needs money or a higher limit',
        ),
    ),
    Trouble(
        days_ago=18,
        begin=time(11, 20),
        lasts=timedelta(hours=4),
        endpoints=("us-direct",),
        places=(SHANGHAI,),
        failure=Failure(
            FailureKind.DNS_POISONED,
            f"got 203.0.113.9 for {host_name('us-direct')} here, while 1.1.1.1 says 198.51.100.7, where a valid certificate"
            " for the name came: a false answer on the way is suspected; another resolver or base URL helps",
        ),
    ),
    Trouble(
        days_ago=6,
        begin=time(13, 40),
        lasts=timedelta(hours=3, minutes=20),
        endpoints=("proxy-1",),
        probes=("chat",),
        status=200,
        failure=Failure(
            FailureKind.TRUNCATED, "got a stream that was cut off after 32 pieces, want all of it"
        ),
    ),
)
_BLIP_FAILURES = (
    (
        504,
        Failure(
            FailureKind.UPSTREAM_TIMEOUT, 'got HTTP 504: "The upstream did not answer.", want 200'
        ),
    ),
    (None, Failure(FailureKind.CONNECT_TIMEOUT, "got no connection in time, want one that opens")),
)


async def write_past(config: Config, voting: QuorumSettings, clock: Clock, rng: Random) -> None:
    """Fill the new store of `config` up to a few minutes ago. Raises StoreError where it cannot be written.

    `voting` says which places have a vote, and how.
    """
    now = clock.now()
    hand = _StandingClock(now - timedelta(days=DAYS))
    store = Store(config.store, clock=hand, vantage=config.vantage, history=config.history)
    store.open()
    try:
        intervals = {check.key: TROUBLE_EVERY for check in config.checks}
        voting = replace(voting, intervals=intervals)
        engine = AlertEngine(config.alerts, (), store.recall(), voting=voting)
        runs = past_runs(config.checks, now, rng)
        await store.backfill(_recorded(engine, run, config.vantage) for run in runs)
        hand.at = now  # the hours are over, and are added up
        await store.flush()
    finally:
        await store.close()


class _StandingClock:
    """Stands still where it was put."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    elapsed = monotonic


@dataclass(frozen=True, slots=True)
class PastRun:
    check: Check
    result: Result
    is_judged: bool
    """Whether it lies around a trouble of its check; all else is known to be too little for a belief."""


def _recorded(engine: AlertEngine, run: PastRun, own: str) -> RunRecord:
    result, usage = run.result, run.result.usage
    tokens = (usage.tokens_in or 0) + (usage.tokens_out or 0) if usage else 0
    changes = NO_CHANGES
    if run.is_judged:
        for place in PLACES:
            engine.hear(place.id, result.at, blind=False)
        changes = engine.judge(result) + engine.remind(result.at)
    return RunRecord(
        result=result,
        kind=run.check.probe.kind,
        states=changes.states,
        incidents=changes.incidents,
        spent=Spend(tokens) if tokens and result.vantage == own else NO_SPEND,
    )


# --- what was run, and when -----------------------------------------------------------------------

Spell = tuple[datetime, datetime, Trouble]
"""When a trouble began and ended."""


def past_runs(checks: Iterable[Check], now: datetime, rng: Random) -> list[PastRun]:
    """Return the runs of all places before `now`, oldest first."""
    runs = []
    for check in checks:
        spells = [
            (begin, begin + trouble.lasts, trouble)
            for trouble in TROUBLES
            if check.endpoint.id in trouble.endpoints and check.probe.id in trouble.probes
            for begin in [trouble.since(now)]
        ]
        for due, place in product(_times(check, now, spells), PLACES):
            at = due + timedelta(seconds=rng.uniform(0, 5))
            result = _result(check, place, at, now, spells, rng)
            is_judged = any(begin - _AROUND <= due < end + _AROUND for begin, end, _ in spells)
            runs.append(PastRun(check, result, is_judged))
    return sorted(runs, key=lambda run: run.result.at)


def _times(check: Check, now: datetime, spells: Iterable[Spell]) -> Iterator[datetime]:
    """Yield when a check ran: some times on each day, around troubles more often, and today often enough for the charts.

    The runs of a day share few hours, because each hour costs more to add up than a run.
    """
    is_main, midnight = check.probe.streams, datetime.combine(now.date(), time(), now.tzinfo)
    begin = midnight - timedelta(days=(YOUNG_DAYS if check.endpoint.id == YOUNG else DAYS) - 1)
    yesterday, lately = now - timedelta(days=1), now - timedelta(minutes=30)
    for day, hour in product(range(DAYS), DAILY_HOURS if is_main else DAILY_HOURS[1:]):
        first = begin + timedelta(days=day, hours=hour)
        step = timedelta(minutes=20 if is_main else 30)
        yield from _every(first, min(first + timedelta(hours=1), yesterday), step)
    yield from _every(yesterday, lately, timedelta(minutes=30 if is_main else 120))
    yield from _every(lately, now - timedelta(minutes=1), timedelta(minutes=4))
    for since, until, _ in spells:
        if since >= begin:
            yield from _every(since - _AROUND, until + _AROUND, TROUBLE_EVERY)


def _every(begin: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    while begin < end:
        yield begin
        begin += step


# --- what came of it ------------------------------------------------------------------------------


def _result(
    check: Check,
    place: SimulatedPlace,
    at: datetime,
    now: datetime,
    spells: Iterable[Spell],
    rng: Random,
) -> Result:
    endpoint = _ENDPOINTS[check.endpoint.id]
    first_ms = (endpoint.first_token_s + place.further_s.get(endpoint.id, 0.0)) * 1000
    first_ms *= rng.uniform(0.88, 1.18) * (1 + 0.12 * sin(tau * (at.hour - 8) / 24))
    is_evening = at.hour in EVENING_HOURS and now - at < timedelta(days=EVENING_DAYS)
    if endpoint.id == EVENINGS and place is SHANGHAI and is_evening:
        first_ms *= rng.uniform(2.2, 3.4)
    for begin, end, trouble in spells:
        if begin <= at < end and place in trouble.places:
            return _failed(check, place, at, trouble.status, trouble.failure)
    is_alone = now - at > _AROUND and rng.random() < _BLIPS
    if check.probe.streams and is_alone:
        return _failed(check, place, at, *rng.choice(_BLIP_FAILURES))
    return _good(check, place, at, first_ms, endpoint.tokens_per_s * rng.uniform(0.94, 1.06), rng)


def _good(
    check: Check, place: SimulatedPlace, at: datetime, first_ms: float, speed: float, rng: Random
) -> Result:
    """Return an answer whose first token came after `first_ms`, and what comes at once after a quarter of that."""
    connect, tls = rng.uniform(0.3, 6), rng.uniform(4, 9)
    streams, ttfb = check.probe.streams, connect + tls + first_ms / 4
    usage = Usage(tokens_in=41, tokens_out=_TOKENS) if streams else _EMBEDDED
    return Result(
        check=check.key,
        vantage=place.id,
        at=at,
        outcome=Outcome.UP,
        http_status=200,
        remote_ip=_ADDRESS,
        model=check.model,
        timings=Timings(
            connect=connect,
            tls=tls,
            ttfb=ttfb,
            ttft=first_ms if streams else None,
            ttft_visible=first_ms if streams else None,
            total=first_ms + (_TOKENS - 1) / speed * 1000 if streams else ttfb,
        ),
        usage=usage if check.probe.paid else None,
        stream=_stream(speed, rng) if streams else None,
    )


def _stream(speed: float, rng: Random) -> Stream:
    return Stream(
        events=_TOKENS + 4,
        content_chunks=_TOKENS,
        tokens_out=_TOKENS,
        tokens_per_s=speed,
        stall_max_ms=rng.uniform(18, 40),
        icl_p50_ms=1000 / speed,
        icl_p95_ms=1400 / speed,
        finish_reason="stop",
        complete=True,
    )


def _failed(
    check: Check, place: SimulatedPlace, at: datetime, status: int | None, failure: Failure
) -> Result:
    """Return a run that failed; without a status nothing was ever answered."""
    is_answered = status is not None
    return Result(
        check=check.key,
        vantage=place.id,
        at=at,
        outcome=failure.outcome,
        failure=failure,
        http_status=status,
        remote_ip=_ADDRESS if is_answered else None,
        timings=Timings(ttfb=25.0, total=25.0) if is_answered else Timings(),
    )
