"""The views that templates see: the published facts (`published.py`) and what only the page shows. Pure."""

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path

from monitor.language import Language
from monitor.model import (
    BalanceHistory,
    Check,
    CheckHistory,
    EntryKind,
    FailureKind,
    Fault,
    Maintenance,
    Names,
    PageSettings,
    Point,
    Result,
    Service,
    Vantage,
)
from monitor.model.failure import Words
from monitor.page import formatting, published, window_stats
from monitor.page.day_bars import Day
from monitor.page.states import ANSWERED, WORKING, State
from monitor.page.window_stats import real, rounded

_ORIGIN = re.compile(r"https?://[\w.:\[\]-]+")
CROWD = 40
"""More base URLs than this do not get their own charts on the home page."""
BY_SERVICE = 2000
"""More base URLs than this are named on pages of their services: ten thousand lines are 14 MB."""
IN_FULL = 20
"""So many of a service's base URLs that are in trouble are shown in full nevertheless."""
RUNS = 24
"""Latest runs that an endpoint's own page lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All that does not change from page to page."""

    services: tuple[Service, ...]
    checks: tuple[Check, ...]
    settings: PageSettings
    vantage: str
    version: str
    maintenance: tuple[Maintenance, ...] = ()
    vantage_names: Names = ()
    """The names of `vantage`, by language."""
    vantages: tuple[Vantage, ...] = ()
    """The places that probe beside the daemon's own."""

    @property
    def every(self) -> timedelta:
        """Return the shortest interval of all checks: how fresh the page can be."""
        return min((check.probe.every for check in self.checks), default=timedelta(minutes=1))

    @property
    def stale_after(self) -> timedelta:
        publish = self.settings.publish
        return max(5 * self.every, timedelta(minutes=10)) + (
            publish.behind if publish else timedelta(0)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHistory:
    """All that is known of a base URL, whether or not it is still probed."""

    days: tuple[Day, ...]
    """Oldest first."""
    main: CheckHistory | None
    """Of the main check, which speaks for the base URL."""
    checks: tuple[CheckHistory, ...]
    """Of every check."""
    streams: bool

    since: datetime | None
    """When its main check was measured first, until there is a day of data."""

    @property
    def span(self) -> int:
        """Return how many of the days shown there are since the first that was measured; today is one."""
        first = next((n for n, day in enumerate(self.days) if day.letter != "n"), len(self.days))
        return max(1, len(self.days) - first)

    @property
    def lost(self) -> str:
        """Return how much of each day was lost, a digit a day: 9 is all of it."""
        return "".join([day.digit if day.minutes else "0" for day in self.days])

    @property
    def letters(self) -> str:
        return "".join([day.letter for day in self.days])

    @property
    def troubled(self) -> int:
        """Return how many days had trouble."""
        letters = self.letters
        return len(letters) - letters.count("o") - letters.count("n")

    @property
    def bad_days(self) -> tuple[Day, ...]:
        """Return days with trouble, newest first."""
        return tuple(day for day in reversed(self.days) if day.minutes)

    @property
    def windows(self) -> tuple[published.Window, ...]:
        """Return the figures of each window; computed when asked for, as only the endpoint's own files show them."""
        return window_stats.windows(self.main)

    @property
    def failures(self) -> Mapping[int, Mapping[FailureKind, int]]:
        """Return failed runs of every check by days, as `windows`."""
        return window_stats.failures(self.checks)

    def percentiles(self, window: published.Window) -> published.Percentiles | None:
        """Return those percentiles that the page shows of a window."""
        return window.ttft_ms if self.streams else window.ttfb_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView(published.CheckStatus):
    """One cell of the matrix."""

    title: str
    """The name of its kind, in English."""
    ever: bool
    """Whether it was asked at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView(published.EndpointStatus):
    """One base URL that is probed."""

    path: str
    """`service/endpoint`."""
    host: str
    """Empty where base URLs are nobody's business."""
    testable: bool
    """Whether a visitor's browser can ask it: it asks `https://` only, and trusts no CA of ours."""
    main_state: State
    """Of the main call: what decides whether the base URL works."""
    checks: Mapping[str, CheckView]
    measured: datetime | None
    """The newest result of the main call that says anything, of the last half hour or the very last."""
    fresh_until: datetime | None
    """So long that result counts."""
    history: EndpointHistory
    points: tuple[Point, ...]
    shades: tuple[tuple[State, float, float], ...]
    """What was wrong in the last 24 hours: from and until, as shares of them."""
    phases: tuple[tuple[str, float], ...]
    call_ms: float | None
    """Median of the main call: to the first token where it streams, else to the end of the answer."""
    balance: BalanceHistory | None
    """For the operator's own page alone."""
    streaming: tuple[str, ...]
    """The probes whose answers stream."""
    errors: tuple[published.ErrorStatus, ...] = ()

    @property
    def runs(self) -> tuple[published.RunStatus, ...]:
        """Return the latest runs, newest first; made when asked for, as only the endpoint's own files show them."""
        runs = [
            _run(history.check.rpartition("/")[2], result, self.streaming)
            for history in self.history.checks
            for result in history.recent[-RUNS:]
        ]
        return tuple(sorted(runs, key=lambda run: run.at, reverse=True)[:RUNS])

    @property
    def main_check(self) -> CheckView:
        return self.checks[self.main]

    @property
    def shown(self) -> str:
        """Return what a reader would know it by and can use: the host alone only where the base URL is no more than that."""
        if self.url is None:
            return self.name
        return self.host if self.url.rstrip("/") == f"https://{self.host}" else self.url

    @property
    def cut_after(self) -> timedelta | None:
        return None if self.cut_after_s is None else timedelta(seconds=self.cut_after_s)

    @property
    def spoils_answers(self) -> bool:
        """Say whether its main call is answered, but cut off, held back or wrong."""
        failure = self.main_check.failure
        degraded = self.main_state is State.DEGRADED
        return degraded and failure is not None and failure.row.spoils_answer

    @property
    def is_reached(self) -> bool:
        """Say whether any call gets through to it now, also where its main call is not measured."""
        return any(check.state in WORKING for check in self.checks.values())

    @property
    def blocked(self) -> bool:
        """Say whether the path from here is at fault, not the service."""
        return self.fault is Fault.PATH

    @property
    def astray(self) -> bool:
        """Say whether its trouble speaks of the way there: only that is a sign against the network."""
        return self.trouble is not None and self.trouble.row.on_path

    @property
    def speaks(self) -> bool:
        """Say whether its figures are those of now, and not of some time before it failed."""
        return self.main_state not in {State.MAJOR, State.UNKNOWN}


def _run(probe: str, result: Result, streaming: Collection[str]) -> published.RunStatus:
    timings = result.timings
    return published.RunStatus(
        probe=probe,
        at=formatting.whole_second(result.at),
        outcome=result.outcome,
        failure=result.failure.kind if result.failure else None,
        ms=rounded(real(timings.ttft if probe in streaming else timings.total)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredView(published.RetiredStatus):
    """A base URL that is not probed any more; what is known of it stays."""

    path: str
    history: EndpointHistory
    latest: datetime | None
    """When any of its checks ran last."""

    @property
    def streams(self) -> bool:
        return self.history.streams


@dataclass(frozen=True, slots=True, kw_only=True)
class PickView(published.PickStatus):
    """A base URL to use now."""

    service: str
    """The name of its service."""
    name: str
    host: str
    """Its name, where base URLs are nobody's business."""
    cut_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView(published.ServiceStatus):
    endpoints: tuple[EndpointView, ...]
    picks: tuple[PickView, ...]
    next: tuple[PickView, ...]
    retired: tuple[RetiredView, ...]
    chosen: str | None
    """The `service/endpoint` that was picked, also on the last page of a daemon that stops, which
    recommends nothing."""
    calls: Mapping[str, State]
    """The state of each kind of call through all base URLs, by probe id: the columns of the matrix."""
    main_call: State
    """The state of the main calls of all base URLs."""

    @property
    def probes(self) -> tuple[str, ...]:
        return tuple(self.calls)

    @property
    def is_up(self) -> bool:
        """Say whether some base URL is known to answer its main call."""
        return self.main_call in ANSWERED

    def check_of(self, probe: str) -> CheckView | None:
        """Return any check of this probe: its kind and title are the same at every endpoint."""
        checks = (endpoint.checks.get(probe) for endpoint in self.endpoints)
        return next((check for check in checks if check), None)

    def model_of(self, probe: str) -> str | None:
        """Return the model that a probe asks for at every base URL, if it is one and may be shown."""
        models = {
            endpoint.checks[probe].model for endpoint in self.endpoints if probe in endpoint.checks
        }
        return models.pop() if len(models) == 1 else None

    @property
    def not_operational(self) -> int:
        return sum(endpoint.state is not State.OPERATIONAL for endpoint in self.endpoints)

    @property
    def in_lines(self) -> tuple[EndpointView, ...]:
        """Return what a crowded page shows in a line each: all that it does not show in full."""
        in_full = {endpoint.path for endpoint in self.in_trouble}
        return tuple(endpoint for endpoint in self.endpoints if endpoint.path not in in_full)

    @property
    def in_trouble(self) -> tuple[EndpointView, ...]:
        """Return what a crowded page shows in full: the first that are neither well nor unknown."""
        fine = {State.OPERATIONAL, State.UNKNOWN}
        return tuple(endpoint for endpoint in self.endpoints if endpoint.state not in fine)[
            :IN_FULL
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateView(published.UpdateStatus):
    """One line of an incident's timeline."""

    what: EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView(published.IncidentStatus):
    """One incident in one language."""

    updates: tuple[UpdateView, ...]
    phase: str
    lasted: str
    kinds: tuple[FailureKind, ...]
    instead: str | None
    """What to use meanwhile, while it lasts: a base URL that it does not cover."""
    places: tuple[str, ...]
    """The vantages that see it bad, where several look."""
    instead_from: str
    """The place that `instead` is for, where the page is of several."""
    says_instead: bool
    """Whether it is open and about base URLs, so that the reader asks what to use instead."""
    shown: tuple[UpdateView, ...]
    """The updates for people: what spread within one minute is one entry."""

    @property
    def note(self) -> UpdateView | None:
        """Return what a person wrote last."""
        return next((update for update in self.updates if update.what is EntryKind.NOTE), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageView(published.VantageStatus):
    """A place that probes, and what it sees, in one language."""

    whence: str
    """`from Shanghai`."""
    path: str
    """Where its page lies below the home page of its language: `from/cn/`."""
    is_heard: bool
    """Whether its agent pushed lately; always of the monitor's own place."""
    is_main: bool
    """Users sit there."""
    is_blind: bool
    """Its own network fails, so that it cannot see."""
    why_unseen: str
    """Why nothing is known from there now; empty where something is."""
    services: tuple[ServiceView, ...]
    """Those that it probes, as it sees them."""
    by_path: Mapping[str, EndpointView]
    """Those base URLs that were ever measured there."""

    @property
    def title(self) -> str:
        """Return its name as a heading."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def endpoints(self) -> tuple[EndpointView, ...]:
        return tuple(endpoint for service in self.services for endpoint in service.endpoints)

    @property
    def sees(self) -> bool:
        """Say whether anything that it measured counts now."""
        return self.is_heard and not self.is_blind

    @property
    def measures(self) -> bool:
        """Say whether it sees, and has measured anything."""
        return self.sees and bool(self.by_path)

    @property
    def is_answered(self) -> bool:
        """Say whether some base URL is known to answer its main call from there."""
        return any(service.is_up for service in self.services)

    @property
    def picks(self) -> tuple[PickView, ...]:
        """Return the base URL to use from there, of each service that has one."""
        return tuple(pick for service in self.services for pick in service.picks[:1])

    @property
    def best(self) -> frozenset[str]:
        """Return the `service/endpoint` of those that are recommended without a flaw."""
        return frozenset(pick.endpoint for pick in self.picks if not pick.flaw)

    def service(self, service: str) -> ServiceView | None:
        """Return a service as it is seen from there; None where it is not probed."""
        return next((each for each in self.services if each.id == service), None)

    def other_call(self, service: ServiceView) -> tuple[str, CheckView] | None:
        """Return the probe that speaks for all base URLs there, and a check of it, where it is not that of `service`."""
        seen = self.service(service.id)
        mains = {endpoint.main for endpoint in seen.endpoints} if seen else set()
        if seen is None or len(mains) != 1 or mains == {each.main for each in service.endpoints}:
            return None
        return seen.endpoints[0].main, seen.endpoints[0].main_check


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDays:
    """One day, or several in a row that are alike: no incident began on them."""

    since: date
    """The first of them."""
    day: date
    """The last of them."""
    measured: bool
    """Whether anything was: silence of a day that nobody watched is no good news."""
    imported: bool
    """Whether another program has measured something of it: which incidents there were is not known."""
    incidents: tuple[IncidentView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceView(published.MaintenanceStatus):
    """One window of maintenance, in progress or announced."""

    names: tuple[str, ...]
    """Of the endpoints that people see."""
    whole: bool
    """Whether those are all base URLs of the page."""
    recurs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementView(published.AnnouncementStatus):
    name: str
    """The name of its service; empty where it is about all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView(published.Status):
    """The page in one language."""

    services: tuple[ServiceView, ...]
    incidents: tuple[IncidentView, ...]
    """All that have a page of their own."""
    maintenance: tuple[MaintenanceView, ...]
    calendar: tuple[MaintenanceView, ...]
    """The windows that the calendar has; empty where there is none."""
    announcements: tuple[AnnouncementView, ...]
    language: Language
    path: str
    """Where the pages of this language lie below the page's folder: `` or `zh-CN/`."""
    others: tuple["PageView", ...]
    """The same in the other languages; only the first has them."""
    url: str | None
    note: str
    """What the operator says on every page; empty for nothing."""
    css: Path | None
    logo: Path | None
    shows_reports: bool
    """Whether there is a report of each month."""
    shows_trust: bool
    """Whether it says what one gets through each base URL."""
    whence: str
    """`from Shanghai`."""
    stale_after: timedelta
    fresh_until: datetime | None
    """Until when the newest result counts; None where nothing is known now."""
    interval: timedelta
    sentences: tuple[str, ...]
    """The headline, with zero-width spaces where Chinese may break."""
    past: tuple[PastDays, ...]
    """Newest first."""
    endpoints: tuple[EndpointView, ...]
    """Of all services."""
    by_path: Mapping[str, EndpointView]
    incidents_by_path: Mapping[str, tuple[IncidentView, ...]]
    """Those of each `service/endpoint` that has any."""
    glossary: tuple[Words, ...]
    vantages: tuple[VantageView, ...] = ()
    """Empty where there is one only."""
    measured_whence: str
    """`from Frankfurt and Shanghai`: from where the page knows what it says on top."""
    shown_vantage: VantageView | None = None
    """The place that this home page is of, where it is not of all."""
    by_vantage: tuple["PageView", ...] = ()
    """The home page of each place in this language."""

    @property
    def is_answered(self) -> bool:
        """Say whether some base URL is known to answer its main call, from anywhere that this page is of."""
        services = [*self.services]
        if self.shown_vantage is None:
            services += [service for vantage in self.vantages for service in vantage.services]
        return any(service.is_up for service in services)

    @property
    def for_users(self) -> tuple[ServiceView, ...]:
        """Return each service as the place sees it where users sit, and for want of one the monitor's own."""
        main = next((vantage for vantage in self.vantages if vantage.is_main), None)
        seen = {service.id: service for service in main.services} if main else {}
        return tuple(seen.get(service.id, service) for service in self.services)

    @property
    def use_now(self) -> tuple[PickView, ...]:
        """Return the base URL to use, of each service in which something is wrong where users sit.

        One that has a flaw is left out: where it stands on the page, the flaw is said beside it.
        """
        concerned = {
            path.partition("/")[0]
            for incident in self.current
            if incident.says_instead
            for path in incident.endpoints
        }
        return tuple(
            service.picks[0]
            for service in (self.services if self.shown_vantage else self.for_users)
            if service.state is not State.OPERATIONAL or service.id in concerned
            if service.picks and service.picks[0].url and not service.picks[0].flaw
        )

    @property
    def use_from(self) -> VantageView | None:
        """Return the place that `use_now` is for, where there are several."""
        main = (vantage for vantage in self.vantages if vantage.is_main)
        return self.shown_vantage or next(main, self.vantages[0] if self.vantages else None)

    def place_of(self, pick: PickView) -> VantageView | None:
        """Return the place that one of `use_now` is for: of a service that is not asked there, the monitor's own."""
        place = self.use_from
        is_asked = place is not None and place.service(pick.endpoint.partition("/")[0])
        return place if is_asked or place is None else self.vantages[0]

    def has_other(self, endpoint: EndpointView) -> bool:
        """Say whether there is another base URL of its service to recommend."""
        named = endpoint.path.partition("/")[0]
        service = next(service for service in self.services if service.id == named)
        picks = (*service.picks, *service.next)
        return any(pick.endpoint != endpoint.path and not pick.flaw for pick in picks)

    @property
    def current(self) -> tuple[IncidentView, ...]:
        """Return the incidents that are open."""
        return tuple(incident for incident in self.incidents if incident.closed is None)

    @property
    def picks(self) -> tuple[PickView, ...]:
        return tuple(pick for service in self.services for pick in service.picks)

    def affected(self, incident: IncidentView) -> tuple[tuple[str, EndpointView], ...]:
        """Return the endpoints of an incident as they are now, each with the name of the place that sees it bad.

        The name is empty where only one place looks, and once it is over.
        """
        places = [("", self.by_path)]
        if bad := [vantage for vantage in self.vantages if vantage.id in incident.places]:
            places = [(vantage.title, vantage.by_path) for vantage in bad]
        return tuple(
            (place, endpoints[path])
            for path in incident.endpoints
            for place, endpoints in places
            if path in endpoints
        )

    @property
    def tested(self) -> tuple[str, ...]:
        """Return base URLs that the visitor's browser tries; of a crowd only what is recommended or in trouble."""
        urls = [endpoint.url for endpoint in self.endpoints if endpoint.testable]
        if self.crowded:
            endpoints = [self.by_path[pick.endpoint] for pick in self.shown_picks]
            endpoints += [endpoint for _, ill in self.in_trouble for endpoint in ill]
            urls = [endpoint.url for endpoint in endpoints if endpoint.testable]
        return tuple(dict.fromkeys(filter(None, urls)))

    @property
    def recommended(self) -> frozenset[str]:
        """Return the `service/endpoint` of each base URL that may be called the fastest for somebody."""
        return frozenset(pick.endpoint for pick in self.shown_picks if not pick.flaw)

    @property
    def shown_picks(self) -> tuple[PickView, ...]:
        """Return the picks with those that come next, where there is one service only."""
        return self.picks + (self.services[0].next if len(self.services) == 1 else ())

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return origins that the visitor's browser may ask; nothing that could end a rule of the page's policy."""
        origins = dict.fromkeys("/".join(url.split("/")[:3]) for url in self.tested)
        return tuple(origin for origin in origins if _ORIGIN.fullmatch(origin))

    @property
    def crowded(self) -> bool:
        """Say whether there are so many base URLs that the home page names them in a line each."""
        return len(self.endpoints) > CROWD

    @property
    def by_service(self) -> bool:
        """Say whether there are so many that the home page names services, and each has a page of its base URLs."""
        return len(self.endpoints) > BY_SERVICE

    @property
    def in_trouble(self) -> tuple[tuple[ServiceView, tuple[EndpointView, ...]], ...]:
        """Return what a crowded home page shows in full, by service; where it names services, the first of all."""
        room = IN_FULL if self.by_service else sys.maxsize
        shown = []
        for service in self.services:
            ill = service.in_trouble[:room]
            room -= len(ill)
            if ill:
                shown.append((service, ill))
        return tuple(shown)

    @property
    def not_operational(self) -> int:
        return sum(endpoint.state is not State.OPERATIONAL for endpoint in self.endpoints)

    def ill_somewhere(self, service: ServiceView) -> tuple[EndpointView, ...]:
        """Return the base URLs that some place sees worse than well, the first of a crowd."""
        ill = {State.DEGRADED, State.PARTIAL, State.MAJOR}

        def is_ill(path: str) -> bool:
            seen = (vantage.by_path.get(path) for vantage in self.vantages)
            return any(endpoint is not None and endpoint.state in ill for endpoint in seen)

        found = (endpoint for endpoint in service.endpoints if is_ill(endpoint.path))
        return tuple(islice(found, IN_FULL))

    @property
    def mains(self) -> tuple[str, ...]:
        """Return the probes that speak for any base URL, each once."""
        return tuple(dict.fromkeys([endpoint.main for endpoint in self.endpoints]))

    @property
    def charted(self) -> tuple[EndpointView, ...]:
        """Return those that stream, or all where none does."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.streams) or self.endpoints
