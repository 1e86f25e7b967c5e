"""The shape of `status.json`, from which its published JSON Schema is made. Pure.

Times are UTC. A figure that was not measured is null. Adding a field is no break; renaming one is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from monitor.model import Fault, Kind, Outcome, Severity
from monitor.page.states import State


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
    failures: Mapping[Kind, int]


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
    """One cell of the matrix; `text` is what stands in it. `model` where the operator shows models."""

    kind: str | None
    state: State
    text: str
    failure: Kind | None
    median_ms: float | None
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """One of the latest runs; a time to first token where the call streams, else the whole."""

    probe: str
    at: datetime
    outcome: Outcome
    failure: Kind | None
    ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorStatus:
    """What a call that fails now has got; only where the operator shows errors."""

    check: str
    at: datetime
    kind: Kind
    message: str
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """One base URL; `url` is null where the operator keeps base URLs to themselves.

    `main` is the probe that speaks for it, `trouble` what is wrong now.
    """

    id: str
    name: str
    url: str | None
    state: State
    tags: tuple[str, ...]
    main: str
    streams: bool
    cut_after_s: float | None
    trouble: Kind | None
    fault: Fault | None
    availability_90d: float | None
    excluded_90d: float | None
    cert_expires: datetime | None
    checks: Mapping[str, CheckStatus]
    runs: tuple[RunStatus, ...]
    phases_ms: Mapping[str, float]
    windows: tuple[Window, ...]
    days: tuple[DayOfUse, ...]
    last_24h: tuple[HalfHour, ...]
    errors: tuple[ErrorStatus, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickStatus:
    """A base URL to use now; with `long_call`, for calls that the first one would cut off."""

    endpoint: str
    url: str | None
    median_ms: float
    long_call: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    tokens: int
    money: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendStatus:
    """What the probes cost, in UTC days and months; only where the operator shows it."""

    today: Amount
    month: Amount
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredStatus:
    """A base URL that is not probed any more."""

    id: str
    name: str
    availability_90d: float | None
    last: date | None
    days: tuple[DayOfUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    id: str
    name: str
    state: State
    best: str | None
    picks: tuple[PickStatus, ...]
    spend: SpendStatus | None
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
class TriageStatus:
    state: State
    what: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything that the page shows. Not to be believed after `valid_until`."""

    title: str
    vantage: str
    version: str
    generated_at: datetime
    valid_until: datetime
    stopped_at: datetime | None
    state: State
    headline: str
    text: str
    service: TriageStatus
    network: TriageStatus
    services: tuple[ServiceStatus, ...]
    incidents: tuple[IncidentStatus, ...]
    maintenance: tuple[MaintenanceStatus, ...]
    links: Mapping[str, str]
