"""Worlds for the page: the founding example's six base URLs on good days and bad ones."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from random import Random

from page_cast import (
    CHECKS,
    HABITS,
    MOCK_CHECKS,
    MOCK_SITE,
    NAMES,
    NOW,
    PROBE_IDS,
    SITE,
    SITE_OF_PROMISES,
    SITE_THAT_TELLS,
    SITE_WITH_MORE,
    TRUST_CHECKS,
    WEB_CHECKS,
    ago,
    fail,
    history,
    incident,
    key,
    lose,
    many,
    silent,
    silent_but_last,
    with_few_days,
    worked_on,
)
from places_cast import SITE_OF_PLACES, blocked_from_shanghai
from rendering import rendered

from monitor.model import (
    EntryKind,
    Evidence,
    FailureKind,
    Maintenance,
    MaintenanceWindow,
    Severity,
    Snapshot,
    Spend,
    TimelineEntry,
)
from monitor.page import Site, view


@cache
def all_good() -> Snapshot:
    dice = Random(1)
    return Snapshot(
        at=NOW, checks={check.key: history(check, dice) for check in CHECKS}, incidents=()
    )


@cache
def mixed() -> Snapshot:
    """One base URL blocked, one slow, one that held streams back last week, an outage of all."""
    blocked = tuple(key("us-direct", probe) for probe in PROBE_IDS)
    snapshot = all_good()
    for check in blocked:
        snapshot = silent(fail(snapshot, check, FailureKind.DNS_POISONED, 9), check, 4)
    snapshot = fail(snapshot, key("cf-worker"), FailureKind.SLOW, 8)
    past = (
        incident(
            6,
            Severity.DEGRADED,
            FailureKind.EDGE_TIMEOUT,
            ago(days=1, hours=4),
            41,
            key("cf-cdn"),
            key("cf-worker"),
        ),
        incident(
            5,
            Severity.DOWN,
            FailureKind.SERVER_ERROR,
            ago(days=4, hours=10),
            18,
            *(key(name) for name in NAMES),
        ),
        incident(
            4,
            Severity.DOWN,
            FailureKind.CONNECT_TIMEOUT,
            ago(days=45),
            118,
            key("us-direct", "models"),
        ),
        incident(
            3, Severity.DEGRADED, FailureKind.FAKE_STREAMING, ago(days=60), 300, key("cf-worker")
        ),
        incident(2, Severity.DOWN, FailureKind.CERT_EXPIRED, ago(days=71), 66, key("proxy-2")),
    )
    now = (
        incident(
            9, Severity.DOWN, FailureKind.DNS_POISONED, ago(hours=2, minutes=18), None, *blocked
        ),
        incident(8, Severity.DEGRADED, FailureKind.SLOW, ago(minutes=44), None, key("cf-worker")),
    )
    snapshot = lose_all(lose(lose(snapshot, key("us-direct"), 0, 28), key("proxy-2"), 71, 13), 4, 4)
    young = {
        name: with_few_days(history, 70)
        for name, history in snapshot.checks.items()
        if "fast-cdn" in name
    }
    return replace(snapshot, incidents=(*now, *past), checks={**snapshot.checks, **young})


@cache
def mock() -> Snapshot:
    """What the design shows: one base URL blocked, one slow, one in maintenance, a note by a person."""
    dice = Random(3)
    snapshot = replace(mixed(), checks={check.key: history(check, dice) for check in MOCK_CHECKS})
    blocked = tuple(check.key for check in MOCK_CHECKS if check.endpoint.id == "us-direct")
    for check in blocked:
        snapshot = silent(fail(snapshot, check, FailureKind.DNS_POISONED, 9), check, 4)
    snapshot = fail(
        fail(snapshot, key("cf-worker"), FailureKind.SLOW, 8),
        key("cf-worker", "whole"),
        FailureKind.SLOW,
        8,
    )
    for name in ("cf-cdn", "cf-worker"):
        snapshot = fail(snapshot, key(name, "images"), FailureKind.EDGE_TIMEOUT, 7)
    snapshot = lose_all(lose(lose(snapshot, key("us-direct"), 0, 28), key("proxy-2"), 71, 13), 4, 4)
    young = {
        name: with_few_days(history, 83)
        for name, history in snapshot.checks.items()
        if "fast-cdn" in name
    }
    snapshot = replace(snapshot, checks={**snapshot.checks, **young})
    for back in (12, 34):
        snapshot = worked_on(snapshot, key("fast-cdn"), back)
    first, *others = snapshot.incidents
    text = "The origin is healthy. We have asked the registrar; until then use a reverse proxy."
    note = TimelineEntry(at=ago(minutes=50), what=EntryKind.NOTE, text=text)
    spread = incident(
        7,
        Severity.DEGRADED,
        FailureKind.EDGE_TIMEOUT,
        ago(minutes=31),
        None,
        key("cf-cdn", "images"),
        key("cf-worker", "images"),
    )
    first = replace(
        first, checks=blocked, active=frozenset(blocked), timeline=(*first.timeline, note)
    )
    return replace(snapshot, incidents=(first, spread, *others))


def lose_all(snapshot: Snapshot, days_back: int, count: int) -> Snapshot:
    for name in NAMES:
        snapshot = lose(snapshot, key(name), days_back, count)
    return snapshot


def everything_down() -> Snapshot:
    snapshot = all_good()
    for check in CHECKS:
        snapshot = fail(snapshot, check.key, FailureKind.BAD_GATEWAY, 1)
    checks = tuple(check.key for check in CHECKS)
    return replace(
        snapshot,
        incidents=(
            incident(1, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(minutes=9), None, *checks),
        ),
    )


def rejected_key() -> Snapshot:
    snapshot = all_good()
    for check in CHECKS:
        snapshot = fail(snapshot, check.key, FailureKind.AUTH_INVALID)
    checks = tuple(check.key for check in CHECKS)
    return replace(
        snapshot,
        incidents=(
            incident(1, Severity.ACCOUNT, FailureKind.AUTH_INVALID, ago(minutes=9), None, *checks),
        ),
    )


def offline() -> Snapshot:
    """The monitor's own network has failed: nobody else is to blame."""
    snapshot = all_good()
    for check in CHECKS:
        snapshot = silent(fail(snapshot, check.key, FailureKind.OFFLINE), check.key, 1)
    own = incident(1, Severity.MONITOR, FailureKind.OFFLINE, ago(minutes=14), None, CHECKS[0].key)
    return replace(snapshot, incidents=(replace(own, service=None),))


@cache
def crowded() -> Snapshot:
    """A second service, whose many sites have long names; one of them has been seen once."""
    dice = Random(2)
    checks = {check.key: history(check, dice) for check in WEB_CHECKS}
    young = WEB_CHECKS[2].key
    checks[young] = silent_but_last(with_few_days(checks[young], 0))
    snapshot = replace(all_good(), checks={**all_good().checks, **checks})
    for check in WEB_CHECKS[:2]:
        snapshot = fail(snapshot, check.key, FailureKind.CERT_EXPIRED, 1)
    down = tuple(check.key for check in WEB_CHECKS[:2])
    opened = incident(1, Severity.DOWN, FailureKind.CERT_EXPIRED, ago(minutes=50), None, *down)
    return replace(snapshot, incidents=(replace(opened, service="sites"),))


@cache
def crowd(count: int, languages: tuple[str, ...] = ("en",)) -> tuple[Site, Snapshot]:
    """So many base URLs, each of which was down once in four days; a tenth of them is."""
    site, snapshot = many(count, languages)
    incidents = tuple(
        replace(
            incident(
                n + 1,
                Severity.DOWN,
                FailureKind.SERVER_ERROR,
                ago(hours=n % 90, minutes=1),
                9 if n % 10 else None,
                check.key,
            ),
            service="many",
        )
        for n, check in enumerate(site.checks)
    )
    for story in incidents:
        if story.closed is None:
            snapshot = fail(snapshot, story.checks[0], FailureKind.SERVER_ERROR, story.id)
    return site, replace(snapshot, incidents=incidents)


def fresh() -> Snapshot:
    return Snapshot(at=NOW, checks={}, incidents=())


def stopped() -> Snapshot:
    return replace(mixed(), stopped_at=NOW)


def told() -> Snapshot:
    """An operator who shows all: what the probes cost, and what failing calls got, markup and all."""
    snapshot = mixed()
    evidence = Evidence(
        headers=(("server", "cloudflare"), ("x-note", "<b>bold</b>")),
        body='{"error": "<script>alert(1)</script>"}',
    )
    checks = {
        name: replace(history, evidence=evidence)
        if history.latest and history.latest.failure
        else history
        for name, history in snapshot.checks.items()
    }
    spent = {"ohmygpt": Spend(123_456, 0.0312)}
    return replace(
        snapshot, checks=checks, spent_today=spent, spent_month={"ohmygpt": Spend(4_000_000, 1.2)}
    )


def promised() -> Snapshot:
    """Each base URL is asked for one word and for a schema: one learns, one changed, one ignores the schema, one holds back."""
    dice = Random(3)
    checks = {check.key: history(check, dice) for check in TRUST_CHECKS}
    found = replace(all_good(), checks={**all_good().checks, **checks}, habits=HABITS)
    changed, ignoring = key("cf-cdn", "identity"), key("cf-worker", "structured")
    refused = key("proxy-1", "structured")
    found = fail(found, changed, FailureKind.MODEL_SUSPECT, 4)
    found = fail(found, ignoring, FailureKind.SCHEMA_IGNORED)
    found = fail(found, refused, FailureKind.AUTH_INVALID)
    checks = {**found.checks, refused: replace(found.checks[refused], recent=())}
    found = replace(found, checks=checks)
    suspect = incident(
        4, Severity.DEGRADED, FailureKind.MODEL_SUSPECT, ago(days=1, hours=3), None, changed
    )
    return replace(found, incidents=(suspect,))


def maintained(site: Site) -> Site:
    window = MaintenanceWindow(ago(minutes=42), ago(minutes=-78))
    kernel = MaintenanceWindow(ago(hours=-76), ago(hours=-78))
    return replace(
        site,
        maintenance=(
            Maintenance(
                id="edge",
                title="Optimised CDN: certificate and edge upgrade",
                endpoints=frozenset({"ohmygpt/fast-cdn"}),
                once=window,
            ),
            Maintenance(
                id="kernel",
                title="US origin: kernel update",
                endpoints=frozenset({"ohmygpt/us-direct"}),
                once=kernel,
            ),
        ),
    )


def without(site: Site, endpoint: str) -> Site:
    """One base URL is retired: its history stays, nobody asks it any more."""
    (service,) = site.services
    gone = tuple(replace(each, retired=each.id == endpoint) for each in service.endpoints)
    return replace(
        site,
        services=(replace(service, endpoints=gone),),
        checks=tuple(check for check in site.checks if check.endpoint.id != endpoint),
    )


WORLDS: Mapping[str, Callable[[], Snapshot]] = {
    "all-good": all_good,
    "mock": mock,
    "mixed": mixed,
    "everything-down": everything_down,
    "rejected-key": rejected_key,
    "offline": offline,
    "crowded": crowded,
    "fresh": fresh,
    "stopped": stopped,
    "told": told,
    "retired": mixed,
    "places": blocked_from_shanghai,
    "promised": promised,
    "many": lambda: crowd(50)[1],
}
SITES: Mapping[str, Site] = {
    world: SITE_WITH_MORE if world == "crowded" else SITE for world in WORLDS
} | {
    "told": SITE_THAT_TELLS,
    "mock": maintained(MOCK_SITE),
    "retired": without(SITE, "us-direct"),
    "places": SITE_OF_PLACES,
    "promised": SITE_OF_PROMISES,
    "many": crowd(50, ("en", "zh-CN"))[0],
}


def files(world: str, site: Site | None = None) -> Mapping[str, bytes]:
    """Return the files of a world's page."""
    return rendered(view(site or SITES[world], WORLDS[world](), {})[0])
