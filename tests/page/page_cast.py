"""What worlds are made of: the founding example's six base URLs, histories, failures, incidents."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from monitor.model import (
    WINDOWS,
    AlertState,
    Check,
    CheckHistory,
    Endpoint,
    EntryKind,
    Failure,
    FailureKind,
    Habit,
    Incident,
    Outcome,
    PageSettings,
    Phase,
    Point,
    Result,
    Rollup,
    Service,
    Severity,
    Snapshot,
    TimelineEntry,
    Timings,
    WordHistory,
)
from monitor.model.result import WORDS_OF_BASELINE
from monitor.model.rollup import bucket, merge
from monitor.page import Site
from monitor.probes import PROBES

NOW = datetime(2026, 11, 23, 13, 42, 5, tzinfo=UTC)
LIMIT = timedelta(seconds=100)
NAMES = {
    "us-direct": ("Direct to the US origin", "https://api.ohmygpt.com", None, 640),
    "cf-cdn": ("Cloudflare CDN", "https://cfcus02.opapi.win", LIMIT, 1180),
    "cf-worker": ("Cloudflare Worker", "https://cfwus02.opapi.win", LIMIT, 1900),
    "fast-cdn": ("优化 CDN", "https://c-z0-api-01.hash070.com", None, 1020),
    "proxy-1": ("Premium reverse proxy 1", "https://www.aigptx.top", None, 940),
    "proxy-2": ("Premium reverse proxy 2", "https://cn2us02.opapi.win", None, 990),
}
ENDPOINTS = tuple(
    Endpoint(id=name, service="ohmygpt", url=url, name=title, cut_after=cut)
    for name, (title, url, cut, _) in NAMES.items()
)
SERVICE = Service(id="ohmygpt", name="OhMyGPT", endpoints=ENDPOINTS, model="gpt-4o-mini")
PROBE_IDS = ("models", "chat", "embeddings")


def checks_of(*probes: str) -> tuple[Check, ...]:
    """Return a check of each of these kinds at every base URL."""
    return tuple(
        Check(
            service="ohmygpt",
            endpoint=endpoint,
            probe=PROBES[probe]().named(probe),
            model="gpt-4o-mini",
        )
        for endpoint in ENDPOINTS
        for probe in probes
    )


CHECKS = checks_of(*PROBE_IDS)
SITE = Site(
    services=(SERVICE,),
    checks=CHECKS,
    settings=PageSettings(
        dir=Path("page"),
        url="https://status.example",
        title="OhMyGPT status",
        languages=("en", "zh-CN"),
    ),
    vantage="Shanghai",
    version="0.1.0",
)
_LONG = "A site whose owner gave it a name that goes on and on, with an-unbreakable-part-of-forty-letters"
WEB = Service(
    id="sites",
    name="Websites",
    endpoints=tuple(
        Endpoint(
            id=f"www-{number}", service="sites", url=f"https://www{number}.example.com", name=name
        )
        for number, name in enumerate(
            [
                _LONG,
                "LobeChat",
                "Seen once",
                "W" * 60,
                "名字很长的镜像" * 5,
                *(f"Mirror {n}" for n in range(6, 13)),
            ],
            1,
        )
    ),
)
WEB_CHECKS = tuple(
    Check(service="sites", endpoint=endpoint, probe=PROBES["http"]().named("http"))
    for endpoint in WEB.endpoints
)
MOCK_PROBES = ("models", "chat", "whole", "embeddings", "images", "speech", "moderations")
MOCK_CHECKS = tuple(
    Check(
        service="ohmygpt",
        endpoint=endpoint,
        probe=PROBES["chat"].model_validate({"stream": False}).named(probe)
        if probe == "whole"
        else PROBES[probe]().named(probe),
        model="gpt-4o-mini",
    )
    for endpoint in ENDPOINTS
    for probe in MOCK_PROBES
)
MOCK_SITE = replace(
    SITE,
    checks=MOCK_CHECKS,
    settings=replace(SITE.settings, links=(("Telegram group", "https://t.me/example"),)),
)
SITE_THAT_TELLS = replace(SITE, settings=replace(SITE.settings, spend=True, errors=True))
TRUST_CHECKS = checks_of("identity", "structured")
SITE_OF_PROMISES = replace(
    SITE, checks=(*CHECKS, *TRUST_CHECKS), settings=replace(SITE.settings, trust=True)
)


def worded(baseline: int, recent: int, *, empty: int = 0) -> WordHistory:
    """So many words as they were learned and since then, of which the last ones are empty."""
    words = tuple(f"colour {'teal' if n % 3 else 'blue'}" for n in range(max(baseline, recent)))
    since = datetime(2026, 11, 12, 9, tzinfo=UTC) if baseline == WORDS_OF_BASELINE else None
    lately = (*words[: recent - empty], *["colour "] * empty)
    return WordHistory(baseline=words[:baseline], since=since, recent=lately)


HABITS = {
    "ohmygpt/us-direct/identity": Habit(words=worded(144, 96)),
    "ohmygpt/cf-cdn/identity": Habit(words=worded(144, 96)),
    "ohmygpt/cf-worker/identity": Habit(words=worded(144, 96, empty=12)),
    "ohmygpt/fast-cdn/identity": Habit(words=worded(144, 95)),
    "ohmygpt/proxy-1/identity": Habit(words=worded(30, 30)),
    "ohmygpt/proxy-2/chat": Habit(bursts=3),
}
SITE_WITH_MORE = replace(SITE, services=(SERVICE, WEB), checks=(*CHECKS, *WEB_CHECKS))


SHARES = {"chat": 1.0, "whole": 1.8, "images": 9.4, "speech": 1.2, "embeddings": 0.35}
"""How long a call takes, as a share of a chat's first token."""


def key(endpoint: str, probe: str = "chat") -> str:
    return f"ohmygpt/{endpoint}/{probe}"


def result(check: str, median: float, at: datetime = NOW, failure: Failure | None = None) -> Result:
    chats = check.endswith("chat")
    return Result(
        check=check,
        vantage="Shanghai",
        at=at,
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
        timings=Timings(ttfb=median * 0.6, ttft=median if chats else None, total=median * 2),
        cert_expires=datetime(2027, 3, 1, tzinfo=UTC),
    )


def histogram(median: float, spread: float, dice: Random) -> Mapping[int, int]:
    return Counter(bucket(median * dice.lognormvariate(0, spread)) for _ in range(60))


def day(median: float, dice: Random, *, chats: bool, down: int = 0, unknown: int = 0) -> Rollup:
    figures = {
        "dns": histogram(14, 0.2, dice),
        "connect": histogram(41, 0.2, dice),
        "tls": histogram(46, 0.2, dice),
        "ttfb": histogram(median * 0.6, 0.15, dice),
        "total": histogram(median * 2, 0.15, dice),
    }
    if chats:
        figures |= {"ttft": histogram(median, 0.22, dice), "tokens_per_s": histogram(75, 0.1, dice)}
    outcomes = {"up": 288 - down - unknown, "down": down, "unknown": unknown}
    return Rollup(
        outcomes={name: count for name, count in outcomes.items() if count}, figures=figures
    )


def history(check: Check, dice: Random, days: int = 90) -> CheckHistory:
    chats = check.probe.kind == "chat"
    median = NAMES.get(check.endpoint.id, ("", "", None, 900))[3] * SHARES.get(check.probe.id, 0.3)
    last = day(median, dice, chats=chats)
    measured = {
        NOW.date() - timedelta(days=back): day(median, dice, chats=chats) for back in range(days)
    }
    return CheckHistory(
        check=check.key,
        latest=result(check.key, median),
        states=(),
        days=measured,
        last_24h=last,
        windows=dict(windows(list(measured.values()))),
        recent=tuple(
            result(check.key, median, NOW - timedelta(minutes=5 * back))
            for back in range(5, -1, -1)
        ),
        series=tuple(point(median, number, dice) for number in range(48)),
    )


def windows(newest_first: Sequence[Rollup]) -> Iterator[tuple[int, Rollup]]:
    total, counted = Rollup(), 0
    for length in WINDOWS:
        total, counted = merge([total, *newest_first[counted:length]]), length
        yield length, total


def point(median: float, number: int, dice: Random) -> Point:
    p50 = median * dice.lognormvariate(0, 0.08)
    at = NOW - timedelta(minutes=30 * (48 - number))
    return Point(at, p50, p50 * dice.uniform(1.5, 2.1), 75 * dice.lognormvariate(0, 0.06))


def believed(rule: str, check: str, incident: int) -> AlertState:
    return AlertState(
        check=check,
        vantage="local",
        rule=rule,
        phase=Phase.BAD,
        since=NOW,
        bad_since=NOW,
        incident=incident,
    )


def fail(
    snapshot: Snapshot, check: str, kind: FailureKind, incident: int | None = None
) -> Snapshot:
    """The check's latest run failed so; believed if it belongs to an incident."""
    before = snapshot.checks[check]
    rule = "degraded" if kind.outcome is Outcome.DEGRADED else "down"
    after = replace(
        before,
        latest=result(check, 900, failure=Failure(kind, f"got {kind.value}")),
        states=(believed(rule, check, incident),) if incident else before.states,
        recent=() if kind.outcome is Outcome.DOWN else before.recent,
    )
    return replace(snapshot, checks={**snapshot.checks, check: after})


def incident(
    number: int,
    severity: Severity,
    kind: FailureKind,
    opened: datetime,
    minutes: int | None,
    *checks: str,
) -> Incident:
    closed = opened + timedelta(minutes=minutes) if minutes is not None else None
    failure = Failure(kind, f"got {kind.value}")
    timeline = [
        TimelineEntry(at=opened, what=EntryKind.OPENED, check=checks[0], kind=kind, text="got it")
    ]
    timeline += [
        TimelineEntry(at=opened, what=EntryKind.JOINED, check=check, kind=kind)
        for check in checks[1:]
    ]
    if closed:
        timeline.append(TimelineEntry(at=closed, what=EntryKind.RESOLVED))
    return Incident(
        id=number,
        service="ohmygpt",
        severity=severity,
        opened=opened,
        closed=closed,
        failure=failure,
        checks=checks,
        active=frozenset() if closed else frozenset(checks),
        failed_runs={kind.value: 12},
        timeline=tuple(timeline),
    )


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


def lose(snapshot: Snapshot, check: str, days_back: int, count: int) -> Snapshot:
    """So many runs of that day were down."""
    before = snapshot.checks[check]
    at = NOW.date() - timedelta(days=days_back)
    outcomes = {"up": 288 - count, "down": count}
    changed = replace(before.days[at], outcomes=outcomes)
    after = with_days(before, {**before.days, at: changed})
    return replace(snapshot, checks={**snapshot.checks, check: after})


def worked_on(snapshot: Snapshot, check: str, days_back: int) -> Snapshot:
    """Part of that day was maintenance."""
    before = snapshot.checks[check]
    at = NOW.date() - timedelta(days=days_back)
    changed = replace(before.days[at], maintenance=9)
    after = with_days(before, {**before.days, at: changed})
    return replace(snapshot, checks={**snapshot.checks, check: after})


def with_days(before: CheckHistory, days: Mapping[date, Rollup]) -> CheckHistory:
    """`days` are newest first."""
    return replace(before, days=days, windows=dict(windows([*days.values()])))


def with_few_days(before: CheckHistory, days: int) -> CheckHistory:
    first = NOW.date() - timedelta(days=days)
    return with_days(before, {at: rollup for at, rollup in before.days.items() if at >= first})


def silent(snapshot: Snapshot, check: str, half_hours: int) -> Snapshot:
    """Nothing was measured lately."""
    before = snapshot.checks[check]
    gap = tuple(Point(point.at, None, None) for point in before.series[-half_hours:])
    after = replace(before, series=before.series[:-half_hours] + gap)
    return replace(snapshot, checks={**snapshot.checks, check: after})


def silent_but_last(before: CheckHistory) -> CheckHistory:
    """One half hour of all has a figure."""
    gap = tuple(Point(point.at, None, None) for point in before.series[:-1])
    return replace(before, series=gap + before.series[-1:])


def many(count: int, languages: tuple[str, ...] = ("en",)) -> tuple[Site, Snapshot]:
    """So many base URLs, each with 90 days, most of them good ones; sixty incidents among them."""
    endpoints = tuple(
        Endpoint(id=f"e{n}", service="many", url=f"https://api{n}.example", name=f"Mirror {n}")
        for n in range(count)
    )
    probe = PROBES["http"]().named("http")
    checks = tuple(
        Check(service="many", endpoint=one_endpoint, probe=probe) for one_endpoint in endpoints
    )
    dice = Random(4)
    known = [history(check, dice) for check in checks[:5]]  # drawing one costs half a second
    incidents = tuple(
        replace(
            incident(
                n,
                Severity.DOWN,
                FailureKind.SERVER_ERROR,
                ago(days=n),
                18,
                checks[n * 37 % count].key,
            ),
            service="many",
        )
        for n in range(1, 61)
    )
    site = replace(
        SITE,
        services=(Service(id="many", name="Many", endpoints=endpoints),),
        checks=checks,
        settings=replace(SITE.settings, languages=languages),
    )
    histories = {
        check.key: replace(known[n % 5], check=check.key) for n, check in enumerate(checks)
    }
    return site, Snapshot(at=NOW, checks=histories, incidents=incidents)
