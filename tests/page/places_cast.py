"""Worlds of several places: Frankfurt with the hub, Shanghai, Hong Kong and a laptop that is not heard."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from random import Random

from page_cast import CHECKS, NOW, PROBE_IDS, SITE, ago, fail, history, incident, key

from monitor.model import (
    AgentState,
    CheckHistory,
    EntryKind,
    FailureKind,
    Incident,
    Severity,
    Snapshot,
    TimelineEntry,
    Vantage,
)

CN, HK, LAPTOP = "cn", "hk", "laptop"
VANTAGES = (
    Vantage(id=CN, names=(("", "Shanghai"), ("zh-CN", "上海")), public_keys=("cn",), main=True),
    Vantage(id=HK, names=(("", "Hong Kong"), ("zh-CN", "香港")), public_keys=("hk",)),
    Vantage(
        id=LAPTOP, names=(("", "Laptop"), ("zh-CN", "笔记本")), public_keys=("laptop",), sleeps=True
    ),
)
SITE_OF_PLACES = replace(
    SITE,
    vantage="fra",
    vantage_names=(("", "Frankfurt"), ("zh-CN", "法兰克福")),
    vantages=VANTAGES,
)


def heard(vantage: str, **ago_: float) -> AgentState:
    return AgentState(vantage=vantage, stream="s", upto=1, heard=ago(**ago_), offset_ms=12)


@cache
def seen(vantage: str, share: float = 1.0) -> Mapping[str, CheckHistory]:
    """What a place measured that has no trouble, so many times as slow as Frankfurt."""
    dice = Random(vantage)
    histories = {check.key: history(check, dice, days=4) for check in CHECKS}
    return {name: slower(measured, share) for name, measured in histories.items()}


def slower(known: CheckHistory, share: float) -> CheckHistory:
    recent = tuple(
        replace(
            result,
            timings=replace(
                result.timings,
                ttft=result.timings.ttft and result.timings.ttft * share,
                ttfb=result.timings.ttfb and result.timings.ttfb * share,
            ),
        )
        for result in known.recent
    )
    return replace(known, recent=recent)


def failing(
    checks: Mapping[str, CheckHistory], number: int, kind: FailureKind, *names: str
) -> Mapping[str, CheckHistory]:
    """All calls of these base URLs fail so, and are believed to."""
    snapshot = Snapshot(at=NOW, checks=checks, incidents=())
    for name in names:
        for probe in PROBE_IDS:
            snapshot = fail(snapshot, key(name, probe), kind, number)
    return snapshot.checks


def partly(
    number: int, kind: FailureKind, places: tuple[str, ...], *names: str, minutes: int = 138
) -> Incident:
    """Bad from these places only."""
    checks = tuple(key(name, probe) for name in names for probe in PROBE_IDS)
    whole = incident(number, Severity.PARTIAL, kind, ago(minutes=minutes), None, *checks)
    return replace(whole, partial=frozenset(checks), bad_from=dict.fromkeys(checks, places))


def places(
    elsewhere: Mapping[str, Mapping[str, CheckHistory]],
    *incidents: Incident,
    own: Mapping[str, CheckHistory] | None = None,
    agents: tuple[AgentState, ...] | None = None,
) -> Snapshot:
    if agents is None:
        agents = (heard(CN, seconds=8), heard(HK, seconds=3), heard(LAPTOP, hours=3))
    return Snapshot(
        at=NOW,
        checks=own or seen("fra"),
        elsewhere=elsewhere,
        incidents=incidents,
        agents={agent.vantage: agent for agent in agents},
    )


@cache
def blocked_from_shanghai() -> Snapshot:
    """One base URL is poisoned and another cut off there; Hong Kong is slow through one; the laptop sleeps."""
    cn = failing(seen(CN, 1.6), 9, FailureKind.DNS_POISONED, "us-direct")
    cn = failing(cn, 10, FailureKind.CONNECT_TIMEOUT, "cf-worker")
    hk = fail(
        Snapshot(at=NOW, checks=seen(HK, 0.8), incidents=()),
        key("cf-cdn"),
        FailureKind.SLOW,
        8,
    ).checks
    joined = TimelineEntry(
        at=ago(minutes=100),
        what=EntryKind.JOINED,
        check=key("us-direct"),
        kind=FailureKind.DNS_POISONED,
        vantage=CN,
    )
    first = partly(9, FailureKind.DNS_POISONED, (CN,), "us-direct")
    return places(
        {CN: cn, HK: hk, LAPTOP: seen(LAPTOP)},
        replace(first, timeline=(*first.timeline[:1], joined)),
        partly(10, FailureKind.CONNECT_TIMEOUT, (CN,), "cf-worker", minutes=33),
    )


@cache
def all_of_shanghai() -> Snapshot:
    """Nothing is reachable from Shanghai; all is well elsewhere."""
    names = tuple(dict.fromkeys(check.endpoint.id for check in CHECKS))
    cn = failing(seen(CN), 9, FailureKind.DNS_POISONED, *names)
    agents = (heard(CN, seconds=8), heard(HK, seconds=3), heard(LAPTOP, seconds=5))
    return places(
        {CN: cn, HK: seen(HK), LAPTOP: seen(LAPTOP)},
        partly(9, FailureKind.DNS_POISONED, (CN,), *names),
        agents=agents,
    )
