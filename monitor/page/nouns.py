"""What the templates see. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from monitor.language import Language
from monitor.model import (
    Check,
    Evidence,
    Fault,
    Kind,
    Maintenance,
    Outcome,
    PageSettings,
    Point,
    Rollup,
    Service,
    Spend,
    Window,
)
from monitor.model.words import WORDS, Words
from monitor.page import words
from monitor.page.days import Day
from monitor.page.figures import Past, Span
from monitor.page.states import State
from monitor.page.stories import Story

_ORIGIN = re.compile(r"https?://[\w.:\[\]-]+")
_MARKS = {
    Outcome.UP: State.OPERATIONAL,
    Outcome.DEGRADED: State.DEGRADED,
    Outcome.DOWN: State.MAJOR,
    Outcome.UNKNOWN: State.UNKNOWN,
}
CROWD = 40
"""More base URLs than this do not get their own charts on the home page."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    state: State
    kind: Kind | None = None
    """Why, where it is not operational."""
    milliseconds: float | None = None
    model: str | None = None
    """What it asks for, where that is anybody's business."""

    @property
    def text(self) -> str:
        """For programs: whole, where the page has room for a word."""
        if self.kind and self.state is not State.MAINTENANCE:
            return WORDS[self.kind].label
        return words.cell(self.state, self.kind, self.milliseconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One of the latest runs of any check of an endpoint."""

    probe: str
    at: datetime
    outcome: Outcome
    kind: Kind | None
    milliseconds: float | None

    @property
    def state(self) -> State:
        """The mark beside it."""
        return _MARKS[self.outcome]


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
    """Both empty where base URLs are nobody's business."""
    state: State
    tags: tuple[str, ...]
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
    kinds: Mapping[str, str]
    """Probe id -> its kind."""
    runs: tuple[RunView, ...]
    """Newest first."""
    history: Past
    trouble: Kind | None
    """What is wrong now, if something is."""
    cert_expires: datetime | None
    errors: tuple[ErrorView, ...] = ()

    @property
    def shown(self) -> str:
        """What a reader would know it by."""
        return self.host or self.name

    @property
    def spans(self) -> tuple[Span, ...]:
        """Counted when asked for: only its own page shows them."""
        return self.history.spans()

    @property
    def failed(self) -> tuple[Kind, ...]:
        """Every way in which it failed within 90 days, the most frequent first."""
        return tuple(self.spans[-1].failures)

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
    def letters(self) -> str:
        return "".join([day.letter for day in self.days])

    @property
    def bad_days(self) -> tuple[Day, ...]:
        """Newest first."""
        return tuple(day for day in reversed(self.days) if day.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredView:
    """One that is not probed any more; what is known of it stays."""

    path: str
    name: str
    availability: float | None
    days: tuple[Day, ...]
    last: date | None
    """When it was measured last, in UTC."""

    @property
    def letters(self) -> str:
        return "".join([day.letter for day in self.days])

    @property
    def bad_days(self) -> tuple[Day, ...]:
        return tuple(day for day in reversed(self.days) if day.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickView:
    service: str
    endpoint: str
    """`service/endpoint`."""
    url: str
    host: str
    """Its name, where base URLs are nobody's business; `url` is empty then."""
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
    next: tuple[PickView, ...]
    """Those that come after it, where they are good enough."""
    retired: tuple[RetiredView, ...]
    probes: tuple[str, ...]
    """Every probe id of the service, each once: the columns of its matrix."""
    spend: SpendView | None = None

    def kind_of(self, probe: str) -> str | None:
        return next((each.kinds[probe] for each in self.endpoints if probe in each.kinds), None)

    def model_of(self, probe: str) -> str | None:
        """The one that it asks for everywhere, where that is anybody's business."""
        found = {each.cells[probe].model for each in self.endpoints if probe in each.cells}
        return found.pop() if len(found) == 1 else None

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
class WorkView:
    """One window of maintenance, going on or to come."""

    id: str
    title: str
    window: Window
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
    current: tuple[Story, ...]
    past: tuple[PastDay, ...]
    stories: tuple[Story, ...]
    """All that have a page of their own."""
    works: tuple[WorkView, ...]
    """Maintenance that goes on, then the next of each that is known."""
    glossary: tuple[Words, ...]

    @property
    def headline(self) -> tuple[str, ...]:
        return tuple(each.replace("\u200b", "") for each in self.sentences)

    @property
    def endpoints(self) -> tuple[EndpointView, ...]:
        return tuple(endpoint for service in self.services for endpoint in service.endpoints)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Origins that the visitor's browser may ask; nothing that could end a rule of the page's policy."""
        found = dict.fromkeys("/".join(each.url.split("/")[:3]) for each in self.endpoints)
        return tuple(origin for origin in found if _ORIGIN.fullmatch(origin))

    @property
    def crowded(self) -> bool:
        """So many base URLs that the home page names them in a line each."""
        return len(self.endpoints) > CROWD

    @property
    def charted(self) -> tuple[EndpointView, ...]:
        """Those that stream, or all where none does."""
        return tuple(each for each in self.endpoints if each.streams) or self.endpoints
