"""The published facts: what `status.json` and each endpoint's own file say. Pure.

JSON and JSON Schemas are made from these types. What the templates see extends them
(`view_models.py`), so that page and programs cannot say different things: a published fact is
a field here, what only the page needs is a field there.

Times are UTC, whole seconds. A figure that was not measured is null. Adding a field breaks nobody;
renaming one does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from monitor.model import FailureKind, Fault, Outcome, Severity, Spend
from monitor.page.states import State

_MARKS = {
    Outcome.UP: State.OPERATIONAL,
    Outcome.DEGRADED: State.DEGRADED,
    Outcome.DOWN: State.MAJOR,
    Outcome.UNKNOWN: State.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """In milliseconds, of answers; each within 1 % of the exact one."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """An endpoint's main check over some days; `days` is 1 for the last 24 hours.

    Shares are 0 to 1. `availability` leaves out maintenance and what could not be seen; `excluded` is
    the share of the latter. `good` is the share of runs without any fault, of the same runs.
    """

    days: int
    runs: int
    availability: float | None
    good: float | None
    excluded: float | None
    ttft_ms: Percentiles | None
    ttfb_ms: Percentiles | None
    total_ms: Percentiles | None
    tokens_per_s_p50: float | None
    failures: Mapping[FailureKind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfUse:
    """A UTC day: its worst confirmed state, and for how many minutes."""

    day: date
    state: State
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfHour:
    """One point of the endpoint's chart: time to first token, to the headers where nothing streams."""

    at: datetime
    p50_ms: float | None
    p95_ms: float | None
    tokens_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStatus:
    """One cell of the matrix. `model` is given where the operator shows models."""

    kind: str
    state: State
    text: str
    failure: FailureKind | None
    median_ms: float | None
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """One of the latest runs; `ms` is the time to first token where the call streams, else the whole."""

    probe: str
    at: datetime
    outcome: Outcome
    failure: FailureKind | None
    ms: float | None

    @property
    def state(self) -> State:
        """Return the state whose mark stands beside the run."""
        return _MARKS[self.outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorStatus:
    """An answer of the latest run of a check, where it failed; only where the operator shows errors.

    It is text of the endpoint's, cleaned before it was stored.
    """

    check: str
    at: datetime
    kind: FailureKind
    message: str
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: str


class TrustFinding(StrEnum):
    """Says what was found of a promise that a base URL makes."""

    SAME = "same"
    """One-word answers are spread as before, as through the other base URLs, or both."""
    CHANGED = "changed"
    LEARNING = "learning"
    """There are not answers enough yet to compare anything."""
    NOT_JUDGED = "not_judged"
    """Too many answers are empty."""
    KEPT = "kept"
    BROKEN = "broken"
    UNSURE = "unsure"
    """The last run did not show it, which proves nothing until it happens three times in a row."""
    UNKNOWN = "unknown"
    """Nothing was measured lately that says anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFact:
    """Says what one gets through a base URL, in one respect: `model`, `structured`, `tools`, `cache`, `tokens`, `streaming`.

    `failure` says how a promise is broken. `since` is when the baseline of a model or of token counts was whole, or
    when the trouble that lasts began; `compared_with` names what those are compared with: `own_past`,
    `other_base_urls`, the operator's `reference`. `answers` counts those that a comparison still lacks. `share` is the
    part of the prompt that came from a cache, 0 to 1. `measured` is the last run that says anything.
    """

    what: str
    check: str
    kind: str
    """The kind of the probe that measured it."""
    finding: TrustFinding
    state: State
    failure: FailureKind | None = None
    since: datetime | None = None
    compared_with: tuple[str, ...] = ()
    answers: int | None = None
    share: float | None = None
    measured: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFrom:
    """One base URL as one vantage sees it; the fields mean what they mean in `EndpointStatus`."""

    state: State
    trouble: FailureKind | None
    fault: Fault | None
    availability_90d: float | None
    good_90d: float | None
    p50_ms: float | None
    p95_ms: float | None
    latest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """One base URL now; `url` is null where the operator keeps base URLs to themselves.

    `main` is the probe that speaks for it, `trouble` what is wrong now. `availability_90d`, `good_90d` and
    `excluded_90d` are shares, 0 to 1, as in `Window`. Times and speed are those of the last 24 hours: to
    the first token, or to the headers where nothing streams. `detail` is the
    file that holds its days, percentiles and runs, beside this one. `from` is there where several
    vantages probe: what each of them sees that has measured it.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {
        "alias_generator": lambda name: name.rstrip("_")
    }
    """`from` is no name in Python."""

    id: str
    name: str
    url: str | None
    state: State
    tags: tuple[str, ...]
    main: str
    streams: bool
    cut_after_s: float | None
    trouble: FailureKind | None
    fault: Fault | None
    availability_90d: float | None
    good_90d: float | None
    excluded_90d: float | None
    p50_ms: float | None
    p95_ms: float | None
    tokens_per_s: float | None
    cert_expires: datetime | None
    latest: datetime | None
    checks: Mapping[str, CheckStatus]
    """By probe id."""
    detail: str
    from_: Mapping[str, SeenFrom] = field(default_factory=dict)
    """By vantage."""
    trust: tuple[TrustFact, ...] = ()
    """Only where the operator shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDetail:
    """The history of one base URL. `latest` says how old it is: when it was asked last. It is
    written anew when something happens to it, and every few minutes at least.
    """

    service: str
    id: str
    name: str
    retired: bool
    latest: datetime | None
    phases_ms: Mapping[str, float]
    windows: tuple[Window, ...]
    days: tuple[DayOfUse, ...]
    last_24h: tuple[HalfHour, ...]
    runs: tuple[RunStatus, ...]
    errors: tuple[ErrorStatus, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickStatus:
    """A base URL to use now; with `long_call`, for calls that the first one would cut off.

    `flaw`: it spoils its answers, or an open incident covers it, and there is no better one.
    """

    endpoint: str
    url: str | None
    median_ms: float
    long_call: bool
    flaw: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredStatus:
    """A base URL that is not probed any more; `last` is the UTC day on which it was asked last."""

    id: str
    name: str
    availability_90d: float | None
    good_90d: float | None
    last: date | None
    detail: str


@dataclass(frozen=True, slots=True)
class SpendView:
    """The cost of a service's probes, in UTC days and months."""

    today: Spend
    month: Spend
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service; `best` is the base URL to use now, `next` are those that come after it."""

    id: str
    name: str
    state: State
    best: str | None
    picks: tuple[PickStatus, ...]
    spend: SpendView | None
    endpoints: tuple[EndpointStatus, ...]
    next: tuple[PickStatus, ...]
    retired: tuple[RetiredStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStatus:
    """One thing that happened, in the words of the page."""

    at: datetime
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentStatus:
    """An incident, from the first bad result to recovery; `closed` is null while it lasts. Updates: newest first.

    `measured` is false while nothing of it can be measured: whether it lasts is not known, and `what` says how it was. `do` is empty once it is over.
    """

    id: int
    title: str
    state: State
    severity: Severity
    opened: datetime
    closed: datetime | None
    measured: bool
    what: str
    do: str
    endpoints: tuple[str, ...]
    """`service/endpoint`."""
    failed_runs: Mapping[str, int]
    updates: tuple[UpdateStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceStatus:
    """A window that is open, or the next one within a week."""

    id: str
    title: str
    begins: datetime
    ends: datetime
    active: bool
    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementStatus:
    """Holds what the operator tells everybody, in their own words; it is no incident. `service` is null where it is about all."""

    id: int
    at: datetime
    until: datetime | None
    service: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """The word on one party, the service or the network: whether it is at fault."""

    state: State
    what: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageStatus:
    """A place that probes. `state` is that of all services from there, unknown while it is not heard.

    `heard_at` is when its agent pushed last, and `offset_ms` how far the hub's clock is ahead of the
    agent's; both are null for the monitor's own place, and for one that was never heard.
    """

    id: str
    name: str
    state: State
    heard_at: datetime | None
    offset_ms: int | None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Messages that were given up: how many, and when the last of them was written. Whom they would
    have reached, and why they did not, is nobody else's business.
    """

    alerts: int
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The facts of the home page. Not to be believed after `valid_until`.

    `measured_at` is the newest result of a main call that says anything.
    """

    title: str
    vantage: str
    version: str
    generated_at: datetime
    measured_at: datetime | None
    valid_until: datetime
    stopped_at: datetime | None
    state: State
    headline: str
    text: str
    service: Triage
    network: Triage
    services: tuple[ServiceStatus, ...]
    incidents: tuple[IncidentStatus, ...]
    maintenance: tuple[MaintenanceStatus, ...]
    announcements: tuple[AnnouncementStatus, ...]
    """Those that stand, newest first."""
    undelivered: Undelivered | None
    links: Mapping[str, str]
    vantages: tuple[VantageStatus, ...] = ()
    """The places that probe, the monitor's own first; left out where there is no other. Then `state`,
    `headline`, `text`, `service` and `network` speak of all of them, `services` of what the first sees."""
