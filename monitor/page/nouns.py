"""What the templates see. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from monitor.model import (
    Check,
    Evidence,
    Fault,
    Kind,
    PageSettings,
    Point,
    Rollup,
    Service,
    Spend,
)
from monitor.model.words import WORDS, Words
from monitor.page.days import Day
from monitor.page.states import State
from monitor.page.stories import Story

_HOST = re.compile(r"[\w.:\[\]-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What does not change from page to page."""

    services: tuple[Service, ...]
    checks: tuple[Check, ...]
    settings: PageSettings
    vantage: str
    version: str

    @property
    def every(self) -> timedelta:
        """The shortest interval of all checks: how fresh the page can be."""
        return min((check.probe.every for check in self.checks), default=timedelta(minutes=1))

    @property
    def stale_after(self) -> timedelta:
        publish = self.settings.publish
        return max(5 * self.every, timedelta(minutes=10)) + (
            publish.behind if publish else timedelta(0)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    state: State
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """What the latest run of a check got, where it failed: text of the endpoint's, cleaned long ago."""

    probe: str
    at: datetime
    kind: Kind
    message: str
    status: int | None
    evidence: Evidence | None

    @property
    def label(self) -> str:
        return WORDS[self.kind].label


@dataclass(frozen=True, slots=True)
class SpendView:
    """What a service's probes cost, in UTC days and months."""

    today: Spend
    month: Spend
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    path: str
    service: str
    name: str
    url: str
    host: str
    state: State
    cut_after: timedelta | None
    main: str
    """The id of the main check's probe."""
    main_kind: str
    streams: bool
    p50: float | None
    p95: float | None
    speed: float | None
    availability: float | None
    excluded: float | None
    windows: Mapping[int, Rollup]
    """Of the main check, by length in days; 1 is the last 24 hours."""
    days: tuple[Day, ...]
    points: tuple[Point, ...]
    shades: tuple[tuple[State, float, float], ...]
    """What was wrong in the last 24 hours: from and until, as shares of them."""
    phases: tuple[tuple[str, float], ...]
    total: float | None
    cells: Mapping[str, CellView]
    """By probe id."""
    trouble: Kind | None
    """What is wrong now, if something is."""
    cert_expires: datetime | None
    errors: tuple[ErrorView, ...] = ()

    @property
    def blocked(self) -> bool:
        """The path from here is at fault, not the service."""
        return self.trouble is not None and self.trouble.fault is Fault.PATH

    @property
    def speaks(self) -> bool:
        """Whether its figures are those of now, and not of some time before it failed."""
        return self.state not in {State.MAJOR, State.UNKNOWN}

    @property
    def words(self) -> Words | None:
        return WORDS[self.trouble] if self.trouble else None

    @property
    def bad_days(self) -> tuple[Day, ...]:
        """Newest first."""
        return tuple(day for day in reversed(self.days) if day.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickView:
    service: str
    endpoint: str
    """`service/endpoint`."""
    url: str
    host: str
    milliseconds: float
    long_call: bool = False
    """For calls that the best one would cut off."""
    unlimited: bool = False
    """Said only where others have a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    state: State
    what: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    id: str
    name: str
    state: State
    endpoints: tuple[EndpointView, ...]
    picks: tuple[PickView, ...]
    probes: tuple[str, ...]
    """Every probe id of the service, each once: the columns of its matrix."""
    spend: SpendView | None = None

    @property
    def best(self) -> PickView | None:
        return self.picks[0] if self.picks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDay:
    day: date
    measured: bool
    """Whether anything was: silence of a day that nobody watched is no good news."""
    stories: tuple[Story, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    title: str
    url: str | None
    vantage: str
    version: str
    generated: datetime
    valid_until: datetime
    interval: timedelta
    stopped: datetime | None
    state: State
    headline: tuple[str, ...]
    """Sentences."""
    text: str
    triage_service: Triage
    triage_network: Triage
    services: tuple[ServiceView, ...]
    picks: tuple[PickView, ...]
    current: tuple[Story, ...]
    past: tuple[PastDay, ...]
    stories: tuple[Story, ...]
    """All that have a page of their own."""
    glossary: tuple[Words, ...]

    @property
    def endpoints(self) -> tuple[EndpointView, ...]:
        return tuple(endpoint for service in self.services for endpoint in service.endpoints)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Those that the visitor's browser may ask; nothing that could end a rule of the page's policy."""
        found = dict.fromkeys(endpoint.host for endpoint in self.endpoints)
        return tuple(host for host in found if _HOST.fullmatch(host))

    @property
    def charted(self) -> tuple[EndpointView, ...]:
        """Those that stream, or all where none does."""
        return tuple(each for each in self.endpoints if each.streams) or self.endpoints
