"""What the templates see. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from monitor.language import Language
from monitor.model import Check, Maintenance, MaintenanceWindow, PageSettings, Service, Spend
from monitor.model.failure import Words
from monitor.page.endpoint_nouns import EndpointView, RetiredView
from monitor.page.incident_views import IncidentView
from monitor.page.states import State

_ORIGIN = re.compile(r"https?://[\w.:\[\]-]+")
CROWD = 40
"""More base URLs than this do not get their own charts on the home page."""
SHARE = 0.4
"""How old a file of the page may grow for want of news, as a share of the time after which it is stale."""
IN_FULL = 20
"""So many of a service's base URLs that are in trouble are shown in full nevertheless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What does not change from page to page."""

    services: tuple[Service, ...]
    checks: tuple[Check, ...]
    settings: PageSettings
    vantage: str
    version: str
    maintenance: tuple[Maintenance, ...] = ()

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


@dataclass(frozen=True, slots=True)
class SpendView:
    """What a service's probes cost, in UTC days and months."""

    today: Spend
    month: Spend
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PickView:
    service: str
    endpoint: str
    """`service/endpoint`."""
    name: str
    url: str
    host: str
    """Its name, where base URLs are nobody's business; `url` is empty then."""
    milliseconds: float
    long_call: bool = False
    """For calls that the best one would cut off."""
    cut_after: timedelta | None = None


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
    next: tuple[PickView, ...]
    """Those that come after it, where they are good enough."""
    retired: tuple[RetiredView, ...]
    probes: tuple[str, ...]
    """Every probe id of the service, each once: the columns of its matrix."""
    spend: SpendView | None = None

    def kind_of(self, probe: str) -> str | None:
        return next((each.kinds[probe] for each in self.endpoints if probe in each.kinds), None)

    def title_of(self, probe: str) -> str | None:
        titles = (endpoint.titles for endpoint in self.endpoints)
        return next((title[probe] for title in titles if probe in title), None)

    def model_of(self, probe: str) -> str | None:
        """The one that it asks for everywhere, where that is anybody's business."""
        found = {each.cells[probe].model for each in self.endpoints if probe in each.cells}
        return found.pop() if len(found) == 1 else None

    @property
    def in_trouble(self) -> tuple[EndpointView, ...]:
        """What a crowded page shows in full: the first that are neither well nor unknown."""
        fine = {State.OPERATIONAL, State.UNKNOWN}
        return tuple(each for each in self.endpoints if each.state not in fine)[:IN_FULL]

    @property
    def best(self) -> PickView | None:
        return self.picks[0] if self.picks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDay:
    day: date
    measured: bool
    """Whether anything was: silence of a day that nobody watched is no good news."""
    stories: tuple[IncidentView, ...]


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Messages that were given up: how many, and when the last of them was to be told. Whom it
    would have reached, and why it did not, is nobody else's business.
    """

    alerts: int
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceView:
    """One window of maintenance, going on or to come."""

    id: str
    title: str
    window: MaintenanceWindow
    active: bool
    endpoints: tuple[str, ...]
    """`service/endpoint` of those that people see."""
    names: tuple[str, ...]
    whole: bool
    """Whether that is all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    language: Language
    path: str
    """Where the pages of this language lie below the page's folder: `` or `zh-CN/`."""
    others: tuple["PageView", ...]
    """The same in the other languages; only the first has them."""
    title: str
    url: str | None
    links: tuple[tuple[str, str], ...]
    css: Path | None
    logo: Path | None
    vantage: str
    whence: str
    """`from Shanghai`."""
    version: str
    generated: datetime
    valid_until: datetime
    stale_after: timedelta
    interval: timedelta
    stopped: datetime | None
    state: State
    sentences: tuple[str, ...]
    """The headline, with zero-width spaces where Chinese may break."""
    text: str
    triage_service: Triage
    triage_network: Triage
    services: tuple[ServiceView, ...]
    picks: tuple[PickView, ...]
    current: tuple[IncidentView, ...]
    past: tuple[PastDay, ...]
    endpoints: tuple[EndpointView, ...]
    """Of all services."""
    by_path: Mapping[str, EndpointView]
    stories: tuple[IncidentView, ...]
    """All that have a page of their own."""
    told: Mapping[str, tuple[IncidentView, ...]]
    """Those of each `service/endpoint` that has any."""
    works: tuple[MaintenanceView, ...]
    """Maintenance that goes on, then the next of each that is known."""
    undelivered: "Undelivered | None"
    """Alerts of the last week that reached nobody, where there are any."""
    glossary: tuple[Words, ...]

    @property
    def headline(self) -> tuple[str, ...]:
        return tuple(each.replace("\u200b", "") for each in self.sentences)

    def concerned(self, story: IncidentView) -> tuple[EndpointView, ...]:
        """The endpoints that it is about, as they are now."""
        return tuple(self.by_path[path] for path in story.endpoints if path in self.by_path)

    @property
    def tested(self) -> tuple[str, ...]:
        """Base URLs that the visitor's browser tries; of a crowd only what is recommended or in trouble."""
        if not self.crowded:
            return tuple(each.url for each in self.endpoints)
        shown = [each.url for service in self.services for each in service.in_trouble]
        picks = () if self.stopped else self.shown_picks
        return tuple(dict.fromkeys([*(each.url for each in picks), *shown]))

    @property
    def shown_picks(self) -> tuple[PickView, ...]:
        """With those that come next, where there is one service only."""
        return self.picks + (self.services[0].next if len(self.services) == 1 else ())

    @property
    def hosts(self) -> tuple[str, ...]:
        """Origins that the visitor's browser may ask; nothing that could end a rule of the page's policy."""
        found = dict.fromkeys("/".join(url.split("/")[:3]) for url in self.tested)
        return tuple(origin for origin in found if _ORIGIN.fullmatch(origin))

    @property
    def crowded(self) -> bool:
        """So many base URLs that the home page names them in a line each."""
        return len(self.endpoints) > CROWD

    @property
    def mains(self) -> tuple[str, ...]:
        """The probes that speak for any base URL, each once."""
        return tuple(dict.fromkeys([each.main for each in self.endpoints]))

    @property
    def charted(self) -> tuple[EndpointView, ...]:
        """Those that stream, or all where none does."""
        return tuple(each for each in self.endpoints if each.streams) or self.endpoints
