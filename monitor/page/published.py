"""The shapes of `status.json` and of each base URL's own, from which their JSON Schemas are made. Pure.

Times are UTC. A figure that was not measured is null. Adding a field is no break; renaming one is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from monitor.model import FailureKind, Fault, Outcome, Severity
from monitor.page.states import State
from monitor.page.view_models import SpendView, Triage, Undelivered


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """In milliseconds, of answers; each within 1 % of the exact one."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """An endpoint's main check over some days. `availability` leaves out maintenance and what could
    not be seen; `excluded` is the share of the latter.
    """

    days: int
    runs: int
    availability: float | None
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
    """One cell of the matrix. `model` where the operator shows models."""

    kind: str | None
    state: State
    text: str
    failure: FailureKind | None
    median_ms: float | None
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """One of the latest runs; a time to first token where the call streams, else the whole."""

    probe: str
    at: datetime
    outcome: Outcome
    failure: FailureKind | None
    ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorStatus:
    """What a call that fails now has got; only where the operator shows errors."""

    check: str
    at: datetime
    kind: FailureKind
    message: str
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """One base URL now; `url` is null where the operator keeps base URLs to themselves.

    `main` is the probe that speaks for it, `trouble` what is wrong now. Times and speed are those of
    the last 24 hours: to the first token, or to the headers where nothing streams. `detail` is the
    file that holds its days, percentiles and runs, beside this one.
    """

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
    excluded_90d: float | None
    p50_ms: float | None
    p95_ms: float | None
    tokens_per_s: float | None
    cert_expires: datetime | None
    latest: datetime | None
    checks: Mapping[str, CheckStatus]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDetail:
    """What one base URL has been like. How old it is, `latest` says: when it was asked last. It is
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
    """A base URL to use now; with `long_call`, for calls that the first one would cut off."""

    endpoint: str
    url: str | None
    median_ms: float
    long_call: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredStatus:
    """A base URL that is not probed any more."""

    id: str
    name: str
    availability_90d: float | None
    last: date | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
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
    """From the first bad result to recovery; `closed` is null while it lasts. Updates: newest first."""

    id: int
    title: str
    state: State
    severity: Severity
    opened: datetime
    closed: datetime | None
    what: str
    do: str
    endpoints: tuple[str, ...]
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
class Status:
    """What the home page says. Not to be believed after `valid_until`."""

    title: str
    vantage: str
    version: str
    generated_at: datetime
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
    undelivered: Undelivered | None
    links: Mapping[str, str]
